"""What may be chosen about the service, and the limits that keep it alive."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from voxfield.errors import InputError

MEGA = 1 << 20
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where worker processes keep their figures


@dataclass(frozen=True)
class Limits:
    """What one client, and all together, may ask for."""

    sessions: int = 256  # WebSocket sessions at once
    sessions_a_key: int = 256  # of them with the same token
    jobs: int = max(1, (os.cpu_count() or 2) - 1)  # requests over HTTP that are worked on at once
    waiting_jobs: int = 16  # further ones that wait for their turn
    duration_s: float = 4 * 3600.0  # of one recording
    upload_bytes: int = 4096 * MEGA
    text_bytes: int = 200_000  # of a network to explain, or of any other JSON
    frame_bytes: int = MEGA  # of one WebSocket message
    queue_s: float = 1.0  # sound of a live session that waits on either side, at most
    first_s: float = 10.0  # until the first request, or the first frame of a WebSocket
    idle_s: float = 30.0  # without a message, or without progress of an upload or download
    least_bytes_per_s: int = 1000  # of an upload, on average after `idle_s`
    connections: int = 2048


@dataclass(frozen=True)
class Settings:
    """The service as it is started.

    Attributes:
        host, port: where it listens.
        tokens: what programs may call themselves; anybody may ask where there are none.
        origins: besides the service's own page, what pages may use it, such as "https://example.org".
        model: what enhances where a client names no model.
        models: .onnx files that clients may name besides the published models, by the names on their cards.
        book: a file of enrolled speakers, for `identify`.
        ticket_s: how long a ticket may be used.
        ticket_key: what tickets are signed with, shared by the workers.
        shared: a folder of the workers, for what they have to agree on; empty where there is one.

    Raises:
        InputError: the service would be open to others without a token.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    tokens: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    model: str = "crn-small"
    models: tuple[str, ...] = ()
    book: str = ""
    ticket_s: float = 30.0
    ticket_key: str = ""
    shared: str = ""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "models", tuple(self.models))
        object.__setattr__(self, "origins", tuple(origin.rstrip("/") for origin in self.origins))
        if not self.local and not self.tokens:
            raise InputError(
                f"on {self.host} others can reach the service, so it needs a token: give --token-file FILE with one a "
                "line, or leave --host at 127.0.0.1"
            )
        for origin in self.origins:
            own = urlsplit(origin)
            if own.scheme not in ("http", "https") or origin != f"{own.scheme}://{own.netloc}" or not own.hostname:
                raise InputError(f"--origin {origin}: an address without a path is needed, such as https://example.org")
        if any(len(token) < 16 for token in self.tokens):
            raise InputError(
                "a token has 16 characters or more; make one with: python -c 'import secrets; "
                "print(secrets.token_urlsafe())'"
            )

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def to_json(self) -> str:
        """All of it as text, for the worker processes."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Settings":
        """What `to_json` wrote."""
        values: Mapping[str, Any] = json.loads(text)
        return cls(**{**values, "limits": Limits(**values["limits"])})
