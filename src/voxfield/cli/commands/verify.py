"""`voxfield verify`: are two recordings of the same speaker?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.inputs import PIPE
from voxfield.cli.jobs import with_notes
from voxfield.cli.openers import open_input
from voxfield.cli.options import Offline, OneJson, SpeakerModel, Threads
from voxfield.cli.printable import visible
from voxfield.errors import InputError

if TYPE_CHECKING:
    from voxfield.tasks.speakers.verification import Verified


def command(
    first: Annotated[Path, typer.Argument(help="A recording.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another one.", metavar="B")],
    model: SpeakerModel = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Cosine from which on the answer is: the same speaker; the model's own decision if not given.",
            metavar="X",
        ),
    ] = None,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: OneJson = False,
) -> None:
    """Compare the speakers of two recordings.

    The score is the cosine of their vectors, -1 to 1. A model with a calibration on its card decides by it, and gives
    a probability for the case that one speaker and two are as likely beforehand. Others decide with --threshold only.

    Examples:

      voxfield verify anna_monday.wav caller.wav --model voxceleb_resnet34.onnx

      voxfield verify a.wav b.wav --model converted/ --threshold 0.5 --json
    """
    from voxfield.tasks import verify

    if first == second == PIPE:
        raise InputError("only one of the two recordings can come from standard input")
    found = verify(open_input(first), open_input(second), model=model, threshold=threshold, threads=threads)
    if as_json:
        print(json.dumps({"inputs": [str(first), str(second)], **found.to_dict()}))
        return
    print(_in_words(found))
    for path, one in ((first, found.first), (second, found.second)):
        words = f"{path}: {one.duration_s:.1f} s, {one.speech.seconds:.1f} s of speech"
        print(visible(with_notes(words, one.notes)))


def _in_words(found: "Verified") -> str:
    if found.score is None:
        return "score: none, as a recording is silent"
    if found.same is None:
        return f"score: {found.score:z.3f}; no decision without --threshold"
    answer = "the same speaker" if found.same else "different speakers"
    if found.probability is None:
        return f"score: {found.score:z.3f}; {answer} at {found.threshold:g}"
    by = "" if found.threshold is None else f" at {found.threshold:g}"
    return f"score: {found.score:.3f}; {answer}{by}; probability of one speaker {100 * found.probability:.1f} %"
