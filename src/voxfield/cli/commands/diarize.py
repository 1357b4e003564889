"""`voxfield diarize`: who speaks when, as RTTM."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.inputs import PIPE, Job, expand, plan
from voxfield.cli.jobs import Report
from voxfield.cli.openers import open_input
from voxfield.cli.options import (
    AsJson,
    Inputs,
    Jobs,
    Offline,
    Overwrite,
    Quiet,
    Raw,
    SkipExisting,
    SpeakerModel,
    Threads,
    number_or_auto,
)
from voxfield.cli.recordings import Choices, check, progress_of, work_rows, work_through
from voxfield.errors import InputError, OutputError
from voxfield.pool import AUTO

if TYPE_CHECKING:
    from voxfield.tasks.diarization.recording import SpeakerCount

_TASK = "diarized"


def command(
    inputs: Inputs,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="File or folder for RTTM; standard output if not given.", metavar="RTTM|DIR"),
    ] = None,
    speakers: Annotated[str, typer.Option(help="How many speakers there are, or auto.", metavar="N|auto")] = "auto",
    min_speakers: Annotated[
        int | None, typer.Option("--min-speakers", help="At least so many, with auto.", metavar="N")
    ] = None,
    max_speakers: Annotated[
        int | None, typer.Option("--max-speakers", help="At most so many, with auto; 10 if not given.", metavar="N")
    ] = None,
    book: Annotated[
        Path | None, typer.Option("--book", help="File of a speaker book, whose names are given.", metavar="FILE")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Score from which on a name is given; else the book's own.", metavar="X")
    ] = None,
    model: SpeakerModel = None,
    raw: Raw = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page to see and hear who speaks when.", metavar="FILE.html")
    ] = None,
    overwrite: Overwrite = False,
    skip_existing: SkipExisting = False,
    jobs: Jobs = AUTO,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say who speaks when: one line of RTTM a turn, or with --json the turns and the seconds of each speaker.

    Where several speak at once, it is the turn of the one who is heard best. Speakers are called speaker1, speaker2 ...
    by their first turn, or by their names in a --book.

    Examples:

      voxfield diarize meeting.wav -o meeting.rttm --report meeting.html

      voxfield diarize calls/ --speakers 2 --json > calls.jsonl
    """
    from voxfield.tasks.diarization.recording import SpeakerCount, diarizing_engine
    from voxfield.tasks.report.document import PAGE, check_report

    if report is not None:
        check_report(report, PAGE, overwrite=overwrite)
    count = SpeakerCount.of(number_or_auto("--speakers", speakers), min_speakers, max_speakers)
    choices = Choices(raw, report, overwrite, skip_existing, as_json, quiet, jobs)
    planned = _planned(inputs, out)
    check([replace(job, output=Path("unused")) if job.output == PIPE else job for job in planned], choices)
    diarizing_engine(model, book, threshold, threads=threads)  # what cannot be had is said before any file is opened
    work = DiarizeWork(model, count, book, threshold, threads, choices)
    raise typer.Exit(work_through(planned, work, choices))


@dataclass(frozen=True)
class DiarizeWork:
    """One recording diarized."""

    model: str | None
    count: "SpeakerCount"
    book: Path | None
    threshold: float | None
    threads: int
    choices: Choices

    def __call__(self, job: Job, report: Report) -> Mapping[str, Any]:
        from voxfield.tasks.diarization.recording import diarize_source, diarizing_engine
        from voxfield.tasks.diarization.report import Listened, write_page

        engine, book = diarizing_engine(self.model, self.book, self.threshold, threads=self.threads)
        with open_input(job.input, self.choices.raw) as source:
            heard = Listened(source.rate_hz) if self.choices.report is not None else None
            made, work = diarize_source(
                source, engine, self.count, book=book, threshold=self.threshold, progress=progress_of(source, report),
                watcher=heard,
            )  # fmt: skip
        if job.output != PIPE:
            made.save(job.output, overwrite=self.choices.overwrite)
        elif not self.choices.as_json:
            _print(made.rttm())
        if self.choices.report is None or heard is None:
            return work.to_dict()
        title, overwrite = f"{job.input.name}: who speaks when", self.choices.overwrite
        write_page(self.choices.report, made, heard, title=title, facts=work_rows(work), overwrite=overwrite)
        return work.to_dict() | {"report": str(self.choices.report)}


def _print(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error


def _planned(inputs: list[str], out: str | None) -> list[Job]:
    """A job an input; without `-o` all of them share standard output."""
    items = expand(inputs, _TASK)
    if out is None or out == "-":
        return [Job(item.path, PIPE, item.problem) for item in items]
    if len(items) > 1 and Path(out).suffix.lower() == ".rttm":
        raise InputError(f"-o {out} names one file, but there are {len(items)} recordings; name a folder")
    return plan(items, out, _TASK, "rttm")
