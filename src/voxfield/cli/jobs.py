"""Work through a list of jobs: one bad file never stops the rest, and the exit code tells how it went.

Standard output carries one line of JSON a job where that was asked for, and otherwise nothing; people read standard
error. Several processes share the jobs where there are enough of them; messages come in the order of the jobs.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from types import FrameType
from typing import Any

from voxfield.cli.bar import Bar, progress_bar
from voxfield.cli.inputs import PIPE, Job, exists
from voxfield.cli.printable import visible
from voxfield.errors import InputError, VoxfieldError
from voxfield.pool import AUTO, Lost, Processes, in_order, processes_for

ALL_DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130
Report = Callable[[int, int | None, int], None]  # samples done, samples in all where known, sample rate
Work = Callable[[Job, Report], Mapping[str, Any]]  # gives what the job's JSON line shall say


def run_jobs(
    jobs: Sequence[Job],
    work: Work,
    *,
    as_json: bool = False,
    quiet: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
    processes: int = 1,
) -> int:
    """Exit code after all jobs were tried: 0 all done, 1 some failed, 130 interrupted.

    Args:
        jobs: from `voxfield.cli.inputs.plan`.
        work: does one job; what it raises is that job's failure. Where there are several processes it is pickled.
        as_json: print one line of JSON a job to standard output.
        quiet: say only what failed.
        overwrite: existing outputs may be replaced; otherwise they are failures.
        skip_existing: existing outputs are left, and count as done.
        processes: how many jobs are done at a time.
    """
    tried: list[dict[str, Any]] = []
    code = ALL_DONE
    attempt = partial(_attempt, work=work, overwrite=overwrite, skip_existing=skip_existing)
    try:
        with ended_like_an_interrupt(signal.SIGTERM), progress_bar(jobs.__len__, quiet or as_json) as bar:
            alone = processes == 1
            each = partial(_shown, attempt=attempt, bar=bar) if alone else partial(attempt, report=_silent)
            with closing(in_order(each, jobs, processes, partial(_passed, bar=bar))) as results:
                for job, result in results:
                    tried.append(_told(job, result))
                    _say(tried[-1], as_json=as_json, quiet=quiet)
    except KeyboardInterrupt:
        say(f"voxfield: interrupted; {len(tried)} of {len(jobs)} were tried")
        code = INTERRUPTED
    failed = [result for result in tried if result["status"] == "failed"]
    if failed and len(jobs) > 1:
        say(f"{len(failed)} of {len(jobs)} failed:")
        for result in failed:
            say(f"  {result['input']}: {result['error']}")
    return code or (SOME_FAILED if failed else ALL_DONE)


def jobs_of(wanted: str) -> Processes:
    """What `--jobs` says.

    Raises:
        InputError: neither a number of processes nor `auto`.
    """
    if wanted == AUTO:
        return AUTO
    if not wanted.isdecimal() or int(wanted) < 1:
        raise InputError(f"--jobs takes a number of processes from 1 on, or auto, not '{wanted}'")
    return int(wanted)


def processes_of(wanted: str, jobs: Sequence[Job]) -> int:
    """How many processes `--jobs` asks for; a pipe stays in this one.

    Raises:
        InputError: see `jobs_of`.
    """
    processes = jobs_of(wanted)
    return 1 if any(PIPE in (job.input, job.output) for job in jobs) else processes_for(processes, len(jobs))


def _attempt(job: Job, report: Report, *, work: Work, overwrite: bool, skip_existing: bool) -> dict[str, Any]:
    """Do one job and say how it went."""
    result: dict[str, Any] = {"input": str(job.input), "output": str(job.output)}
    try:
        if job.problem:
            raise VoxfieldError(job.problem)
        if job.output != PIPE and not overwrite and exists(job.output):
            if not skip_existing:
                raise VoxfieldError(f"{job.output} exists already; use --overwrite or --skip-existing")
            return result | {"status": "skipped"}
        return result | {"status": "done", **work(job, report)}
    except BrokenPipeError:
        raise
    except VoxfieldError as error:
        return _failed(job, str(error).removeprefix(f"{job.input} "))
    except Exception as error:  # a fault of ours, which must not cost the other files either
        return _failed(job, f"unexpected {type(error).__name__}: {error}")


def _shown(job: Job, attempt: Callable[..., dict[str, Any]], bar: Bar) -> dict[str, Any]:
    return attempt(job, partial(bar.show, job.input.name))


def _passed(job: Job, result: dict[str, Any] | Lost, bar: Bar) -> None:
    bar.passed(job.input.name, _told(job, result).get("audio_s", 0.0))


def _told(job: Job, result: dict[str, Any] | Lost) -> dict[str, Any]:
    return _failed(job, result.reason) if isinstance(result, Lost) else result


def _failed(job: Job, reason: str) -> dict[str, Any]:
    return {"input": str(job.input), "output": str(job.output), "status": "failed", "error": reason}


def _silent(done: int, total: int | None, rate_hz: int) -> None:
    return None


def _say(result: Mapping[str, Any], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print(json.dumps(result), flush=True)  # in ASCII: a file name may be in no encoding at all
    if result["status"] == "failed":
        say(f"voxfield: {result['input']}: {result['error']}")
    elif not quiet:
        name = " -> ".join("pipe" if result[end] == "-" else result[end] for end in ("input", "output"))
        if result["status"] == "skipped":
            say(f"{name}  exists, skipped")
            return
        speed = ""
        if "audio_s" in result:
            speed = f"  {result['audio_s']:.1f} s in {result['seconds']:.2f} s (RTF {result['real_time_factor']:.4f})"
        say(f"{name}{speed}")
        for note in result.get("notes", ()):
            say(f"  note: {note}")


def say(text: str) -> None:
    """To standard error; where that is closed, to nobody: the results matter more than the talk."""
    try:
        print(visible(text), file=sys.stderr)
    except (OSError, ValueError):
        return


@contextmanager
def ended_like_an_interrupt(number: int) -> Iterator[None]:
    """Turn a request to end into KeyboardInterrupt, so that unfinished outputs are taken away."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(number, interrupt)
    except ValueError:  # not the main thread: whoever runs us decides about signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(number, before)
