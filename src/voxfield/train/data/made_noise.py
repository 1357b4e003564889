"""Synthesised noise, for the kinds that few recordings hold: coloured noise, hum, clicks, chirps, engines, wind."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from voxfield.protocols import Array

Floats = npt.NDArray[np.float64]


def coloured(rng: Generator, samples: int, rate_hz: int) -> Floats:
    """Noise whose spectrum falls or rises by up to 12 dB an octave between random corners."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.maximum(np.fft.rfftfreq(samples, 1 / rate_hz), 20)
    corners = np.sort(np.exp(rng.uniform(np.log(60), np.log(rate_hz / 2), 2)))
    slope = rng.uniform(-2, 1)
    return np.fft.irfft(spectrum * (np.clip(hz, *corners) / corners[0]) ** slope, samples)


def hum(rng: Generator, samples: int, rate_hz: int) -> Floats:
    """A steady tone with harmonics: mains hum, fans, beeps."""
    f0 = float(rng.choice([50, 60, 100, 120])) if rng.random() < 0.5 else float(np.exp(rng.uniform(3.5, 7.5)))
    return _harmonics(rng, np.full(samples, f0), rate_hz)


def engine(rng: Generator, samples: int, rate_hz: int) -> Floats:
    """Harmonics of a slowly wandering pitch, rough and over coloured noise."""
    f0 = np.exp(rng.uniform(np.log(25), np.log(400))) * np.exp(_slow(rng, samples, rate_hz, 1.0) * 0.2)
    tone: Floats = _harmonics(rng, f0, rate_hz) * (1 + 0.5 * _slow(rng, samples, rate_hz, 30.0))
    floor = coloured(rng, samples, rate_hz)
    tone /= float(tone.std()) + 1e-9
    tone += floor / (float(floor.std()) + 1e-9) * rng.uniform(0.1, 1.0)
    return tone


def chirps(rng: Generator, samples: int, rate_hz: int) -> Floats:
    """Short tones that glide: birds, alarms, squeaks."""
    audio = np.zeros(samples)
    for _ in range(int(rng.integers(2, 13))):
        n = int(rng.uniform(0.03, 0.5) * rate_hz)
        start = int(rng.integers(max(samples - n, 1)))
        first_hz, last_hz = np.exp(rng.uniform(np.log(300), np.log(0.45 * rate_hz), 2))
        tone = np.sin(2 * np.pi * np.cumsum(np.geomspace(first_hz, last_hz, n)) / rate_hz) * np.hanning(n)
        audio[start : start + n] += (tone * rng.uniform(0.2, 1))[: samples - start]
    return audio


def clicks(rng: Generator, samples: int, rate_hz: int) -> Floats:
    """Decaying bursts at random times: keys, knocks, crackle."""
    n = int(np.exp(rng.uniform(np.log(0.002), np.log(0.15))) * rate_hz) + 8
    burst = coloured(rng, n, rate_hz) * np.exp(-np.arange(n) / n * rng.uniform(3, 8))
    impulses = np.zeros(samples)
    times = rng.integers(samples, size=1 + rng.poisson(np.exp(rng.uniform(0, 3.5)) * samples / rate_hz))
    impulses[times] = rng.uniform(0.1, 1, len(times))
    size = samples + n
    return np.fft.irfft(np.fft.rfft(impulses, size) * np.fft.rfft(burst, size), size)[:samples]


def wind(rng: Generator, samples: int, rate_hz: int) -> Floats:
    """Low noise in gusts."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / rate_hz)
    spectrum /= 1 + (hz / rng.uniform(40, 400)) ** rng.uniform(1.5, 3)
    return np.fft.irfft(spectrum, samples) * np.exp(_slow(rng, samples, rate_hz, 2.0))


KINDS = (coloured, hum, engine, chirps, clicks, wind)


def synthesise(rng: Generator, samples: int, rate_hz: int) -> Array:
    """(samples,) float32 of one kind, drawn at random."""
    audio = KINDS[int(rng.integers(len(KINDS)))](rng, samples, rate_hz)
    audio *= 0.1 / (np.abs(audio).max() + 1e-9)
    return audio.astype(np.float32)


def _harmonics(rng: Generator, f0_hz: Floats, rate_hz: int) -> Floats:
    phase = 2 * np.pi * np.cumsum(f0_hz) / rate_hz
    count = int(min(rng.integers(1, 25), 0.48 * rate_hz / f0_hz.max()))
    tilt = rng.uniform(0, 2)
    tone = np.zeros(len(phase))
    for k in range(1, max(count, 1) + 1):
        tone += np.sin(k * phase + rng.uniform(0, 2 * np.pi)) * rng.uniform(0, 1) / k**tilt
    return tone


def _slow(rng: Generator, samples: int, rate_hz: int, changes_hz: float) -> Floats:
    """A curve that wanders between -1 and 1, about `changes_hz` times a second."""
    points = max(2, int(samples / rate_hz * changes_hz) + 2)
    curve: Floats = np.interp(np.linspace(0, points - 1, samples), np.arange(points), rng.uniform(-1, 1, points))
    return curve
