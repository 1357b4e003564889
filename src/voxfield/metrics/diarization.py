"""Diarization error rate: how much of the speech was missed, made up, or given to the wrong speaker.

The best assignment of speakers is scipy's, which comes with `pip install 'voxfield[metrics]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from voxfield.errors import InputError, needed


class Turn(NamedTuple):
    """Somebody speaks, from `start_s` to `end_s`."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True)
class DiarizationErrors:
    """Seconds of speech that went wrong; two speakers at once count twice.

    Attributes:
        missed_s: nobody was found where somebody speaks, or one where two do.
        false_alarm_s: somebody was found where nobody speaks, or two where one does.
        confusion_s: the wrong speaker was found.
        speech_s: of the reference.
    """

    missed_s: float
    false_alarm_s: float
    confusion_s: float
    speech_s: float

    @property
    def rate(self) -> float:
        """DER: all errors relative to the speech, 0 for none; it may exceed 1."""
        wrong_s = self.missed_s + self.false_alarm_s + self.confusion_s
        return wrong_s / self.speech_s if self.speech_s else float(wrong_s > 0)

    def __add__(self, other: DiarizationErrors) -> DiarizationErrors:
        """Of two recordings together."""
        return DiarizationErrors(
            self.missed_s + other.missed_s,
            self.false_alarm_s + other.false_alarm_s,
            self.confusion_s + other.confusion_s,
            self.speech_s + other.speech_s,
        )


NO_ERRORS = DiarizationErrors(0.0, 0.0, 0.0, 0.0)


def diarization_errors(
    reference: Sequence[Turn], hypothesis: Sequence[Turn], *, collar_s: float = 0.0, overlap: bool = True
) -> DiarizationErrors:
    """Errors of a hypothesis under the best assignment of its speakers to those of the reference.

    Args:
        reference, hypothesis: turns in any order; names need not agree.
        collar_s: so much before and after each boundary of the reference is not scored. That is half of what
            pyannote.metrics calls a collar.
        overlap: score where several speak at once as well.

    Raises:
        InputError: a turn that ends before it starts, or a collar below 0.
        MissingExtraError: scipy is needed and not installed.

    >>> diarization_errors([Turn(0, 4, "anna"), Turn(4, 8, "ben")], [Turn(0, 5, "1"), Turn(5, 8, "2")]).rate
    0.125
    """
    _check((*reference, *hypothesis), collar_s)
    edges = np.array([edge for turn in reference for edge in turn[:2]], float)
    cuts = [time for turn in (*reference, *hypothesis) for time in turn[:2]]
    times = np.unique([*cuts, *(edges - collar_s), *(edges + collar_s)])
    middles, durations_s = (times[1:] + times[:-1]) / 2, np.diff(times)
    if collar_s and len(edges):
        nearest = np.searchsorted(np.sort(edges), middles)
        around = np.pad(np.sort(edges), 1, constant_values=(-np.inf, np.inf))
        scored = np.minimum(middles - around[nearest], around[nearest + 1] - middles) > collar_s
        middles, durations_s = middles[scored], durations_s[scored]
    true, found = _active(reference, middles), _active(hypothesis, middles)
    if not overlap:
        single = true.sum(axis=0) <= 1
        durations_s, true, found = durations_s[single], true[:, single], found[:, single]
    together_s = (true * durations_s) @ found.T
    optimize = needed("scipy.optimize", "metrics", "the diarization error rate")
    rows, columns = optimize.linear_sum_assignment(together_s, maximize=True)
    right_s = float(together_s[rows, columns].sum())
    truths, founds = true.sum(axis=0), found.sum(axis=0)
    return DiarizationErrors(
        missed_s=float(durations_s @ np.maximum(truths - founds, 0)),
        false_alarm_s=float(durations_s @ np.maximum(founds - truths, 0)),
        confusion_s=max(0.0, float(durations_s @ np.minimum(truths, founds)) - right_s),
        speech_s=float(durations_s @ truths),
    )


def _active(turns: Sequence[Turn], times: np.ndarray) -> np.ndarray:
    """(Speakers, times), 1 where the speaker speaks."""
    names = sorted({turn.speaker for turn in turns})
    active = np.zeros((len(names), len(times)))
    for turn in turns:
        first, last = np.searchsorted(times, (turn.start_s, turn.end_s))
        active[names.index(turn.speaker), first:last] = 1
    return active


def _check(turns: Sequence[Turn], collar_s: float) -> None:
    for turn in turns:
        if not (np.isfinite(turn.start_s) and np.isfinite(turn.end_s) and turn.start_s <= turn.end_s):
            raise InputError(f"a turn runs from {turn.start_s} to {turn.end_s} s; it must end after it has started")
    if not collar_s >= 0:
        raise InputError(f"the collar must be 0 s or more, not {collar_s}")
