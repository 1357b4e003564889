"""`voxfield sample`: new noise, drawn code by code from a prior."""

import json
from pathlib import Path
from typing import Annotated

import typer

from voxfield.cli.choices import Choices
from voxfield.cli.inputs import PIPE
from voxfield.cli.jobs import say, with_notes
from voxfield.cli.options import sharing
from voxfield.cli.rebuilt import check_place, write
from voxfield.errors import InputError


@sharing(without=("raw", "skip_existing", "jobs"))
def command(
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Sound file, .png, .npz for the tokens, or - for standard output.", metavar="OUT"
        ),
    ] = Path("sample.wav"),
    seconds: Annotated[float, typer.Option(help="Duration of a sound.", metavar="S")] = 4.0,
    count: Annotated[int, typer.Option(help="How many; they are called OUT_1, OUT_2, ...", metavar="N")] = 1,
    seed: Annotated[int, typer.Option(help="Decides what is drawn.", min=0)] = 0,
    temperature: Annotated[float, typer.Option(help="Below 1: what is likelier; 0: the likeliest.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Only so many of the likeliest codes; 0 for all.", metavar="K")] = 0,
    prior: Annotated[str, typer.Option(help="Prior of the top codes: name or .onnx file.")] = "noise-prior",
    bottom: Annotated[
        str | None, typer.Option(help="Prior of the bottom codes; that of the prior's name if left out.")
    ] = None,
    tokenizer: Annotated[str, typer.Option(help="Network whose codes they are.")] = "noise-vqvae",
    decoder: Annotated[str | None, typer.Option(help="Its other half; that of its name if left out.")] = None,
    iterations: Annotated[int, typer.Option(help="Rounds of Griffin and Lim's method.")] = 32,
    *,
    choices: Choices,
) -> None:
    """Draw new noise: codes that no recording gave, one after the other, and what they stand for.

    Examples:

      voxfield sample -o noise.wav

      voxfield sample -o noise.wav --count 3 --seconds 10 --temperature 0.9 --seed 7
    """
    from voxfield.tasks.tokens.recording import check_iterations
    from voxfield.tasks.tokens.sampling import sample_tokens
    from voxfield.tasks.tokens.token_file import check_tokens_file, save_tokens
    from voxfield.tasks.work import engine_for

    if out == PIPE and count != 1:
        raise InputError(f"standard output takes one sound, not {count}; name a file with -o")
    if out != PIPE and not out.suffix:
        raise InputError(f"-o {out} names no file, such as new.wav; of several each gets a number")
    paths = [out] if count == 1 else [out.with_stem(f"{out.stem}_{number + 1}") for number in range(count)]
    check_iterations(iterations)  # what cannot be used is said before anything is drawn
    coder = engine_for(tokenizer, "tokenize", threads=choices.threads)
    face, as_tokens = coder.card.interface, out.suffix.lower() == ".npz"
    for path in paths:
        if as_tokens:
            check_tokens_file(path, overwrite=choices.overwrite)
        else:
            kind = "image" if face.input.kind == "image" else "sound"
            check_place(path, kind, face.sample_rate_hz, choices)
    drawn = sample_tokens(
        seconds=seconds, count=count, seed=seed, temperature=temperature, top_k=top_k, prior=prior, bottom=bottom,
        tokenizer=coder, threads=choices.threads,
    )  # fmt: skip
    options = {"iterations": iterations} if out.suffix.lower() != ".png" else {}
    for path, tokens in zip(paths, drawn, strict=True):
        notes: list[str] = []
        if as_tokens:
            save_tokens(path, tokens, overwrite=choices.overwrite)
        else:
            _, notes = write(path, tokens, choices, model=decoder, **options)
        if choices.as_json:
            print(json.dumps({"output": str(path), "status": "done", "bits": tokens.bits, "notes": notes}))
        if not choices.quiet:
            say(with_notes(str(path), notes))
