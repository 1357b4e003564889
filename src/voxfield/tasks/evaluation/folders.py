"""Folders of recordings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voxfield.audio import read
from voxfield.errors import InputError
from voxfield.formats import SUFFIXES
from voxfield.protocols import Array


def recordings_of(folder: Path) -> list[Path]:
    """The recordings directly in a folder, by name.

    Raises:
        InputError: there is no such folder, or no recording in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; a folder of recordings is needed")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(f"{folder} holds no recordings ({', '.join(sorted(SUFFIXES))})")
    return found


def read_with_truth(recording: Path, parts: Sequence[Path], rate_hz: int) -> tuple[Array, Array]:
    """(Samples (N,) of a recording, (S, N) of what it holds) at a rate, as long as the shortest of them.

    Raises:
        AudioError: one of them cannot be read.
    """
    sounds = [read(path, rate_hz=rate_hz, mono=True)[0] for path in (recording, *parts)]
    count_samples = min(len(sound) for sound in sounds)
    return sounds[0][:count_samples], np.stack([sound[:count_samples] for sound in sounds[1:]])
