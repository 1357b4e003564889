"""`voxfield separate`: one recording in, one file a voice out."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import PIPE, Job, check_format, exists, expand, plan
from voxfield.cli.jobs import Report, run_jobs
from voxfield.cli.openers import open_input, open_output
from voxfield.cli.options import Bitrate, Format, Inputs, Rate, model_for, number_or_auto, sharing
from voxfield.cli.recordings import finish, progress_of
from voxfield.errors import InputError
from voxfield.pool import AUTO

if TYPE_CHECKING:
    from voxfield.audio import OutputFormat

_FIRST = "speaker1"
_VOICE = re.compile(r"_speaker\d+$")


@sharing(report="Write a page to hear and see the voices.")
def command(
    inputs: Inputs,
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Folder, or - for standard output (a channel a voice).", metavar="DIR"),
    ] = None,
    speakers: Annotated[
        str | None, typer.Option(help="How many voices, or auto; two if not said.", metavar="N|auto")
    ] = None,
    model: Annotated[str | None, model_for("separate")] = None,
    noise: Annotated[
        str, typer.Option(help="What belongs to no voice: drop it, or keep it, shared out.", metavar="drop|keep")
    ] = "drop",
    raw_output: Annotated[
        bool, typer.Option("--raw-output", help="What the network itself gives, unscaled, as .wav of 32-bit floats.")
    ] = False,
    format: Format = "",
    bitrate: Bitrate = None,
    rate: Rate = None,
    *,
    choices: Choices,
) -> None:
    """Separate the voices of people who talk at once.

    The voices are called NAME_speaker1, NAME_speaker2 ... and keep the recording's rate, channels, length and format.

    Examples:

      voxfield separate two_voices.wav -o out/

      voxfield separate meetings/ -o voices/ --speakers auto --json
    """
    from voxfield.audio import OutputFormat
    from voxfield.tasks.separation.recording import SeparateOptions, check_raw_output, separating_engine

    SeparateOptions(noise=noise)  # raises where there is no such choice
    if out is not None and out != "-" and Path(out).suffix and not Path(out).is_dir():
        raise InputError(f"-o {out} looks like a file, but each voice becomes one; name a folder")
    check_raw_output(raw_output, speakers)
    format = format or ("wav" if raw_output else "")
    wanted = OutputFormat(format, bitrate, rate, exact=raw_output)
    check_format(out, format)
    planned = _planned(inputs, out, format)
    check(choices, planned, [job.output for job in planned])
    number = None if speakers is None else number_or_auto("--speakers", speakers)
    if number == AUTO and any(job.output == PIPE for job in planned):
        raise InputError(
            "--speakers auto decides at the end which voices there are, but standard output says at its beginning how "
            "many channels it holds; name a folder with -o FOLDER, or leave out --speakers"
        )
    separating_engine(model, number, threads=choices.threads)  # said before any file is opened
    options = {"speakers": number, "noise": noise, "raw_output": raw_output}
    work = partial(_separated, model=model, options=options, wanted=wanted, choices=choices)
    raise typer.Exit(run_jobs(planned, work, choices))


def _separated(
    job: Job, report: Report, *, model: str | None, options: dict[str, Any], wanted: "OutputFormat", choices: Choices
) -> Mapping[str, Any]:
    from voxfield.audio import FileSink, Sink
    from voxfield.tasks.report.comparison import Comparison
    from voxfield.tasks.separation.recording import separate_into, separating_engine, voice_sinks

    engine = separating_engine(model, options["speakers"], threads=choices.threads)
    sources = engine.card.interface.sources
    made_of: dict[str, Any] = {"overwrite": choices.overwrite, "wanted": wanted}
    with open_input(job.path, choices.raw) as source, ExitStack() as stack:
        paths: list[Path] = []
        alone: Sink | None = None
        if job.output == PIPE:  # which takes the voices as channels
            sinks: list[Sink] = [open_output(PIPE, source, channels=sources * source.channels, **made_of)]
        else:
            opened = partial(open_output, like=source, channels=source.channels, **made_of)
            named = voice_sinks(job.output, engine, options["speakers"], opened)
            paths, sinks, alone = stack.enter_context(named)
        comparison = None
        if choices.report is not None:
            names = [f"Speaker {number}" for number in range(1, sources + 1)]
            comparison = Comparison(source.rate_hz, source.channels, recording="Recording", results=names)
        shown = progress_of(source, report)
        done = separate_into(source, sinks, engine, alone=alone, progress=shown, watcher=comparison, **options)
        made = done.details
        facts = {
            "Voices": f"{made['speakers']} of {sources} ({100 * made['confidence']:.0f} % sure)",
            "Levels": ", ".join(f"{level:.1f} dB" for level in made["levels_db"]) + " under the loudest",
        }
        line = finish(done, choices, comparison, f"{job.path.name} separated", facts)
        written = {sink.path for sink in [*sinks, alone] if isinstance(sink, FileSink) and sink.committed}
        if not paths:
            return line
        older = [
            f"{path.name} is of an earlier run, and was left" for path in paths if path not in written and exists(path)
        ]
        outputs = [str(path) for path in paths if path in written]
        return line | {"notes": [*line["notes"], *older], "outputs": outputs}


def _planned(inputs: list[str], out: str | None, format: str) -> list[Job]:
    """A job an input whose output is the first voice's file; voices of an earlier run are passed over."""
    found = expand(inputs, _FIRST, out)
    there = {item.path for item in found}
    originals = [
        item
        for item in found
        if _VOICE.sub("", item.path.stem) == item.path.stem
        or item.path.with_stem(_VOICE.sub("", item.path.stem)) not in there
    ]
    return plan(originals, out, _FIRST, format)
