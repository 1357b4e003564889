"""`voxfield diarize`: who speaks when, as RTTM."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import PIPE, Job, expand, plan
from voxfield.cli.jobs import Report, run_jobs
from voxfield.cli.openers import open_input
from voxfield.cli.options import Inputs, SpeakerModel, number_or_auto, sharing
from voxfield.cli.recordings import progress_of
from voxfield.errors import InputError
from voxfield.files import refused
from voxfield.formats import SUFFIXES

if TYPE_CHECKING:
    from voxfield.tasks.diarization.recording import SpeakerCount

_TASK = "diarized"


@sharing(report="Write a page to see and hear who speaks when.")
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
    *,
    choices: Choices,
) -> None:
    """Say who speaks when: one line of RTTM for each turn, or with --json the turns and the seconds of each speaker.

    Where two speak at once, their turns overlap. Speakers are called speaker1, speaker2 ... by their first turn, or by
    their names in a --book.

    Examples:

      voxfield diarize meeting.wav -o meeting.rttm --report meeting.html

      voxfield diarize calls/ --speakers 2 --json > calls.jsonl
    """
    from voxfield.tasks.diarization.recording import SpeakerCount, diarizing_engine

    count = SpeakerCount.of(number_or_auto("--speakers", speakers), min_speakers, max_speakers)
    planned = _planned(inputs, out)
    check(choices, planned, page_only=True)
    diarizing_engine(model, book, threshold, threads=choices.threads)  # said before any file is opened
    work = partial(_diarized, model=model, count=count, book=book, threshold=threshold, choices=choices)
    raise typer.Exit(run_jobs(planned, work, choices))


def _diarized(
    job: Job,
    report: Report,
    *,
    model: str | None,
    count: "SpeakerCount",
    book: Path | None,
    threshold: float | None,
    choices: Choices,
) -> Mapping[str, Any]:
    from voxfield.tasks.diarization.recording import diarize_source, diarizing_engine
    from voxfield.tasks.diarization.report import Listened, write_page
    from voxfield.tasks.report.document import facts_of

    engine, named = diarizing_engine(model, book, threshold, threads=choices.threads)
    with open_input(job.path, choices.raw) as source:
        heard = Listened(source.rate_hz) if choices.report is not None else None
        made, work = diarize_source(
            source, engine, count, book=named, threshold=threshold, progress=progress_of(source, report), watcher=heard
        )
    if job.output != PIPE:
        made.save(job.output, overwrite=choices.overwrite)
    elif not choices.as_json:
        with refused("standard output cannot be written"):
            print(made.rttm(), end="", flush=True)
    if choices.report is None or heard is None:
        return work.to_dict()
    title, facts = f"{job.path.name}: who speaks when", facts_of(work, {"Model": work.model})
    write_page(choices.report, made, heard, title=title, facts=facts, overwrite=choices.overwrite)
    return work.to_dict() | {"report": str(choices.report)}


def _planned(inputs: list[str], out: str | None) -> list[Job]:
    """A job an input; without `-o` all of them share standard output."""
    items = expand(inputs, _TASK)
    if out is None or out == "-":
        return [Job(item.path, PIPE, item.problem) for item in items]
    if Path(out).suffix.lower() in {*SUFFIXES, ".json", ".jsonl", ".html"} and not Path(out).is_dir():
        raise InputError(f"-o {out}: who speaks when is written as RTTM, so end it in .rttm; --json prints JSON")
    if len(items) > 1 and Path(out).suffix.lower() == ".rttm":
        raise InputError(f"-o {out} names one file, but there are {len(items)} recordings; name a folder")
    return plan(items, out, _TASK, "rttm")
