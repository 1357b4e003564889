"""The account of a run: files, hours, failures by kind, how fast it went, and what a core-hour does."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from voxfield.batch.job import Job
from voxfield.batch.manifest import Row
from voxfield.batch.work import DONE, FAILED, SAME, Outcome
from voxfield.files import Closing, refused, written_whole

REPORT, ERRORS = "report.json", "errors.jsonl"
MANIFEST = "manifest"  # kind of failure of a row that names no recording


@dataclass
class Tally:
    """What became of the rows of a run.

    Attributes:
        rows: of the manifest so far.
        done: in this run.
        already: done by a run before.
        repeated: named by an earlier row as well.
        failed: by kind, those of runs before that were not tried again among them.
        audio_s, work_s, cpu_s: of what this run did: duration, time of its processes, and of their processors.
        noted: results that the user should look at; the ledger says why.
    """

    rows: int = 0
    done: int = 0
    already: int = 0
    repeated: int = 0
    noted: int = 0
    audio_s: float = 0.0
    work_s: float = 0.0
    cpu_s: float = 0.0
    failed: Counter[str] = field(default_factory=Counter)
    began_s: float = field(default_factory=time.monotonic)
    began_cpu_s: float = field(default_factory=time.process_time)

    def count(self, outcome: Outcome) -> None:
        """One row was tried."""
        self.work_s += outcome.work_s
        self.cpu_s += outcome.cpu_s
        if outcome.status == DONE:
            self.done += 1
            self.audio_s += outcome.audio_s
            self.noted += bool(outcome.notes)
        elif outcome.status == SAME:
            self.already += 1
        elif outcome.status == FAILED:
            self.failed[outcome.kind] += 1

    @property
    def settled(self) -> int:
        """Rows of which nothing more is to be expected."""
        return self.done + self.already + self.repeated + self.failures

    @property
    def failures(self) -> int:
        """Rows that failed."""
        return sum(self.failed.values())

    def to_dict(self, job: Job) -> dict[str, Any]:
        """Plain values for report.json."""
        wall_s = time.monotonic() - self.began_s
        cpu_s = self.cpu_s + time.process_time() - self.began_cpu_s
        hours = self.audio_s / 3600
        return {
            "task": job.settings.task,
            "model": job.engine().card.name,
            "manifest": job.settings.manifest,
            "out": job.settings.out,
            "rows": self.rows,
            "done": self.done,
            "already_done": self.already,
            "repeated": self.repeated,
            "failed": self.failures,
            "failed_by_kind": dict(self.failed),
            "with_notes": self.noted,
            "hours_of_audio": round(hours, 4),
            "wall_s": round(wall_s, 3),
            "core_hours": round(cpu_s / 3600, 6),
            "files_per_s": round(self.done / wall_s, 3) if wall_s else 0.0,
            "hours_of_audio_per_hour": round(self.audio_s / wall_s, 2) if wall_s else 0.0,
            "hours_of_audio_per_core_hour": round(self.audio_s / cpu_s, 2) if cpu_s else 0.0,
        }


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write the report of the last run."""
    with written_whole(folder / REPORT) as path:
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


class Errors(Closing):
    """errors.jsonl: a line for every row of the manifest that failed, in this run or in one before.

    Args:
        folder: where to; None for nowhere.
        say: called with the path and the reason of each.
    """

    def __init__(self, folder: Path | None, say: Callable[[str, str], None] = lambda path, reason: None) -> None:
        path, self._say = os.devnull if folder is None else folder / ERRORS, say
        with refused(f"{path} cannot be written"):
            self._file: IO[str] = open(path, "w", encoding="utf-8", buffering=1)  # noqa: PTH123, SIM115

    def add(self, row: Row, kind: str, error: str) -> None:
        """Add a line."""
        self._say(row.path or f"row {row.number}", error)
        with refused(f"{self._file.name} cannot be written"):
            self._file.write(json.dumps({"row": row.number, "input": row.path, "kind": kind, "error": error}) + "\n")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
