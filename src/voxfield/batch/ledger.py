"""The ledger of a job: what became of every row, appended and never changed. SQLite, so a crash cannot tear it.

The last entry of a row counts, by the order of entries and not by a clock. A claim says whose result a name is, before
any work starts: two rows cannot take one name, and what lies there unclaimed was written by somebody else.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from voxfield.batch.work import Outcome, files_of, written
from voxfield.errors import InputError, OutputError
from voxfield.files import Closing

APPLICATION_ID = 0x566F784C  # in the header of every ledger
VERSION = 1  # of the tables
NAME = "ledger.sqlite"
_BUSY_S = 20.0
_TABLES = """
CREATE TABLE runs (number INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL);
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, row BLOB NOT NULL, status TEXT NOT NULL,
    mark BLOB NOT NULL, identity BLOB NOT NULL, signature TEXT NOT NULL, files TEXT NOT NULL, kind TEXT NOT NULL,
    error TEXT NOT NULL, notes TEXT NOT NULL, audio_s REAL NOT NULL, work_s REAL NOT NULL, cpu_s REAL NOT NULL);
CREATE INDEX entries_of_row ON entries (row, number);
CREATE TABLE claims (name TEXT PRIMARY KEY, row BLOB NOT NULL, run INTEGER NOT NULL) WITHOUT ROWID;
"""
_SUPERSEDED = """
CREATE TEMP TABLE superseded (number INTEGER PRIMARY KEY);
CREATE TEMP TRIGGER newer AFTER INSERT ON entries BEGIN
    INSERT OR IGNORE INTO superseded SELECT number FROM entries WHERE row = new.row AND number < new.number; END;
INSERT INTO superseded SELECT number FROM entries AS one
    WHERE EXISTS (SELECT 1 FROM entries AS other WHERE other.row = one.row AND other.number > one.number);
"""
_COLUMNS = "row, number, run, status, mark, identity, signature, files, kind, error"  # of an Entry


class Entry(NamedTuple):
    """The last entry of a row; `files` as `voxfield.batch.work.written` gives them."""

    row: bytes
    number: int
    run: int
    status: str
    mark: bytes
    identity: bytes
    signature: str
    files: str
    kind: str
    error: str


class Claim(NamedTuple):
    """Whose result a name is, and of which run."""

    row: bytes
    run: int


class Ledger(Closing):
    """The ledger in a folder, opened for one run; a context manager.

    Attributes:
        run: number of this run.

    Args:
        rehearsal: leave the file as it is when this ends; none is made where there is none.

    Raises:
        InputError: it is damaged, of another program, or of another task.
        OutputError: it cannot be written.
    """

    def __init__(self, folder: Path, task: str, *, rehearsal: bool = False) -> None:
        self.path = folder / NAME
        with self._translated():
            if not rehearsal:
                folder.mkdir(parents=True, exist_ok=True)
            place = ":memory:" if rehearsal and not self.path.exists() else self.path
            self._connection = sqlite3.connect(place, timeout=_BUSY_S, isolation_level=None)
            self._prepare()
            if rehearsal:
                self._connection.execute("BEGIN")
            before = self._connection.execute("SELECT task FROM runs ORDER BY number DESC LIMIT 1").fetchone()
            if before is not None and before[0] != task:
                raise InputError(f"{folder} holds results of `{before[0]}`, not of `{task}`; choose another -o")
            self._at = 0  # number of the entry that was given last
            self.run = self._connection.execute("INSERT INTO runs VALUES (NULL, ?)", (task,)).lastrowid or 0

    def last(self, keys: Sequence[bytes]) -> dict[bytes, Entry]:
        """The last entry of each row that has one.

        Rows mostly come in the order in which they were done, so what follows the entries that were given last is
        read in one go, and only what is not there is looked for in the index, which takes four times as long.
        """
        wanted, select = set(keys), f"SELECT {_COLUMNS} FROM entries WHERE"
        following = f"{select} number > ? AND number <= ? AND number NOT IN superseded"
        with self._translated():
            read = self._connection.execute(following, (self._at, self._at + len(wanted)))
            last = {entry[0]: Entry._make(entry) for entry in read if entry[0] in wanted}
            if rest := list(wanted - last.keys()):
                query = f"{select} row IN ({','.join('?' * len(rest))}) ORDER BY row, number"  # the order of the index
                last |= {entry[0]: Entry._make(entry) for entry in self._connection.execute(query, rest)}
        self._at = max((entry.number for entry in last.values()), default=self._at)
        return last

    def append(self, outcomes: Iterable[Outcome], *, earlier: bool = False) -> None:
        """Add entries, of this run or of an earlier one: all of them, or none if this is cut short."""
        rows = [
            (
                self.run - earlier, one.todo.key, one.status, one.mark, one.identity, one.signature,
                written(one.files), one.kind, one.error, "\n".join(one.notes), one.audio_s, one.work_s, one.cpu_s,
            )
            for one in outcomes
        ]  # fmt: skip
        with self._translated(), self.changes():
            self._connection.executemany(f"INSERT INTO entries VALUES (NULL{', ?' * 13})", rows)

    def claim(self, name: str, key: bytes) -> Claim | None:
        """Take a name for a row; whose it was before, if anybody's. The name of another row is not taken."""
        with self._translated():
            found = self._connection.execute("SELECT row, run FROM claims WHERE name = ?", (name,)).fetchone()
            if found is None or found[0] == key:
                self._connection.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", (name, key, self.run))
            return None if found is None else Claim(*found)

    def claimed(self, name: str) -> bool:
        """Whether the name is a result of this ledger's."""
        with self._translated():
            return self._connection.execute("SELECT 1 FROM claims WHERE name = ?", (name,)).fetchone() is not None

    def parts(self) -> set[str]:
        """Names of all parts that entries name."""
        with self._translated():
            found = self._connection.execute("SELECT DISTINCT files FROM entries")
            return {name for (files,) in found for name, _ in files_of(files)}

    @contextmanager
    def changes(self) -> Iterator[None]:
        """Changes that are made together, or not at all."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _prepare(self) -> None:
        (application_id,), (version,) = (
            self._connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
        )
        fresh = not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (not fresh and application_id != APPLICATION_ID) or version > VERSION:
            raise InputError(f"{self.path} is not a ledger that this version reads; choose another -o, or move it away")
        for pragma in ("trusted_schema=OFF", "journal_mode=WAL", "synchronous=NORMAL"):
            self._connection.execute(f"PRAGMA {pragma}")
        if fresh:
            marks = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION};"
            self._connection.executescript(f"BEGIN; {_TABLES} {marks} COMMIT;")
        self._connection.executescript(_SUPERSEDED)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of SQLite and of the system in words."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
                raise InputError(
                    f"the ledger {self.path} is damaged ({error}); move it away, and the job starts anew "
                    "(with --overwrite, as its results are there)"
                ) from error
            raise OutputError(f"the ledger {self.path} cannot be written: {error}; run the job again later") from error
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"the ledger {self.path} cannot be written: {error.strerror}") from error
