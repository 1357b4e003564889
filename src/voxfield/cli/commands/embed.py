"""`voxfield embed`: recordings as vectors whose direction says who speaks."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.completion import embedders
from voxfield.cli.inputs import Input, Job, expand
from voxfield.cli.openers import check_choices, open_input
from voxfield.cli.options import AsJson, Inputs, Offline, Overwrite, Quiet, Raw, Threads
from voxfield.cli.printable import visible
from voxfield.errors import OutputError, VoxfieldError

if TYPE_CHECKING:
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
        if (one := _embedded(item, raw, engine, as_json=as_json, quiet=quiet)) is not None:
            names.append(str(item.path))
            made.append(one)
    if out is not None and made:
        save_embeddings(out, names, made, overwrite=overwrite)
        if not quiet:
            _say(f"{len(made)} vectors of {len(made[0].vector)} numbers -> {out}")
    if len(made) < len(items) > 1:
        _say(f"{len(items) - len(made)} of {len(items)} failed")
    raise typer.Exit(int(len(made) < len(items)))


def _check(items: list[Input], *, as_json: bool, raw: str | None) -> None:
    jobs = [Job(item.path, Path("unused")) for item in items]
    check_choices(jobs, as_json=as_json, overwrite=False, skip_existing=False, raw=raw)


def _embedded(item: Input, raw: str | None, engine: "Engine", *, as_json: bool, quiet: bool) -> "Embedded | None":
    """The vector of one recording, said on the way; None where there is none, and why is said as well."""
    from voxfield.tasks.embedding import embed_source

    line: dict[str, object] = {"input": str(item.path)}
    try:
        if item.problem:
            raise VoxfieldError(item.problem)
        with open_input(item.path, raw) as source:
            made, work = embed_source(source, engine)
    except VoxfieldError as error:
        reason = str(error).removeprefix(f"{item.path} ")
        if as_json:
            print(json.dumps(line | {"status": "failed", "error": reason}), flush=True)
        _say(f"voxfield: {item.path}: {reason}")
        return None
    if as_json:
        print(json.dumps(line | {"status": "done", **work.to_dict(), "embedding": made.vector.tolist()}), flush=True)
    if not quiet:
        _say(f"{item.path}  {made.duration_s:.1f} s, {made.speech.seconds:.1f} s of speech")
        for note in made.notes:
            _say(f"  note: {note}")
    return made


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)
