"""One thread that runs the network for all sessions, in turn."""

import asyncio
from threading import Condition, Thread

from voxfield.serve.session import Session


class Scheduler:
    """Sessions get their turns round robin."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed = Condition()
        self._sessions: list[Session] = []
        self._over = self._pending = False
        self._thread = Thread(target=self._run, name="voxfield-hops", daemon=True)
        self._thread.start()

    def add(self, session: Session) -> None:
        """Take part."""
        with self._changed:
            self._sessions = [*self._sessions, session]

    def remove(self, session: Session) -> None:
        """Leave."""
        with self._changed:
            self._sessions = [one for one in self._sessions if one is not session]

    def notify(self) -> None:
        """Something waits."""
        with self._changed:
            self._pending = True
            self._changed.notify()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._over)
                if self._over:
                    return
                self._pending = False
                sessions = self._sessions
            worked = [session for session in sessions if session.error is None and self._step(session)]
            if worked:
                self._pending = True
                self._loop.call_soon_threadsafe(_wake, worked)

    def _step(self, session: Session) -> bool:
        try:
            return session.step()
        except Exception as error:
            session.error = error
            return True


def _wake(sessions: list[Session]) -> None:
    for session in sessions:
        session.wake()
