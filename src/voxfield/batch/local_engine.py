"""The rows of a job on this machine: processes with an engine each."""

from collections.abc import Generator, Iterable, Iterator
from itertools import chain

from voxfield.batch import storage
from voxfield.batch.job import Job
from voxfield.batch.work import FAILED, Outcome, RowWork, Todo
from voxfield.pool import Lost, Pool

DIED = "died"  # kind of failure of a row that cost processes


def work_locally(job: Job, todo: Iterable[Todo], processes: int) -> Generator[Outcome, None, None]:
    """What becomes of each row, as it comes.

    Raises:
        PoolError: processes end whatever they work on.
    """
    rows = iter(todo)
    if (first := next(rows, None)) is None:
        return
    with started(job, processes) as pool:
        yield from outcomes(pool, job, chain([first], rows))


def started(job: Job, processes: int) -> Pool[Todo, Outcome]:
    """Processes for a job."""
    return Pool(RowWork(job), processes)


def outcomes(pool: Pool[Todo, Outcome], job: Job, todo: Iterable[Todo]) -> Iterator[Outcome]:
    """What becomes of each row in these processes; a row that ends them is that row's failure."""
    for one, result in pool.results(todo):
        if isinstance(result, Lost):
            signature = storage.signature(one.row.path)
            result = Outcome(one, FAILED, job.mark, signature=signature, kind=DIED, error=result.reason)
        yield result
