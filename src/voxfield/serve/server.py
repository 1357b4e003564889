"""Running the service: sockets, worker processes, and a graceful end."""

import os

import uvicorn

from voxfield.serve.app import create_app
from voxfield.serve.settings import Settings

SETTINGS = "VOXFIELD_SERVE"  # how the worker processes get theirs


def serve(settings: Settings, workers: int = 1) -> None:
    """Run until a signal ends it."""
    os.environ[SETTINGS] = settings.to_json()
    uvicorn.run(
        "voxfield.serve.server:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        access_log=False,
        log_level="warning",
        server_header=False,
        ws_max_size=settings.limits.frame_bytes,
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        limit_concurrency=settings.limits.connections,
    )


def from_environment() -> object:
    """The application in a worker process."""
    return create_app(Settings.from_json(os.environ[SETTINGS]))
