"""Every verb over HTTP and WebSocket, a page for people, and a client for programs.

from voxfield.serve import Client
Client("http://127.0.0.1:8080").enhance("noisy.wav").samples
"""

from voxfield.serve.client import Client, ServiceError, Sound
from voxfield.serve.live import LiveSession, SessionError

__all__ = ["Client", "LiveSession", "ServiceError", "SessionError", "Sound"]
