"""What a score of two recordings is worth: the logarithm of how much likelier one speaker is than two.

A cosine of 0.5 means one thing for two long recordings and another for two short ones. A calibration is a logistic
regression over the cosine, how much speech the shorter recording holds, and how far speech stands out of the noise in
the worse one. It is fitted on trials whose truth is known, and stands on the model's card.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from voxfield.cards import Card
from voxfield.errors import CardError, InputError

_RIDGE = 1e-3  # of the standardised weights, a trial: keeps them finite where a straight line parts all trials
_STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """Log-likelihood ratios of cosines: the weights of a sum.

    Attributes:
        bias: the constant.
        score: of the cosine.
        speech: of the natural logarithm of the shorter recording's seconds of speech.
        score_speech: of the product of both.
        range: of the dB between loud and quiet frames, in the recording where there are fewer.
        least_s, most_s, least_db, most_db: between which the trials lay; beyond them the nearest is taken.
        usual_db: the range where it is not known.
        threshold: the ratio from which on the answer is one speaker.
        false_accepts: the share of trials of two speakers that reached it.
    """

    bias: float
    score: float
    speech: float
    score_speech: float
    range: float
    least_s: float
    most_s: float
    least_db: float
    most_db: float
    usual_db: float
    threshold: float
    false_accepts: float

    def ratio(self, score: float, speech_s: float, range_db: float | None = None) -> float:
        """Natural logarithm of how much likelier one speaker is than two.

        Args:
            score: cosine of two vectors.
            speech_s: seconds of speech of the recording that holds less.
            range_db: `Speech.range_db` of the recording where it is less; None where it is not known.
        """
        return float(self.ratios(np.array([score]), np.array([speech_s]), None if range_db is None else [range_db])[0])

    def ratios(self, scores: Any, speech_s: Any, range_db: Any = None) -> np.ndarray:
        """(N,) as `ratio`, of N trials."""
        range_db = np.full(len(scores), self.usual_db) if range_db is None else range_db
        speech = np.log(np.clip(speech_s, self.least_s, self.most_s))
        found: np.ndarray = (
            self.bias
            + self.score * np.asarray(scores)
            + self.speech * speech
            + self.score_speech * np.asarray(scores) * speech
            + self.range * np.clip(range_db, self.least_db, self.most_db)
        )
        return found

    def to_dict(self) -> dict[str, float]:
        """Plain values, for a card."""
        return {name: round(value, 6) for name, value in asdict(self).items()}

    @classmethod
    def of(cls, card: Card) -> Calibration | None:
        """The calibration on a card, or None where it has none.

        Raises:
            CardError: it is not one.
        """
        return cls.from_dict(card.calibration, f"the calibration of {card.name}") if card.calibration else None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "a calibration") -> Calibration:
        """The calibration that `to_dict` wrote.

        Raises:
            CardError: a number is missing, left over, or none.
        """
        names = [item.name for item in fields(cls)]
        numbers = all(isinstance(v, int | float) and math.isfinite(v) and v is not True for v in values.values())
        if set(values) != set(names) or not numbers:
            raise CardError(f"{where} must hold finite numbers named {', '.join(names)}; not {dict(values)!r}")
        found = cls(**{name: float(values[name]) for name in names})
        if not 0 < found.least_s <= found.most_s or not found.least_db <= found.most_db:
            raise CardError(f"{where} has limits that are none: {dict(values)!r}")
        return found


def probability(ratio: float, beforehand: float = 0.5) -> float:
    """How likely one speaker is, by a log-likelihood ratio and by how likely it was beforehand.

    >>> probability(0.0), round(probability(0.0, 0.01), 3), round(probability(4.6), 2)
    (0.5, 0.01, 0.99)

    Raises:
        InputError: it was certain beforehand, one way or the other, or is no probability.
    """
    if not 0 < beforehand < 1:
        raise InputError(f"beforehand must lie between 0 and 1, such as 0.01, not {beforehand}")
    exponent = min(max(ratio + math.log(beforehand / (1 - beforehand)), -700.0), 700.0)
    return 1 / (1 + math.exp(-exponent))


def fit(scores: Any, speech_s: Any, range_db: Any, targets: Any, false_accepts: float = 0.01) -> Calibration:
    """The calibration of trials whose truth is known, by logistic regression with both kinds of trials weighing alike.

    Args:
        scores, speech_s, range_db: (N,) each, as for `Calibration.ratio`.
        targets: (N,), true or 1 where both recordings are of one speaker.
        false_accepts: share of trials of two speakers that may reach the threshold.

    Raises:
        InputError: shapes differ, a value is not a number, a kind of trials is missing, or scores do not rise with
            sameness.
    """
    scores, speech_s, range_db = (np.asarray(values, np.float64) for values in (scores, speech_s, range_db))
    same = np.asarray(targets).astype(bool)
    if not scores.shape == speech_s.shape == range_db.shape == same.shape or scores.ndim != 1:
        raise InputError("a calibration needs a score, seconds, a range and an answer of each trial")
    if not np.isfinite([scores, speech_s, range_db]).all():
        raise InputError("a calibration needs finite scores, seconds and ranges")
    if same.all() or not same.any():
        raise InputError("a calibration needs trials of one speaker and of two")
    speech_s = np.maximum(speech_s, 0.1)
    speech = np.log(speech_s)
    columns = np.stack([scores, speech, scores * speech, range_db], 1)
    weights = _logistic(columns, same)
    slopes = weights[1] + weights[3] * np.array([speech.min(), speech.max()])
    if slopes.min() <= 0:  # a straight sum cannot fall with the cosine
        columns[:, 2] = 0
        weights = _logistic(columns, same)
    if weights[1] <= 0:
        raise InputError("trials of one speaker score no higher than those of two; nothing can be calibrated")
    bias, score, of_speech, score_speech, of_range = map(float, weights)
    made = Calibration(
        bias, score, of_speech, score_speech, of_range,
        least_s=float(speech_s.min()), most_s=float(speech_s.max()),
        least_db=float(range_db.min()), most_db=float(range_db.max()), usual_db=float(np.median(range_db)),
        threshold=0.0, false_accepts=0.0,
    )  # fmt: skip
    ratios = made.ratios(scores, speech_s, range_db)
    others = np.sort(ratios[~same])[::-1]
    threshold = float(np.nextafter(others[min(int(false_accepts * len(others)), len(others) - 1)], np.inf))
    threshold = math.ceil(threshold * 1e4) / 1e4  # a number that a card can hold
    return replace(made, threshold=threshold, false_accepts=float((others >= threshold).mean()))


def _logistic(columns: np.ndarray, same: np.ndarray) -> np.ndarray:
    """Bias and weights of a logistic regression, by Newton's method on standardised columns."""
    means, spreads = columns.mean(0), columns.std(0)
    used = np.where(spreads > 1e-9, 1 / np.maximum(spreads, 1e-9), 0)
    x = np.concatenate([np.ones((len(columns), 1)), (columns - means) * used], 1)
    shares = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    ridge = np.diag([0.0] + [_RIDGE] * columns.shape[1])
    weights = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(x @ weights, -500, 500)))
        slope = x.T @ (shares * (chances - same)) + ridge @ weights
        curve = (x * (shares * chances * (1 - chances))[:, None]).T @ x + ridge + 1e-9 * np.eye(x.shape[1])
        step = np.linalg.solve(curve, slope)
        step *= min(1.0, 10 / max(float(np.abs(step).max()), 1e-12))
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    plain = weights[1:] * used
    return np.concatenate([[weights[0] - plain @ means], plain])
