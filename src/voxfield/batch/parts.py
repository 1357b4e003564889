"""Rows of values as Parquet files, each written whole; every row is in one of them once."""

import secrets
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voxfield.batch import storage
from voxfield.errors import InputError, needed
from voxfield.files import written_whole

PATTERN = "part-*.parquet"
PART_ROWS = 1024
PART_BYTES = 64 << 20  # of arrays, from which on a part is written that has fewer rows
NAME = "name"
WRITING = "writing Parquet"


def arrow(purpose: str) -> Any:
    """The package `pyarrow`, with Parquet.

    Raises:
        MissingExtraError: it is not installed.
    """
    needed("pyarrow.parquet", "batch", purpose)
    return needed("pyarrow", "batch", purpose)


def new_name(run: int) -> str:
    """The name of a part, unlike any before."""
    return f"part-{run:04d}-{secrets.token_hex(6)}.parquet"


class Filling:
    """How full a part is."""

    def __init__(self) -> None:
        self._rows = self._bytes = 0

    def add(self, values: Mapping[str, Any]) -> bool:
        """Whether the part is full with this row."""
        self._rows += 1
        self._bytes += sum(getattr(value, "nbytes", 0) for value in values.values())
        return self._rows >= PART_ROWS or self._bytes >= PART_BYTES


def write_part(out: str, part: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows, each with a `name`; arrays become lists of float32.

    Raises:
        OutputError: it cannot be written.
    """
    pyarrow = arrow(WRITING)
    columns: dict[str, Any] = {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        if getattr(values[0], "ndim", 0) == 1:
            kind = pyarrow.from_numpy_dtype(values[0].dtype)
            columns[key] = pyarrow.array([value.tolist() for value in values], pyarrow.list_(kind))
        else:
            columns[key] = pyarrow.array(values)
    _write(out, part, pyarrow.table(columns))


def drop_rows(out: str, part: str, names: Iterable[str]) -> None:
    """Take rows out of a part, whose results are no longer those of their recordings.

    Raises:
        InputError: the part cannot be read.
        OutputError: it cannot be written.
    """
    pyarrow = arrow(WRITING)
    place = f"{out}/{part}"
    if not storage.exists(place):
        return
    try:
        with storage.opened(place) as file:
            table = pyarrow.parquet.read_table(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{place} is damaged ({error}); remove it, and its rows are made again") from error
    gone = set(names)
    kept = [name not in gone for name in table.column(NAME).to_pylist()]
    _write(out, part, table.filter(pyarrow.array(kept)))


def remove_orphans(out: str, known: set[str]) -> None:
    """Remove the parts that no entry names: their run was cut off before it could say what is in them."""
    for part in storage.matching(out, PATTERN):
        if part not in known:
            storage.remove(f"{out}/{part}")


def _write(out: str, part: str, table: Any) -> None:
    pyarrow = arrow(WRITING)
    if not storage.is_url(out):
        with written_whole(Path(out) / part) as path:
            pyarrow.parquet.write_table(table, path)
        return
    with tempfile.TemporaryDirectory(prefix="voxfield-") as folder:
        path = Path(folder) / part
        pyarrow.parquet.write_table(table, path)
        storage.put(path, f"{out}/{part}")
