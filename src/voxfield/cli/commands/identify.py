"""`voxfield identify`: who of the speaker book speaks in a recording."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.answers import Answer, one_by_one
from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import expand
from voxfield.cli.options import Book, Inputs, SpeakerModel, sharing

if TYPE_CHECKING:
    from voxfield.audio import Source
    from voxfield.tasks.book.identification import Identified


@sharing(without=("overwrite", "skip_existing", "quiet"))
def command(
    inputs: Inputs,
    book: Book = None,
    threshold: Annotated[float | None, typer.Option(help="Score from which on a name is given.", metavar="X")] = None,
    model: SpeakerModel = None,
    *,
    choices: Choices,
) -> None:
    """Say who of the speaker book speaks in each recording, or that nobody in it does.

    The score is the cosine with a speaker's samples; the margin is how far the second nearest speaker lies
    below. A name is given for a score of --threshold or more; without it, of the threshold that `voxfield threshold`
    chose, or of the one on the model's card.

    Examples:

      voxfield identify caller.wav

      voxfield identify calls/ --threshold 0.5 --json
    """
    from voxfield.tasks.book.speaker_book import SpeakerBook

    items = expand(inputs, "identify")
    check(choices, items)
    speakers = SpeakerBook(book, model=model, threads=choices.threads)
    if (note := speakers.check_threshold(threshold)) and not choices.as_json:
        print(f"note: {note}", file=sys.stderr)
    work = partial(_identified, book=book, model=model, threads=choices.threads, threshold=threshold)
    raise typer.Exit(one_by_one(items, work, choices))


def _identified(
    source: "Source", path: Path, *, book: Path | None, model: str | None, threads: int, threshold: float | None
) -> Answer:
    from voxfield.tasks.book.speaker_book import SpeakerBook

    found = SpeakerBook(book, model=model, threads=threads).identify(source, threshold=threshold)
    return Answer(found.to_dict(), _words(found), found.recording.notes if found.recording else ())


def _words(found: "Identified") -> str:
    if found.score is None:
        return "unknown: there is no voice in it"
    if found.name is None:
        return f"unknown: {found.nearest[0][0]} is nearest, with {found.score:z.2f} of {found.threshold:.2f}"
    above = "" if found.margin is None else f", {found.margin:.2f} above {found.nearest[1][0]}"
    return f"{found.name} (score {found.score:z.2f}{above})"
