"""Log-likelihood ratios of cosines: fitted on trials, on the card, and in the answer of `verify`."""

import dataclasses
import json

import numpy as np
import pytest

from voxfield.cards import Card
from voxfield.cards.card import example_card
from voxfield.errors import CardError, InputError
from voxfield.metrics.verification import cllr, equal_errors
from voxfield.tasks.speakers.calibration import Calibration, fit, probability
from voxfield.tasks.speakers.embedding import Embedded
from voxfield.tasks.speakers.speech_meter import Speech
from voxfield.tasks.speakers.verification import compared


def trials(count, seed):
    """(scores, seconds, ranges, targets) of normal scores that part better the more speech there is."""
    rng = np.random.default_rng(seed)
    targets, seconds = rng.random(count) < 0.3, np.exp(rng.uniform(np.log(0.5), np.log(8), count))
    spread = 0.15 / np.sqrt(seconds)
    means = np.where(targets, 0.6 - 0.2 / seconds, 0.1)
    return means + spread * rng.standard_normal(count), seconds, rng.uniform(20, 50, count), targets


@pytest.fixture(scope="module")
def made():
    return fit(*trials(4000, 0))


def test_ratios_are_worth_what_they_say_on_other_trials(made):
    scores, seconds, ranges, targets = trials(4000, 1)
    ratios = made.ratios(scores, seconds, ranges)
    straight = fit(scores, np.ones_like(seconds), np.zeros_like(ranges), targets).ratios(scores, np.ones_like(seconds))
    assert cllr(ratios, targets) < 0.9 * cllr(straight, targets)
    assert equal_errors(ratios, targets).rate < equal_errors(scores, targets).rate
    for low, high in ((-3, -1), (-1, 1), (1, 3)):  # among trials of a ratio, so many are of one speaker
        inside = (ratios >= low) & (ratios < high)
        weights = np.where(targets, 0.5 / targets.sum(), 0.5 / (~targets).sum())[inside]
        share = weights[targets[inside]].sum() / weights.sum()
        assert share == pytest.approx(probability(float(ratios[inside].mean())), abs=0.08)
    for certain in (0, 1, -1, float("nan")):
        with pytest.raises(InputError, match="beforehand must lie between 0 and 1"):
            probability(0.0, certain)


def test_the_threshold_accepts_no_more_than_the_wished_share(made):
    scores, seconds, ranges, targets = trials(4000, 0)
    accepted = (made.ratios(scores, seconds, ranges) >= made.threshold)[~targets].mean()
    assert accepted == pytest.approx(made.false_accepts, abs=1e-9) and 0.005 < accepted <= 0.01
    loose = fit(scores, seconds, ranges, targets, false_accepts=0.1)
    assert loose.threshold < made.threshold


def test_what_was_not_seen_is_taken_as_the_nearest_that_was(made):
    assert made.ratio(0.5, 1e-3) == made.ratio(0.5, made.least_s)
    assert made.ratio(0.5, 1e6, 1e6) == made.ratio(0.5, made.most_s, made.most_db)
    assert made.ratio(0.5, 2.0) == made.ratio(0.5, 2.0, made.usual_db)
    for speech_s in (made.least_s, made.most_s):
        assert made.ratio(0.9, speech_s) > made.ratio(0.2, speech_s)


def test_trials_without_errors_give_finite_weights():
    scores, targets = np.array([0.9, 0.8, 0.1, 0.0]), np.array([1, 1, 0, 0])
    found = fit(scores, np.full(4, 2.0), np.full(4, 30.0), targets)
    assert np.isfinite(list(found.to_dict().values())).all()
    assert (found.ratios(scores, np.full(4, 2.0)) > 0).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([0.9, 0.1], [1, 1], "of one speaker and of two"),
        ([0.1, 0.9], [1, 0], "no higher"),
        ([0.1, np.nan], [1, 0], "finite"),
        ([0.1, 0.2, 0.3], [1, 0], "of each trial"),
    ],
)
def test_trials_that_calibrate_nothing_are_refused(scores, targets, message):
    with pytest.raises(InputError, match=message):
        fit(scores, np.ones(len(scores)), np.ones(len(scores)), targets)


def test_it_lives_on_the_card(made):
    card = example_card(calibration=made.to_dict())
    assert Calibration.of(Card.from_json(card.to_json())) == Calibration.from_dict(made.to_dict())
    assert Calibration.of(example_card()) is None and "calibration" not in example_card().to_dict()
    for broken in ({"bias": 1.0}, made.to_dict() | {"bias": "1"}, made.to_dict() | {"least_s": 0}):
        with pytest.raises(CardError, match="calibration of crn-doc"):
            Calibration.of(dataclasses.replace(card, calibration=broken))


def test_verify_gives_a_probability_and_the_models_own_decision(made):
    near, far = np.eye(4, dtype=np.float32)[0], np.eye(4, dtype=np.float32)[1]

    def recording(vector, seconds):
        return Embedded(vector, "m.v1", seconds, Speech(seconds, -20.0, False, 40.0))

    same = compared(recording(near, 4), recording(near, 4), None, made)
    other = compared(recording(near, 4), recording(far, 4), None, made)
    assert same.same is True and same.probability > 0.99 and other.same is False and other.probability < 0.01
    assert same.ratio == made.ratio(1.0, 4.0, 40.0) and same.least_ratio == made.threshold
    assert compared(recording(near, 4), recording(far, 4), -1.0, made).same is True  # the user's threshold goes first
    assert compared(recording(near, 4), recording(near, 4)).probability is None
    line = json.loads(json.dumps(same.to_dict()))
    assert line["probability"] == pytest.approx(same.probability, abs=1e-6) and line["same"] is True
    silent = dataclasses.replace(recording(near, 0), speech=Speech(0.0, -120.0, True))
    assert compared(recording(near, 4), silent, None, made).probability is None
