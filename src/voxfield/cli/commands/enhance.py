"""`voxfield enhance`: recordings in, enhanced recordings out."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import PIPE, Job, check_format, expand, plan
from voxfield.cli.jobs import Report, run_jobs
from voxfield.cli.openers import open_input, open_output
from voxfield.cli.options import Bitrate, Format, Inputs, LimitDb, Rate, model_for, names_in, sharing
from voxfield.cli.recordings import finish, progress_of
from voxfield.errors import InputError

if TYPE_CHECKING:
    from voxfield.audio import OutputFormat
    from voxfield.tasks import EnhanceOptions


@sharing(report="Write a page that compares before and after (.png: only its picture).")
def command(
    inputs: Inputs,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="File, folder, or - for standard output.", metavar="OUT")
    ] = None,
    model: Annotated[str, model_for("enhance")] = "crn-small",
    limit_db: LimitDb = None,
    mix: Annotated[float, typer.Option(help="1 enhanced, 0 as recorded, or between.", metavar="X")] = 1.0,
    mono: Annotated[bool, typer.Option("--mono", help="Mix the channels down to one first.")] = False,
    channels: Annotated[
        str,
        typer.Option(
            help="One gain for all channels, which keeps every sound in its place, or each by itself.",
            metavar="together|independent",
        ),
    ] = "together",
    loudness: Annotated[
        str,
        typer.Option(
            help="Loudness of the result (ITU-R BS.1770), as far as peaks allow, or keep.", metavar="keep|LUFS"
        ),
    ] = "keep",
    keep: Annotated[
        str, typer.Option(help="Kinds of noise that stay, such as rain,birds; see `voxfield noise`.", metavar="KINDS")
    ] = "",
    warm_up: Annotated[
        float,
        typer.Option(
            help="Seconds of the beginning that the network runs over before it starts, to know the noise.",
            metavar="SECONDS",
        ),
    ] = 0.0,
    format: Format = "",
    bitrate: Bitrate = None,
    rate: Rate = None,
    *,
    choices: Choices,
) -> None:
    """Take noise out of recordings; reverberation stays.

    Rate, channels, length and sample format are kept; the result is called NAME_enhance beside NAME.

    Examples:

      voxfield enhance noisy.wav

      voxfield enhance recordings/ -o clean/ --skip-existing

      voxfield enhance meeting.flac -o clean.wav --limit-db 20

      voxfield enhance talk.wav --loudness -16

      voxfield enhance garden.wav --keep rain,birds

      voxfield enhance message.m4a --warm-up 5

      arecord -f S16_LE -r 16000 -t raw | voxfield enhance - --raw 16000 | aplay -f S16_LE -r 16000 -t raw
    """
    from voxfield.audio import OutputFormat
    from voxfield.tasks import EnhanceOptions, engine_for
    from voxfield.tasks.enhancement.loudness import KEEP
    from voxfield.tasks.enhancement.loudness_sink import PIPED
    from voxfield.tasks.noises.kinds import NoiseKinds

    wanted = OutputFormat(format, bitrate, rate)
    check_format(out, format)
    planned = plan(expand(inputs, "enhance", out), out, "enhance", format)
    check(choices, planned, [job.output for job in planned])
    kept = names_in(keep)
    options = EnhanceOptions(limit_db, mix, mono, channels, _lufs(loudness), kept, warm_up_s=warm_up)
    if options.loudness != KEEP and any(job.output == PIPE for job in planned):
        raise InputError(PIPED)
    engine_for(model, "enhance", threads=choices.threads)  # said before any file is opened
    if kept:
        NoiseKinds().check(kept)
    work = partial(_enhanced, model=model, options=options, wanted=wanted, choices=choices)
    raise typer.Exit(run_jobs(planned, work, choices))


def _lufs(loudness: str) -> float | str:
    """A number where it is one; what else it may be is for the task to say."""
    try:
        return float(loudness)
    except ValueError:
        return loudness


def _enhanced(
    job: Job, report: Report, *, model: str, options: "EnhanceOptions", wanted: "OutputFormat", choices: Choices
) -> Mapping[str, Any]:
    from voxfield.tasks import engine_for, enhance_into
    from voxfield.tasks.report.comparison import Comparison

    engine = engine_for(model, "enhance", threads=choices.threads)
    with open_input(job.path, choices.raw) as source:
        channels = 1 if options.mono else source.channels
        comparison = None if choices.report is None else Comparison(source.rate_hz, channels)
        with open_output(job.output, source, channels=channels, overwrite=choices.overwrite, wanted=wanted) as sink:
            done = enhance_into(source, sink, engine, options, progress=progress_of(source, report), watcher=comparison)
    return finish(done, choices, comparison, f"{job.path.name} enhanced", {})
