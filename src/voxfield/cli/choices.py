"""What a user may choose for every command that works through files, and which choices cannot go together."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxfield.cli.inputs import PIPE, HasPath
from voxfield.cli.openers import CLOSED, is_fifo
from voxfield.errors import InputError


@dataclass(frozen=True)
class Choices:
    """The options of `voxfield.cli.options` that go by these names; a command that lacks one leaves it as it is."""

    raw: str | None = None
    report: Path | None = None
    overwrite: bool = False
    skip_existing: bool = False
    as_json: bool = False
    quiet: bool = False
    jobs: str = "1"
    threads: int = 1


def check(choices: Choices, items: Sequence[HasPath], outputs: Iterable[Path] = (), *, page_only: bool = False) -> None:
    """Return when the choices can go together and the report, which may be a picture or not, can be written.

    Raises:
        InputError, OutputError: they cannot; the message says which and why.
    """
    inputs = [item.path for item in items]
    piped_in, piped_out = PIPE in inputs, PIPE in outputs
    if choices.raw is not None:
        from voxfield.audio import RawFormat

        RawFormat.parse(choices.raw)
        if not piped_in and not any(map(is_fifo, inputs)):
            raise InputError("--raw describes standard input, but no input is '-'")
    if choices.overwrite and choices.skip_existing:
        raise InputError("--overwrite and --skip-existing contradict one another; choose one")
    if (piped_in and sys.stdin is None) or (piped_out and sys.stdout is None):
        raise InputError(CLOSED)
    if piped_out and choices.as_json:
        raise InputError("--json and a result on standard output would mix; name a file with -o")
    if piped_out and sys.stdout.isatty():
        raise InputError("standard output is a terminal; redirect it, or name a file with -o")
    if piped_in and sys.stdin.isatty():
        raise InputError("standard input is a terminal; pipe a recording into it")
    check_one_report(choices, len(inputs), "recording", page_only=page_only)


def check_one_report(choices: Choices, count: int, kind: str, *, page_only: bool) -> None:
    """Return when no report is wanted, or it can be written and there is one file to show.

    Raises:
        InputError, OutputError: see `voxfield.tasks.report.document.check_report`, or there are several files.
    """
    if choices.report is None:
        return
    from voxfield.tasks.report.document import PAGE, PAGE_OR_PICTURE, check_report

    if count > 1:
        raise InputError(f"--report shows one {kind}, not {count}")
    check_report(choices.report, PAGE if page_only else PAGE_OR_PICTURE, overwrite=choices.overwrite)
