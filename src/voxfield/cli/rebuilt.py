"""What the commands that make a sound or an image of tokens share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import PIPE
from voxfield.files import refuse_existing

if TYPE_CHECKING:
    from voxfield.tasks.tokens.token_file import Tokens


def check_place(out: Path, kind: str, rate_hz: int, choices: Choices) -> None:
    """Return when a sound or an image can be written there.

    Args:
        out: a sound file, a .png, or `PIPE`.
        kind: `sound` or `image`, of the tokens.
        rate_hz: of a sound.

    Raises:
        InputError, OutputError: it cannot; the message says why.
    """
    from voxfield.audio import NOT_STORED, target_for
    from voxfield.tasks.tokens.token_file import refuse_kind

    check(choices, [], [out])
    image = out.suffix.lower() == ".png"
    refuse_kind(kind, "image" if image else "sound")
    if out != PIPE:
        refuse_existing(out, choices.overwrite)
    if out != PIPE and not image:
        target_for(out, NOT_STORED, rate_hz, 1)


def write(
    out: Path, tokens: "Tokens", choices: Choices, *, model: str | None, **options: Any
) -> tuple[list[str], list[str]]:
    """Write what tokens stand for: what was lost on the way to the tokens, and notes on writing.

    Args:
        out: see `check_place`.
        model: the decoder.
        options: others of `detokenize`, for a sound.

    Raises:
        VoxfieldError: see `detokenize`, `image_of` and `save`.
    """
    from voxfield.audio import open_source, pipe_sink, save
    from voxfield.images import picture
    from voxfield.tasks.tokens.image import image_of
    from voxfield.tasks.tokens.recording import detokenize

    if out.suffix.lower() == ".png":
        picture.write(out, image_of(tokens, model=model, threads=choices.threads), overwrite=choices.overwrite)
        return ["lost: what the codes do not say"], []
    made = detokenize(tokens, model=model, threads=choices.threads, **options)
    if out != PIPE:
        return list(made.notes), save(out, made.samples, made.sample_rate_hz, overwrite=choices.overwrite)
    like = open_source(made.samples, made.sample_rate_hz)
    with pipe_sink(sys.stdout.buffer, like, channels=len(made.samples)) as sink:
        sink.write(made.samples)
        sink.commit()
    return list(made.notes), sink.notes()
