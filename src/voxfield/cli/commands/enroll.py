"""`voxfield enroll`: recordings of a speaker into the speaker book."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.answers import Answer, one_by_one
from voxfield.cli.choices import Choices, check
from voxfield.cli.inputs import PIPE, expand
from voxfield.cli.options import Book, Inputs, SpeakerModel, sharing

if TYPE_CHECKING:
    from voxfield.audio import Source


@sharing(without=("overwrite", "skip_existing", "jobs"))
def command(
    name: Annotated[str, typer.Argument(help="Who speaks, such as Anna or 王芳.", metavar="NAME")],
    inputs: Inputs,
    book: Book = None,
    model: SpeakerModel = None,
    *,
    choices: Choices,
) -> None:
    """Add recordings of a speaker to the speaker book.

    Several recordings of ten seconds or more, made on different days, serve best. One that is too short or too quiet
    is refused, and the exit code is 1.

    Examples:

      voxfield enroll Anna monday.wav tuesday.wav

      voxfield enroll 王芳 wang/ --book office.book
    """
    from voxfield.tasks.book.speaker_book import SpeakerBook
    from voxfield.tasks.book.speaker_name import clean_name

    name, items = clean_name(name), expand(inputs, "enroll")
    check(choices, items)
    speakers = SpeakerBook(book, model=model, threads=choices.threads)
    speakers.check_model()

    def work(source: "Source", path: Path) -> Answer:
        done = speakers.enroll(name, source, source="standard input" if path == PIPE else path.name)
        words = f"{done.recording.speech.seconds:.1f} s of speech{'' if done.new else ', known already'}"
        return Answer({"name": name, "new": done.new, **done.recording.to_dict()}, words, done.notes)

    raise typer.Exit(one_by_one(items, work, choices))
