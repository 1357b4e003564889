"""Voices that a network gives in a changing order, and what keeps each in one place."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from voxfield.audio import read
from voxfield.tasks.diarization.rttm import read_rttm
from voxfield.tasks.separation import speaker_tracker
from voxfield.tasks.separation.speaker_tracker import SpeakerTracker, best_path

RATE = 16000
EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def voices():
    """(2, 30 s) of two speakers of the bundled conversation, each with pauses."""
    sound = read(EXAMPLES / "conversation.ogg", rate_hz=RATE, mono=True)[0]
    turns = read_rttm(EXAMPLES / "conversation.rttm")["conversation"]
    said: dict[str, list[np.ndarray]] = {}
    for turn in turns:
        alone = all(other.end_s < turn.start_s or other.start_s > turn.end_s for other in turns if other is not turn)
        if alone and turn.end_s - turn.start_s > 1:
            said.setdefault(turn.speaker, []).append(sound[int(turn.start_s * RATE) : int(turn.end_s * RATE)])
    rng, made = np.random.default_rng(0), []
    for sentences in sorted(said.values(), key=lambda one: -sum(map(len, one)))[:2]:
        talk = np.zeros(0, np.float32)
        while len(talk) < 30 * RATE:
            pause = np.zeros(int(rng.uniform(0.2, 2) * RATE), np.float32)
            talk = np.concatenate([talk, pause, sentences[int(rng.integers(len(sentences)))]])
        made.append(talk[: 30 * RATE] / talk.std())
    return (0.05 * np.stack(made)).astype(np.float32)


def tracked(voices, rate_hz=RATE, step_s=7.0):
    tracker, step = SpeakerTracker(len(voices), rate_hz), int(step_s * rate_hz)
    parts = [tracker.feed(voices[:, at : at + step]) for at in range(0, voices.shape[1], step)]
    return np.concatenate([*parts, tracker.flush()], axis=1)


def changing(voices, *moments_s, rate_hz=RATE):
    """The voices, in another order from each moment on."""
    changed = voices.copy()
    for moment_s in moments_s:
        changed[:, int(moment_s * rate_hz) :] = changed[::-1, int(moment_s * rate_hz) :].copy()
    return changed


def misplaced(made, voices):
    """Share of the energy that came out in another place."""
    return float(np.square(made - voices).sum() / np.square(voices).sum() / 2)


def test_voices_that_change_places_are_put_back(voices):
    given = changing(voices, 8.3, 14.0, 23.9)
    made = tracked(given)
    assert made.shape == voices.shape
    assert misplaced(given, voices) > 0.4 and misplaced(made, voices) < 0.06


def test_what_is_in_order_stays_as_it_is(voices):
    assert np.array_equal(tracked(voices), voices)


def test_the_size_of_what_is_fed_does_not_matter(voices, monkeypatch):
    monkeypatch.setattr(speaker_tracker, "BLOCK_WINDOWS", 60)
    monkeypatch.setattr(speaker_tracker, "LATER_WINDOWS", 20)
    given = changing(voices, 12.0, 20.0)
    made = tracked(given)
    assert misplaced(made, voices) < 0.06
    assert np.array_equal(made, tracked(given, step_s=0.9)) and np.array_equal(made, tracked(given, step_s=30))


def test_one_voice_is_left_alone(voices):
    alone = np.stack([voices[0], 0.1 * voices[0]])
    assert np.array_equal(tracked(alone), alone)
    assert np.array_equal(tracked(alone * [[1], [0]]), alone * np.float32([[1], [0]]))
    assert not tracked(np.zeros_like(voices)).any()


def test_what_is_short_is_left_alone(voices):
    given = changing(voices[:, : 9 * RATE], 4.0)
    assert np.array_equal(tracked(given), given)


def test_other_rates_and_a_third_output(voices):
    narrow = voices[:, ::2] + np.zeros(1, np.float32)
    given = changing(narrow, 8.3, 23.9, rate_hz=RATE // 2)
    made = tracked(np.concatenate([given, np.zeros_like(given[:1])]), RATE // 2)
    assert misplaced(given, narrow) > 0.4 and min(misplaced(made[:2], narrow), misplaced(made[1::-1], narrow)) < 0.15


def test_the_best_path_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, change = rng.standard_normal((5, 3)), float(rng.uniform(0, 2))
        last = None if rng.random() < 0.5 else int(rng.integers(3))

        def total(path, scores=scores, change=change, last=last):
            before = path[:1] if last is None else (last,)
            changes = np.count_nonzero(np.diff([*before, *path]))
            return scores[np.arange(5), list(path)].sum() - change * changes

        path, found = best_path(scores, change, last)
        best = max(product(range(3), repeat=5), key=total)
        assert tuple(path) == best and found == pytest.approx(total(best))
