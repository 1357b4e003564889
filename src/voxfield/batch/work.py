"""One row of a manifest, done: what every process of every engine does. What goes wrong is its failure."""

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from voxfield.audio import open_source
from voxfield.batch import storage
from voxfield.batch.hashes import identity
from voxfield.batch.job import Job
from voxfield.batch.manifest import Row
from voxfield.batch.segment import Segment
from voxfield.batch.verbs import Made
from voxfield.errors import CardError, DownloadError, InputError, MissingExtraError, OutputError, VoxfieldError

DONE, SAME, FAILED, WITHDRAWN = "done", "same", "failed", "withdrawn"
OUTPUT = "output"  # the kind of failure that says nothing about the recording
_KINDS: list[tuple[type[Exception], str]] = [
    (MissingExtraError, "package"),
    (OutputError, OUTPUT),
    (DownloadError, "model"),
    (CardError, "model"),
    (InputError, "input"),
    (MemoryError, "memory"),
    (Exception, "unexpected"),
]


Files = tuple[tuple[str, int], ...]  # name below `out` and bytes of each file; (part, -1) for a row of values


def written(files: Files) -> str:
    """Files in one text, a line each; the end of a line inside a name is a zero, which no name holds.

    >>> written((("a.wav", 3), ("b.wav", 4)))
    '3 a.wav\\n4 b.wav'
    """
    return "\n".join(f"{size} {name}".replace("\n", "\0") for name, size in files)


def files_of(text: str) -> Files:
    """The inverse of `written`."""
    lines = [line.partition(" ") for line in text.split("\n") if line]  # lists, as a million of these are read
    return tuple([(name.replace("\0", "\n"), int(size)) for size, _, name in lines])


class Todo(NamedTuple):
    """A row to be done.

    Attributes:
        key: by which the ledger knows it.
        known: identity of a result that is there; nothing is done where it is still that of the row.
        there: its files, see `written`.
    """

    key: bytes
    row: Row
    known: bytes = b""
    there: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Attributes:
        status: DONE, SAME (the result that was there is the right one), FAILED, or WITHDRAWN.
        mark: of the job, see `Job.mark`.
        identity: of the result.
        signature: of the recording's file.
        kind, error: of a failure.
        audio_s, work_s, cpu_s: duration of the recording, wall time, and time of processors.
        values: of a verb that makes rows, until they are in a part.
    """

    todo: Todo
    status: str
    mark: bytes
    identity: bytes = b""
    signature: str = ""
    files: Files = ()
    kind: str = ""
    error: str = ""
    notes: tuple[str, ...] = ()
    audio_s: float = 0.0
    work_s: float = 0.0
    cpu_s: float = 0.0
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowWork:
    """Does rows of a job; pickled once a process, which then keeps its engine."""

    job: Job

    def __call__(self, todo: Todo) -> Outcome:
        began_s, cpu_s = time.perf_counter(), time.process_time()
        signature, place = storage.signature(todo.row.path), todo.row.path
        try:
            with storage.local(todo.row.path) as path:
                place = str(path)
                found = self._done(todo, path)
        except Exception as error:
            kind = next(name for classes, name in _KINDS if isinstance(error, classes))
            words = str(error) if isinstance(error, VoxfieldError) else f"{type(error).__name__}: {error}"
            found = {"status": FAILED, "kind": kind, "error": words.removeprefix(f"{place} ")}
        found |= {"work_s": time.perf_counter() - began_s, "cpu_s": time.process_time() - cpu_s}
        return Outcome(todo, mark=self.job.mark, signature=signature, **found)

    def _done(self, todo: Todo, path: Path) -> dict[str, Any]:
        """What to say of a row whose recording is this file."""
        row = todo.row
        with ExitStack() as stack:
            source = stack.enter_context(open_source(path))
            same = identity(path, row.source[len(row.path) :], self.job.mark)
            if same == todo.known:
                return {"status": SAME, "identity": same, "files": files_of(todo.there)}
            if row.offset_s is not None:
                source = Segment(source, row.offset_s, row.duration_s)
            made, files = self._made(source, self.job.output_name(row.name))
        about = {"audio_s": made.work.audio_s, "notes": made.work.notes, "values": dict(made.values)}
        return {"status": DONE, "identity": same, "files": files, **about}

    def _made(self, source: Any, name: str) -> tuple[Made, Files]:
        """What was made, and the files that it went to."""
        out, (folder, slash, last) = self.job.place, name.rpartition("/")
        with ExitStack() as stack:
            path, away = Path(out) / name, storage.is_url(out)
            if away:
                path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxfield-"))) / last
            made = self.job.verb.work(source, self.job.engine(), self.job.options, path, self.job.output)
            files = tuple((f"{folder}{slash}{one.name}", one.stat().st_size) for one in made.files)
            for (place, _), one in zip(files, made.files, strict=True):
                if away:
                    storage.put(one, f"{out}/{place}")
            return made, files
