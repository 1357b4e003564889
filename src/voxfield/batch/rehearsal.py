"""How long a job would take: its hours of audio counted, and a sample of its recordings done and timed."""

import random
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from voxfield.audio import open_source
from voxfield.batch import storage
from voxfield.batch.job import Job
from voxfield.batch.manifest import Row
from voxfield.batch.work import DONE, RowWork, Todo
from voxfield.errors import VoxfieldError

SAMPLE_ROWS = 24
SAMPLE_S = 15.0  # no more recordings are timed after so long
TIMED_S = 60.0  # of a recording at most, where its duration is known


@dataclass(frozen=True)
class Estimate:
    """What a job would take.

    Attributes:
        rows: to be done.
        audio_s: of those whose duration is known; the others are taken to be as long on average.
        unknown: rows whose duration is not known.
        timed: recordings that were timed, and `speed`, their seconds of audio a second of one process.
        seconds: of wall time with so many processes; None where nothing could be timed.
    """

    rows: int
    audio_s: float
    unknown: int
    timed: int
    speed: float
    processes: int

    @property
    def seconds(self) -> float | None:
        """Wall time."""
        return self.audio_s / self.speed / self.processes if self.speed else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rows_to_do": self.rows,
            "hours_of_audio": round(self.audio_s / 3600, 4),
            "duration_unknown": self.unknown,
            "timed_recordings": self.timed,
            "hours_of_audio_per_process_hour": round(self.speed, 2),
            "processes": self.processes,
            "estimated_s": None if self.seconds is None else round(self.seconds, 1),
        }


def estimate(job: Job, todo: Iterable[Todo]) -> Estimate:
    """What the rows would take; nothing is written to the job's folder."""
    draw = random.Random(0)
    sample: list[Todo] = []
    rows = unknown = 0
    known_s = 0.0
    for one in todo:
        duration_s = _duration_s(one.row)
        known_s += duration_s or 0.0
        unknown += duration_s is None
        if rows < SAMPLE_ROWS:
            sample.append(one)
        elif (at := draw.randrange(rows + 1)) < SAMPLE_ROWS:
            sample[at] = one
        rows += 1
    known = rows - unknown
    timed, speed, mean_s = _timed(job, sample)
    mean_s = known_s / known if known else mean_s
    return Estimate(rows, known_s + unknown * mean_s, unknown, timed, speed, job.processes)


def _timed(job: Job, sample: list[Todo]) -> tuple[int, float, float]:
    """(Recordings done, seconds of audio a second of work, mean duration in seconds)."""
    with tempfile.TemporaryDirectory(prefix="voxfield-") as folder:
        work = RowWork(replace(job, settings=replace(job.settings, out=folder, state=folder)))
        sample = [one._replace(row=_beginning(one.row), known=b"") for one in sample]
        for one in sample[:1]:
            work(one)  # loads the network
        began_s, audio_s, work_s, timed = time.monotonic(), 0.0, 0.0, 0
        for one in sample:
            outcome = work(one)
            if outcome.status == DONE:
                audio_s, work_s, timed = audio_s + outcome.audio_s, work_s + outcome.work_s, timed + 1
            if time.monotonic() - began_s > SAMPLE_S:
                break
    return timed, audio_s / work_s if work_s else 0.0, audio_s / timed if timed else 0.0


def _beginning(row: Row) -> Row:
    """What is timed of a row."""
    if (_duration_s(row) or 0.0) <= TIMED_S:
        return row
    return row._replace(offset_s=row.offset_s or 0.0, duration_s=TIMED_S)


def _duration_s(row: Row) -> float | None:
    """Of a row, from the manifest or from the header of a file on this machine."""
    if row.duration_s is not None or storage.is_url(row.path):
        return row.duration_s
    try:
        with open_source(row.path) as source:
            return (source.count_samples or 0) / source.rate_hz - (row.offset_s or 0) or None
    except VoxfieldError:
        return None
