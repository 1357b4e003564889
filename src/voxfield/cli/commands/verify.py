"""`voxfield verify`: are two recordings of the same speaker?"""

import json
from pathlib import Path
from typing import Annotated

import typer

from voxfield.cli.openers import open_input
from voxfield.cli.options import AsJson, Offline, SpeakerModel, Threads
from voxfield.cli.printable import visible


def command(
    first: Annotated[Path, typer.Argument(help="A recording.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another one.", metavar="B")],
    model: SpeakerModel = None,
    threshold: Annotated[
        float | None, typer.Option(help="Cosine from which on the answer is: the same speaker.", metavar="X")
    ] = None,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Compare the speakers of two recordings.

    The score is the cosine of their vectors, -1 to 1. Without --threshold there is no decision: the right threshold
    depends on the model and on how the recordings were made.

    Examples:

      voxfield verify anna_monday.wav caller.wav --model voxceleb_resnet34.onnx

      voxfield verify a.wav b.wav --model converted/ --threshold 0.5 --json
    """
    from voxfield.tasks.embedding import embed_source, embedding_engine
    from voxfield.tasks.verification import check_threshold, compared

    check_threshold(threshold)
    engine = embedding_engine(model, threads=threads)
    made = []
    for path in (first, second):
        with open_input(path) as source:
            made.append(embed_source(source, engine)[0])
    found = compared(made[0], made[1], threshold)
    if as_json:
        print(json.dumps({"inputs": [str(first), str(second)], **found.to_dict()}))
        return
    if found.score is None:
        print("score: none, as a recording is silent")
    elif threshold is None:
        print(f"score: {found.score:.3f}; no decision without --threshold")
    else:
        print(
            f"score: {found.score:.3f}; {'the same speaker' if found.same else 'different speakers'} at {threshold:g}"
        )
    for path, one in zip((first, second), made, strict=True):
        print(visible(f"{path}: {one.duration_s:.1f} s, {one.speech.seconds:.1f} s of speech"))
        for note in one.notes:
            print(f"  note: {note}")
