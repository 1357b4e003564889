"""Intervals come out of scores where they are, and only there."""

import numpy as np
import pytest

from voxfield.errors import InputError
from voxfield.tasks.spotting.peaks import PeakOptions, expressions_in, smoothed

RATE_HZ, APART = 30.0, 6


def scores_of(*intervals, seconds=6.0, height=0.9):
    """Scores as a perfect network gives them: high wherever a pair shares a frame with an interval."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    half = APART / 2 / RATE_HZ
    hit = [(times >= onset - half) & (times <= offset + half) for onset, offset in intervals]
    return np.where(np.logical_or.reduce(hit) if hit else np.zeros(len(times), bool), height, 0.05).astype(np.float32)


def test_intervals_are_found_to_a_frame():
    found = expressions_in(scores_of((1.0, 1.4), (3.0, 3.5)), RATE_HZ, APART)
    assert [one.onset_s for one in found] == pytest.approx([1.0, 3.0], abs=0.05)
    assert [one.offset_s for one in found] == pytest.approx([1.4, 3.5], abs=0.05)
    assert all(one.onset_s < one.apex_s < one.offset_s and one.confidence > 0.8 for one in found)


def test_a_face_at_rest_has_none():
    rest = np.random.default_rng(0).normal(0.05, 0.05, 300).astype(np.float32)
    assert expressions_in(rest, RATE_HZ, APART) == ()
    assert expressions_in(np.full(100, np.nan, np.float32), RATE_HZ, APART) == ()
    assert expressions_in(np.zeros(0, np.float32), RATE_HZ, APART) == ()


def test_a_low_wide_peak_joins_all_that_it_covers():
    heights = np.repeat([0.05, 0.9, 0.42, 0.86, 0.42, 0.8, 0.05], 20)
    (one,) = expressions_in(heights.astype(np.float32), RATE_HZ, APART)
    assert (one.onset_s, one.offset_s) == pytest.approx((0.7, 3.95), abs=0.1) and one.confidence == pytest.approx(0.9)


def test_frames_without_a_face_are_no_interval():
    scores = scores_of((1.0, 1.4))
    scores[60:] = np.nan
    assert len(expressions_in(scores, RATE_HZ, APART)) == 1
    assert np.isfinite(smoothed(scores, APART)).all()


def test_options_out_of_range():
    for name in ("share", "least", "edge"):
        with pytest.raises(InputError, match=f"{name} must lie between 0 and 1"):
            PeakOptions(**{name: 1.5})
