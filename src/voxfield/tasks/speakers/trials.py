"""Trials of speaker verification: pairs of recordings of which it is known whether one speaker is in both."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxfield.errors import InputError
from voxfield.files import reason_of, text_of


@dataclass(frozen=True)
class Trial:
    """Two recordings, and whether they are of one speaker."""

    same: bool
    first: Path
    second: Path


def read_trials(paths: Sequence[Path]) -> list[Trial]:
    """The trials of text files, a line each: `1 a.wav b.wav` for one speaker, `0 a.wav c.wav` for two.

    Paths are those beside the list; names with spaces stand in quotes. Lines that begin with # are passed over.

    Raises:
        InputError: a list or a recording is not there, a line is no trial, or there is none.
    """
    found = [trial for path in paths for trial in _read(path)]
    if not found:
        raise InputError(f"there are no trials in {', '.join(map(str, paths))}; a line reads: 1 a.wav b.wav")
    for recording in recordings_in(found):
        if not recording.exists():
            raise InputError(f"the recording {recording} of the trials is not there")
    return found


def recordings_in(trials: Iterable[Trial]) -> list[Path]:
    """Each recording of the trials once, in order."""
    return list({path: None for trial in trials for path in (trial.first, trial.second)})


def _read(path: Path) -> list[Trial]:
    try:
        text = text_of(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the trials {path} cannot be read: {reason_of(error)}") from error
    return [
        _trial(line, path, number)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _trial(line: str, path: Path, number: int) -> Trial:
    try:
        words = shlex.split(line) if '"' in line or "'" in line else line.split()
    except ValueError:
        words = []
    if len(words) != 3 or words[0] not in ("0", "1"):
        raise InputError(
            f"{path}, line {number}: a trial reads `1 a.wav b.wav` or `0 a.wav b.wav`, not '{line.strip()}'"
        )
    return Trial(words[0] == "1", path.parent / words[1], path.parent / words[2])
