"""Manifests as a stream of rows: JSON lines, wav.scp, Parquet, or a folder of recordings.

A row that cannot be used is a row with a problem, never the end of the stream. Paths are relative to the manifest, as
those of training data are; `offset` makes a row a segment of a recording, and without it `duration` only says how long
the recording is.
"""

import io
import json
import math
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NamedTuple, cast

from voxfield.batch import storage
from voxfield.batch.parts import arrow
from voxfield.errors import InputError
from voxfield.formats import SUFFIXES

PATH_KEYS = ("audio_filepath", "path")
COLUMNS = (*PATH_KEYS, "duration", "offset", "id")
_LONGEST_LINE = 1 << 20
_PLAIN = re.compile(r"\w[\w.-]*")
_PARQUET_ROWS = 4096
_parsed = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # json.loads takes twice as long


class Row(NamedTuple):
    """One recording, or a segment of one.

    Attributes:
        number: of the line or row of the manifest, from 1.
        path: local path or URL; empty where the row has a problem.
        name: what its result is called after: a relative path with the suffix of the recording.
        offset_s, duration_s: of a segment; without an offset the duration is only information.
        problem: why there is nothing to work on.
    """

    number: int
    path: str
    name: str
    offset_s: float | None = None
    duration_s: float | None = None
    problem: str = ""

    @property
    def source(self) -> str:
        """What is read, in one line: the path, and the segment of it."""
        if self.offset_s is None:
            return self.path
        return f"{self.path} {self.offset_s!r} {self.duration_s!r}"


def rows(manifest: str, *, below: str = "", ending: str = "") -> Iterator[Row]:
    """The rows of a manifest, in its order.

    Args:
        manifest: path or URL of a `.jsonl`, `.scp` or `.parquet` file, or of a folder.
        below: folder of results, passed over where it lies inside a folder of recordings.
        ending: of the names of results, passed over where their recording lies beside them.

    Raises:
        InputError: there is no such manifest, it cannot be read, or it is of another kind.
    """
    suffix = PurePosixPath(manifest.rstrip("/")).suffix.lower()
    if suffix in _LINES:
        yield from _lines(manifest, _LINES[suffix])
    elif suffix == ".parquet":
        yield from _parquet(manifest)
    elif storage.is_folder(manifest):
        yield from _folder(manifest, below, ending)
    else:
        raise InputError(
            f"{manifest} is no manifest: a .jsonl, wav.scp or .parquet file, or a folder of recordings is needed"
        )


def count_rows(manifest: str, *, below: str = "", ending: str = "") -> int | None:
    """How many rows there are, for showing progress; None where counting would mean to fetch them."""
    if storage.is_url(manifest):
        return None
    if PurePosixPath(manifest).suffix.lower() in _LINES:
        with storage.opened(manifest) as file:
            return sum(not line.isspace() for line in file)
    return sum(1 for _ in rows(manifest, below=below, ending=ending))


def _lines(manifest: str, parse: Any) -> Iterator[Row]:
    base = storage.parent(manifest)
    with storage.opened(manifest) as file:
        lines = iter(partial(io.BufferedReader(cast(io.RawIOBase, file)).readline, _LONGEST_LINE), b"")
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield parse(number, line.decode("utf-8-sig"), base)
            except (ValueError, TypeError, RecursionError) as error:
                yield Row(number, "", "", problem=f"the row cannot be read: {error}")


def _from_json(number: int, line: str, base: str) -> Row:
    line = line.strip()
    try:
        values, end = _parsed(line, 0)
    except StopIteration:
        end = -1
    return _from_mapping(number, values if end == len(line) else json.loads(line), base)  # which says what is wrong


def _from_scp(number: int, line: str, base: str) -> Row:
    key, *rest = line.strip().split(maxsplit=1)
    if rest and rest[0].endswith("|"):
        raise ValueError("it holds a command, and commands are never run; name a file")
    return _from_mapping(number, {"audio_filepath": "".join(rest), "id": key}, base)


_LINES = {".jsonl": _from_json, ".json": _from_json, ".ndjson": _from_json, ".scp": _from_scp}


def _from_mapping(number: int, values: Any, base: str) -> Row:
    """The row of a JSON object or of a row of a table.

    Raises:
        ValueError: it cannot be used; the message says why.
    """
    if not isinstance(values, dict):
        raise ValueError("it is no object with an 'audio_filepath'")
    given = values.get("audio_filepath") or values.get("path")
    if not isinstance(given, str) or "\0" in given:
        raise ValueError("it names no recording: 'audio_filepath' is needed")
    offset_s, duration_s = _seconds(values, "offset"), _seconds(values, "duration")
    plain = given.partition("?")[0] if storage.is_url(given) else given
    suffix = _suffix(plain)
    if (key := values.get("id")) is not None:
        name = _safe(str(key).removesuffix(suffix)) + suffix
    else:
        name = _safe(plain.removeprefix(f"{base}/") if base else plain)
        if offset_s is not None:
            name = f"{name.removesuffix(suffix)}-{offset_s:.3f}{f'-{duration_s:.3f}' if duration_s else ''}{suffix}"
    _check_text(given + name)
    return Row(number, storage.joined(base, given), name, offset_s, duration_s)


def _suffix(path: str) -> str:
    """From the last point of the last name on, a point at its beginning aside; a million of these.

    >>> _suffix("a.b/c.wav"), _suffix("a.b/c"), _suffix("a/.c")
    ('.wav', '', '')
    """
    before, _, after = path.rpartition(".")
    named = before.rstrip(".")
    return f".{after}" if named and "/" not in after and named[-1] != "/" else ""


def _seconds(values: dict[str, Any], key: str) -> float | None:
    value = values.get(key)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise ValueError(f"'{key}' must be a number of seconds of 0 or more, not {value!r}")
    return float(value) if value or key == "offset" else None


def _check_text(name: str) -> None:
    """Raises ValueError where a name holds bytes that are not UTF-8, which no ledger and no table can hold."""
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = name.encode("utf-8", "backslashreplace").decode()
            raise ValueError(f"the name {shown} is not UTF-8; rename it") from None


def _safe(name: str) -> str:
    """The name as a relative path that stays below its folder."""
    if _PLAIN.fullmatch(name):
        return name
    _, _, name = name.rpartition("://")
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if not parts:
        raise ValueError(f"{name!r} gives no name for a result")
    return "/".join(parts)


def _parquet(manifest: str) -> Iterator[Row]:
    pyarrow = arrow(f"reading {manifest}")
    base, number = storage.parent(manifest), 0
    with storage.opened(manifest) as file:
        try:
            table = pyarrow.parquet.ParquetFile(file)
            columns = [name for name in table.schema_arrow.names if name in COLUMNS]
            if not set(columns) & set(PATH_KEYS):
                raise InputError(f"{manifest} has no column 'audio_filepath'")
            for batch in table.iter_batches(_PARQUET_ROWS, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    try:
                        yield _from_mapping(number, values, base)
                    except ValueError as error:
                        yield Row(number, "", "", problem=f"the row cannot be read: {error}")
        except (pyarrow.ArrowException, OSError) as error:
            raise InputError(f"{manifest} cannot be read as Parquet: {error}") from error


def _folder(folder: str, below: str, ending: str) -> Iterator[Row]:
    number = 0
    for parent, names in storage.walk(folder, below):
        there = set(names)
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)  # noqa: PTH122  # a million of these
            if suffix.lower() not in SUFFIXES or name.startswith("._"):
                continue
            if ending and stem.endswith(f"_{ending}") and stem.removesuffix(f"_{ending}") + suffix in there:
                continue
            number += 1
            path = storage.joined(parent, name)
            try:
                _check_text(path)
            except ValueError as error:
                yield Row(number, "", "", problem=str(error))
                continue
            yield Row(number, path, storage.relative(path, folder))
    if not number:
        raise InputError(f"{folder} holds no recordings")
