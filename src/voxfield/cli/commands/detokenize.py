"""`voxfield detokenize`: a file of codes as a recording or an image again."""

import json
from pathlib import Path
from typing import Annotated

import typer

from voxfield.cli.jobs import say
from voxfield.cli.options import AsJson, Offline, Overwrite, Quiet, Threads
from voxfield.files import refuse_existing


def command(
    tokens: Annotated[Path, typer.Argument(help="File that `voxfield tokenize` wrote.", metavar="TOKENS.npz")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Sound file or .png to write.", metavar="OUT")],
    model: Annotated[
        str | None, typer.Option(help="The decoder: name or .onnx file; that of the tokens' model if left out.")
    ] = None,
    phase: Annotated[
        Path | None, typer.Option(help="Take the phases of this recording, such as the one that was tokenised.")
    ] = None,
    iterations: Annotated[int, typer.Option(help="Rounds of Griffin and Lim's method without --phase.")] = 32,
    overwrite: Overwrite = False,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Turn tokens back into a recording, or an image; what was lost on the way is said.

    Examples:

      voxfield detokenize talk.npz -o talk_rebuilt.wav

      voxfield detokenize talk.npz -o talk_rebuilt.wav --phase talk.wav

      voxfield detokenize photo.npz -o photo_rebuilt.png
    """
    from voxfield.audio import NOT_STORED, save, target_for
    from voxfield.images import picture
    from voxfield.tasks.tokens.image import image_of
    from voxfield.tasks.tokens.recording import detokenize
    from voxfield.tasks.tokens.token_file import load_tokens

    refuse_existing(out, overwrite)
    loaded = load_tokens(tokens)
    if out.suffix.lower() == ".png":
        picture.write(out, image_of(loaded, model=model, threads=threads), overwrite=overwrite)
        notes = ["lost: what the codes do not say"]
    else:
        target_for(out, NOT_STORED, loaded.rate_hz, 1)  # a name that cannot be written is said before the work
        made = detokenize(loaded, model=model, phase=phase, iterations=iterations, threads=threads)
        notes = [*made.notes, *save(out, made.samples, made.sample_rate_hz, overwrite=overwrite)]
    if as_json:
        print(json.dumps({"input": str(tokens), "output": str(out), "status": "done", "notes": notes}))
    if not quiet:
        say("\n".join([f"{tokens} -> {out}", *(f"  note: {note}" for note in notes)]))
