"""`voxfield noise`: what noise is in a recording, when, and how loud."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.answers import Answer, one_by_one
from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import expand
from voxfield.cli.options import Inputs, model_for, sharing

if TYPE_CHECKING:
    from voxfield.audio import Source
    from voxfield.tasks.noises.kinds import NoiseKinds
    from voxfield.tasks.noises.timeline import Noise


@sharing(without=("skip_existing",), report="Write a page with a timeline and spectrograms (.png: only these).")
def command(
    inputs: Inputs,
    model: Annotated[str, model_for("enhance", "The enhancer that takes the speech away.")] = "crn-small",
    tokenizer: Annotated[str, typer.Option(help="Network of tokens: name or .onnx file.")] = "noise-vqvae",
    kinds: Annotated[str, typer.Option(help="Probe that names their codes: name or .onnx file.")] = "noise-kinds",
    least_share: Annotated[
        float | None,
        typer.Option(
            help="Of the likeliest name, below which a noise is unknown; that of the probe if left out.",
            metavar="SHARE",
        ),
    ] = None,
    *,
    choices: Choices,
) -> None:
    """Say what noise is in recordings, and when: its kind, its level in dBFS, and the speech above it (SNR).

    A noise that is like none that is known is called unknown. A recording that cannot be read is named, and the exit
    code is 1.

    Examples:

      voxfield noise meeting.wav

      voxfield noise street.flac --report street.html

      voxfield noise street.flac --least-share 0.3

      voxfield noise recordings/ --json
    """
    from voxfield.tasks.noises.kinds import NoiseKinds
    from voxfield.tasks.work import engine_for

    items = expand(inputs, "noise")
    check(choices, items)
    engine_for(model, "enhance", threads=choices.threads)  # said before any file is opened
    names = partial(NoiseKinds, tokenizer, kinds, threads=choices.threads, least_share=least_share)
    names()
    raise typer.Exit(one_by_one(items, partial(_heard, model=model, names=names, choices=choices), choices))


def _heard(source: "Source", path: Path, *, model: str, names: Callable[[], "NoiseKinds"], choices: Choices) -> Answer:
    from voxfield.tasks.noises.report import noise_comparison, write_noise_report
    from voxfield.tasks.noises.timeline import noise_of
    from voxfield.tasks.work import engine_for

    engine = engine_for(model, "enhance", threads=choices.threads)
    comparison = None if choices.report is None else noise_comparison(source.rate_hz, source.channels)
    found, work = noise_of(source, engine, names(), watcher=comparison)
    values = work.to_dict()
    if choices.report is not None and comparison is not None:
        title = f"Noise in {path.name}"
        write_noise_report(choices.report, comparison, found, work, title=title, overwrite=choices.overwrite)
        values["report"] = str(choices.report)
    return Answer(values, "\n".join([f"{work.audio_s:.1f} s", *_lines(found)]), found.notes)


def _lines(found: "Noise") -> list[str]:
    """A line for each stretch, for people."""
    lines = []
    for stretch in found.stretches:
        ratio = "no speech" if stretch.snr_db is None else f"SNR {stretch.snr_db:z.0f} dB"
        sure = "" if stretch.kind in ("quiet", "unknown") else f" ({100 * stretch.share:.0f} %)"
        times = f"{stretch.start_s:7.1f} to {stretch.end_s:.1f} s"
        lines.append(f"{times:22} {stretch.kind + sure:26} {stretch.level_dbfs:6.1f} dBFS  {ratio}")
    return lines
