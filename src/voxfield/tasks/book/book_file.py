"""The file of a speaker book: SQLite, which several processes may share and a killed one cannot leave half-written.

A file of unknown origin is data: it must hold the tables below and nothing else, and no trigger or view is run.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.errors import InputError, OutputError
from voxfield.files import followed
from voxfield.protocols import Array

APPLICATION_ID = 0x566F7842  # in the header of every book
VERSION = 1  # of the tables
BUSY_S = 20.0  # how long to wait for another process that writes
_LONGEST_VALUE_BYTES = 1 << 20
_LARGEST_NUMBER = (1 << 63) - 1  # of a row
_TABLES = {
    "book": (
        "CREATE TABLE book (model TEXT NOT NULL, fingerprint TEXT NOT NULL, dimension INTEGER NOT NULL, "
        "threshold REAL, measured TEXT NOT NULL)"  # one row, or none before the first sample
    ),
    "sample": (
        "CREATE TABLE sample (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, vector BLOB NOT NULL, "
        "speech_s REAL NOT NULL, level_db REAL NOT NULL, range_db REAL NOT NULL, source TEXT NOT NULL, "
        "added TEXT NOT NULL)"
    ),
}
_COLUMNS = "number, name, vector, speech_s, level_db, range_db, source, added"


@dataclass(frozen=True)
class Made:
    """What the samples of a book were made with.

    Attributes:
        model: its full name.
        fingerprint: hash of its graph, weights and features.
        dimension: D, numbers in a vector.
        threshold: score from which on a speaker is recognised; None where none was chosen.
        measured: how it was chosen, plain values.
    """

    model: str
    fingerprint: str
    dimension: int
    threshold: float | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Sample:
    """One recording of an enrolled speaker.

    Attributes:
        number: by which it can be removed, given once in a book; 0 before it is added.
        vector: (D,) float32.
        speech_s, level_db, range_db: how much speech the recording held, how loud it was, and how far out of the noise.
        source: name of the recording.
        added: when, in UTC.
    """

    number: int
    name: str
    vector: Array
    speech_s: float
    level_db: float
    range_db: float
    source: str
    added: str


class Rows:
    """What an open book holds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def made(self) -> Made | None:
        """What the samples were made with; None where there is none yet."""
        found = self._connection.execute("SELECT * FROM book").fetchall()
        if not found:
            return None
        model, mark, dimension, threshold, measured = found[0]
        typed = [(model, str), (mark, str), (dimension, int), (threshold, float | None), (measured, str)]
        good = len(found) == 1 and all(isinstance(value, kind) for value, kind in typed)
        if not good or dimension < 1 or not (threshold is None or -1 <= threshold <= 1):
            raise _DamagedError("what it says of its model is not readable")
        try:
            facts = json.loads(measured)
        except (ValueError, RecursionError) as error:
            raise _DamagedError("what it says of its threshold is not readable") from error
        return Made(model, mark, dimension, threshold, facts if isinstance(facts, dict) else {})

    def set_made(self, made: Made) -> None:
        """Replace what the samples were made with."""
        self._connection.execute("DELETE FROM book")
        self._connection.execute(
            "INSERT INTO book VALUES (?, ?, ?, ?, ?)",
            (made.model, made.fingerprint, made.dimension, made.threshold, json.dumps(dict(made.measured))),
        )

    def samples(self) -> list[Sample]:
        """All of them, by name and in order of enrolment."""
        made = self.made()
        return [
            _sample(row, made.dimension if made else 0)
            for row in self._connection.execute(f"SELECT {_COLUMNS} FROM sample ORDER BY name, number")
        ]

    def add(self, sample: Sample) -> None:
        """Take one more sample; it gets a number."""
        _, name, vector, *rest = (getattr(sample, column) for column in _COLUMNS.split(", "))
        self._connection.execute(
            f"INSERT INTO sample ({_COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (name, vector.astype("<f4").tobytes(), *rest),
        )

    def rename(self, name: str, new_name: str) -> int:
        """How many samples got another name."""
        return self._connection.execute("UPDATE sample SET name = ? WHERE name = ?", (new_name, name)).rowcount

    def remove(self, name: str, number: int | None = None) -> int:
        """How many samples of a speaker went: all, or the one of this number."""
        if number is not None and not 0 < number <= _LARGEST_NUMBER:
            return 0
        return self._connection.execute(
            "DELETE FROM sample WHERE name = ? AND (number = ? OR ? IS NULL)", (name, number, number)
        ).rowcount


class _DamagedError(sqlite3.DatabaseError):
    """The file is a book, but something in it is not what was written."""

    sqlite_errorname = "SQLITE_CORRUPT"


@contextmanager
def reading(path: Path) -> Iterator[Rows]:
    """A book to read.

    Raises:
        InputError: there is none, or it is damaged, something else, or of a newer version.
    """
    _check_place(path)
    if not path.exists():
        raise InputError(f"there is no speaker book {path} yet; `voxfield enroll NAME FILES...` begins one")
    with _translated(path, InputError, "read"), closing(_connect(path, change=False)) as connection:
        if not _is_book(connection, path):  # begun, and nothing was written yet
            for table in _TABLES.values():
                connection.execute(table.replace("CREATE TABLE", "CREATE TEMP TABLE"))
        yield Rows(connection)


@contextmanager
def writing(path: Path) -> Iterator[Rows]:
    """A book to change, which is begun where there is none: all changes are made when the block ends, or none.

    The file of a new book is for its owner alone to read: voices are personal data.

    Raises:
        InputError: it is damaged, something else, or of a newer version.
        OutputError: it cannot be written, or another process does not let go of it.
    """
    _check_place(path)
    with _translated(path, OutputError, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _begun(followed(path)), closing(_connect(path, change=True)) as connection:
            _is_book(connection, path)  # before anything is changed
            _keep_log(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                if not _is_book(connection, path):
                    for table in _TABLES.values():
                        connection.execute(table)
                    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
                    connection.execute(f"PRAGMA user_version={VERSION}")
                yield Rows(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")


@contextmanager
def _begun(path: Path) -> Iterator[None]:
    """The file, begun where there is none; it goes again where the disk has no place for it."""
    new = not path.exists()
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    try:
        yield
    except sqlite3.OperationalError as error:
        if new and error.sqlite_errorname.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)
        raise


def _check_place(path: Path) -> None:
    if "\0" in str(path):
        raise InputError(f"{str(path)!r} cannot be the name of a file: it holds a zero byte")
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no ordinary file, so it is no speaker book")
    except OSError as error:
        raise InputError(f"the speaker book {path} cannot be read: {error.strerror}") from error


@contextmanager
def _translated(path: Path, kind: type[InputError] | type[OutputError], done: str) -> Iterator[None]:
    """Errors of SQLite and of the system in words, as this kind of error."""
    try:
        yield
    except sqlite3.Error as error:
        reason = getattr(error, "sqlite_errorname", "")
        if reason.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise InputError(
                f"{path} is damaged, or is no speaker book ({error}); nothing was changed. Name another file with "
                "--book, or move it away and `voxfield speakers import` what was exported before"
            ) from error
        if reason.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise kind(
                f"another program has been using the speaker book {path} for {BUSY_S:.0f} s; try again later"
            ) from error
        raise kind(f"the speaker book {path} could not be {done}: {error}; it is as it was before") from error
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise kind(f"the speaker book {path} could not be {done}: {error.strerror or error}") from error


def _connect(path: Path, *, change: bool) -> sqlite3.Connection:
    """A connection that runs nothing that the file may hold."""
    place, options = followed(path), "mode=rw"
    if not change and not (os.access(place, os.W_OK) and os.access(place.parent, os.W_OK)):
        log = place.with_name(f"{place.name}-wal")
        waiting = log.exists() and log.stat().st_size > 0
        options = "mode=ro" if waiting else "mode=ro&immutable=1"  # no lock can be taken where nothing can be written
    connection = sqlite3.connect(f"{place.as_uri()}?{options}", uri=True, timeout=BUSY_S, isolation_level=None)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE_BYTES)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _keep_log(connection: sqlite3.Connection) -> None:
    """Write-ahead log, so that nobody who reads waits for one who writes; kept in the file once it is set."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:  # another process is at work; the next one will set it
            return


@contextmanager
def _at_one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """Several reads of one state of the file, whatever another process writes between them."""
    begun = not connection.in_transaction
    if begun:
        connection.execute("BEGIN")
    try:
        yield
    finally:
        if begun and connection.in_transaction:
            connection.execute("ROLLBACK")


def _is_book(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file holds a book; false where it holds nothing at all.

    Raises:
        InputError: it holds something else, is damaged, or was written by a newer version.
    """
    with _at_one_moment(connection):
        (application_id,), (version,) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        tables = dict(
            connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
        )
    if (application_id, version, tables) == (0, 0, {}):
        return False
    if application_id == APPLICATION_ID and version > VERSION:
        raise InputError(
            f"the speaker book {path} is of version {version}, and this voxfield reads version {VERSION}: "
            "pip install --upgrade voxfield, or name another book with --book"
        )
    if application_id != APPLICATION_ID or tables != _TABLES:
        raise InputError(f"{path} is an SQLite file, but no speaker book; name another file with --book")
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise _DamagedError(found.splitlines()[0])
    return True


def _sample(row: tuple[Any, ...], dimension: int) -> Sample:
    number, name, content, speech_s, level_db, range_db, source, added = row
    texts = all(isinstance(value, str) for value in (name, source, added))
    numbers = all(isinstance(value, float) for value in (speech_s, level_db, range_db))
    if not texts or not numbers or not isinstance(content, bytes) or len(content) != 4 * dimension:
        raise _DamagedError(f"sample {number} is not readable")
    vector = np.frombuffer(content, "<f4").astype(np.float32)
    if not np.isfinite(vector).all():
        raise _DamagedError(f"sample {number} holds what is no number")
    return Sample(number, name, vector, speech_s, level_db, range_db, source, added)
