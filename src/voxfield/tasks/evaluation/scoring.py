"""Scores of a model on recordings whose truth is known; a recording that fails is a row that says why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from inspect import signature
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from voxfield.errors import InputError, VoxfieldError
from voxfield.pool import Processes, in_order, processes_for
from voxfield.runtime import load_engine
from voxfield.tasks.evaluation.enhancement import EnhancementScoring
from voxfield.tasks.evaluation.separation import SeparationScoring
from voxfield.tasks.evaluation.verification import VerificationScoring
from voxfield.tasks.work import Model


class Scoring(Protocol):
    """How one task is scored."""

    measures: tuple[str, ...]

    def items(self, given: Path, truth: Path | None) -> Iterator[tuple[str, tuple[Path, ...]]]:
        """(name, files that `score` takes) of each recording."""

    def score(self, *paths: Path) -> dict[str, Any]:
        """The row of one recording, which may be made in another process."""

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Means over all rows, for JSON and for a card."""

    def table(self, summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
        """Head and cells to print."""


SCORINGS: dict[str, Callable[..., Scoring]] = {  # called with an engine, measures, and options of its own
    "enhance": EnhancementScoring,
    "separate": SeparationScoring,
    "embed": VerificationScoring,
}


@dataclass(frozen=True)
class Evaluation:
    """Scores of every recording, and those that failed.

    Attributes:
        rows: {"name", scores...} or {"name", "error"} of each recording, in order.
        summary: means, `failed` among them where some did.
        head, cells: the summary as a table to print.
    """

    model: str
    rows: tuple[Mapping[str, Any], ...]
    summary: Mapping[str, Any]
    head: list[str]
    cells: list[list[str]]

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        """The rows of the recordings that could not be scored."""
        return [row for row in self.rows if "error" in row]


def scoring_for(model: Model, measures: Sequence[str] = (), options: Mapping[str, Any] | None = None) -> Scoring:
    """The way a model is scored, by the task on its card; all measures that are installed if none is named.

    Args:
        model, measures: as for `evaluate`.
        options: what only the scoring of this task takes, such as the `cohort` of `VerificationScoring`.

    Raises:
        InputError: a measure or an option that there is none of, or a task that is not scored.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = load_engine(model)
    task = engine.card.task
    if task not in SCORINGS:
        raise InputError(f"there are no scores for models to {task}; there are for: {', '.join(SCORINGS)}")
    options = options or {}
    if unknown := [name for name in options if name not in signature(SCORINGS[task]).parameters]:
        raise InputError(f"--{unknown[0]} has no meaning for {engine.card.name}, a model to {task}")
    return SCORINGS[task](engine, measures, **options)


def evaluate(
    given: Path,
    truth: Path | None,
    model: Model,
    measures: Sequence[str] = (),
    *,
    limit: int = 0,
    progress: Callable[[str], None] = lambda name: None,
    options: Mapping[str, Any] | None = None,
    processes: Processes = 1,
) -> Evaluation:
    """Scores of a model on recordings whose truth is known.

    Args:
        given: folder of noisy recordings, or of mixtures; for a speaker model a list of trials, or a folder of lists.
        truth: folder of clean recordings of the same names, or the folder that holds the voices `s1`, `s2` ...; None
            for trials, which say the truth themselves.
        model: a published name, an .onnx file, or an engine.
        measures: which scores; all that are installed if none is named.
        limit: only the first so many recordings; 0 for all, as trials need them.
        progress: called with the name of each recording after it was scored.
        options: as for `scoring_for`.
        processes: that share the recordings, auto for one a processor; they need the name or the file of a model.

    Raises:
        InputError: folders or names that do not fit one another, or no recording could be scored.
    """
    scoring = scoring_for(model, measures, options)
    if limit and isinstance(scoring, VerificationScoring):
        raise InputError("--limit has no meaning for trials, which need all of their recordings; give a shorter list")
    items = list(islice(scoring.items(given, truth), limit or None))
    each = partial(_row, _Scorer(model, tuple(measures), tuple((options or {}).items())))
    found = in_order(each, items, processes_for(processes, len(items)), lambda item, row: progress(item[0]))
    rows = [row if isinstance(row, dict) else {"name": name, "error": row.reason} for (name, _), row in found]
    scored = [row for row in rows if "error" not in row]
    if not scored:
        raise InputError(f"none of {len(rows)} recordings could be scored; the first: {rows[0]['error']}")
    summary = scoring.summary(scored)
    if len(scored) < len(rows):
        summary["failed"] = len(rows) - len(scored)
    return Evaluation(load_engine(model).card.name, tuple(rows), summary, *scoring.table(summary))


@dataclass(frozen=True)
class _Scorer:
    """What a process needs to score; it makes its own engine, once."""

    model: Model
    measures: tuple[str, ...]
    options: tuple[tuple[str, Any], ...]

    @cached_property
    def scoring(self) -> Scoring:
        return scoring_for(self.model, self.measures, dict(self.options))


def _row(scorer: _Scorer, item: tuple[str, tuple[Path, ...]]) -> dict[str, Any]:
    name, paths = item
    try:
        return {"name": name, **scorer.scoring.score(*paths)}
    except VoxfieldError as error:
        return {"name": name, "error": str(error)}
