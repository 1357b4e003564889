"""Who may ask: bearer tokens for programs, tickets for browsers, and which pages a browser may ask from."""

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from voxfield.serve.refusal import RefusedError
from voxfield.serve.settings import Settings

ANYBODY = "anybody"
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class Gate:
    """Checks requests by their headers.

    A browser sends the name that it reached the service by (Host) and the page that asks (Origin). Both are checked,
    so that no page of others can use a service on this machine, not even under a name that leads here.
    """

    def __init__(self, settings: Settings) -> None:
        self._tokens = {_digest(token): f"key-{at + 1}" for at, token in enumerate(settings.tokens)}
        self._origins = set(settings.origins)
        named = (urlsplit(origin).hostname or "" for origin in settings.origins)
        self._hosts = {*_LOCAL_NAMES, settings.host, *named}
        self._any_host = not settings.local and not settings.origins
        self.tickets = Tickets(settings.ticket_key, settings.ticket_s, settings.shared)

    def admit(self, headers: Mapping[str, str], ticket: str | None = None) -> str:
        """The name of the key that the request was made with, which is counted and never logged.

        Raises:
            RefusedError: a page of others asks, or a token is needed and none, or a wrong one, was given.
        """
        self._check_page(headers)
        if ticket is not None:
            return self.tickets.spend(ticket)
        if not self._tokens:
            return ANYBODY
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise RefusedError(
                401,
                "no_token",
                "this service needs a token: send the header 'Authorization: Bearer TOKEN', or ?ticket= from a browser",
                {"WWW-Authenticate": "Bearer"},
            )
        if (found := self._tokens.get(_digest(token.strip()))) is None:
            raise RefusedError(401, "bad_token", "this token is not known here", {"WWW-Authenticate": "Bearer"})
        return found

    def _check_page(self, headers: Mapping[str, str]) -> None:
        """Return where the request comes from no browser, from the service's own page, or from one that is allowed."""
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname
        if not self._any_host and name not in self._hosts:
            raise RefusedError(
                403, "bad_host", f"this service is not called '{name}'; name it with --origin if it is meant to be"
            )
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return
        own = urlsplit(origin)
        if own.netloc != host or own.scheme not in ("http", "https"):
            raise RefusedError(
                403, "bad_origin", f"pages of {origin} may not use this service; allow them with --origin"
            )


class Tickets:
    """Short-lived words that open one connection each, for browsers, whose WebSockets carry no headers.

    A ticket names its key and its end and is signed, so any worker can check it. That it was used is remembered here,
    or, where there are several workers, by a file in their folder.
    """

    def __init__(self, key: str, valid_s: float, folder: str = "") -> None:
        self._key = (key or secrets.token_hex()).encode()
        self.valid_s = valid_s
        self._folder = Path(folder) if folder else None
        self._used: dict[str, float] = {}

    def issue(self, key_name: str) -> str:
        """A new ticket."""
        body = f"{key_name}.{time.time() + self.valid_s:.3f}.{secrets.token_urlsafe(12)}"
        return f"{body}.{self._sign(body)}"

    def spend(self, ticket: str) -> str:
        """The name of the key that the ticket was issued to; it cannot be used again.

        Raises:
            RefusedError: it was used, is over, or was not issued here.
        """
        body, _, signature = ticket.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            raise RefusedError(401, "bad_ticket", "this ticket was not issued here")
        key_name, rest = body.split(".", 1)
        end, _, nonce = rest.rpartition(".")
        end_s = float(end)
        if end_s < time.time() or not self._first_use(nonce, end_s):
            raise RefusedError(
                401, "bad_ticket", "this ticket was used before, or is over; ask for another at /v1/ticket"
            )
        return key_name

    def _first_use(self, nonce: str, end_s: float) -> bool:
        if self._folder is not None:
            for used in self._folder.glob("ticket-*"):
                with suppress(OSError):  # another worker was first
                    if used.stat().st_mtime < time.time() - self.valid_s:  # which is over by now
                        used.unlink()
            name = hashlib.sha256(nonce.encode()).hexdigest()
            try:
                os.close(os.open(self._folder / f"ticket-{name}", os.O_CREAT | os.O_EXCL, 0o600))
            except FileExistsError:
                return False
            return True
        now_s = time.time()
        self._used = {old: over_s for old, over_s in self._used.items() if over_s >= now_s}
        if nonce in self._used:
            return False
        self._used[nonce] = end_s
        return True

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _digest(token: str) -> bytes:
    """Looked up instead of the token, so that the time it takes tells nothing about a token that is near."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
