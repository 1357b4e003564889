"""Running the service: sockets, worker processes, and an end that leaves nobody without a tail."""

import gc
import os
import secrets
import socket
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from voxfield.errors import InputError
from voxfield.serve.frame_socket import FrameSocket
from voxfield.serve.settings import SHARED, Limits, Settings

SETTINGS = "VOXFIELD_SERVE"  # how the worker processes get theirs
_JOBS_S = 10  # for the ends of requests, once the sessions are over


def serve(settings: Settings, *, workers: int = 1, ready: Callable[[str], object] = print) -> None:
    """Run until a signal ends it.

    Args:
        settings: of the service.
        workers: processes that share the port, and the sessions.
        ready: is called with the address once the port is open.

    Raises:
        UnknownModelError, CardError, DownloadError, OutputError: a model of the settings cannot be had.
        InputError: nor can the port, or the book of speakers.
    """
    _check_files(settings, load=workers == 1)
    _check_port(settings.host, settings.port)
    with tempfile.TemporaryDirectory(prefix="voxfield-serve-") as folder:
        if workers > 1:
            os.environ[SHARED] = folder
            settings = replace(
                settings, shared=folder, ticket_key=secrets.token_hex(), limits=shared(settings.limits, workers)
            )
        os.environ[SETTINGS] = settings.to_json()
        config = configured(settings)
        config.workers = workers
        port = config.bind_socket()
        host, number = port.getsockname()[:2]
        ready(f"http://{f'[{host}]' if ':' in host else host}:{number}")
        if workers > 1:
            Multiprocess(config, [port]).run()
        else:
            uvicorn.Server(config).run([port])


def _check_files(settings: Settings, *, load: bool) -> None:
    """Look at models and book before the port opens; where this process runs the models, they stay loaded."""
    from voxfield.cards import resolve

    if settings.book:
        from voxfield.tasks import SpeakerBook

        SpeakerBook(settings.book).made()

    for model in (settings.model, *settings.models):
        resolve(model)
    if load:
        from voxfield.serve.catalogue import Catalogue

        Catalogue(settings.model, settings.models)


def _check_port(host: str, port: int) -> None:
    """Look whether the port is free, of which uvicorn gives no more than a number."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"port {port} of {host} cannot be opened ({why}); choose another with --port") from error


def shared(limits: Limits, workers: int) -> Limits:
    """The share of the limits that each of several workers gets."""
    return replace(
        limits,
        sessions=-(-limits.sessions // workers),
        sessions_a_key=-(-limits.sessions_a_key // workers),
        connections=-(-limits.connections // workers),
        jobs=max(1, limits.jobs // workers),
    )


def configured(settings: Settings) -> "Config":
    """How uvicorn shall run it: without a log of requests, whose addresses may hold tickets."""
    config = Config(
        "voxfield.serve.server:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        http=Punctual,
        ws=FrameSocket,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws_max_size=settings.limits.frame_bytes,
        ws_ping_interval=None,  # a slow session is not a dead one; silence is judged by its own limit
        ws_per_message_deflate=False,
        limit_concurrency=settings.limits.connections,
        timeout_graceful_shutdown=_JOBS_S,
    )
    config.first_s = settings.limits.first_s
    return config


def from_environment() -> object:
    """The application in a worker process; the process that looks after the workers does without it."""
    gc.disable()  # nothing of what is imported goes again
    from voxfield.serve.app import create_app

    app = create_app(Settings.from_json(os.environ[SETTINGS]))
    gc.freeze()  # looking through all of it would hold up the sound for tens of milliseconds
    gc.enable()
    return app


class Config(uvicorn.Config):
    """uvicorn's, with the time until a first request."""

    first_s = 10.0


class Punctual(HttpToolsProtocol):
    """Closes connections over which no whole request head comes in time."""

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        super().connection_made(transport)
        first_s = getattr(self.config, "first_s", Config.first_s)
        self._waiting = self.loop.call_later(first_s, self._check_begun)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._waiting.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """It goes on as a WebSocket, whose first frame has a limit of its own."""
        self._waiting.cancel()
        super().handle_websocket_upgrade()

    def _check_begun(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()
