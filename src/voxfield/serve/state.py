"""What all requests to one process share: who is in, and the threads that work."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from voxfield.serve.catalogue import Catalogue
from voxfield.serve.gate import Gate
from voxfield.serve.metrics import Metrics
from voxfield.serve.refusal import RefusedError, refusal_of
from voxfield.serve.scheduler import Scheduler
from voxfield.serve.settings import Settings

_LATER = {"Retry-After": "5"}
_log = logging.getLogger("voxfield.serve")


class Open(Protocol):
    """A connection that is looked after."""

    def check_idle(self) -> None:
        """End it where nothing has come for too long."""

    def end(self) -> None:
        """Let it end well, as the service does."""


class State:
    """Made when the service starts, inside its event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.gate = Gate(settings)
        self.metrics = Metrics()
        self.catalogue = Catalogue(settings.model, settings.models, settings.book)
        self.scheduler = Scheduler(asyncio.get_running_loop(), self.metrics)
        self.threads = ThreadPoolExecutor(settings.limits.jobs, thread_name_prefix="voxfield-job")
        self.explaining = ThreadPoolExecutor(1, thread_name_prefix="voxfield-explain")
        self.ending = False
        self._jobs = 0
        self._open: dict[Open, str] = {}  # session -> name of its key
        self._watching = asyncio.create_task(self._watch())

    @property
    def full(self) -> bool:
        """Whether no further session is taken."""
        return self.ending or len(self._open) >= self.settings.limits.sessions

    @contextmanager
    def entered(self, headers: Mapping[str, str], ticket: str | None, connection: Open) -> Iterator[None]:
        """While a session lasts.

        Raises:
            RefusedError: it may not begin.
        """
        limits = self.settings.limits
        key = self.gate.admit(headers, ticket)
        if self.full:
            raise RefusedError(
                503, "full", f"{limits.sessions} sessions are all this service takes; try again later", _LATER
            )
        if list(self._open.values()).count(key) >= limits.sessions_a_key:
            raise RefusedError(429, "too_many", f"{limits.sessions_a_key} sessions are open with this token; close one")
        self._open[connection] = key
        self.metrics.sessions.set(len(self._open))
        try:
            yield
        finally:
            del self._open[connection]
            self.metrics.sessions.set(len(self._open))

    @contextmanager
    def working(self) -> Iterator[None]:
        """While a request with a recording, or a network to explain, is worked on or waits for its turn.

        Raises:
            RefusedError: too many do.
        """
        limits = self.settings.limits
        if self.ending or self._jobs >= limits.jobs + limits.waiting_jobs:
            raise RefusedError(503, "full", f"{self._jobs} requests are being worked on; try again later", _LATER)
        self._jobs += 1
        self.metrics.jobs.set(self._jobs)
        try:
            yield
        finally:
            self._jobs -= 1
            self.metrics.jobs.set(self._jobs)

    def refusal(self, error: Exception) -> RefusedError:
        """The answer that an error means; the log has those that were not foreseen, but never the recording."""
        refusal = refusal_of(error)
        self.metrics.refused(refusal.code)
        if refusal.code == "internal":
            _log.error("a request failed", exc_info=error)
        return refusal

    async def end_sessions(self, most_s: float) -> None:
        """Take nothing new, and give every session its tail, for so many seconds at most."""
        self.ending = True
        for connection in list(self._open):
            connection.end()
        end_s = asyncio.get_running_loop().time() + most_s
        while self._open and asyncio.get_running_loop().time() < end_s:
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """End the threads."""
        self._watching.cancel()
        await asyncio.to_thread(self.scheduler.close)
        await asyncio.to_thread(self.threads.shutdown, cancel_futures=True)
        await asyncio.to_thread(self.explaining.shutdown, cancel_futures=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self.settings.limits.idle_s / 4))
            self.metrics.watch(session.queued_s for session in self.scheduler.sessions)
            for connection in list(self._open):
                connection.check_idle()
