"""Live sound with a device that is played by the test: order, latency, and a network that is too slow or fails."""

import threading
import time

import numpy as np
import pytest

from voxfield.tasks import Enhancer
from voxfield.tasks.enhancement.live import Live

BLOCK = 256


class Device:
    """Hands out blocks as a sound card does and gathers what is played; `step` runs the network in between."""

    def __init__(self, live, samples, block=BLOCK):
        self._live, self._blocks = live, np.split(samples, range(block, samples.shape[1], block), axis=1)
        self.played = [np.zeros((samples.shape[0], 0), np.float32)]

    def run(self, *, every=1, toggle=()):
        for at, block in enumerate(self._blocks):
            if at in toggle:
                self._live.enhanced = not self._live.enhanced
            self.played.append(self._live.exchange(block))
            assert self.played[-1].shape == block.shape
            if at % every == 0:
                self._live.step()
        return np.concatenate(self.played, axis=1)


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_what_is_played_is_the_enhanced_recording_later(tiny_spectral, speech, rate_hz):
    block = BLOCK * rate_hz // 16000
    samples = speech(1, 200 * block, rate_hz)
    live = Live(Enhancer(tiny_spectral, rate_hz))
    played = Device(live, samples, block).run()
    late = live.latency_samples
    offline = Enhancer(tiny_spectral, rate_hz)
    expected = np.concatenate([offline.feed(samples), offline.flush()], axis=1)
    np.testing.assert_allclose(played[:, late:], expected[:, : samples.shape[1] - late], atol=1e-5)
    assert not played[:, :late].any()
    assert (live.underruns, live.dropped) == (0, 0)
    if rate_hz == 16000:
        assert late == 512 + BLOCK  # the network's latency of 32 ms, and one block in hand


def test_switched_off_the_recording_is_played_just_as_late(tiny_spectral, speech):
    samples = speech(1, 100 * BLOCK)
    live = Live(Enhancer(tiny_spectral, 16000))
    live.enhanced = False
    played = Device(live, samples).run()
    late = live.latency_samples
    np.testing.assert_array_equal(played[:, late + BLOCK :], samples[:, BLOCK : samples.shape[1] - late])


def test_switching_does_not_jump(tiny_spectral):
    samples = np.sin(2 * np.pi * 200 * np.arange(100 * BLOCK) / 16000).astype(np.float32)[None] / 2
    live = Live(Enhancer(tiny_spectral, 16000, mix=0.5))
    played = Device(live, samples).run(toggle=(30, 50, 70))[0, 20 * BLOCK :]
    assert np.abs(np.diff(played)).max() < 1.5 * np.abs(np.diff(samples)).max()
    without = Device(Live(Enhancer(tiny_spectral, 16000, mix=0.5)), samples).run()[0, 20 * BLOCK :]
    same = [np.allclose(*(one[at * BLOCK : (at + 1) * BLOCK] for one in (played, without))) for at in (5, 20, 40, 60)]
    assert same == [True, False, True, False]


def test_a_slow_network_costs_blocks_and_not_latency(tiny_spectral, speech):
    samples = speech(1, 300 * BLOCK)
    live = Live(Enhancer(tiny_spectral, 16000), most_blocks=4)
    Device(live, samples).run(every=3)  # the network takes three times as long as the sound
    assert 150 < live.dropped < 250 and live.underruns > 10
    assert live.latency_samples <= 8 * BLOCK


class Stuck:
    """A network that takes as long as it is told to, or fails."""

    def __init__(self, error=None):
        self.free, self.begun, self._error = threading.Event(), threading.Event(), error

    def feed(self, samples):
        self.begun.set()
        self.free.wait(30)
        if self._error:
            raise self._error
        return samples

    def flush(self):
        return np.zeros((1, 0), np.float32)


def test_the_device_never_waits_for_the_network():
    network = Stuck()
    with Live(network, most_blocks=4) as live:
        live.exchange(np.ones((1, BLOCK), np.float32))
        assert network.begun.wait(10)
        began = time.monotonic()
        for _ in range(100):
            assert not live.exchange(np.ones((1, BLOCK), np.float32)).any()
        assert time.monotonic() - began < 5 and not network.free.is_set()
        assert live.dropped == 96 and live.underruns == 0  # nothing was played yet that could break off
        network.free.set()
        until = time.monotonic() + 20
        while not live.exchange(np.ones((1, BLOCK), np.float32)).any():
            assert time.monotonic() < until
            time.sleep(0.005)
        assert live.levels_db == pytest.approx((0, 0), abs=1e-6)


def test_an_error_of_the_network_is_kept_for_whoever_asks():
    network = Stuck(ValueError("broken"))
    network.free.set()
    with Live(network) as live:
        live.exchange(np.zeros((1, BLOCK), np.float32))
        until = time.monotonic() + 20
        while live.error is None and time.monotonic() < until:
            time.sleep(0.005)
    assert isinstance(live.error, ValueError)
