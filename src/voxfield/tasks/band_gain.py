"""How much of the top of its band a network let through, moment by moment.

A network at 16 kHz gets nothing above 8 kHz. What lies there is mostly the same consonants and the same noise as just
below, so the gain that the network gave to the top of its band serves for the rest.
"""

import numpy as np

from voxfield.features import Stft
from voxfield.protocols import Array

_TOP_QUARTER = 0.75  # gains are taken from this part of the band upwards
_SILENT = 1e-6  # sum of magnitudes below which a ratio says nothing
_SMOOTHING = 0.5  # share of the previous gain


class BandGain:
    """Gain of the top quarter of a band, measured before and after a network, read at another sample rate.

    It is the ratio of the mean magnitudes, not of the energies: a single loud bin that the network lets through must
    not open the band above for noise.

    Args:
        channels: C.
        low_hz: rate of what is measured.
        full_hz: rate at which gains are read.
    """

    def __init__(self, channels: int, low_hz: int, full_hz: int) -> None:
        self._hop_samples = max(1, round(0.016 * low_hz))
        self._stft = Stft(2 * self._hop_samples, self._hop_samples)
        band_hz = min(low_hz, full_hz) / 2
        bin_hz = low_hz / self._stft.window_samples
        self._bins = slice(round(_TOP_QUARTER * band_hz / bin_hz), round(band_hz / bin_hz) + 1)
        self._ratio = low_hz / full_hz
        self._pending = np.zeros((2 * channels, 0), np.float32)
        self._state = self._stft.initial_state(2 * channels)
        self._last = np.ones(channels, np.float32)
        self._measured = False
        self._points = np.zeros((channels, 0), np.float32)  # gains at multiples of the hop, from `_first` on
        self._first = 0
        self._read_samples = 0
        self._over = False

    def feed(self, before: Array, after: Array) -> None:
        """Measure (C, N) at the low rate, aligned with one another."""
        self._pending = np.concatenate([self._pending, np.concatenate([before, after])], axis=1)
        whole = self._pending.shape[1] // self._hop_samples * self._hop_samples
        ready, self._pending = self._pending[:, :whole], self._pending[:, whole:]
        spectrum, self._state = self._stft.analyse(ready, self._state)
        magnitudes = np.hypot(spectrum[:, 0, self._bins], spectrum[:, 1, self._bins])
        sums = np.ascontiguousarray(magnitudes.transpose(0, 2, 1)).sum(axis=2)  # (2 C, T), added up alike for any T
        sums_before, sums_after = np.split(sums, 2)
        gains = np.empty_like(sums_before)
        for at in range(gains.shape[1]):
            heard = sums_before[:, at] > _SILENT
            ratio = sums_after[:, at] / np.where(heard, sums_before[:, at], 1)
            gain = np.where(heard, np.minimum(ratio, 1), self._last)
            share = _SMOOTHING if self._measured else 0
            self._last = np.asarray(share * self._last + (1 - share) * gain, np.float32)
            self._measured = True
            gains[:, at] = self._last
        self._points = np.concatenate([self._points, gains], axis=1)

    def flush(self) -> None:
        """From here on the last gain holds."""
        self._over = True

    def known_samples(self) -> int | None:
        """Samples at the full rate whose gain can be read now; None after `flush`, where all can."""
        last_point = self._first + self._points.shape[1] - 1
        known = max(0, int(last_point * self._hop_samples / self._ratio)) if self._points.shape[1] else 0
        return None if self._over else max(0, known - self._read_samples)

    def read(self, count_samples: int) -> Array:
        """The next gains, (C, count), between the points along straight lines."""
        at = (self._read_samples + np.arange(count_samples)) * self._ratio / self._hop_samples
        self._read_samples += count_samples
        points = self._points if self._points.shape[1] else self._last[:, None]
        places = self._first + np.arange(points.shape[1])
        gains = np.stack([np.interp(at, places, row) for row in points]).astype(np.float32)
        passed = max(0, min(int(self._read_samples * self._ratio / self._hop_samples) - self._first, len(places) - 1))
        self._points, self._first = self._points[:, passed:], self._first + passed
        return gains
