"""What becomes of rows, written down as they come: values to parts, entries to the ledger, failures to errors.jsonl."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from voxfield.batch import parts, storage
from voxfield.batch.job import Job
from voxfield.batch.ledger import Ledger
from voxfield.batch.report import Errors, Tally
from voxfield.batch.work import DONE, FAILED, OUTPUT, WITHDRAWN, Outcome, files_of
from voxfield.errors import OutputError
from voxfield.files import PartFile

_PART_AGE_S = 60.0  # after which a part is written that is not full


class Recorder:
    """Takes outcomes one by one; a result is in the ledger only when its file or part is whole."""

    def __init__(self, job: Job, ledger: Ledger, tally: Tally, errors: Errors) -> None:
        self._job, self._ledger, self._tally, self._errors = job, ledger, tally, errors
        self._waiting: list[Outcome] = []
        self._filling, self._since_s = parts.Filling(), time.monotonic()

    def take(self, outcome: Outcome) -> None:
        """Write down what became of a row.

        Raises:
            OutputError: there is no space for results, or for the ledger; the row is tried again by the next run.
        """
        self._tally.count(outcome)
        if outcome.status == FAILED:
            self._errors.add(outcome.todo.row, outcome.kind, outcome.error)
        if outcome.values:
            self._waiting.append(outcome)
            if self._filling.add(outcome.values) or time.monotonic() - self._since_s > _PART_AGE_S:
                self.flush()
            return
        self.append([outcome])
        if outcome.kind == OUTPUT:
            self._check_space()

    def flush(self) -> None:
        """Write the values that wait."""
        if self._waiting:
            part = parts.new_name(self._ledger.run)
            done = in_part(self._job, part, self._waiting)
            self.append(done)
        self._waiting, self._filling, self._since_s = [], parts.Filling(), time.monotonic()

    def append(self, outcomes: Sequence[Outcome], *, earlier: bool = False) -> None:
        """Enter outcomes whose values are in parts, after taking the rows they replace out of theirs."""
        if not self._job.verb.ending:
            self._withdraw([one for one in outcomes if one.status in (DONE, FAILED) and one.todo.known])
        self._ledger.append(outcomes, earlier=earlier)

    def _withdraw(self, outcomes: Sequence[Outcome]) -> None:
        names = defaultdict(list)
        for one in outcomes:
            for part, _ in files_of(one.todo.there):
                if part not in {name for name, _ in one.files}:
                    names[part].append(one.todo.row.name)
        for part, gone in names.items():
            parts.drop_rows(self._job.place, part, gone)
        if names:
            self._ledger.append([replace(one, status=WITHDRAWN, files=()) for one in outcomes])

    def _check_space(self) -> None:
        """Raise an OutputError where the folder of results takes no more."""
        if storage.is_url(self._job.place):
            return
        with PartFile(Path(self._job.place) / "space") as probe:
            if refusal := probe.refusal():
                raise OutputError(
                    f"{self._job.place} takes no more results: {refusal}; what is done is kept, and the same command "
                    "goes on when there is space"
                )


def in_part(job: Job, part: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, after their values were written to a part."""
    rows = [{parts.NAME: one.todo.row.name, "recording": one.todo.row.path, **one.values} for one in outcomes]
    parts.write_part(job.place, part, rows)
    return [replace(one, files=((part, -1),), values={}) for one in outcomes]
