"""Resampling keeps the length to the sample, adds no delay, and does not care how the recording was cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxfield.audio import Resampler, SampleQueue, resample
from voxfield.errors import InputError

RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000)


@settings(max_examples=40)
@given(st.sampled_from(RATES), st.sampled_from(RATES), st.integers(1, 30_000), st.integers(0, 2**32 - 1))
def test_there_and_back_is_never_shorter(source_hz, target_hz, count, seed):
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((2, count), np.float32)
    there = resample(samples, source_hz, target_hz)
    assert abs(there.shape[1] - count * target_hz / source_hz) <= 1
    chunked = Resampler(source_hz, target_hz, 2)
    cuts = np.sort(rng.integers(0, count + 1, 7))
    parts = [chunked.feed(part) for part in np.split(samples, cuts, axis=1)]
    assert np.array_equal(np.concatenate([*parts, chunked.flush()], axis=1), there)


@pytest.mark.parametrize("rate_hz", RATES)
def test_no_delay(rate_hz):
    count = rate_hz // 2
    tone = np.sin(2 * np.pi * 440 * np.arange(count) / rate_hz)[None].astype(np.float32)
    down = resample(tone, rate_hz, 16000)[0]
    expected = np.sin(2 * np.pi * 440 * np.arange(len(down)) / 16000)
    inside = slice(1000, len(down) - 1000)
    assert np.abs(down[inside] - expected[inside]).max() < 1e-3


def test_equal_rates_pass_untouched(speech):
    samples = speech(2, 1000)
    resampler = Resampler(16000, 16000, 2)
    assert resampler.feed(samples) is samples and resampler.flush().shape == (2, 0)


def test_a_recording_ends_once(speech):
    resampler = Resampler(16000, 8000)
    resampler.feed(speech(1, 1000))
    resampler.flush()
    for go_on in (lambda: resampler.feed(speech(1, 10)), resampler.flush):
        with pytest.raises(InputError, match="flushed"):
            go_on()


@pytest.mark.parametrize("rates", [(0, 16000), (16000, 0), (1, 16000), (16000, 10**12), (float("nan"), 16000)], ids=str)
def test_rates_out_of_bounds_are_refused_before_anything_is_allocated(rates):
    with pytest.raises(InputError, match="from 1000 to 768000 Hz can be used"):
        Resampler(*rates)
    with pytest.raises(InputError, match="1 channel or more"):
        Resampler(8000, 16000, 0)


def test_queue_gives_back_in_order():
    queue, samples = SampleQueue(2), np.arange(200, dtype=np.float32).reshape(2, 100)
    for part in np.split(samples, [3, 3, 50, 99], axis=1):
        queue.push(part)
    assert len(queue) == 100
    taken = np.concatenate([queue.pop(count) for count in (1, 0, 60, 100)], axis=1)
    assert np.array_equal(taken, samples) and len(queue) == 0
