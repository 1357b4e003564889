"""Every verb over HTTP and WebSocket, a page for people, and a client for programs.

from voxfield.serve import Client
Client("http://127.0.0.1:8080").enhance("noisy.wav").samples

Each name is fetched when it is first used: the process that looks after the workers needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxfield.serve.client import Client, ServiceError, Sound
    from voxfield.serve.live import LiveSession, SessionError

__all__ = ["Client", "LiveSession", "ServiceError", "SessionError", "Sound"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'voxfield.serve' has no attribute '{name}'")
    home = "live" if name in ("LiveSession", "SessionError") else "client"
    return getattr(import_module(f"voxfield.serve.{home}"), name)
