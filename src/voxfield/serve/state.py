"""What all requests to one process share."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from voxfield.serve.catalogue import Catalogue
from voxfield.serve.gate import Gate
from voxfield.serve.refusal import Refusal
from voxfield.serve.scheduler import Scheduler
from voxfield.serve.settings import Settings


class State:
    """Made when the service starts, inside its event loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.gate = Gate(settings)
        self.catalogue = Catalogue(settings.model)
        self.scheduler = Scheduler(asyncio.get_running_loop())
        self.threads = ThreadPoolExecutor(settings.limits.jobs, thread_name_prefix="voxfield-file")
        self.jobs = 0
        self._sessions: Counter[str] = Counter()

    @property
    def sessions(self) -> int:
        """Sessions that are open."""
        return sum(self._sessions.values())

    def enter(self, headers: Mapping[str, str], scheme: str, ticket: str | None) -> str:
        """The key of a new session, which is counted from now on.

        Raises:
            Refusal: it may not begin.
        """
        limits = self.settings.limits
        self.gate.check_page(headers, scheme)
        key = self.gate.key(headers, ticket)
        if self.sessions >= limits.sessions:
            raise Refusal(
                503, "full", f"{limits.sessions} sessions are open, which is all this service takes; try later"
            )
        if self._sessions[key] >= limits.sessions_a_key:
            raise Refusal(429, "too_many", f"{limits.sessions_a_key} sessions are open with this token; close one")
        self._sessions[key] += 1
        return key

    def leave(self, key: str) -> None:
        """A session is over."""
        self._sessions[key] -= 1
        if not self._sessions[key]:
            del self._sessions[key]

    def close(self) -> None:
        """End the threads."""
        self.scheduler.close()
        self.threads.shutdown(cancel_futures=True)
