"""The threshold for a wished rate of false accepts: no more misses than it costs, and what too few trials are worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from voxfield.errors import InputError
from voxfield.tasks.book.book_file import Sample
from voxfield.tasks.book.threshold import Rate, choose_threshold, scores_of_samples
from voxfield.tasks.speakers.embedding import cosine
from voxfield.tasks.speakers.trials import read_trials


@given(
    some.lists(some.integers(-20, 20), min_size=1, max_size=40),
    some.lists(some.integers(-20, 19), min_size=1, max_size=40),
    some.floats(0.001, 0.999),
)
def test_it_is_the_lowest_that_keeps_the_wish(same, different, wanted):
    scores, targets = np.array([*same, *different]) / 20, np.repeat([1, 0], [len(same), len(different)])
    chosen = choose_threshold(scores, targets, wanted)
    accepted = (scores[targets == 0] >= chosen.threshold).mean()
    assert accepted <= wanted and chosen.false_accepts.rate == pytest.approx(accepted, abs=1e-6)
    assert chosen.misses.rate == pytest.approx((scores[targets == 1] < chosen.threshold).mean(), abs=1e-6)
    lower = scores[scores < chosen.threshold]
    assert not len(lower) or (scores[targets == 0] >= lower.max()).mean() > wanted


def test_the_threshold_of_known_distributions():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.6, 0.1, 4000), rng.normal(0.1, 0.1, 20_000)])
    chosen = choose_threshold(scores, np.repeat([1, 0], [4000, 20_000]), 0.01)
    assert chosen.threshold == pytest.approx(0.1 + 2.326 * 0.1, abs=0.01) and chosen.notes == ()
    assert chosen.misses.low < 0.0038 < chosen.misses.high and chosen.equal_error_rate == pytest.approx(
        0.0062, abs=0.002
    )


def test_too_few_trials_are_said():
    notes = choose_threshold(np.array([0.9, 0.8, 0.1, 0.2]), np.array([1, 1, 0, 0]), 0.001).notes
    assert "3000 or more" in notes[0] and "2 trials of two speakers" in notes[0] and "30 trials" in notes[1]


@pytest.mark.parametrize(
    ("errors", "trials", "low", "high"), [(0, 10, 0, 0.27754), (5, 100, 0.0215, 0.1118), (3, 3, 0.4385, 1)]
)
def test_the_range_is_wilsons(errors, trials, low, high):
    rate = Rate.of(errors, trials)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize("wanted", [0, 1, -0.1, 5, float("nan"), True, "0.01"])
def test_a_rate_is_needed(wanted):
    with pytest.raises(InputError, match="lies between 0 and 1"):
        choose_threshold(np.array([0.9, 0.1]), np.array([1, 0]), wanted)


def test_copies_among_the_trials_of_two_speakers_are_said():
    with pytest.raises(InputError, match="two copies of one recording"):
        choose_threshold(np.ones(2), np.array([True, False]))


def test_pairs_of_both_kinds_are_needed():
    with pytest.raises(InputError, match="all of these are of one kind"):
        choose_threshold(np.array([0.9, 0.1]), np.array([1, 1]))


def test_samples_are_tried_with_the_rest_of_the_book():
    axes = np.eye(4, dtype=np.float32)
    of = {"Anna": [axes[0], axes[0] + axes[1], axes[0] - axes[1]], "Ben": [axes[0] + axes[2]], "Cleo": [axes[3]]}
    samples = [Sample(0, name, vector, 5.0, -20.0, 30.0, "", "") for name, own in of.items() for vector in own]
    scores, same = scores_of_samples(samples)
    a = np.sqrt(0.5)
    against_rest = [1, cosine(axes[0] + axes[1], axes[0] + a * (axes[0] - axes[1])), 0]
    against_rest[2] = against_rest[1]
    assert scores[same] == pytest.approx(against_rest, abs=1e-6)
    assert scores[~same] == pytest.approx([a, 0.5, 0.5, a, 0], abs=1e-6)
    for few in (samples[:3], samples[2:]):
        with pytest.raises(InputError, match="must hold two speakers or more, one of them with two samples"):
            scores_of_samples(few)


def test_trials_are_read_beside_their_list(tmp_path):
    (tmp_path / "lists").mkdir()
    for name in ("a.wav", "b c.wav", "é.wav"):
        (tmp_path / "lists" / name).touch()
    (tmp_path / "lists" / "t.txt").write_text("# mine\n1 a.wav 'b c.wav'\n\n0 a.wav é.wav\n", encoding="utf-8")
    same, different = read_trials([tmp_path / "lists" / "t.txt"])
    assert same.same and same.second == tmp_path / "lists" / "b c.wav"
    assert not different.same and different.second.name == "é.wav"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "there are no trials"),
        (b"1 a.wav\n", "line 1: a trial reads"),
        (b"1 a.wav a.wav\nyes a.wav a.wav\n", "line 2: a trial reads"),
        (b"1 'a.wav a.wav\n", "line 1: a trial reads"),
        (b"1 a.wav none.wav\n", "none.wav of the trials is not there"),
        (b"RIFF\xff\xfe", "cannot be read"),
    ],
)
def test_lists_that_are_none(text, message, tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "t.txt").write_bytes(text)
    with pytest.raises(InputError, match=message):
        read_trials([tmp_path / "t.txt"])
    with pytest.raises(InputError, match=r"none\.txt cannot be read"):
        read_trials([tmp_path / "none.txt"])


def test_a_wish_of_numpy_is_kept_as_json_knows_it():
    chosen = choose_threshold(np.linspace(-0.5, 0.9, 40), np.arange(40) >= 20, np.float32(0.05))
    assert type(chosen.wanted) is float
