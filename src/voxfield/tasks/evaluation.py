"""Scores of a model on folders of recordings whose truth is known; a recording that fails is a row that says why."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from voxfield.audio import read
from voxfield.errors import InputError, VoxfieldError
from voxfield.protocols import Array, Engine
from voxfield.runtime import load_engine
from voxfield.tasks.enhancement_scores import EnhancementScoring
from voxfield.tasks.separation_scores import SeparationScoring
from voxfield.tasks.work import Model


class Scoring(Protocol):
    """How one task is scored."""

    rate_hz: int
    measures: tuple[str, ...]

    def recordings(self, given: Path, truth: Path) -> Iterator[tuple[str, Path, Sequence[Path]]]:
        """(name, recording, its truth) of two folders."""
        ...

    def score(self, recording: Array, truth: Array) -> dict[str, Any]:
        """Scores of one recording (N,) with its truth (S, N)."""
        ...

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Means over all rows, for JSON and for a card."""
        ...

    def table(self, summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
        """Head and cells to print."""
        ...


SCORINGS: dict[str, Callable[[Engine, Sequence[str]], Scoring]] = {
    "enhance": EnhancementScoring,
    "separate": SeparationScoring,
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


def scoring_for(model: Model, measures: Sequence[str] = ()) -> Scoring:
    """The way a model is scored, by the task on its card; all measures that are installed if none is named.

    Raises:
        InputError: a measure that there is none of, or a task that is not scored.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = load_engine(model)
    task = engine.card.task
    if task not in SCORINGS:
        raise InputError(f"there are no scores for models to {task}; there are for: {', '.join(SCORINGS)}")
    return SCORINGS[task](engine, measures)


def evaluate(
    given: Path,
    truth: Path,
    model: Model,
    measures: Sequence[str] = (),
    *,
    limit: int = 0,
    progress: Callable[[str], None] = lambda name: None,
) -> Evaluation:
    """Scores of a model on a folder of recordings and the folder of what they hold.

    Args:
        given: folder of noisy recordings, or of mixtures.
        truth: folder of clean recordings of the same names, or the folder that holds the voices `s1`, `s2` ...
        model: a published name, an .onnx file, or an engine.
        measures: which scores; all that are installed if none is named.
        limit: only the first so many recordings; 0 for all.
        progress: called with the name of each recording before it is scored.

    Raises:
        InputError: folders or names that do not fit one another, or no recording could be scored.
    """
    scoring = scoring_for(model, measures)
    rows: list[Mapping[str, Any]] = []
    for number, (name, path, parts) in enumerate(scoring.recordings(given, truth), start=1):
        if limit and number > limit:
            break
        progress(name)
        try:
            sounds = [read(one, rate_hz=scoring.rate_hz, mono=True)[0] for one in (path, *parts)]
            n = min(len(sound) for sound in sounds)
            truths = np.stack([sound[:n] for sound in sounds[1:]])
            rows.append({"name": name, **scoring.score(sounds[0][:n], truths)})
        except VoxfieldError as error:
            rows.append({"name": name, "error": str(error)})
    scored = [row for row in rows if "error" not in row]
    if not scored:
        raise InputError(f"none of {len(rows)} recordings could be scored; the first: {rows[0]['error']}")
    summary = scoring.summary(scored)
    if len(scored) < len(rows):
        summary["failed"] = len(rows) - len(scored)
    return Evaluation(load_engine(model).card.name, tuple(rows), summary, *scoring.table(summary))
