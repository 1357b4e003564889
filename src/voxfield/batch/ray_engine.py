"""The rows of a job on a Ray cluster: Ray Data reads them, actors do them, and a sink writes what became of them.

    todo/*.parquet -> read_parquet -> map_batches(actors) -> write: records/*.parquet -> the ledger

An actor works through a pool of one process, as the local engine does, so a recording that ends its process is a
failure of that row and not of the actor. Results, todo and records lie in the job's folder, which all machines must
share; a record is written whole, and is entered in the ledger, here or by the next run, before it is removed.
"""

import logging
import os
import shutil
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from voxfield.batch import parts, records
from voxfield.batch.hashes import short_hash
from voxfield.batch.job import Job
from voxfield.batch.local_engine import outcomes, started
from voxfield.batch.recorder import in_part
from voxfield.batch.work import Outcome, Todo
from voxfield.errors import InputError, VoxfieldError, needed
from voxfield.files import followed

FOLDER = "ray"
_SHARE = 64  # a block is at most this share of the rows before it, so that all actors get some early
_FEWEST_ROWS, _MOST_ROWS = 16, 1024  # of a block
_LOOK_S = 0.2  # between looks for new records


def work_on_ray(job: Job, todo: Iterable[Todo], run: int) -> Generator[Outcome, None, None]:
    """What becomes of each row, as its block is done.

    Raises:
        MissingExtraError: Ray is not installed.
        VoxfieldError: the cluster cannot be reached, or gave up.
    """
    folder = followed(job.state) / FOLDER
    shutil.rmtree(folder / "todo", ignore_errors=True)
    count = _write_blocks(folder / "todo", todo)
    if not count:
        return
    with _cluster(job) as actors:
        failed: list[BaseException] = []
        thread = threading.Thread(target=_execute, args=(job, folder, run, count, actors, failed), daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_LOOK_S)
            yield from collected(job)
        yield from collected(job)
        if failed:
            raise VoxfieldError(f"Ray gave up: {failed[0]}") from failed[0]
    shutil.rmtree(folder, ignore_errors=True)


def collected(job: Job) -> Iterator[Outcome]:
    """What records say, also those that a run before left; each is removed when all of it was taken."""
    for path in sorted((job.state / FOLDER / "records").glob("*.parquet")):
        yield from records.read(path)
        path.unlink()


class _Actor:
    """Does blocks of rows; Ray makes as many as it has room and work for."""

    def __init__(self, job: Job, run: int) -> None:
        self._job, self._run, self._pool = job, run, started(job, 1)

    def __call__(self, block: Any) -> Any:
        todo = [records.todo_of(values) for values in block.to_pylist()]
        done: list[Outcome] = []
        made: list[Outcome] = []  # rows of values that wait for their part
        filling = parts.Filling()
        for one in outcomes(self._pool, self._job, todo):
            (made if one.values else done).append(one)
            if one.values and filling.add(one.values):
                done += self._in_part(made)
                made, filling = [], parts.Filling()
        return records.table(done + self._in_part(made))

    def _in_part(self, made: list[Outcome]) -> list[Outcome]:
        """Rows that were written to a part; its name is theirs, so that a block that is done again replaces it."""
        if not made:
            return []
        name = short_hash(*sorted(one.todo.key for one in made)).hex()
        return in_part(self._job, f"part-{self._run:04d}-{name}.parquet", made)


def _execute(job: Job, folder: Path, run: int, blocks: int, actors: int, failed: list[BaseException]) -> None:
    import ray

    try:
        rows = ray.data.read_parquet(str(folder / "todo"), override_num_blocks=blocks)
        done = rows.map_batches(
            _Actor,
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
            fn_constructor_kwargs={"job": job, "run": run},
        )
        done.write_datasink(records.sink(folder / "records"))
    except BaseException as error:
        failed.append(error)


def _write_blocks(folder: Path, todo: Iterable[Todo]) -> int:
    """How many files the rows went to, small ones first."""
    rows = iter(todo)
    files = count = 0
    while block := list(islice(rows, min(max(count // _SHARE, _FEWEST_ROWS), _MOST_ROWS))):
        records.write_todo(folder / f"{files:06d}.parquet", block)
        files, count = files + 1, count + len(block)
    return files


@contextmanager
def _cluster(job: Job) -> Iterator[int]:
    """How many actors there shall be at most, on the cluster that is connected to."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its C++ half writes to standard error
    ray = needed("ray", "ray", "--engine ray")
    needed("ray.data", "ray", "--engine ray")
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    address = job.settings.address
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:  # one processor more, in Ray's count, to read and to write with
            ray.init(
                num_cpus=job.processes + 1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
            )
    except Exception as error:
        raise InputError(f"no Ray cluster at {address or 'this machine'}: {error}") from error
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        there = int(ray.cluster_resources().get("CPU", 1))
        actors = max(there - 1, 1) if job.settings.jobs == "auto" else job.processes
        yield actors
    finally:
        ray.shutdown()
