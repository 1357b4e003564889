"""`voxfield speakers`: look at the speaker book and keep it in order."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.helpful import Command, Commands
from voxfield.cli.inputs import PIPE
from voxfield.cli.openers import standard_input
from voxfield.cli.options import Book, Overwrite
from voxfield.cli.printable import visible
from voxfield.errors import InputError
from voxfield.values import plural

if TYPE_CHECKING:
    from voxfield.tasks.book.speaker_book import SpeakerBook

command = typer.Typer(
    cls=Commands, help="Look at the speaker book and keep it in order.", no_args_is_help=True, rich_markup_mode="rich"
)
Name = Annotated[str, typer.Argument(help="Name of the speaker.", metavar="NAME")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each.")]


@command.command("list", cls=Command)
def list_speakers(book: Book = None, as_json: AsJson = False) -> None:
    """List who is in the book."""
    speakers = _book(book)
    samples, made = speakers.samples(), speakers.made()
    for name in dict.fromkeys(sample.name for sample in samples):
        own = [sample for sample in samples if sample.name == name]
        speech_s = sum(sample.speech_s for sample in own)
        if as_json:
            print(json.dumps({"name": name, "samples": len(own), "speech_s": round(speech_s, 2)}))
        else:
            held = f"{plural(len(own), 'sample')}, {speech_s:.0f} s of speech"
            print(visible(f"{name}  {held}, the last of {own[-1].added[:10]}"))
    if not as_json:
        threshold = "not chosen yet" if made is None or made.threshold is None else f"{made.threshold:.3f}"
        print(visible(f"{speakers.path}: model {made.model if made else 'any'}, threshold {threshold}"))


@command.command(cls=Command)
def show(name: Name, book: Book = None, as_json: AsJson = False) -> None:
    """Show the samples of a speaker."""
    for sample in _book(book).samples(name):
        if as_json:
            print(json.dumps(asdict(sample) | {"vector": sample.vector.tolist()}))
        else:
            print(
                visible(
                    f"{sample.number:5}  {sample.speech_s:5.1f} s of speech at {sample.level_db:4.0f} dB  "
                    f"{sample.added}  {sample.source}"
                )
            )


@command.command(cls=Command)
def rename(
    name: Name, new_name: Annotated[str, typer.Argument(help="The new name.", metavar="NEW")], book: Book = None
) -> None:
    """Give a speaker another name."""
    _book(book).rename(name, new_name)


@command.command(cls=Command)
def remove(
    name: Name,
    sample: Annotated[
        int | None, typer.Option(help="Only this one, by the number that `show` says.", metavar="N")
    ] = None,
    book: Book = None,
) -> None:
    """Remove a speaker, or one sample."""
    print(f"{plural(_book(book).remove(name, sample), 'sample')} removed")


@command.command("export", cls=Command)
def export_book(
    file: Annotated[Path, typer.Argument(help="JSON file to write, or - for standard output.", metavar="FILE")],
    book: Book = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the book as JSON."""
    if file == PIPE:
        print(_book(book).exported()[0], end="")
    else:
        print(visible(f"{plural(_book(book).export_json(file, overwrite=overwrite), 'sample')} -> {file}"))


@command.command("import", cls=Command)
def import_book(
    file: Annotated[Path, typer.Argument(help="What `export` wrote, or - for standard input.", metavar="FILE")],
    merge: Annotated[bool, typer.Option("--merge", help="Take a name in both books for one speaker.")] = False,
    book: Book = None,
) -> None:
    """Add the speakers of an exported book."""
    if file == PIPE:
        new = _book(book).import_text(_from_pipe(), "standard input", merge=merge)
    else:
        new = _book(book).import_json(file, merge=merge)
    print(f"{plural(new, 'sample')} new")


def _book(path: Path | None) -> "SpeakerBook":
    from voxfield.tasks.book.speaker_book import SpeakerBook

    return SpeakerBook(path)


def _from_pipe() -> str:
    try:
        return standard_input().buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not the JSON of `voxfield speakers export`: {error}") from error
