"""Work through a list of jobs: one bad file never stops the rest, and the exit code tells how it went.

Standard output carries one line of JSON a job where that was asked for, and otherwise nothing; people read standard
error.
"""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from voxfield.cli.inputs import Job
from voxfield.cli.visible import visible
from voxfield.errors import VoxfieldError

ALL_DONE, SOME_FAILED, INTERRUPTED = 0, 1, 130
Report = Callable[[float], None]  # called with the share that is done, 0 to 1
Work = Callable[[Job, Report], Mapping[str, Any]]  # gives what the job's JSON line shall say


def run_jobs(
    jobs: Sequence[Job],
    work: Work,
    *,
    as_json: bool = False,
    quiet: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
) -> int:
    """Exit code after all jobs were tried: 0 all done, 1 some failed, 130 interrupted.

    Args:
        jobs: from `voxfield.cli.inputs.plan`.
        work: does one job; what it raises is that job's failure.
        as_json: print one line of JSON a job to standard output.
        quiet: say only what failed.
        overwrite: existing outputs may be replaced; otherwise they are failures.
        skip_existing: existing outputs are left, and count as done.
    """
    tried: list[dict[str, Any]] = []
    code = ALL_DONE
    try:
        with _ended_like_an_interrupt(signal.SIGTERM), _progress(len(jobs), quiet or as_json) as progress:
            for job in jobs:
                result = {"input": str(job.input), "output": str(job.output)}
                try:
                    if job.problem:
                        raise VoxfieldError(job.problem)
                    if job.output.exists() and not overwrite and str(job.output) != "-":
                        if not skip_existing:
                            raise VoxfieldError(f"{job.output} exists already; use --overwrite or --skip-existing")
                        result["status"] = "skipped"
                    else:
                        result |= {"status": "done", **work(job, partial(progress, job))}
                except (KeyboardInterrupt, BrokenPipeError):
                    raise
                except VoxfieldError as error:
                    result |= {"status": "failed", "error": str(error).removeprefix(f"{job.input} ")}
                except Exception as error:  # a fault of ours, which must not cost the other files either
                    result |= {"status": "failed", "error": f"unexpected {type(error).__name__}: {error}"}
                tried.append(result)
                _tell(result, as_json=as_json, quiet=quiet)
    except KeyboardInterrupt:
        print(f"voxfield: interrupted; {len(tried)} of {len(jobs)} were tried", file=sys.stderr)
        code = INTERRUPTED
    failed = [result for result in tried if result["status"] == "failed"]
    if failed and len(jobs) > 1:
        print(f"{len(failed)} of {len(jobs)} failed:", file=sys.stderr)
        for result in failed:
            print(visible(f"  {result['input']}: {result['error']}"), file=sys.stderr)
    return code or (SOME_FAILED if failed else ALL_DONE)


def _tell(result: Mapping[str, Any], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print(json.dumps(result), flush=True)  # in ASCII: a file name may be in no encoding at all
    if result["status"] == "failed":
        print(visible(f"voxfield: {result['input']}: {result['error']}"), file=sys.stderr)
    elif not quiet:
        name = " -> ".join("pipe" if result[end] == "-" else result[end] for end in ("input", "output"))
        if result["status"] == "skipped":
            print(f"{name}  exists, skipped", file=sys.stderr)
            return
        speed = ""
        if "audio_s" in result:
            speed = f"  {result['audio_s']:.1f} s in {result['seconds']:.2f} s (RTF {result['real_time_factor']:.4f})"
        print(f"{name}{speed}", file=sys.stderr)
        for note in result.get("notes", ()):
            print(f"  note: {note}", file=sys.stderr)


@contextmanager
def _progress(count: int, quiet: bool) -> Iterator[Callable[[Job, float], None]]:
    """A bar on a terminal, and nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda job, share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        bars: dict[Job, Any] = {}

        def show(job: Job, share: float) -> None:
            if job not in bars:
                for old in bars.values():
                    bar.update(old, visible=False)
                bars[job] = bar.add_task(f"{len(bars) + 1}/{count} {job.input.name}", total=1.0)
            bar.update(bars[job], completed=share)

        yield show


@contextmanager
def _ended_like_an_interrupt(number: int) -> Iterator[None]:
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
