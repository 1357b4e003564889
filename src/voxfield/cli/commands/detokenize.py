"""`voxfield detokenize`: a file of codes as a recording or an image again."""

import json
from pathlib import Path
from typing import Annotated

import typer

from voxfield.cli.choices import Choices
from voxfield.cli.jobs import say, with_notes
from voxfield.cli.options import sharing
from voxfield.cli.rebuilt import check_place, write


@sharing(without=("raw", "skip_existing", "jobs"))
def command(
    tokens: Annotated[Path, typer.Argument(help="File that `voxfield tokenize` wrote.", metavar="TOKENS.npz")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Sound file or .png to write, or - for standard output.", metavar="OUT")
    ],
    model: Annotated[
        str | None, typer.Option(help="The decoder: name or .onnx file; that of the tokens' model if left out.")
    ] = None,
    phase: Annotated[
        Path | None, typer.Option(help="Take the phases of this recording, such as the one that was tokenised.")
    ] = None,
    iterations: Annotated[int, typer.Option(help="Rounds of Griffin and Lim's method without --phase.")] = 32,
    *,
    choices: Choices,
) -> None:
    """Turn tokens back into a recording, or an image; what was lost on the way is said.

    Examples:

      voxfield detokenize talk.npz -o talk_rebuilt.wav

      voxfield detokenize talk.npz -o talk_rebuilt.wav --phase talk.wav

      voxfield detokenize photo.npz -o photo_rebuilt.png
    """
    from voxfield.tasks.tokens.token_file import load_tokens

    loaded = load_tokens(tokens)
    check_place(out, loaded.kind, loaded.rate_hz, choices)
    options = {"phase": phase, "iterations": iterations} if loaded.kind == "sound" else {}
    lost, written = write(out, loaded, choices, model=model, **options)
    notes = [*lost, *written]
    if choices.as_json:
        print(json.dumps({"input": str(tokens), "output": str(out), "status": "done", "notes": notes}))
    if not choices.quiet:
        say(with_notes(f"{tokens} -> {out}", notes))
