"""`voxfield export`: a checkpoint into an ONNX file with its card."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from voxfield.errors import InputError
from voxfield.files import reason_of, text_of

SCORED = {"recordings", "mixtures", "images", "pieces"}  # what scores count; `benchmarks/` makes those of tokens


def command(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.safetensors of a run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .onnx file to write.")],
    name: Annotated[str, typer.Option("--name", help="Full name for the card: architecture-variant.tag.")],
    measured: Annotated[
        Path | None, typer.Option(help="Scores for the card: JSON of `voxfield evaluate --json`.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Round the weights to 16 bits: half the file.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a trained network as one ONNX file that carries its card, after showing that both give the same numbers.

    Example:

      voxfield export runs/crn-small/checkpoint.safetensors -o crn-small.onnx --name crn-small.v1
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out} must end in .onnx")
    scores = None if measured is None else _scores(measured)
    from voxfield.export import export_checkpoint
    from voxfield.export.convert.conversion import check_name

    check_name(name)
    print(export_checkpoint(checkpoint, out, name, scores, half=half, overwrite=overwrite).to_toml())


def _scores(path: Path) -> dict[str, Any]:
    try:
        scores = json.loads(text_of(path))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"the scores {path} cannot be read: {reason_of(error)}") from error
    if not isinstance(scores, dict) or SCORED.isdisjoint(scores):
        raise InputError(f"{path} holds no scores; give what `voxfield evaluate --json` prints")
    return scores
