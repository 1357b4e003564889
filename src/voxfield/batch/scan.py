"""From a manifest to the rows that are still to be done, a chunk at a time."""

import os
from collections.abc import Iterator
from itertools import islice

from voxfield.batch import storage
from voxfield.batch.hashes import row_key
from voxfield.batch.job import Job
from voxfield.batch.ledger import Entry, Ledger
from voxfield.batch.manifest import Row
from voxfield.batch.report import MANIFEST, Errors, Tally
from voxfield.batch.work import FAILED, OUTPUT, WITHDRAWN, Todo, files_of

_CHUNK_ROWS = 512


class Scan:
    """Rows of a job's manifest on their way; what needs no work is counted, and what cannot be done is an error.

    Args:
        retry_failed: try again what failed in an earlier run.
        overwrite: replace files that the ledger does not know.
    """

    def __init__(
        self,
        job: Job,
        ledger: Ledger,
        tally: Tally,
        errors: Errors,
        *,
        retry_failed: bool = False,
        overwrite: bool = False,
    ) -> None:
        self._job, self._ledger, self._tally, self._errors = job, ledger, tally, errors
        self._retry_failed, self._overwrite = retry_failed, overwrite
        self._out = job.place
        self._remote = storage.is_url(self._out)
        self._parts: dict[str, bool] = {}
        self._signatures: dict[str, str] = {}  # of the present rows: segments of one recording follow one another

    def todo(self) -> Iterator[Todo]:
        """The rows to be done."""
        manifest = self._job.rows()
        while chunk := list(islice(manifest, _CHUNK_ROWS)):
            self._tally.rows += len(chunk)
            self._signatures.clear()
            good = [(row_key(row.source, row.name), row) for row in chunk if not row.problem or self._refuse(row)]
            entries = self._ledger.last([key for key, _ in good])
            wanted = [todo for key, row in good if (todo := self._wanted(key, row, entries.get(key))) is not None]
            with self._ledger.changes():
                taken = [todo for todo in wanted if self._take(todo)]
            yield from taken

    def _refuse(self, row: Row) -> bool:
        self._fail(row, MANIFEST, row.problem)
        return False

    def _wanted(self, key: bytes, row: Row, entry: Entry | None) -> Todo | None:
        """What is to be done for a row, if anything."""
        if entry is None or entry.status == WITHDRAWN:
            return Todo(key, row)
        if entry.run == self._ledger.run:
            self._tally.repeated += 1
            return None
        same_mark, same_file = entry.mark == self._job.mark, entry.signature == self._signature(row.path)
        if entry.status == FAILED:
            again = self._retry_failed or entry.kind == OUTPUT  # which was not the recording's failure
            if again or not (same_mark and same_file):
                return Todo(key, row)
            self._fail(row, entry.kind, entry.error)
            return None
        for name, size in files_of(entry.files):
            if not self._is_there(name, size):
                return Todo(key, row)
        if same_mark and same_file:
            self._tally.already += 1
            return None
        return Todo(key, row, entry.identity, entry.files)

    def _take(self, todo: Todo) -> bool:
        """Whether the row's result may take its name."""
        name = self._job.output_name(todo.row.name)
        if self._job.verb.ending and not self._overwrite and not self._ledger.claimed(name):
            place = f"{self._out}/{name}"
            if storage.exists(place):
                self._fail(todo.row, OUTPUT, f"{place} exists, and this job did not write it; use --overwrite")
                return False
        claim = self._ledger.claim(name, todo.key)
        if claim is None or (claim.row == todo.key and claim.run != self._ledger.run):
            return True
        if claim.row == todo.key:
            self._tally.repeated += 1
        else:
            other = f"{name} is the result of another row already, or of this recording under another path"
            self._fail(todo.row, MANIFEST, f"{other}; give each row an 'id', or choose another -o")
        return False

    def _signature(self, path: str) -> str:
        found = self._signatures.get(path)
        if found is None:
            found = self._signatures[path] = storage.signature(path)
        return found

    def _is_there(self, name: str, size: int) -> bool:
        """Whether a result still lies where it was put; of a URL this is believed, and so is the size of a part."""
        if self._remote:
            return True
        if size < 0:
            if name not in self._parts:
                self._parts[name] = storage.exists(f"{self._out}/{name}")
            return self._parts[name]
        try:
            return os.stat(f"{self._out}/{name}").st_size == size  # noqa: PTH116  # a million of these
        except OSError:
            return False

    def _fail(self, row: Row, kind: str, error: str) -> None:
        self._tally.failed[kind] += 1
        self._errors.add(row, kind, error)
