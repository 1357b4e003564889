"""What every verb makes of recordings as careless hands and cheap devices leave them."""

from pathlib import Path

import numpy as np
import pytest

import voxfield as vf
from voxfield.audio import ArraySource, load, open_source, read, save
from voxfield.samples import Downmix
from voxfield.tasks import noise, tokenize

EXAMPLES = Path(__file__).parents[2] / "examples"
ANSWERS = {  # what a verb says of a recording (C, N) at 16 kHz, as one array
    "embed": lambda samples: vf.embed(samples, 16000).vector,
    "represent": lambda samples: vf.represent(samples, 16000).features,
    "tokenize": lambda samples: tokenize(samples, 16000).codes,
    "diarize": lambda samples: np.array([turn[:2] for turn in vf.diarize(samples, 16000).turns]),
    "noise": lambda samples: np.array([step.share for step in noise(samples, 16000).steps]),
    "enhance": lambda samples: vf.enhance(samples, 16000, mono=True).samples,
    "keep": lambda samples: vf.enhance(samples, 16000, keep=["rain", "water"], channels="independent").samples[:1],
}


@pytest.fixture(scope="module")
def rain():
    return load(EXAMPLES / "rain.wav")[0][:, :64_000]


@pytest.mark.parametrize("verb", ANSWERS)
def test_a_channel_of_opposite_polarity_does_not_silence_the_recording(verb, rain):
    ask = ANSWERS[verb]
    np.testing.assert_allclose(ask(np.concatenate([rain, -rain])), ask(rain), atol=1e-4)


def test_a_channel_of_opposite_polarity_is_said_where_the_mean_is_worked_on(rain):
    notes = vf.separate(np.concatenate([rain, -rain]), 16000).notes
    assert any("opposite polarity" in note for note in notes) and not any("silent" in note for note in notes)
    assert not any("polarity" in note for note in vf.separate(np.concatenate([rain, 0.5 * rain]), 16000).notes)


@pytest.fixture(scope="module")
def turning(rain):
    """Two channels of which the second is of opposite polarity from 1.03 to 2.51 s, and another sound at the end."""
    second = rain.copy()
    second[:, 16_500:40_200] *= -1
    second[:, 52_345:] = rain[:, : second.shape[1] - 52_345]
    return np.concatenate([rain, second])


@pytest.fixture(params=[1600, 997, 131], ids="{} samples".format)
def short_blocks(request, monkeypatch):
    """Recordings come in blocks of at most so many samples."""
    of_any_size = ArraySource._read
    monkeypatch.setattr(ArraySource, "_read", lambda source, count: of_any_size(source, min(count, request.param)))


def mono(samples, block_samples):
    blocks = open_source(samples, 16000).blocks(block_samples, mono=True)
    return np.concatenate(list(blocks), axis=1)


@pytest.mark.parametrize("block_samples", [1600, 2048, 997, 1])
def test_blocks_of_any_size_are_mixed_to_the_same_samples(turning, block_samples):
    np.testing.assert_array_equal(mono(turning, block_samples), mono(turning, 16000))
    wide = np.asfortranarray(np.concatenate([turning, 0.3 * turning, turning[:, ::-1], -turning, 0.7 * turning]))
    np.testing.assert_array_equal(mono(wide, block_samples), mono(wide.copy("C"), 16000))


@pytest.fixture(scope="module")
def whole_answers(turning):
    return {verb: ask(turning) for verb, ask in ANSWERS.items()}


@pytest.mark.parametrize("verb", ANSWERS)
def test_channels_that_cancel_in_places_give_the_same_in_blocks_of_any_size(verb, turning, whole_answers, short_blocks):
    np.testing.assert_allclose(ANSWERS[verb](turning), whole_answers[verb], atol=1e-4)


def test_what_is_mixed_changes_without_clicks():
    at = np.arange(48_000)
    tone = 0.5 * np.sin(2 * np.pi * 200 / 16000 * at, dtype=np.float32)
    made = Downmix().feed(np.stack([tone, np.where((at > 8_000) & (at < 32_000), -tone, tone)]))
    assert np.abs(np.diff(made)).max() < 1.01 * np.abs(np.diff(tone)).max()
    for part in (slice(0, 8_000), slice(20_000, 48_000)):
        np.testing.assert_allclose(made[part], tone[part], atol=1e-7)


def test_whole_recordings_are_mixed_alike(rain, tmp_path):
    save(tmp_path / "turned.wav", np.concatenate([rain, -rain]), 16000)
    assert np.abs(read(tmp_path / "turned.wav", rate_hz=16000, mono=True) - rain).max() < 1e-4


def test_an_offset_is_no_sound_and_is_said(rain):
    level, moved = np.sqrt(np.square(rain).mean()), rain + np.float32(0.2)
    made, other = vf.embed(rain, 16000), vf.embed(moved, 16000)
    assert other.speech.seconds == pytest.approx(made.speech.seconds, abs=0.1)
    assert other.speech.level_db == pytest.approx(made.speech.level_db, abs=0.1)
    assert [note for note in other.notes if note not in made.notes] == [
        "the sound is off centre by 0.200 of full scale (DC offset), which networks take for sound; take it away "
        "first, with a high-pass filter at 20 Hz for example"
    ]
    assert not made.notes and not vf.enhance(rain + 0.02 * level, 16000).notes


def test_an_offset_is_no_noise(rain):
    before, after = noise(rain, 16000), noise(rain + np.float32(0.01), 16000)
    assert after.steps[1].level_dbfs == pytest.approx(before.steps[1].level_dbfs, abs=1.5)
