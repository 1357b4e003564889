"""What the commands that read recordings one after another share; a bad one is named, and never stops the rest."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from voxfield.cli.choices import Choices
from voxfield.cli.inputs import PIPE, Input
from voxfield.cli.jobs import attempted, in_turn, print_line, processes_of, say, with_notes
from voxfield.cli.openers import open_input
from voxfield.cli.printable import visible
from voxfield.pool import Lost

if TYPE_CHECKING:
    from voxfield.audio import Source


class Answer(NamedTuple):
    """What there is to say about one recording: values for JSON, words for people, and notes for both.

    Attributes:
        made: what the command keeps of it, which is in no JSON.
    """

    values: Mapping[str, Any]
    words: str
    notes: Sequence[str]
    made: Any = None

    def to_dict(self) -> dict[str, Any]:
        """The line of JSON, but for names."""
        return {"status": "done", **self.values, "notes": list(self.notes)}


def one_by_one(
    items: Sequence[Input], work: Callable[["Source", Path], Answer], choices: Choices, **options: Any
) -> int:
    """As `answer_all`, for work on an open recording."""
    return answer_all(items, partial(_opened, work=work, raw=choices.raw), choices, **options)


def answer_all(
    items: Sequence[Input],
    work: Callable[[Path], Answer],
    choices: Choices,
    *,
    to: IO[str] | None = None,
    keep: Callable[[Path, Any], object] = lambda path, made: None,
) -> int:
    """Exit code after all recordings were tried: 0 all done, 1 some failed, 130 interrupted.

    Args:
        items: from `voxfield.cli.inputs.expand`.
        work: does one recording; what it raises is that recording's failure. Where there are several processes it is
            pickled.
        choices: of the user; answers come in the order of the recordings, however many processes share them.
        to: where the words go; None for standard output, unless JSON is there.
        keep: called with a recording and what was made of it, as soon as it is.
    """

    def done(item: Input, result: Answer | Lost) -> None:
        if isinstance(result, Answer):
            keep(item.path, result.made)

    piped = any(item.path == PIPE for item in items)
    processes = processes_of(choices.jobs, len(items), piped=piped)
    return in_turn(partial(_attempt, work=work), items, processes, partial(_say, choices=choices, to=to), done)


def _say(item: Input, result: Answer | Lost, choices: Choices, to: IO[str] | None) -> None:
    if choices.as_json:
        print_line({"input": str(item.path)}, result if isinstance(result, Lost) else result.to_dict())
    if isinstance(result, Lost):
        say(f"voxfield: {item.path}: {result.reason}")
    elif not choices.quiet and (to is not None or not choices.as_json):
        print(visible(with_notes(f"{item.path}  {result.words}", result.notes)), file=to or sys.stdout, flush=True)


def _opened(path: Path, *, work: Callable[["Source", Path], Answer], raw: str | None) -> Answer:
    with open_input(path, raw) as source:
        return work(source, path)


def _attempt(item: Input, *, work: Callable[[Path], Answer]) -> Answer | Lost:
    return attempted(partial(work, item.path), item.path, item.problem)
