"""The way of an upload from the network to the thread that works on it, in little memory."""

import asyncio
import tempfile
from collections import deque
from threading import Condition
from typing import IO

from voxfield.serve.refusal import RefusedError

MOST_BYTES = 1 << 20  # that wait in memory


class Inlet:
    """A file to read from in one thread, filled by the event loop.

    The event loop waits while much waits to be read, which slows the client down. But a client that reads nothing of
    the answer before its upload is done would wait for ever: while the answer is `stuck`, what comes goes into an
    anonymous temporary file, which has no name and is gone with the process.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = Condition()
        self._parts: deque[bytes] = deque()
        self._held_bytes = 0
        self._spilled: IO[bytes] | None = None
        self._read_at = self._written_bytes = 0
        self._over = False
        self._error: Exception | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._stuck = False

    async def put(self, data: bytes) -> None:
        """Append, once there is room."""
        await self._room.wait()
        with self._changed:
            if self._held_bytes < MOST_BYTES and not self._left_bytes:
                self._parts.append(data)
                self._held_bytes += len(data)
            else:
                self._spill(data)
            self._settle()
            self._changed.notify_all()

    def end(self, error: Exception | None = None) -> None:
        """Nothing more comes; with an error, reading raises it."""
        with self._changed:
            self._over, self._error = True, error
            self._changed.notify_all()

    def stuck(self, is_stuck: bool) -> None:
        """Say whether the answer waits for the client; from any thread."""
        with self._changed:
            self._stuck = is_stuck
        self._loop.call_soon_threadsafe(self._settled)

    def read(self, count_bytes: int = -1) -> bytes:
        """As many bytes as asked for, fewer only at the end."""
        parts = []
        while count_bytes != 0 and (part := self.read1(count_bytes)):
            parts.append(part)
            count_bytes -= len(part) if count_bytes > 0 else 0
        return b"".join(parts)

    def read1(self, count_bytes: int = -1) -> bytes:
        """What is there, at least one byte before the end.

        Raises:
            RefusedError: the upload was broken off or went over a limit.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._parts or self._left_bytes or self._over)
            if self._error is not None:
                raise self._error
            data = self._taken(count_bytes)
        self._loop.call_soon_threadsafe(self._settled)
        return data

    def close(self) -> None:
        """Nobody reads any more: what still comes is forgotten."""
        with self._changed:
            self._parts.clear()
            if self._spilled is not None:
                self._spilled.close()
            self._spilled, self._read_at, self._written_bytes = None, 0, 0
            self._over = True
            self._error = self._error or RefusedError(400, "closed", "the work on this upload is over")
            self._changed.notify_all()

    @property
    def _left_bytes(self) -> int:
        return self._written_bytes - self._read_at

    def _taken(self, count_bytes: int) -> bytes:
        if self._parts:
            part = self._parts.popleft()
            if 0 <= count_bytes < len(part):
                self._parts.appendleft(part[count_bytes:])
                part = part[:count_bytes]
            self._held_bytes -= len(part)
            return part
        if self._spilled is None or not self._left_bytes:
            return b""
        self._spilled.seek(self._read_at)
        most = MOST_BYTES if count_bytes < 0 else min(count_bytes, MOST_BYTES)
        data = self._spilled.read(min(most, self._left_bytes))
        self._read_at += len(data)
        if not self._left_bytes:
            self._spilled.truncate(0)
            self._read_at = self._written_bytes = 0
        return data

    def _spill(self, data: bytes) -> None:
        if self._spilled is None:
            self._spilled = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`, or gone with this
        self._spilled.seek(self._written_bytes)
        self._spilled.write(data)
        self._written_bytes += len(data)

    def _settled(self) -> None:
        with self._changed:
            self._settle()

    def _settle(self) -> None:
        if self._over or self._stuck or (self._held_bytes < MOST_BYTES and not self._left_bytes):
            self._room.set()
        else:
            self._room.clear()
