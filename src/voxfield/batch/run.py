"""A job from its manifest to its report."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from voxfield.batch import parts, storage
from voxfield.batch.job import Job
from voxfield.batch.ledger import Ledger
from voxfield.batch.local_engine import work_locally
from voxfield.batch.ray_engine import collected, work_on_ray
from voxfield.batch.recorder import Recorder
from voxfield.batch.rehearsal import Estimate, estimate
from voxfield.batch.report import Errors, Tally, write_report
from voxfield.batch.scan import Scan
from voxfield.batch.work import Outcome
from voxfield.errors import OutputError
from voxfield.files import refused, remove_abandoned

Watch = Callable[[Tally, Outcome], None]
_LOCK = ".job.lock"


def run_job(
    job: Job,
    *,
    retry_failed: bool = False,
    overwrite: bool = False,
    say: Callable[[str, str], None] = lambda path, reason: None,
    watch: Watch = lambda tally, outcome: None,
) -> dict[str, Any]:
    """The report of a run: what the manifest asks for and is not there yet was done.

    Args:
        retry_failed: try again what failed in an earlier run.
        overwrite: replace files that no run of this job wrote.
        say: called with the path and the reason of each failure.
        watch: called after each row that was tried.

    Raises:
        InputError: the manifest cannot be read, or the folder holds another task's results.
        OutputError: results or ledger cannot be written (a full disk), or another job is writing there.
        KeyboardInterrupt: after what was done so far was written down; the same call goes on with the rest.
    """
    job.engine()  # a model that cannot be had, or is for something else, is said before anything is written
    next(job.rows(), None)  # and so is a manifest that cannot be read
    if not job.verb.ending:
        parts.arrow(parts.WRITING)
    tally = Tally()
    with ExitStack() as stack:
        stack.enter_context(_alone(job))
        ledger = stack.enter_context(Ledger(job.state, job.settings.task))
        errors = stack.enter_context(Errors(job.state, say))
        recorder = Recorder(job, ledger, tally, errors)
        for outcome in collected(job):
            recorder.append([outcome], earlier=True)
        todo = Scan(job, ledger, tally, errors, retry_failed=retry_failed, overwrite=overwrite).todo()
        on_ray = job.settings.engine == "ray"
        outcomes = work_on_ray(job, todo, ledger.run) if on_ray else work_locally(job, todo, job.processes)
        try:
            with closing(outcomes):
                for outcome in outcomes:
                    recorder.take(outcome)
                    watch(tally, outcome)
            recorder.flush()
            _clean(job, ledger)
        except BaseException as error:
            with suppress(OutputError):
                if isinstance(error, KeyboardInterrupt):
                    recorder.flush()
                write_report(job.state, tally.to_dict(job))
            raise
        report = tally.to_dict(job)
        write_report(job.state, report)
        return report


def rehearse(job: Job, *, retry_failed: bool = False, overwrite: bool = False) -> tuple[Tally, Estimate]:
    """What a run would find, and how long it would take; nothing is written.

    Raises:
        InputError: the manifest cannot be read, or the folder holds another task's results.
    """
    tally = Tally()
    with Ledger(job.state, job.settings.task, rehearsal=True) as ledger, Errors(None) as errors:
        scan = Scan(job, ledger, tally, errors, retry_failed=retry_failed, overwrite=overwrite)
        return tally, estimate(job, scan.todo())


def _clean(job: Job, ledger: Ledger) -> None:
    """Remove what processes left that were killed: temporary files, and parts that no entry names."""
    if not job.verb.ending:
        parts.remove_orphans(job.place, ledger.parts())
    if not storage.is_url(job.place):
        for folder, _, _ in os.walk(job.place):
            remove_abandoned(Path(folder))


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Keep other jobs out of the folder; the lock ends with the process, however that ends."""
    from filelock import FileLock, Timeout

    folder = job.state if storage.is_url(job.place) else Path(job.place)
    with refused(f"{folder} cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise OutputError(f"another job is writing to {folder}; wait for its end, or choose another -o") from error
    try:
        yield
    finally:
        lock.release()
