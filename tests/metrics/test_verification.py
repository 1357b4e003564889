"""Scores of speaker verification: equal to WeSpeaker's, and sane where those would not be.

`wespeaker_metrics.npz` and `wespeaker_asnorm.npz` hold trials and what WeSpeaker's `score_metrics.py` and
`score_norm.py` made of them.
"""

from pathlib import Path

import numpy as np
import pytest

from voxfield.errors import InputError
from voxfield.metrics.verification import as_norm, cllr, cohort_statistics, equal_errors, min_dcf

HERE = Path(__file__).parent
TRIALS, COHORT = (np.load(HERE / f"wespeaker_{name}.npz") for name in ("metrics", "asnorm"))


@pytest.mark.parametrize("case", range(3))
def test_equal_to_wespeaker(case):
    scores, targets, *wanted = (
        TRIALS[f"case{case}.{key}"] for key in ("scores", "labels", "eer", "threshold", "mindcf_p0.01", "mindcf_p0.001")
    )
    order = np.random.default_rng(0).permutation(len(scores))
    found = equal_errors(scores[order], targets[order])
    assert (found.rate, found.threshold) == pytest.approx((float(wanted[0]), float(wanted[1])), abs=1e-12)
    assert min_dcf(scores, targets) == pytest.approx(float(wanted[2]), abs=1e-12)
    assert min_dcf(scores, targets, 0.001) == pytest.approx(float(wanted[3]), abs=1e-12)


@pytest.mark.parametrize(("top", "wanted"), [(300, "asnorm300"), (600, "snorm"), (10_000, "snorm")])
def test_as_norm_equals_wespeaker(top, wanted):
    enrolled = [values[:, None] for values in cohort_statistics(COHORT["first"], top)]
    found = as_norm(COHORT["raw"], enrolled, cohort_statistics(COHORT["second"], top))
    assert np.abs(found - COHORT[wanted]).max() < 1e-5


def test_ties_are_no_knowledge():
    scores, targets = np.full(6, 0.5), np.array([0, 0, 0, 1, 1, 1])
    assert equal_errors(scores, targets).rate == pytest.approx(0.5)
    assert min_dcf(scores, targets) == pytest.approx(1.0)


def test_perfect_and_reversed_scores():
    targets = np.array([1, 1, 0, 0])
    assert equal_errors(np.array([4.0, 3, 2, 1]), targets).rate == 0 == min_dcf(np.array([4.0, 3, 2, 1]), targets)
    assert equal_errors(np.array([1.0, 2, 3, 4]), targets).rate == 1


def test_where_both_errors_are_one_rate_and_where_targets_are_frequent():
    scores, targets = np.arange(4.0), np.array([0, 1, 0, 1])
    assert equal_errors(scores, targets) == (0.5, 1.0)  # not the next score, at which misses are no fewer
    assert min_dcf(np.zeros(4), targets, target_rate=0.9) == pytest.approx(1)  # relative to accepting everybody


def test_cllr_of_known_values():
    targets = np.array([1, 1, 0, 0])
    assert cllr(np.zeros(4), targets) == 1
    assert cllr(np.array([1e3, 1e3, -1e3, -1e3]), targets) == 0
    assert cllr(np.array([-3.0, 3, -3, 3]), targets) == pytest.approx(np.mean(np.log2(1 + np.exp([3.0, -3.0]))))


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([0.1, 0.2], [1, 1], "of one kind"),
        ([0.1, 0.2], [1, 0, 1], "one answer a trial"),
        ([0.1, np.nan], [1, 0], "1 of the scores are not numbers"),
    ],
)
def test_trials_that_say_nothing_are_refused(scores, targets, message):
    for measure in (equal_errors, min_dcf, cllr):
        with pytest.raises(InputError, match=message):
            measure(np.array(scores), np.array(targets))


def test_impossible_requests_are_refused():
    with pytest.raises(InputError, match="between 0 and 1"):
        min_dcf(np.array([0.0, 1]), np.array([0, 1]), 0)
    with pytest.raises(InputError, match="two speakers or more"):
        cohort_statistics(np.zeros((1, 1)))
