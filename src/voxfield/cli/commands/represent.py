"""`voxfield represent`: recordings as frames of features."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.completion import representers
from voxfield.cli.inputs import Job, expand
from voxfield.cli.openers import check_choices
from voxfield.cli.options import AsJson, Inputs, Offline, Overwrite, Quiet, Raw, Threads
from voxfield.cli.recordings import say, tried

if TYPE_CHECKING:
    from voxfield.audio import Source
    from voxfield.protocols import Engine
    from voxfield.tasks.features_file import FeaturesFile


def command(
    inputs: Inputs,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the frames: .npz or .parquet.", metavar="FILE")
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(help="Such as z, of the encoder, or c, of the context network; the last one if not given."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name from `voxfield models`, or an .onnx file.", autocompletion=representers)
    ] = None,
    raw: Raw = None,
    overwrite: Overwrite = False,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn recordings into frames of features, a hundred a second, with the time that each is made of.

    -o FILE holds the frames of all recordings; without it they are counted. A recording that cannot be read is named,
    and the exit code is 1.

    Examples:

      voxfield represent talk.wav -o talk.npz

      voxfield represent calls/ -o calls.parquet --layer z

      voxfield represent talk.wav --model converted/ -o talk.npz
    """
    from voxfield.tasks.features_file import FeaturesFile
    from voxfield.tasks.representation import representing_engine
    from voxfield.tasks.representer import layer_named

    items = expand(inputs, "represent")
    jobs = [Job(item.path, Path("unused")) for item in items]
    check_choices(jobs, as_json=as_json, overwrite=False, skip_existing=False, raw=raw)
    engine = representing_engine(model, threads=threads)
    wanted = layer_named(engine.card.interface, engine.card.name, layer)
    done = 0
    with ExitStack() as stack:
        file = stack.enter_context(FeaturesFile(out, engine.card, wanted, overwrite=overwrite)) if out else None
        work = partial(_represented, engine=engine, layer=wanted.name, file=file)
        for item in items:
            succeeded = tried(item, raw, work, as_json=as_json, quiet=quiet)
            done += succeeded
            if file is not None:
                file.keep(str(item.path)) if succeeded else file.drop()
        if file is not None and done:
            file.save()
            if not quiet:
                say(f"frames of {done} recordings -> {out}")
    if done < len(items) > 1:
        say(f"{len(items) - done} of {len(items)} failed")
    raise typer.Exit(int(done < len(items)))


def _represented(
    source: "Source", *, engine: "Engine", layer: str, file: "FeaturesFile | None"
) -> tuple[dict[str, Any], list[str]]:
    from voxfield.tasks.representation import represent_into

    work = represent_into(source, engine, _forget if file is None else file.take, layer)
    line = f"{work.audio_s:.1f} s, {work.details['count_frames']} frames {layer}"
    return work.to_dict(), [line, *(f"  note: {note}" for note in work.notes)]


def _forget(_: object) -> None:
    """Nobody asked for the frames."""
