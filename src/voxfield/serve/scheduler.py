"""One thread that runs the network for all sessions: their hops in one batch, each session a piece in turn."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from threading import Condition, Thread
from typing import TypeAlias

from voxfield.protocols import Array
from voxfield.runtime import Turn, Turns, take
from voxfield.serve.metrics import Metrics
from voxfield.serve.session import Session

MOST_TOGETHER = 32  # turns in one step: more gain nothing, and the first would wait for the last
_GATHER_S = 20e-6  # that a round of few turns waits for more to come, a session: steps of few cost more a turn
_FILES_BESIDE_LIVE = 1  # sessions with files that get a turn in each round of the live ones

_Waiting: TypeAlias = tuple[Session, Turns, Turn]


class Scheduler:
    """Rounds: every live session that has sound gets one turn, and sessions with files share what is left.

    Turns of the same network and of as many samples are taken in one step, where its file has a free batch axis. How
    many there are follows from the load: while a step runs, and for a moment after it, the sound for the next one
    comes in.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        self._loop, self._metrics = loop, metrics
        self._changed = Condition()
        self._sessions: list[Session] = []
        self._due: deque[Session] = deque()  # live ones that may have something to do; some more than once
        self._over = self._pending = False
        self._next_file = 0
        self._thread = Thread(target=self._run, name="voxfield-hops", daemon=True)
        self._thread.start()

    @property
    def sessions(self) -> list[Session]:
        """Those that take part."""
        return self._sessions

    def add(self, session: Session) -> None:
        """Take part."""
        self._sessions = [*self._sessions, session]

    def remove(self, session: Session) -> None:
        """Leave."""
        self._sessions = [one for one in self._sessions if one is not session]

    def notify(self, session: Session) -> None:
        """A session has something to do."""
        if session.live:
            self._due.append(session)
        if not self._pending:
            with self._changed:
                self._pending = True
                self._changed.notify()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._over = self._pending = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                if self._over:
                    return
                self._pending = False
            more = True
            while more and not self._over:
                if len(self._due) < MOST_TOGETHER:
                    time.sleep(_GATHER_S * len(self._sessions))
                more = self._round()

    def _round(self) -> bool:
        """Whether there was something to do."""
        due = dict.fromkeys(self._due.popleft() for _ in range(len(self._due)))
        begun = [way for session in due if (way := self._begun(session))]
        files = [session for session in self._sessions if not session.live]
        most = _FILES_BESIDE_LIVE if begun else MOST_TOGETHER
        for step in range(len(files)):
            if most and (way := self._begun(files[(self._next_file + step) % len(files)])):
                begun.append(way)
                most -= 1
                if not most:
                    self._next_file = (self._next_file + step + 1) % len(files)
        waiting = self._advanced([(session, turns, None) for session, turns in begun])
        while waiting:
            waiting = [more for group in _alike(waiting) for more in self._advanced(self._taken(group))]
        return bool(begun)

    def _begun(self, session: Session) -> tuple[Session, Turns] | None:
        try:
            turns = session.begin()
        except Exception as error:
            self._fail([session], error)
            return None
        if turns is None:
            return None
        if session.live and session.has_work:
            self._due.append(session)
        return session, turns

    def _advanced(self, answers: Iterable[tuple[Session, Turns, Array | None]]) -> list[_Waiting]:
        """Those that want another turn; the others are done."""
        waiting, done = [], []
        for session, turns, answer in answers:
            try:
                waiting.append((session, turns, turns.send(answer)))  # type: ignore[arg-type]
            except StopIteration as over:
                session.finish(over.value)
                done.append(session)
            except Exception as error:
                self._fail([session], error)
        self._wake(done)
        return waiting

    def _taken(self, group: list[_Waiting]) -> list[tuple[Session, Turns, Array | None]]:
        began_s = time.perf_counter()
        try:
            outputs = take([turn for _, _, turn in group])
        except Exception as error:
            self._fail([session for session, _, _ in group], error)
            return []
        self._metrics.step(len(group), time.perf_counter() - began_s)
        return [(session, turns, output) for (session, turns, _), output in zip(group, outputs, strict=True)]

    def _fail(self, sessions: list[Session], error: Exception) -> None:
        for session in sessions:
            session.error = error
        self._wake(sessions)

    def _wake(self, sessions: list[Session]) -> None:
        if sessions:
            self._loop.call_soon_threadsafe(_wake, sessions)


def _alike(waiting: list[_Waiting]) -> list[list[_Waiting]]:
    """Turns that may be taken in one step, together."""
    groups: dict[tuple[int, int, int], list[_Waiting]] = {}
    for at, item in enumerate(waiting):
        turn = item[2]
        own = 0 if turn.stepper.engine.free_batch else at + 1
        groups.setdefault((id(turn.stepper.engine), turn.block.shape[1], own), []).append(item)
    return [part for group in groups.values() for part in _in_even_parts(group)]


def _in_even_parts(group: list[_Waiting]) -> list[list[_Waiting]]:
    """As few as may be: two steps of 17 take less time than one of 32 and one of 2."""
    parts = -(-len(group) // MOST_TOGETHER)
    ends = [len(group) * part // parts for part in range(parts + 1)]
    return [group[start:end] for start, end in pairwise(ends)]


def _wake(sessions: list[Session]) -> None:
    for session in sessions:
        session.on_change()
