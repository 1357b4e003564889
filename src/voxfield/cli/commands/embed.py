"""`voxfield embed`: recordings as vectors whose direction says who speaks."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.completion import embedders
from voxfield.cli.inputs import Input, Job, expand
from voxfield.cli.openers import check_choices
from voxfield.cli.options import AsJson, Inputs, Offline, Overwrite, Quiet, Raw, Threads
from voxfield.cli.recordings import say, tried
from voxfield.errors import OutputError

if TYPE_CHECKING:
    from voxfield.audio import Source
    from voxfield.protocols import Engine
    from voxfield.tasks.embedding import Embedded


def command(
    inputs: Inputs,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the vectors: .npz or .parquet.", metavar="FILE")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Name from `voxfield models`, or an .onnx file, also one of WeSpeaker's.", autocompletion=embedders
        ),
    ] = None,
    raw: Raw = None,
    overwrite: Overwrite = False,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn recordings into vectors whose direction says who speaks.

    -o FILE holds a row a recording; --json prints the vectors as well. A recording that cannot be read is named, and
    the exit code is 1.

    Examples:

      voxfield embed calls/ -o calls.npz --model voxceleb_resnet34.onnx

      voxfield embed anna.wav --model converted/ --json
    """
    from voxfield.tasks.embedding import embedding_engine
    from voxfield.tasks.embedding_file import check_file, save_embeddings

    items = expand(inputs, "embed")
    _check(items, as_json=as_json, raw=raw)
    if out is not None:
        check_file(out)
        if out.exists() and not overwrite:
            raise OutputError(f"{out} exists already; allow it to be replaced with --overwrite")
    engine = embedding_engine(model, threads=threads)
    names: list[str] = []
    made: list[Embedded] = []
    for item in items:
        if tried(item, raw, partial(_embedded, engine=engine, made=made), as_json=as_json, quiet=quiet):
            names.append(str(item.path))
    if out is not None and made:
        save_embeddings(out, names, made, overwrite=overwrite)
        if not quiet:
            say(f"{len(made)} vectors of {len(made[0].vector)} numbers -> {out}")
    if len(made) < len(items) > 1:
        say(f"{len(items) - len(made)} of {len(items)} failed")
    raise typer.Exit(int(len(made) < len(items)))


def _check(items: list[Input], *, as_json: bool, raw: str | None) -> None:
    jobs = [Job(item.path, Path("unused")) for item in items]
    check_choices(jobs, as_json=as_json, overwrite=False, skip_existing=False, raw=raw)


def _embedded(source: "Source", *, engine: "Engine", made: "list[Embedded]") -> tuple[dict[str, Any], list[str]]:
    """What to say of one recording, whose vector is added to those that are made."""
    from voxfield.tasks.embedding import embed_source

    one, work = embed_source(source, engine)
    made.append(one)
    line = f"{one.duration_s:.1f} s, {one.speech.seconds:.1f} s of speech"
    return {**work.to_dict(), "embedding": one.vector.tolist()}, [line, *(f"  note: {note}" for note in one.notes)]
