"""The way of an answer from the thread that makes it to the network, in little memory."""

import asyncio
from collections import deque
from collections.abc import Callable
from threading import Condition

from voxfield.serve.refusal import RefusedError

MOST_BYTES = 1 << 20  # that wait


class Outlet:
    """A file to write to in one thread, read by the event loop.

    Writing waits while the client reads nothing; `on_stuck` is told when that begins and when it ends.
    """

    def __init__(self, on_stuck: Callable[[bool], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = Condition()
        self._parts: deque[bytes] = deque()
        self._held_bytes = 0
        self._over = self._gone = False
        self._error: Exception | None = None
        self._some = asyncio.Event()
        self._on_stuck = on_stuck

    def write(self, data: bytes) -> int:
        """Append, once there is room.

        Raises:
            RefusedError: the client has gone.
        """
        if not data:  # for whoever reads, nothing is the end
            return 0
        with self._changed:
            if self._held_bytes >= MOST_BYTES and not self._gone:
                self._on_stuck(True)
                self._changed.wait_for(lambda: self._held_bytes < MOST_BYTES or self._gone)
                self._on_stuck(False)
            if self._gone:
                raise RefusedError(400, "gone", "the client has left")
            self._parts.append(data)
            self._held_bytes += len(data)
        self._loop.call_soon_threadsafe(self._some.set)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self, error: Exception | None = None) -> None:
        """The answer is whole, or was broken off by an error."""
        with self._changed:
            self._over, self._error = True, error
        self._loop.call_soon_threadsafe(self._some.set)

    async def next(self) -> bytes:
        """What is there, at least one byte before the end.

        Raises:
            Exception: what broke the work off.
        """
        while True:
            await self._some.wait()
            with self._changed:
                if self._parts:
                    data = b"".join(self._parts)
                    self._parts.clear()
                    self._held_bytes = 0
                    if not self._over:
                        self._some.clear()
                    self._changed.notify_all()
                    return data
                if self._over:
                    if self._error is not None:
                        raise self._error
                    return b""
                self._some.clear()

    def leave(self) -> None:
        """The client reads no more."""
        with self._changed:
            self._gone = True
            self._parts.clear()
            self._changed.notify_all()
