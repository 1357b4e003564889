"""Processes that share a stream of items: each item gives one result, even where a process dies on the way.

Items are taken as processes become free, so a stream of any length takes the memory of a few. A process that dies is
replaced; the item it worked on is tried again, and counts as lost when that has cost `TRIES` processes. Processes end
with their parent, however that ends.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Self, TypeVar

from voxfield.errors import VoxfieldError

Item = TypeVar("Item")
Result = TypeVar("Result")
TRIES = 3  # processes that one item may cost
_WAITING = 2  # items a process holds: the one under way and the next, so that it never waits for its parent
_HOPELESS = 10  # processes that die one after the other without a single result
_LEAVING_S = 5.0  # to clean up in, before a process is killed


@dataclass(frozen=True)
class Lost:
    """In the place of a result: every process that worked on the item died."""

    reason: str


class PoolError(VoxfieldError):
    """The processes cannot do the work, whatever they are given."""


@dataclass
class _Worker(Generic[Item]):
    process: BaseProcess
    connection: Connection
    items: deque[Item] = field(default_factory=deque)


class Pool(Generic[Item, Result]):
    """Processes that apply a function to items; a context manager.

    Args:
        function: pickled once a process. It should catch what it raises: an exception ends the pool's work.
        processes: how many.
    """

    def __init__(self, function: Callable[[Item], Result], processes: int) -> None:
        self._function, self._context = function, get_context("spawn")
        self._workers: list[_Worker[Item]] = []
        self._deaths: dict[Item, int] = {}
        self._in_a_row = 0
        self.died = 0  # processes so far
        for _ in range(processes):
            self._start()

    def results(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result | Lost]]:
        """Each item with its result, in the order in which they are done. Equal items must not be under way at once.

        Raises:
            PoolError: the function raised something, or processes die without giving any result.
        """
        source, again, exhausted = iter(items), deque[Item](), False
        while True:
            for worker in sorted(self._workers, key=lambda one: len(one.items)):
                while len(worker.items) < _WAITING and (again or not exhausted):
                    if again:
                        self._give(worker, again.popleft())
                        continue
                    try:
                        self._give(worker, next(source))
                    except StopIteration:
                        exhausted = True
            busy = {worker.connection: worker for worker in self._workers if worker.items}
            if not busy:
                if exhausted and not again:
                    return
                continue
            for ready in wait(list(busy)):
                worker = busy[ready]  # type: ignore[index]
                try:
                    result = worker.connection.recv()
                except (EOFError, OSError):
                    yield from self._replace(worker, again)
                    continue
                self._in_a_row = 0
                item = worker.items.popleft()
                self._deaths.pop(item, None)
                if isinstance(result, BaseException):
                    raise result
                yield item, result

    def close(self) -> None:
        """End the processes; what they are doing is undone."""
        for worker in self._workers:
            worker.connection.close()
            if worker.items:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_LEAVING_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._function), daemon=True)
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))

    def _give(self, worker: _Worker[Item], item: Item) -> None:
        worker.items.append(item)
        try:
            worker.connection.send(item)
        except OSError:  # it is dead, which reading from it will show
            return

    def _replace(self, worker: _Worker[Item], again: deque[Item]) -> Iterator[tuple[Item, Lost]]:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join()
        self.died += 1
        self._in_a_row += 1
        how = _ending(worker.process.exitcode)
        if self._in_a_row >= _HOPELESS:
            raise PoolError(f"{_HOPELESS} processes died one after the other, the last {how}; try with --jobs 1")
        item = worker.items.popleft()
        self._deaths[item] = self._deaths.get(item, 0) + 1
        if self._deaths[item] < TRIES:
            again.append(item)
        else:
            del self._deaths[item]
            yield item, Lost(f"{TRIES} processes died while working on it, the last {how}")
        again.extend(worker.items)
        self._start()


def available_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            return f"by {signal.Signals(-code).name}"
        except ValueError:
            return f"by signal {-code}"
    return f"with exit code {code}"


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """A process of the pool: results for items, until the parent hangs up or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears of it as well, and decides
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        while True:
            item = connection.recv()
            try:
                result = function(item)
            except Exception as error:
                result = PoolError(f"unexpected {type(error).__name__}: {error}")  # others may not survive pickling
            connection.send(result)
    except (EOFError, OSError, KeyboardInterrupt):
        return


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what cleans up is left in peace
    raise KeyboardInterrupt


def _leave_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_LEAVING_S)
    os._exit(1)
