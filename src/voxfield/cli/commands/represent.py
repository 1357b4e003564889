"""`voxfield represent`: recordings as frames of features."""

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.answers import Answer, one_by_one
from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import expand
from voxfield.cli.jobs import say
from voxfield.cli.options import Inputs, model_for, sharing
from voxfield.values import plural

if TYPE_CHECKING:
    from voxfield.audio import Source


@sharing(without=("skip_existing",))
def command(
    inputs: Inputs,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the frames: .npz or .parquet.", metavar="FILE")
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="Such as z, of the encoder, or c, of the context network; the last one if not given."),
    ] = None,
    model: Annotated[str | None, model_for("represent")] = None,
    *,
    choices: Choices,
) -> None:
    """Turn recordings into frames of features, a hundred a second, with the time that each is made of.

    -o FILE holds the frames of all recordings; without it they are counted. A recording that cannot be read is named,
    and the exit code is 1.

    Examples:

      voxfield represent talk.wav -o talk.npz

      voxfield represent calls/ -o calls.parquet --layer z

      voxfield represent talk.wav --model converted/ -o talk.npz
    """
    from voxfield.tasks.representation.features_file import FeaturesFile
    from voxfield.tasks.representation.recording import representing_engine
    from voxfield.tasks.representation.representer import layer_named

    items = expand(inputs, "represent")
    check(choices, items)
    engine = representing_engine(model, threads=choices.threads)
    wanted = layer_named(engine.card.interface, engine.card.name, layer)
    with ExitStack() as stack:
        file = stack.enter_context(FeaturesFile(out, engine.card, wanted, overwrite=choices.overwrite)) if out else None

        def keep(path: Path, frames: Path | None) -> None:
            if file is not None and frames is not None:
                file.take(str(path), frames)

        work = partial(_represented, model=model, threads=choices.threads, layer=wanted.name, out=out)
        code = one_by_one(items, work, choices, to=sys.stderr, keep=keep)
        if file is not None and (done := file.names):
            file.save([name for item in items if (name := str(item.path)) in done])
            if not choices.quiet:
                say(f"frames of {plural(len(done), 'recording')} -> {out}")
    raise typer.Exit(code)


def _represented(
    source: "Source", path: Path, *, model: str | None, threads: int, layer: str, out: Path | None
) -> Answer:
    """The frames wait in a file beside `out`."""
    from voxfield.tasks.representation.features_file import frames_of
    from voxfield.tasks.representation.recording import represent_into, representing_engine

    engine, frames = representing_engine(model, threads=threads), None
    if out is None:
        made = represent_into(source, engine, lambda frames: None, layer)
    else:
        made, frames = frames_of(source, engine, layer, out)
    return Answer(
        made.to_dict(),
        f"{made.audio_s:.1f} s, {made.details['count_frames']} frames of layer {layer}",
        made.notes,
        made=frames,
    )
