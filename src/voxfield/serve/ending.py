"""The end of the service on a signal: sessions first get their tails, then the server goes."""

import asyncio
import signal
import threading
from types import FrameType
from typing import Any

from voxfield.serve.state import State

_TAILS_S = 5.0
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_gently(state: State) -> None:
    """Put the sessions' ends before what the server does on a signal; a second signal does not wait.

    Where the service runs in another thread than the main one, as in tests, there are no signals to handle.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        before: Any = signal.getsignal(number)
        if callable(before):
            signal.signal(number, _Handler(state, loop, before))


class _Handler:
    """What one signal does."""

    def __init__(self, state: State, loop: asyncio.AbstractEventLoop, before: Any) -> None:
        self._state, self._loop, self._before = state, loop, before
        self._task: asyncio.Task[None] | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._state.ending:
            self._before(number, frame)
            return
        self._state.ending = True
        self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        self._task = self._loop.create_task(self._end(number))

    async def _end(self, number: int) -> None:
        try:
            await self._state.end_sessions(_TAILS_S)
        finally:
            self._before(number, None)
