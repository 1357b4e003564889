"""`voxfield threshold`: the score from which on a speaker is recognised, chosen on the user's own recordings."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.jobs import with_notes
from voxfield.cli.options import Book, Offline, OneJson, SpeakerModel, Threads
from voxfield.cli.printable import visible

if TYPE_CHECKING:
    from voxfield.tasks.book.threshold import Rate


def command(
    trials: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Text files of lines `1 a.wav b.wav` (one speaker) or `0 a.wav c.wav` (two).",
            metavar="TRIALS",
        ),
    ] = None,
    false_accepts: Annotated[
        float, typer.Option(help="Share of different speakers that may be taken for the same one.", metavar="RATE")
    ] = 0.01,
    book: Book = None,
    model: SpeakerModel = None,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: OneJson = False,
) -> None:
    """Choose the threshold of the speaker book for a wished rate of false accepts.

    It is chosen on pairs of recordings of which it is known who speaks, TRIALS; or on the samples in the book, each of
    which is tried against the rest of its speaker's, and as a stranger against all others. Error rates are printed
    with the range in which the true ones lie.

    Examples:

      voxfield threshold

      voxfield threshold calls.txt --false-accepts 0.001
    """
    from voxfield.tasks.book.speaker_book import SpeakerBook
    from voxfield.tasks.speakers.trials import read_trials

    speakers = SpeakerBook(book, model=model, threads=threads)
    chosen = speakers.choose_threshold(read_trials(trials) if trials else None, wanted=false_accepts)
    if as_json:
        print(json.dumps({"book": str(speakers.path), **chosen.to_dict()}))
        return
    print(visible(f"threshold {chosen.threshold:.3f}, kept in {speakers.path}"))
    print(f"false accepts: {_percent(chosen.false_accepts)}; trials of two speakers: {chosen.different}")
    print(with_notes(f"misses: {_percent(chosen.misses)}; trials of one speaker: {chosen.same}", chosen.notes))


def _percent(rate: "Rate") -> str:
    return f"{100 * rate.rate:.2f} % (95 % confidence: {100 * rate.low:.2f} to {100 * rate.high:.2f} %)"
