"""What the commands that read recordings one after another share; a bad one is named, and never stops the rest."""

import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from voxfield.cli.inputs import Input, Job
from voxfield.cli.jobs import ALL_DONE, INTERRUPTED, SOME_FAILED, ended_like_an_interrupt, processes_of, say
from voxfield.cli.openers import check_choices, open_input
from voxfield.cli.printable import visible
from voxfield.errors import InputError, VoxfieldError
from voxfield.pool import Lost, in_order

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


def one_by_one(
    items: Sequence[Input],
    work: Callable[["Source", Path], Answer],
    *,
    raw: str | None,
    as_json: bool,
    **choices: Any,
) -> int:
    """As `answer_all`, for work on an open recording; `raw` describes headerless standard input."""
    check_choices(_planned(items), as_json=as_json, overwrite=False, skip_existing=False, raw=raw)
    return answer_all(items, partial(_opened, work=work, raw=raw), as_json=as_json, **choices)


def answer_all(
    items: Sequence[Input],
    work: Callable[[Path], Answer],
    *,
    as_json: bool,
    quiet: bool = False,
    to: IO[str] | None = None,
    jobs: str = "1",
    keep: Callable[[Path, Any], object] = lambda path, made: None,
) -> int:
    """Exit code after all recordings were tried: 0 all done, 1 some failed, 130 interrupted.

    Args:
        items: from `voxfield.cli.inputs.expand`.
        work: does one recording; what it raises is that recording's failure. Where there are several processes it is
            pickled.
        as_json: print a line of JSON a recording to standard output.
        quiet: say only what failed.
        to: where the words go; None for standard output, unless JSON is there.
        jobs: how many processes share the recordings, or auto; answers come in the order of the recordings.
        keep: called with a recording and what was made of it, as soon as it is.
    """

    def done(item: Input, result: Answer | str | Lost) -> None:
        if isinstance(result, Answer):
            keep(item.path, result.made)

    tried, failed, code = 0, 0, ALL_DONE
    attempt = partial(_attempt, work=work)
    try:
        with (
            ended_like_an_interrupt(signal.SIGTERM),
            closing(in_order(attempt, items, processes_of(jobs, _planned(items)), done)) as results,
        ):
            for item, result in results:
                tried += 1
                failed += isinstance(result, str | Lost)
                _say(item, result, as_json=as_json, quiet=quiet, to=to)
    except KeyboardInterrupt:
        say(f"voxfield: interrupted; {tried} of {len(items)} were tried")
        code = INTERRUPTED
    if failed and len(items) > 1:
        say(f"{failed} of {len(items)} failed")
    return code or (SOME_FAILED if failed else ALL_DONE)


def _say(item: Input, result: Answer | str | Lost, *, as_json: bool, quiet: bool, to: IO[str] | None) -> None:
    line: dict[str, Any] = {"input": str(item.path)}
    if isinstance(result, str | Lost):
        reason = result.reason if isinstance(result, Lost) else result
        if as_json:
            print(json.dumps(line | {"status": "failed", "error": reason}), flush=True)
        say(f"voxfield: {item.path}: {reason}")
        return
    if as_json:
        print(json.dumps(line | {"status": "done", **result.values, "notes": list(result.notes)}), flush=True)
    if not quiet and (to is not None or not as_json):
        for words in (*f"{item.path}  {result.words}".splitlines(), *(f"  note: {note}" for note in result.notes)):
            print(visible(words), file=to or sys.stdout, flush=True)


def _planned(items: Sequence[Input]) -> list[Job]:
    return [Job(item.path, Path("unused")) for item in items]


def _opened(path: Path, *, work: Callable[["Source", Path], Answer], raw: str | None) -> Answer:
    with open_input(path, raw) as source:
        return work(source, path)


def _attempt(item: Input, *, work: Callable[[Path], Answer]) -> Answer | str:
    """The answer, or why there is none."""
    try:
        if item.problem:
            raise InputError(item.problem)
        return work(item.path)
    except BrokenPipeError:
        raise
    except VoxfieldError as error:
        return str(error).removeprefix(f"{item.path} ")
    except Exception as error:  # a fault of ours, which must not cost the other files either
        return f"unexpected {type(error).__name__}: {error}"
