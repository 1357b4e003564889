"""Processes that share a stream of items: each item gives one result, even where a process dies on the way.

Items are taken as processes become free, so a stream of any length takes the memory of a few. A process that dies is
replaced; the item it worked on is tried again, and counts as lost when that has cost `TRIES` processes. Processes end
with their parent, however that ends.
"""

import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar

from voxfield.errors import VoxfieldError

if TYPE_CHECKING:  # multiprocessing is imported where processes are wanted: the start of one command does without
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Item = TypeVar("Item")
Result = TypeVar("Result")
AUTO: Literal["auto"] = "auto"
Processes = int | Literal["auto"]  # how many; auto is one a processor where there is enough to do
TRIES = 3  # processes that one item may cost
_HOPELESS = 10  # processes that die one after the other without a single result
_WORTH_PROCESSES = 8  # items from which `auto` starts processes, which take half a second each
_LEAVING_S = 5.0  # to clean up in, before a process is killed


@dataclass(frozen=True)
class Lost:
    """In the place of a result: why there is none, such as that every process that worked on the item died."""

    reason: str


class PoolError(VoxfieldError):
    """The processes cannot do the work, whatever they are given."""


class _Worker(Generic[Item]):
    """One process, or the one that took its place."""

    def __init__(self, process: "BaseProcess", connection: "Connection") -> None:
        self.process, self.connection = process, connection
        self.items: list[Item] = []  # the one under way, if there is one

    def give(self, item: Item) -> None:
        self.items = [item]
        with suppress(OSError):  # it is dead, which reading from it will show
            self.connection.send(item)


class Pool(Generic[Item, Result]):
    """Processes that apply a function to items; a context manager.

    Args:
        function: pickled once a process. It should catch what it raises: an exception ends the pool's work.
        processes: how many.
    """

    def __init__(self, function: Callable[[Item], Result], processes: int) -> None:
        from multiprocessing import get_context

        self._function, self._context = function, get_context("spawn")
        self._workers: list[_Worker[Item]] = [self._started() for _ in range(processes)]
        self._deaths: Counter[Item] = Counter()
        self._in_a_row = 0
        self.died = 0  # processes so far

    def results(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result | Lost]]:
        """Each item with its result, in the order in which they are done. Equal items must not be under way at once.

        Raises:
            PoolError: the function raised something, or processes die without giving any result.
        """
        from multiprocessing.connection import wait

        source, again = iter(items), deque[Item]()

        def feed(worker: _Worker[Item]) -> None:
            if again:
                worker.give(again.popleft())
                return
            for item in source:
                worker.give(item)
                return

        while True:
            for worker in self._workers:
                if not worker.items:
                    feed(worker)
            busy = {worker.connection: worker for worker in self._workers if worker.items}
            if not busy:
                return
            for ready in wait(list(busy)):
                worker = busy[ready]  # type: ignore[index]
                item = worker.items.pop()
                try:
                    result = worker.connection.recv()
                    self._in_a_row = 0
                except (EOFError, OSError):
                    how = self._replace(worker)
                    self._deaths[item] += 1
                    if self._deaths[item] < TRIES:
                        again.append(item)
                        continue
                    result = Lost(f"{TRIES} processes died while working on it, the last {how}")
                if isinstance(result, PoolError):
                    raise result
                self._deaths.pop(item, None)
                feed(worker)  # before whoever takes the result keeps it waiting
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

    def _started(self) -> _Worker[Item]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._function), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _replace(self, worker: _Worker[Item]) -> str:
        """Give a worker another process; how the one before ended, in words.

        Raises:
            PoolError: too many have ended one after the other.
        """
        worker.connection.close()
        worker.process.join()
        how = _ending(worker.process.exitcode)
        self.died += 1
        self._in_a_row += 1
        if self._in_a_row >= _HOPELESS:
            raise PoolError(f"{_HOPELESS} processes died one after the other, the last {how}; try with --jobs 1")
        fresh = self._started()
        worker.process, worker.connection = fresh.process, fresh.connection
        return how


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    processes: int = 1,
    done: Callable[[Item, Result | Lost], object] = lambda item, result: None,
) -> Generator[tuple[Item, Result | Lost], None, None]:
    """Each item with its result, in the order of the items; closing this ends the processes.

    Args:
        function: see `Pool`; with one process it is called here, and may raise.
        items: no two of them equal.
        processes: how many.
        done: called with an item and its result as soon as they are there.

    Raises:
        PoolError: see `Pool.results`.
    """
    if processes == 1:
        for item in items:
            result = function(item)
            done(item, result)
            yield item, result
        return
    order, results = deque[Item](), dict[Item, Result | Lost]()

    def noted() -> Iterator[Item]:
        for item in items:
            order.append(item)
            yield item

    with Pool(function, processes) as pool:
        for item, found in pool.results(noted()):
            done(item, found)
            results[item] = found
            while order and order[0] in results:
                yield order[0], results.pop(order.popleft())


def processes_for(wanted: Processes, items: int) -> int:
    """How many processes so many items are worth: those that are wanted, or one a processor where there are enough.

    >>> processes_for(4, 3), processes_for("auto", 7)
    (3, 1)
    """
    if wanted == AUTO:
        return min(available_processors(), items) if items >= _WORTH_PROCESSES else 1
    return max(min(wanted, items), 1)


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


def _serve(connection: "Connection", function: Callable[[Any], Any]) -> None:
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
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_LEAVING_S)
    os._exit(1)
