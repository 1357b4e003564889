"""Scores of a speaker verification system over trials: pairs of recordings, of one speaker (target) or of two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxfield.errors import InputError

Cohort = tuple[np.ndarray, np.ndarray]  # mean and standard deviation of cohort scores


class EqualErrors(NamedTuple):
    """Where as many targets are missed as impostors are accepted.

    Attributes:
        rate: the error rate there, 0 to 1, between the two trials around it.
        threshold: the score of the first trial at which misses are at least as many.
    """

    rate: float
    threshold: float


def equal_errors(scores: np.ndarray, targets: np.ndarray) -> EqualErrors:
    """Equal error rate (EER) and its threshold.

    Args:
        scores: (N,), higher for the same speaker.
        targets: (N,), true or 1 where both recordings are of one speaker.

    Raises:
        InputError: shapes differ, a score is not a number, or one of both kinds of trials is missing.

    >>> equal_errors(np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.0]), np.array([1, 1, 1, 0, 0, 0])).rate.__round__(3)
    0.333
    """
    missed, accepted, thresholds = error_rates(scores, targets)
    gap = missed - accepted  # from -1 up to 1
    after = int(np.argmax(gap >= 0))
    share = gap[after] / (gap[after] - gap[after - 1])
    return EqualErrors(float(missed[after] + share * (missed[after - 1] - missed[after])), float(thresholds[after]))


def min_dcf(
    scores: np.ndarray, targets: np.ndarray, target_rate: float = 0.01, miss_cost: float = 1.0, accept_cost: float = 1.0
) -> float:
    """Least detection cost over all thresholds (minDCF), relative to always answering the same.

    Args:
        scores, targets: as for `equal_errors`, and as there refused.
        target_rate: how often a speaker is who he claims to be, between 0 and 1.
        miss_cost, accept_cost: of an error of either kind.
    """
    if not 0 < target_rate < 1:
        raise InputError(f"the rate of targets must lie between 0 and 1, not {target_rate}")
    missed, accepted, _ = error_rates(scores, targets)
    costs = miss_cost * target_rate * missed + accept_cost * (1 - target_rate) * accepted
    always = min(miss_cost * target_rate, accept_cost * (1 - target_rate))
    return float(costs.min() / always)


def cllr(ratios: np.ndarray, targets: np.ndarray) -> float:
    """Cost of log-likelihood ratios (Cllr) in bits: 0 for sure and right, 1 for answers that say nothing.

    Args:
        ratios: (N,) natural logarithms of how much likelier one speaker is than two.
        targets: (N,), true or 1 where both recordings are of one speaker.

    >>> cllr(np.zeros(4), np.array([1, 1, 0, 0]))
    1.0
    """
    ratios, same = _checked(ratios, targets)
    return float((np.logaddexp(0, -ratios[same]).mean() + np.logaddexp(0, ratios[~same]).mean()) / (2 * np.log(2)))


def as_norm(scores: np.ndarray, first: Cohort, second: Cohort) -> np.ndarray:
    """Scores relative to those that both recordings have with a cohort of other speakers (adaptive s-norm): the mean of
    both sides' distances from the cohort, in its standard deviations.

    Args:
        scores: of pairs of recordings.
        first, second: `cohort_statistics` of the recordings of each side, in shapes that fit the scores.
    """
    normalised: np.ndarray = 0.5 * ((scores - first[0]) / first[1] + (scores - second[0]) / second[1])
    return normalised


def cohort_statistics(side: np.ndarray, top: int = 300) -> Cohort:
    """Mean and standard deviation over the `top` highest cohort scores of each row of (N, K).

    Raises:
        InputError: a cohort of less than two.
    """
    highest = np.sort(side, axis=1)[:, -top:]
    if highest.shape[1] < 2:
        raise InputError("a cohort of two speakers or more is needed to normalise scores")
    return highest.mean(axis=1), np.maximum(highest.std(axis=1), 1e-9)


def error_rates(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(Targets missed, impostors accepted, highest score rejected), each (M,), from nothing to everything rejected.

    Trials of equal score are rejected together, as no threshold lies between them.
    """
    scores, same = _checked(scores, targets)
    order = np.argsort(scores)
    scores, same = scores[order], same[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    missed, rejected = np.cumsum(same)[last] / same.sum(), np.cumsum(~same)[last] / (~same).sum()
    return np.append(0.0, missed), np.append(1.0, 1 - rejected), np.append(-np.inf, scores[last])


def _checked(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, same = np.asarray(scores, np.float64), np.asarray(targets).astype(bool)
    if scores.ndim != 1 or scores.shape != same.shape:
        raise InputError(f"one score and one answer a trial are needed, not {scores.shape} and {same.shape}")
    if not np.isfinite(scores).all():
        raise InputError(f"{int((~np.isfinite(scores)).sum())} of the scores are not numbers")
    if same.all() or not same.any():
        raise InputError("trials of one speaker and of two are needed; all of these are of one kind")
    return scores, same
