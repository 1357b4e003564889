"""What the commands that read recordings one after another share; a bad one is named, and never stops the rest."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from voxfield.cli.inputs import Input, Job
from voxfield.cli.openers import check_choices, open_input
from voxfield.cli.printable import visible
from voxfield.errors import InputError, VoxfieldError

if TYPE_CHECKING:
    from voxfield.audio import Source


class Answer(NamedTuple):
    """What there is to say about one recording: values for JSON, words for people, and notes for both."""

    values: Mapping[str, Any]
    words: str
    notes: Sequence[str]


def one_by_one(
    items: Sequence[Input],
    work: Callable[["Source", Path], Answer],
    *,
    raw: str | None,
    as_json: bool,
    quiet: bool = False,
    to: IO[str] | None = None,
) -> int:
    """Exit code after all recordings were tried: 0 all done, 1 some failed.

    Args:
        items: from `voxfield.cli.inputs.expand`.
        work: does one open recording; what it raises is that recording's failure.
        raw: describes headerless standard input.
        as_json: print a line of JSON a recording to standard output.
        quiet: say only what failed.
        to: where the words go; None for standard output, unless JSON is there.
    """
    check_choices(
        [Job(item.path, Path("unused")) for item in items],
        as_json=as_json, overwrite=False, skip_existing=False, raw=raw,
    )  # fmt: skip
    failed = 0
    for item in items:
        line: dict[str, Any] = {"input": str(item.path)}
        try:
            if item.problem:
                raise InputError(item.problem)
            with open_input(item.path, raw) as source:
                answer = work(source, item.path)
        except VoxfieldError as error:
            failed += 1
            reason = str(error).removeprefix(f"{item.path} ")
            if as_json:
                print(json.dumps(line | {"status": "failed", "error": reason}), flush=True)
            print(visible(f"voxfield: {item.path}: {reason}"), file=sys.stderr)
            continue
        if as_json:
            print(json.dumps(line | {"status": "done", **answer.values, "notes": list(answer.notes)}), flush=True)
        if not quiet and (to is not None or not as_json):
            for words in (f"{item.path}  {answer.words}", *(f"  note: {note}" for note in answer.notes)):
                print(visible(words), file=to or sys.stdout, flush=True)
    if failed and len(items) > 1:
        print(f"{failed} of {len(items)} failed", file=sys.stderr)
    return int(failed > 0)
