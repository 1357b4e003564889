"""One thread that runs the network for all sessions: their hops in one batch, each session a piece in turn."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import pairwise
from threading import Condition, Thread
from typing import Any, TypeAlias, TypeVar

from voxfield.audio import without_faults
from voxfield.audio.pcm import decode_all, encode_all
from voxfield.protocols import Array
from voxfield.runtime import Turn, Turns, take
from voxfield.serve.metrics import Metrics
from voxfield.serve.session import Session

MOST_TOGETHER = 32  # turns in one step: more gain nothing, and the first would wait for the last
_GATHER_S, _MOST_GATHER_S = 10e-6, 1.5e-3  # that a round of few turns waits for more, a live session: few cost more
_FILES_BESIDE_LIVE = 1  # sessions with files that get a turn in each round of the live ones

_T = TypeVar("_T")
_Waiting: TypeAlias = tuple[Session, Turns, Turn]


class Scheduler:
    """Rounds: every live session that has sound gets one turn, and sessions with files share what is left.

    Turns of the same network and of as many samples are taken in one step, where its file has a free batch axis. How
    many there are follows from the load: while a round runs, and for a moment after it, the sound for the next one
    comes in.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        self._loop, self._metrics = loop, metrics
        self._changed = Condition()
        self._sessions: list[Session] = []
        self._due: deque[Session] = deque()  # live ones that may have something to do; some more than once
        self._over = self._pending = False
        self._live_count = self._next_file = 0
        self._thread = Thread(target=self._run, name="voxfield-hops", daemon=True)
        self._thread.start()

    @property
    def sessions(self) -> list[Session]:
        """Those that take part."""
        return self._sessions

    def add(self, session: Session) -> None:
        """Take part."""
        self._sessions = [*self._sessions, session]
        self._live_count += session.live

    def remove(self, session: Session) -> None:
        """Leave."""
        self._sessions = [one for one in self._sessions if one is not session]
        self._live_count -= session.live

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
                    time.sleep(min(_GATHER_S * self._live_count, _MOST_GATHER_S))
                more = self._round()

    def _round(self) -> bool:
        """Whether there was something to do."""
        due = dict.fromkeys(self._due.popleft() for _ in range(len(self._due)))
        pieces = [piece for session in due if (piece := self._piece(session))]
        files = [session for session in self._sessions if not session.live]
        most = _FILES_BESIDE_LIVE if pieces else MOST_TOGETHER
        for step in range(len(files)):
            if most and (piece := self._piece(files[(self._next_file + step) % len(files)])):
                pieces.append(piece)
                most -= 1
                if not most:
                    self._next_file = (self._next_file + step + 1) % len(files)
        waiting = self._advanced(self._begun(pieces))
        while waiting:
            waiting = [more for group in _alike(waiting) for more in self._advanced(self._taken(group))]
        return bool(pieces)

    def _piece(self, session: Session) -> tuple[Session, bytearray] | None:
        data = session.take()
        if data is None:
            return None
        if session.live and session.has_work:
            self._due.append(session)
        return session, data

    def _begun(self, pieces: list[tuple[Session, bytearray]]) -> Iterable[tuple[Session, Turns, None]]:
        """Their turns, of which none has been taken."""
        for (encoding, channels), group in _groups(pieces, lambda piece: piece[0].taken):
            samples = decode_all([data for _, data in group], encoding, channels)
            for (session, _), block in zip(group, samples, strict=True):
                try:
                    yield session, session.begin(without_faults(block) if encoding == "f32le" else block), None
                except Exception as error:
                    self._fail([session], error)

    def _advanced(self, answers: Iterable[tuple[Session, Turns, Array | None]]) -> list[_Waiting]:
        """Those that want another turn; the others are done."""
        waiting, done = [], []
        for session, turns, answer in answers:
            try:
                waiting.append((session, turns, turns.send(answer)))  # type: ignore[arg-type]
            except StopIteration as over:
                done.append((session, over.value))
            except Exception as error:
                self._fail([session], error)
        for (encoding, channels), group in _groups(done, lambda ended: ended[0].given):
            made = encode_all([sound.reshape(channels, -1) for _, sound in group], encoding)
            for (session, _), data in zip(group, made, strict=True):
                session.finish(data)
        self._wake([session for session, _ in done])
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


def _groups(items: Iterable[_T], key: Callable[[_T], Any]) -> Iterable[tuple[Any, list[_T]]]:
    """Items with the same key, together."""
    groups: dict[Any, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups.items()


def _alike(waiting: list[_Waiting]) -> list[list[_Waiting]]:
    """Turns that may be taken in one step, together."""

    def shared(item: _Waiting) -> tuple[int, int, int]:
        session, _, turn = item
        own = 0 if turn.stepper.engine.free_batch else id(session)
        return id(turn.stepper.engine), turn.block.shape[1], own

    return [part for _, group in _groups(waiting, shared) for part in _in_even_parts(group)]


def _in_even_parts(group: list[_Waiting]) -> list[list[_Waiting]]:
    """As few as may be: two steps of 17 take less time than one of 32 and one of 2."""
    parts = -(-len(group) // MOST_TOGETHER)
    ends = [len(group) * part // parts for part in range(parts + 1)]
    return [group[start:end] for start, end in pairwise(ends)]


def _wake(sessions: list[Session]) -> None:
    for session in sessions:
        session.on_change()
