"""`voxfield embed`: recordings as vectors whose direction says who speaks."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.answers import Answer, one_by_one
from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import expand
from voxfield.cli.jobs import say
from voxfield.cli.options import Inputs, SpeakerModel, sharing
from voxfield.files import PartFile
from voxfield.values import plural

if TYPE_CHECKING:
    from voxfield.audio import Source
    from voxfield.tasks.speakers.embedding import Embedded


@sharing(without=("skip_existing",))
def command(
    inputs: Inputs,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the vectors: .npz or .parquet.", metavar="FILE")
    ] = None,
    model: SpeakerModel = None,
    *,
    choices: Choices,
) -> None:
    """Turn recordings into vectors whose direction says who speaks.

    -o FILE holds a row for each recording; --json prints the vectors as well. A recording that cannot be read is
    named, and the exit code is 1.

    Examples:

      voxfield embed calls/ -o calls.npz --model voxceleb_resnet34.onnx

      voxfield embed anna.wav --model converted/ --json
    """
    from voxfield.tasks.speakers.embedding import embedding_engine
    from voxfield.tasks.speakers.embedding_file import check_file, save_embeddings

    items = expand(inputs, "embed")
    check(choices, items)
    if out is not None:
        check_file(out)
        with PartFile(out, overwrite=choices.overwrite):  # what cannot be written is said before the work, not after it
            pass
    embedding_engine(model, threads=choices.threads)  # a model that cannot be had is said before any file is opened
    made: dict[Path, Embedded] = {}
    work = partial(_embedded, model=model, threads=choices.threads)
    code = one_by_one(items, work, choices, to=sys.stderr, keep=made.__setitem__)
    if out is not None and made:
        there = [item.path for item in items if item.path in made]
        save_embeddings(out, [*map(str, there)], [made[path] for path in there], overwrite=choices.overwrite)
        if not choices.quiet:
            size = len(next(iter(made.values())).vector)
            say(f"{plural(len(made), 'vector')} of {size} numbers -> {out}")
    raise typer.Exit(code)


def _embedded(source: "Source", path: Path, *, model: str | None, threads: int) -> Answer:
    from voxfield.tasks.speakers.embedding import embed_source, embedding_engine

    done, account = embed_source(source, embedding_engine(model, threads=threads))
    words = f"{done.duration_s:.1f} s, {done.speech.seconds:.1f} s of speech"
    return Answer({**account.to_dict(), "embedding": done.vector.tolist()}, words, done.notes, made=done)
