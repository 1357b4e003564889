"""Embeddings as a file: NumPy's .npz, or .parquet where pyarrow is installed."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.errors import InputError
from voxfield.files import in_text, written_whole
from voxfield.tasks.speakers.embedding import Embedded

SUFFIXES = (".npz", ".parquet")


def check_file(path: Path) -> None:
    """Return when embeddings can be written under this name.

    Raises:
        InputError: another suffix, or a package is missing for it.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} must end in {' or '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise InputError(f"writing {path} needs the package 'pyarrow': pip install pyarrow, or name an .npz file")


def save_embeddings(path: Path, names: Sequence[str], made: Sequence[Embedded], *, overwrite: bool = False) -> None:
    """Write a row a recording: `name`, `embedding` (D,), `duration_s`, `speech_s` and `model`.

    Raises:
        InputError: see `check_file`.
        OutputError: the file exists and may not be replaced, or cannot be written.
    """
    check_file(path)
    columns: dict[str, Any] = {
        "name": np.array(list(names)),
        "embedding": np.stack([one.vector for one in made]),
        "duration_s": np.array([one.duration_s for one in made]),
        "speech_s": np.array([one.speech.seconds for one in made]),
        "model": np.array([one.model for one in made]),
    }
    with written_whole(path, overwrite=overwrite) as partial:
        if path.suffix.lower() == ".npz":
            with partial.open("wb") as file:
                np.savez(file, **columns)
            return
        import pyarrow
        import pyarrow.parquet

        columns["name"] = [in_text(name) for name in names]
        table = pyarrow.table({key: list(column) for key, column in columns.items()})
        with partial.open("wb") as file:
            pyarrow.parquet.write_table(table, file)
