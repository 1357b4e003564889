"""Headers: which type an answer is wanted in, and what a browser may do with it."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeVar

from voxfield.serve.refusal import RefusedError

Message = MutableMapping[str, Any]
Offer = TypeVar("Offer")
App = Callable[[MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any]

POLICY = (  # of the page: nothing but its own files, no code or style inside markup, no frames around it
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_ALWAYS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"microphone=(self), camera=(), geolocation=()",
}


def wanted(accept: str, offers: Mapping[str, Offer], words: str) -> Offer:
    """What is offered under the first type of the header Accept that there is.

    Args:
        offers: by type; "*/*" is what comes where anything will do.
        words: what there is, for the message.

    Raises:
        RefusedError: none of its types is there.
    """
    for item in (accept or "*/*").split(","):
        kind = item.partition(";")[0].strip().lower()
        if kind in offers:
            return offers[kind]
    raise RefusedError(406, "not_acceptable", f"{words}, not {accept[:80]}")


class SafeHeaders:
    """Adds them to every HTTP answer that does not have its own."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                have = {name.lower() for name, _ in given}
                message["headers"] = given + [pair for pair in _ALWAYS.items() if pair[0] not in have]
            await send(message)

        await self._app(scope, receive, guarded)
