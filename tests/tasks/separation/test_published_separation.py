"""What every published separating model does for real recordings."""

from pathlib import Path

import numpy as np
import pytest

from voxfield.audio import read
from voxfield.cards import cards
from voxfield.metrics.separation import separation_scores
from voxfield.runtime import load_engine
from voxfield.tasks.separation.recording import separate

EXAMPLES = Path(__file__).parents[3] / "examples"
NAMES = [card.name for card in cards() if card.task == "separate"]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_the_example_comes_apart(name):
    mixture = read(EXAMPLES / "two_voices.wav", rate_hz=16000)[0]
    voices = np.concatenate([read(EXAMPLES / "clean" / f"two_voices_{i}.flac", rate_hz=16000) for i in (1, 2)])
    made = separate(EXAMPLES / "two_voices.wav", model=name)
    scores = separation_scores(made.voices[:, 0], voices, mixture, with_sdr=False)
    assert scores["si_sdr_gain_db"] > 5
    rest = mixture - made.voices.sum((0, 1))
    assert 10 * np.log10(np.square(rest).mean() / np.square(mixture).mean()) < -8
    assert np.abs(made.voices).max() <= 1


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 800, 16000, 16001])
def test_every_length_and_no_nan(name, count):
    sound = 0.1 * np.random.default_rng(count).standard_normal(count).astype(np.float32)
    made = separate(sound, 16000, model=name)
    assert made.voices.shape == (2, 1, count)
    assert np.isfinite(made.voices).all() and np.abs(made.voices).max() <= 1


def test_silence_stays_silent_and_levels_do_not_matter(name):
    engine = load_engine(name)
    silence = np.zeros(engine.card.interface.block_shape(16), np.float32)
    assert not engine.step(silence, engine.initial_state())[0].any()
    sound = read(EXAMPLES / "two_voices.wav", rate_hz=16000)[0, :48000]
    loud, quiet = separate(sound, 16000, model=name).voices, separate(0.01 * sound, 16000, model=name).voices
    assert np.abs(100 * quiet - loud).max() < 1e-3 * np.abs(loud).max()


@pytest.mark.parametrize("noise", ["", "dishwasher", "rain"])
def test_two_voices_are_told_from_each_one_alone(name, noise):
    voices = [read(EXAMPLES / "clean" / f"two_voices_{number}.flac", rate_hz=16000)[0] for number in (1, 2)]
    for sound, count in ((voices[0] + voices[1], 2), (voices[0], 1), (voices[1], 1)):
        recording = sound + 10 ** (-10 / 20) * noise_like(noise, sound) if noise else sound
        made = separate(recording, 16000, model=name, speakers="auto")
        assert len(made.voices) == count and made.activity.confidence > 0.8
        if count == 1:
            assert np.array_equal(made.voices[0, 0], recording)


def noise_like(name, sound):
    """The noise of an example recording, as loud and as long as a sound."""
    noisy = read(EXAMPLES / f"{name}.wav", rate_hz=16000)[0]
    noise = np.resize(noisy - read(EXAMPLES / "clean" / f"{name}.wav", rate_hz=16000)[0], len(sound))
    return noise * (sound.std() / noise.std())
