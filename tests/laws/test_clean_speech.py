"""Clean speech goes through every enhancer as it is, at any band limit and level, in each third-octave."""

from pathlib import Path

import numpy as np
import pytest

from voxfield.audio import read
from voxfield.cards import cards
from voxfield.tasks import enhance

CLEAN = Path(__file__).parents[2] / "examples" / "clean"
RATE_HZ = 16000
LEVEL_DB, BAND_DB = 0.2, 0.5  # largest changes allowed
LIMITS_HZ = (3400, 5000, 6600, 7000, 7500, 7700, 8000)
CENTRES_HZ = 125 * 2 ** (np.arange(18) / 3)
NAMES = [card.name for card in cards() if card.task == "enhance"]


@pytest.fixture(scope="module")
def speech():
    """(N,) two readers without noise, a pause between them."""
    parts = [read(CLEAN / f"{name}.wav", rate_hz=RATE_HZ, mono=True)[0] for name in ("rain", "dishwasher")]
    return np.concatenate([parts[0], np.zeros(8000, np.float32), parts[1]])


def limited(samples, limit_hz):
    """The samples behind a steep low-pass, as an anti-alias filter leaves them."""
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    gain_db = -80 * np.clip((hz - limit_hz) / 200 + 0.5, 0, 1)
    return np.fft.irfft(np.fft.rfft(samples) * 10 ** (gain_db / 20), len(samples)).astype(np.float32)


def changes_db(before, after, limit_hz):
    """(Change of the level, changes of the third-octaves in which there is speech)."""
    hz = np.fft.rfftfreq(len(before), 1 / RATE_HZ)
    powers = [np.square(np.abs(np.fft.rfft(samples))) for samples in (before, after)]
    bands = []
    for centre in CENTRES_HZ:
        inside = (hz >= centre * 2 ** (-1 / 6)) & (hz < centre * 2 ** (1 / 6))
        first, second = (power[inside].sum() for power in powers)
        if centre * 2 ** (1 / 6) < limit_hz and first > 1e-5 * powers[0].sum():
            bands.append(10 * np.log10(second / first))
    return 10 * np.log10(powers[1].sum() / powers[0].sum()), np.array(bands)


@pytest.mark.parametrize("limit_hz", LIMITS_HZ)
@pytest.mark.parametrize("name", NAMES)
def test_clean_speech_keeps_its_level_and_its_bands(name, limit_hz, speech):
    samples = speech if limit_hz == LIMITS_HZ[-1] else limited(speech, limit_hz)
    level, bands = changes_db(samples, enhance(samples, RATE_HZ, model=name).samples[0], limit_hz)
    assert abs(level) < LEVEL_DB
    assert len(bands) > 10 and np.abs(bands).max() < BAND_DB


@pytest.mark.parametrize("gain_db", [-30, -15, 10])
@pytest.mark.parametrize("name", NAMES)
def test_at_any_level(name, gain_db, speech):
    samples = speech * np.float32(10 ** (gain_db / 20))
    level, bands = changes_db(samples, enhance(samples, RATE_HZ, model=name).samples[0], 8000)
    assert abs(level) < LEVEL_DB and np.abs(bands).max() < BAND_DB


@pytest.mark.parametrize("name", NAMES)
def test_through_48_khz_and_back(name, speech):
    """A recording that was once at another rate is enhanced as one that was not."""
    from voxfield.audio import resample

    there = resample(speech[None], RATE_HZ, 48000)
    level, bands = changes_db(there[0], enhance(there, 48000, model=name).samples[0], 8000)
    assert abs(level) < LEVEL_DB and np.abs(bands).max() < BAND_DB


@pytest.mark.parametrize("step_db", [20, 30])
@pytest.mark.parametrize("name", NAMES)
def test_a_quiet_talker_after_a_loud_one_is_not_faded(name, step_db, speech):
    half = len(speech) // 2
    samples = speech.copy()
    samples[half:] *= np.float32(10 ** (-step_db / 20))
    after = enhance(samples, RATE_HZ, model=name).samples[0]
    span = slice(half, half + 2 * RATE_HZ)
    change_db = 10 * np.log10(np.square(after[span]).sum() / np.square(samples[span]).sum())
    assert abs(change_db) < 2
