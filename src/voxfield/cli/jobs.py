"""Work through what was asked for: one bad file never stops the rest, and the exit code tells how it went.

Standard output carries one line of JSON a job where that was asked for, and otherwise nothing; people read standard
error. Several processes share the jobs where there are enough of them; messages come in the order of the jobs.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from voxfield.cli.bar import Bar, progress_bar
from voxfield.cli.choices import Choices
from voxfield.cli.inputs import PIPE, HasPath, Job, exists
from voxfield.cli.printable import visible
from voxfield.errors import InputError, VoxfieldError
from voxfield.pool import AUTO, Lost, Processes, in_order, processes_for

ALL_DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130
Report = Callable[[int, int | None, int], None]  # samples done, samples in all where known, sample rate
Work = Callable[[Job, Report], Mapping[str, Any]]  # gives what the job's JSON line shall say
Made = TypeVar("Made")
Item = TypeVar("Item", bound=HasPath)


def run_jobs(jobs: Sequence[Job], work: Work, choices: Choices) -> int:
    """Exit code after all jobs were tried: 0 all done, 1 some failed, 130 interrupted.

    Args:
        jobs: from `voxfield.cli.inputs.plan`.
        work: does one job; what it raises is that job's failure. Where there are several processes it is pickled.
        choices: of the user.
    """
    attempt = partial(_attempt, work=work, overwrite=choices.overwrite, skip_existing=choices.skip_existing)
    piped = any(PIPE in (job.path, job.output) for job in jobs)
    processes = processes_of(choices.jobs, len(jobs), piped=piped)
    with progress_bar(jobs.__len__, choices.quiet or choices.as_json) as bar:
        each = partial(_shown, attempt=attempt, bar=bar) if processes == 1 else partial(attempt, report=_silent)
        return in_turn(each, jobs, processes, partial(_say, choices=choices), partial(_passed, bar=bar))


def in_turn(
    attempt: Callable[[Item], Made],
    items: Sequence[Item],
    processes: int,
    tell: Callable[[Item, Made | Lost], object],
    done: Callable[[Item, Made | Lost], object],
) -> int:
    """Exit code after all items were tried: 0 all done, 1 some failed, 130 interrupted; failures are named at the end.

    Args:
        attempt: does one item, and catches what it raises; pickled where there are several processes.
        items: no two of them equal.
        processes: how many share them.
        tell: called with each item and what was made of it, in the order of the items, until an interrupt.
        done: called with the same as soon as it is there.
    """
    tried = 0
    failed: list[tuple[Path, str]] = []
    untold: dict[Item, Made | Lost] = {}

    def made(item: Item, result: Made | Lost) -> None:
        untold[item] = result
        done(item, result)

    def told(item: Item) -> None:
        nonlocal tried
        tell(item, result := untold.pop(item))
        tried += 1
        if isinstance(result, Lost):
            failed.append((item.path, result.reason))

    try:
        with (
            ended_like_an_interrupt(signal.SIGTERM),
            closing(in_order(attempt, items, processes, made)) as results,
        ):
            for item, _ in results:
                told(item)
        code = SOME_FAILED if failed else ALL_DONE
    except KeyboardInterrupt:
        for item in list(untold):  # done while one before them was under way
            told(item)
        say(f"voxfield: interrupted; {tried} of {len(items)} were tried")
        code = INTERRUPTED
    if failed and len(items) > 1:  # one alone was told of just now
        say("\n".join([f"{len(failed)} of {len(items)} failed:", *(f"  {path}: {reason}" for path, reason in failed)]))
    return code


def attempted(work: Callable[[], Made], path: Path, problem: str) -> Made | Lost:
    """What the work on an input gives, or why there is nothing, such as the `problem` that it has from the start."""
    try:
        if problem:
            raise InputError(problem)
        return work()
    except BrokenPipeError:
        raise
    except VoxfieldError as error:
        return Lost(str(error).removeprefix(f"{path} "))
    except Exception as error:  # a fault of ours, which must not cost the other files either
        return Lost(f"unexpected {type(error).__name__}: {error}")


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


def processes_of(wanted: str, count: int, *, piped: bool) -> int:
    """How many processes `--jobs` asks for, for so many items; a pipe stays in this one.

    Raises:
        InputError: see `jobs_of`.
    """
    processes = jobs_of(wanted)
    return 1 if piped else processes_for(processes, count)


def _attempt(job: Job, report: Report, *, work: Work, overwrite: bool, skip_existing: bool) -> dict[str, Any] | Lost:
    """Do one job; what there is to say of it."""

    def made() -> dict[str, Any]:
        if job.output != PIPE and not overwrite and exists(job.output):
            if not skip_existing:
                raise VoxfieldError(f"{job.output} exists already; use --overwrite or --skip-existing")
            return {"status": "skipped"}
        return {"status": "done", **work(job, report)}

    return attempted(made, job.path, job.problem)


def _shown(job: Job, attempt: Callable[..., dict[str, Any] | Lost], bar: Bar) -> dict[str, Any] | Lost:
    return attempt(job, partial(bar.show, job.path.name))


def _passed(job: Job, result: dict[str, Any] | Lost, bar: Bar) -> None:
    bar.passed(job.path.name, 0.0 if isinstance(result, Lost) else result.get("audio_s", 0.0))


def _silent(done: int, total: int | None, rate_hz: int) -> None:
    return None


def _say(job: Job, result: dict[str, Any] | Lost, choices: Choices) -> None:
    if choices.as_json:
        print_line({"input": str(job.path), "output": str(job.output)}, result)
    if isinstance(result, Lost):
        say(f"voxfield: {job.path}: {result.reason}")
    elif not choices.quiet:
        name = " -> ".join("pipe" if end == PIPE else str(end) for end in (job.path, job.output))
        if result["status"] == "skipped":
            say(f"{name}  exists, skipped")
            return
        speed = ""
        if "audio_s" in result:
            speed = f"  {result['audio_s']:.1f} s in {result['seconds']:.2f} s (RTF {result['real_time_factor']:.4f})"
        say(with_notes(f"{name}{speed}", result.get("notes", ())))


def print_line(names: Mapping[str, str], result: Mapping[str, Any] | Lost) -> None:
    """One line of JSON: what an item is called, and what was made of it or why there is nothing."""
    said = {"status": "failed", "error": result.reason} if isinstance(result, Lost) else result
    print(json.dumps({**names, **said}), flush=True)  # in ASCII: a file name may be in no encoding at all


def with_notes(words: str, notes: Iterable[str]) -> str:
    """What is said of a result, and each note on a line below."""
    return "\n".join([words, *(f"  note: {note}" for note in notes)])


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
