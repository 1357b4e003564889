"""Folders of recordings."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from voxfield.audio import read
from voxfield.errors import InputError
from voxfield.formats import SUFFIXES
from voxfield.protocols import Array

_SLACK_S = 0.1  # by which recordings that belong together may differ


def recordings_of(folder: Path) -> list[Path]:
    """The recordings directly in a folder, by name.

    Raises:
        InputError: there is no such folder, or no recording in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; a folder of recordings is needed")
    found = sorted(_recordings(folder))
    if not found:
        raise InputError(f"{folder} holds no recordings ({', '.join(sorted(SUFFIXES))})")
    return found


def holds_recordings(path: Path) -> bool:
    """Whether it is a folder with a recording directly in it."""
    return path.is_dir() and any(_recordings(path))


def _recordings(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def read_with_truth(recording: Path, parts: Sequence[Path], rate_hz: int) -> tuple[Array, Array]:
    """(Samples (N,) of a recording, (S, N) of what it holds) at a rate, as long as the shortest of them.

    Raises:
        AudioError: one of them cannot be read.
        InputError: their durations differ by more than codecs and cutting leave.
    """
    sounds = [read(path, rate_hz=rate_hz, mono=True)[0] for path in (recording, *parts)]
    count_samples = min(len(sound) for sound in sounds)
    for path, sound in zip(parts, sounds[1:], strict=True):
        if abs(len(sound) - len(sounds[0])) > _SLACK_S * rate_hz:
            raise InputError(
                f"{recording} lasts {len(sounds[0]) / rate_hz:.2f} s and {path} {len(sound) / rate_hz:.2f} s; "
                "they do not belong together"
            )
    return sounds[0][:count_samples], np.stack([sound[:count_samples] for sound in sounds[1:]])
