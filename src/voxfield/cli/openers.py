"""Open what a job names, be it a file or a pipe; and the choices that cannot go together."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voxfield.cli.inputs import PIPE, Job
from voxfield.errors import InputError

if TYPE_CHECKING:
    from voxfield.audio import FileSink, OutputFormat, PipeSink, Source


def open_input(path: Path, raw: str | None = None) -> "Source":
    """The recording of a job; `raw` describes headerless standard input, as `RATE[,CHANNELS[,ENCODING]]`."""
    from voxfield.audio import RawFormat, open_pipe, open_source

    layout = RawFormat.parse(raw) if raw else None
    if path == PIPE:
        return open_pipe(sys.stdin.buffer, layout)
    if is_fifo(path):
        return open_pipe(path.open("rb"), layout)
    return open_source(path)


def is_fifo(path: Path) -> bool:
    """Whether it is a named pipe, such as <(command) gives."""
    try:
        return path.is_fifo()
    except OSError:  # such as a name that is too long; opening it will say so
        return False


def open_output(
    path: Path, like: "Source", *, channels: int, overwrite: bool = False, wanted: "OutputFormat"
) -> "FileSink | PipeSink":
    """Where a job's result goes, stored as the recording is, but for what is `wanted` otherwise."""
    from voxfield.audio import file_sink, pipe_sink

    if path == PIPE:
        return pipe_sink(sys.stdout.buffer, like, channels=channels, wanted=wanted)
    return file_sink(path, like, channels=channels, overwrite=overwrite, wanted=wanted)


def check_alone(count: int, kind: str) -> None:
    """Return when there is one file for a `--report`.

    Raises:
        InputError: there are several.
    """
    if count > 1:
        raise InputError(f"--report shows one {kind}, not {count}")


def check_choices(jobs: Sequence[Job], *, as_json: bool, overwrite: bool, skip_existing: bool, raw: str | None) -> None:
    """Return when the choices can go together.

    Raises:
        InputError: they cannot; the message says which and why.
    """
    if raw is not None:
        from voxfield.audio import RawFormat

        RawFormat.parse(raw)
    if overwrite and skip_existing:
        raise InputError("--overwrite and --skip-existing contradict one another; choose one")
    piped_in = any(job.input == PIPE for job in jobs)
    if raw is not None and not any(job.input == PIPE or is_fifo(job.input) for job in jobs):
        raise InputError("--raw describes standard input, but no input is '-'")
    for needed, stream in ((piped_in, sys.stdin), (any(job.output == PIPE for job in jobs), sys.stdout)):
        if needed and stream is None:
            raise InputError("the standard stream that '-' stands for is closed; name a file")
    if any(job.output == PIPE for job in jobs):
        if as_json:
            raise InputError("--json and a result on standard output would mix; name a file with -o")
        if sys.stdout.isatty():
            raise InputError("standard output is a terminal; redirect it, or name a file with -o")
    if piped_in and sys.stdin.isatty():
        raise InputError("standard input is a terminal; pipe a recording into it")
