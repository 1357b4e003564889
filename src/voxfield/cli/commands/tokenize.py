"""`voxfield tokenize`: recordings and images as files of codes."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import typer

from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import PIPE, Job, expand, plan
from voxfield.cli.jobs import Report, run_jobs
from voxfield.cli.openers import open_input
from voxfield.cli.options import Inputs, sharing
from voxfield.cli.recordings import progress_of
from voxfield.errors import InputError
from voxfield.formats import IMAGES, OTHER_IMAGES, SUFFIXES


@sharing()
def command(
    inputs: Inputs,
    out: Annotated[str | None, typer.Option("--out", "-o", help=".npz file, or folder.", metavar="OUT")] = None,
    model: Annotated[
        str | None, typer.Option(help="Network of tokens: name or .onnx file; by the kind of input if left out.")
    ] = None,
    *,
    choices: Choices,
) -> None:
    """Turn recordings, or images, into tokens: codes of some thousand bits a second, or less than a bit a pixel.

    The result is called NAME_tokens.npz beside NAME. `voxfield detokenize` makes a recording or an image of it again.

    Examples:

      voxfield tokenize talk.wav -o talk.npz

      voxfield tokenize photo.png -o photo.npz
    """
    planned = plan(expand(inputs, "tokens", out, {*SUFFIXES, *IMAGES}), out, "tokens", "npz")
    if any(job.output == PIPE for job in planned):
        raise InputError("tokens are written to a file; name one with -o FILE.npz")
    check(choices, planned, [job.output for job in planned])
    raise typer.Exit(run_jobs(planned, partial(_tokenized, model=model, choices=choices), choices))


def _tokenized(job: Job, report: Report, *, model: str | None, choices: Choices) -> Mapping[str, Any]:
    from voxfield.tasks.noises.kinds import TOKENIZER as OF_SOUND
    from voxfield.tasks.tokens.image import TOKENIZER as OF_IMAGES
    from voxfield.tasks.tokens.image import tokenize_image
    from voxfield.tasks.tokens.recording import sound_tokenizer, tokenize_to
    from voxfield.tasks.tokens.token_file import save_tokens

    if job.path.suffix.lower() in (*IMAGES, *OTHER_IMAGES):
        tokens, notes = tokenize_image(job.path, model=model or OF_IMAGES, threads=choices.threads)
        save_tokens(job.output, tokens, overwrite=choices.overwrite)
        said = {**tokens.to_dict(), "notes": list(notes)}
    else:
        engine = sound_tokenizer(model or OF_SOUND, threads=choices.threads)
        with open_input(job.path, choices.raw) as source:
            shown = progress_of(source, report)
            said = tokenize_to(job.output, source, engine, shown, overwrite=choices.overwrite).to_dict()
    used, perplexity = said["used"], said["perplexity"]
    note = f"{said['bits']:.0f} bits; {100 * used:.0f} % of the codes are used, perplexity {perplexity:.0f}"
    return {**said, "notes": [*said["notes"], note]}
