"""What every enhancer does above its own band: speech stays, noise goes, and nothing appears that was not there."""

from pathlib import Path

import numpy as np
import pytest

from voxfield.audio import read, resample
from voxfield.cards import cards
from voxfield.tasks import enhance

CLEAN = Path(__file__).parents[2] / "examples" / "clean"
RATE_HZ = 48000
BANDS_HZ = ((8000, 12000), (12000, 16000))
SPEECH_DB, HISS_DB = 1.0, -35.0  # largest change of speech, least change of hiss
NAMES = [card.name for card in cards() if card.task == "enhance" and card.interface.sample_rate_hz == 16000]


@pytest.fixture(scope="module")
def speech():
    """(N,) a reader at 48 kHz; the band from 0 to 8 kHz is mirrored to 8 to 16 kHz, 6 dB lower."""
    low = read(CLEAN / "rain.wav", rate_hz=16000, mono=True)[0]
    mirrored = np.zeros(3 * len(low), np.float32)
    mirrored[::3] = 3 * low
    return band(mirrored, 0, 8000) + 0.5 * band(mirrored, 8000, 16000)


def band(samples, low_hz, high_hz):
    """The part of (N,) between two frequencies."""
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    inside = (hz >= low_hz) & (hz < high_hz)
    return np.fft.irfft(np.fft.rfft(samples) * inside, len(samples)).astype(np.float32)


def change_db(before, after, low_hz, high_hz):
    powers = [np.square(band(part, low_hz, high_hz), dtype=np.float64).mean() for part in (before, after)]
    return 10 * np.log10(powers[1] / powers[0])


@pytest.mark.parametrize("rate_hz", [44100, 48000, 96000])
@pytest.mark.parametrize("name", NAMES)
def test_clean_speech_stays(name, rate_hz, speech):
    there = resample(speech[None], RATE_HZ, rate_hz)
    after = resample(enhance(there, rate_hz, model=name).samples, rate_hz, RATE_HZ)[0]
    for low_hz, high_hz in BANDS_HZ:
        assert abs(change_db(speech[: len(after)], after[: len(speech)], low_hz, high_hz)) < SPEECH_DB


@pytest.mark.parametrize("name", NAMES)
def test_hiss_goes_and_speech_in_it_stays(name, speech):
    hiss = 0.01 * np.random.default_rng(0).standard_normal(len(speech) + RATE_HZ).astype(np.float32)
    samples = hiss.copy()
    samples[RATE_HZ:] += speech
    after = enhance(samples, RATE_HZ, model=name).samples[0]
    pause = slice(RATE_HZ // 2, RATE_HZ - RATE_HZ // 10)
    for low_hz, high_hz in (*BANDS_HZ, (11500, 12500), (16000, 20000)):
        assert change_db(samples[pause], after[pause], low_hz, high_hz) < HISS_DB


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_invented(name, speech):
    limited = band(speech, 0, 10_000)
    after = enhance(limited, RATE_HZ, model=name).samples[0]
    above = np.square(band(after, 10_200, RATE_HZ / 2), dtype=np.float64).mean()
    assert above < 1e-6 * np.square(limited, dtype=np.float64).mean()
    only_below = band(speech, 0, 7000)
    after = enhance(only_below, RATE_HZ, model=name).samples[0]
    above = np.square(band(after, 8100, RATE_HZ / 2), dtype=np.float64).mean()
    assert above < 1e-8 * np.square(only_below, dtype=np.float64).mean()


def test_channels_together_keep_sounds_in_their_place_above(speech):
    """With hiss on one side alone, what both channels have in common moves less than where each is by itself."""
    hiss = 0.02 * np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    samples = np.stack([speech + hiss, speech])

    def levels_db(pair, step=RATE_HZ // 20):
        above = np.stack([band(part, 8500, 16000) for part in pair])
        return 10 * np.log10(np.square(above[:, : above.shape[1] // step * step].reshape(2, -1, step)).mean(2) + 1e-9)

    loud = levels_db(samples)[1] > levels_db(samples)[1].max() - 25

    def wander_db(channels):
        gains = levels_db(enhance(samples, RATE_HZ, channels=channels).samples) - levels_db(samples)
        return np.std((gains[0] - gains[1])[loud])

    assert wander_db("together") < 0.5 * wander_db("independent")
