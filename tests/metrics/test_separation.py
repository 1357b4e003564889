"""Scores of separation on voices whose scores are known."""

import numpy as np
import pytest

from voxfield.errors import InputError
from voxfield.metrics.separation import best_order, count_swaps, separation_scores

RATE = 4000


@pytest.fixture
def voices():
    return np.random.default_rng(0).standard_normal((2, 10 * RATE)).astype(np.float32)


@pytest.mark.parametrize("error_db", [-20, -10])
def test_gains_are_over_the_mixture(voices, error_db):
    mixture = voices.sum(0)
    noise = np.random.default_rng(1).standard_normal(voices.shape).astype(np.float32)
    scores = separation_scores((voices + 10 ** (error_db / 20) * noise)[::-1], voices, mixture)
    assert scores["si_sdr_db"] == pytest.approx(-error_db, abs=0.2)
    assert scores["si_sdr_gain_db"] == pytest.approx(-error_db, abs=0.3)
    assert scores["sdr_gain_db"] == pytest.approx(-error_db, abs=0.6)
    voices *= np.float32([[1], [0.1]])  # the mixture holds 20 dB more of one voice: gains are means over both
    scores = separation_scores(voices + 0.01 * noise, voices, voices.sum(0))
    assert scores["si_sdr_gain_db"] == pytest.approx(scores["si_sdr_db"], abs=0.3)


@pytest.mark.parametrize("dead", [0.0, 0.1], ids=["silent", "constant"])
def test_a_dead_output_leaves_the_score_a_number(voices, dead):
    noise = np.random.default_rng(1).standard_normal(voices.shape).astype(np.float32)
    estimates = voices + 0.1 * noise
    estimates[1] = dead
    scores = separation_scores(estimates, voices, voices.sum(0))
    assert scores["si_sdr_db"] == pytest.approx((20 - 100) / 2, abs=0.2)
    assert scores["sdr_db"] == pytest.approx((20 - 100) / 2, abs=0.5)
    assert all(np.isfinite(value) for value in scores.values())


def test_perfect_and_orthogonal_outputs_leave_the_score_a_number(voices):
    silent_in_turn = voices.copy()
    silent_in_turn[0, : 5 * RATE] = silent_in_turn[1, 5 * RATE :] = 0  # each is orthogonal to the other
    assert separation_scores(silent_in_turn[::-1], silent_in_turn, voices.sum(0))["si_sdr_db"] == 100


def test_three_voices_find_their_places(voices):
    three = np.concatenate([voices, voices[:1, ::-1]])
    assert best_order(three[[2, 0, 1]], three) == (1, 2, 0)


def test_swaps_are_counted_once_each(voices):
    changed = voices.copy()
    for start, end in ((2, 4), (7, 8)):  # the second lasts one window only: a lost moment
        changed[:, start * RATE : end * RATE] = voices[::-1, start * RATE : end * RATE]
    assert count_swaps(voices, voices, RATE) == 0
    assert count_swaps(changed, voices, RATE) == 2  # away and back


def test_pauses_are_no_swaps(voices):
    voices[0, 3 * RATE : 6 * RATE] = 0
    voices[:, 8 * RATE :] = 0
    assert count_swaps(voices, voices, RATE) == 0


def test_voices_that_nobody_could_tell_apart_are_no_swap(voices):
    estimates = voices.copy()
    later = voices[:, 5 * RATE :]
    estimates[:, 5 * RATE :] = later.mean(0) + 0.01 * (later[::-1] - later)  # hardly nearer to the other order
    assert count_swaps(estimates, voices, RATE) == 0


def test_silent_targets_and_other_shapes_are_refused(voices):
    with pytest.raises(InputError, match="silent"):
        separation_scores(voices, voices * 0, voices[0])
    with pytest.raises(InputError, match="twice alike"):
        separation_scores(voices, voices[:, 1:], voices[0])
