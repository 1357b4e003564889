"""Intervals are matched once each, at an overlap of half, as in the challenge MEGC."""

from voxfield.metrics.spotting import Spots, overlap, spots


def test_overlap():
    assert overlap((0, 2), (1, 3)) == 1 / 3 and overlap((0, 1), (2, 3)) == 0 and overlap((1, 1), (1, 1)) == 0


def test_one_interval_is_matched_once_and_by_the_nearest():
    assert spots([(0, 1)], [(0, 1), (0.1, 1)]) == Spots(1, 1, 0)
    assert spots([(0, 1), (1, 2)], [(0.4, 1.4), (0.9, 2)]) == Spots(1, 1, 1)
    assert spots([(0, 10), (0, 6)], [(0, 9), (4, 10)]) == Spots(1, 1, 1)  # the largest overlap first, 0.9
    assert spots([(0, 1)], [(0, 2)]) == Spots(1, 0, 0) and spots([(0, 1)], [(0, 2.01)]) == Spots(0, 1, 1)
    assert spots([], []) == Spots(0, 0, 0) and spots([], []).f1 == 1


def test_scores_of_several_videos_are_of_their_sums():
    total = Spots(3, 1, 2) + Spots(1, 0, 1)
    assert total == Spots(4, 1, 3)
    assert (total.precision, total.recall, total.f1) == (4 / 5, 4 / 7, 8 / 12)
