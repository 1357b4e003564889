"""Folders of recordings."""

from pathlib import Path

from voxfield.errors import InputError
from voxfield.formats import SUFFIXES


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
