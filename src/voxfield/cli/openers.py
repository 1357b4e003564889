"""Open what a job names, be it a file or a pipe."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from voxfield.cli.inputs import PIPE
from voxfield.errors import InputError

if TYPE_CHECKING:
    from voxfield.audio import FileSink, OutputFormat, PipeSink, Source

CLOSED = "the standard stream that '-' stands for is closed; name a file"


def open_input(path: Path, raw: str | None = None) -> "Source":
    """The recording of a job; `raw` describes headerless standard input, as `RATE[,CHANNELS[,ENCODING]]`."""
    from voxfield.audio import RawFormat, open_pipe, open_source

    layout = RawFormat.parse(raw) if raw else None
    if path == PIPE:
        return open_pipe(standard_input().buffer, layout)
    if is_fifo(path):
        return open_pipe(path.open("rb"), layout)
    return open_source(path)


def standard_input() -> TextIO:
    """Where `-` reads from.

    Raises:
        InputError: it is closed.
    """
    if sys.stdin is None:
        raise InputError(CLOSED)
    return sys.stdin


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
