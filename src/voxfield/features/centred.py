"""Log-mel bands of frames that are centred on their hop, as SpeechBrain's and TaoRuijie's speaker networks take them.

Samples have full scale 1 here, and the ends are extended, so that a recording makes one frame more than it has hops.
"""

from dataclasses import dataclass

import numpy as np

from voxfield.features.framing import minus_mean
from voxfield.features.mel import hz_matrix
from voxfield.features.windows import analysis_window
from voxfield.protocols import Array

LEAST_POWER = 1e-10  # that decibels are taken of
RANGE_DB = 80.0  # below the loudest band of the recording
_FRAMES_AT_A_TIME = 128


@dataclass(frozen=True)
class CentredMel:
    """A filter bank; immutable, any number of streams may share one.

    Attributes:
        emphasis: share of the sample before that each sample loses, first of all.
        mirrored: the ends are mirrored, without the last sample itself; otherwise zeros stand there.
        decibels: ten times the decimal logarithm, at most `RANGE_DB` below the loudest band, of triangles with even
            sides; otherwise the natural logarithm of power + 1e-6.
        window: what a frame is multiplied with; see `voxfield.features.windows.analysis_window`.
    """

    sample_rate_hz: int = 16000
    bands: int = 80
    fft_samples: int = 400
    window_samples: int = 400
    hop_samples: int = 160
    low_hz: float = 0.0
    high_hz: float = 0.0
    emphasis: float = 0.0
    mirrored: bool = False
    decibels: bool = True
    window: str = "periodic-hamming"

    @property
    def frame_samples(self) -> int:
        """Samples that a frame looks at."""
        return self.fft_samples

    @property
    def first_sample(self) -> int:
        """Where frame 0 begins."""
        return -(self.fft_samples // 2)

    def frames(self, count_samples: int) -> int:
        """Frames that so many samples make."""
        return 1 + count_samples // self.hop_samples if count_samples else 0

    def prepared(self, samples: Array, before: Array) -> Array:
        """Pre-emphasised samples; before the first one stands the second."""
        if not self.emphasis or not len(samples):
            return samples
        before = before if len(before) else samples[1:2] if len(samples) > 1 else samples
        prepared = samples.copy()
        prepared -= np.float32(self.emphasis) * np.concatenate([before, samples[:-1]])
        return prepared

    def extended(self, samples: Array, start: int, stop: int) -> Array:
        """Samples from `start` to `stop`, mirrored or zeros at both ends."""
        at = np.arange(start, stop)
        if not self.mirrored:
            there = (at >= 0) & (at < len(samples))
            return samples[np.clip(at, 0, len(samples) - 1)] * there
        at = at % max(2 * len(samples) - 2, 1)
        return samples[np.minimum(at, 2 * len(samples) - 2 - at)]

    def analyse(self, samples: Array) -> Array:
        """Log-mel bands (bands, T) of the frames that lie within samples (N,), the first from sample 0 on."""
        hop, size = self.hop_samples, self.fft_samples
        count = max(0, 1 + (len(samples) - size) // hop)
        bands = np.empty((self.bands, count), np.float32)
        weights = hz_matrix(self.bands, size, self.sample_rate_hz, self.low_hz, self.high_hz, self.decibels)
        window, around = np.zeros(size, np.float32), (size - self.window_samples) // 2
        window[around : around + self.window_samples] = analysis_window(self.window_samples, self.window)
        for start in range(0, count, _FRAMES_AT_A_TIME):
            stop = min(count, start + _FRAMES_AT_A_TIME)
            part = np.ascontiguousarray(samples[start * hop : (stop - 1) * hop + size], np.float32)
            frames = np.lib.stride_tricks.sliding_window_view(part, size)[::hop] * window
            spectrum = np.fft.rfft(frames).astype(np.complex64, copy=False)
            bands[:, start:stop] = weights @ (np.square(spectrum.real) + np.square(spectrum.imag)).T
        logs: Array = np.log(np.maximum(bands, np.float32(LEAST_POWER)) if self.decibels else bands + np.float32(1e-6))
        return logs * np.float32(10 / np.log(10)) if self.decibels else logs

    def finished(self, features: Array) -> Array:
        """Bounded below where they are decibels, and less the mean of each band."""
        if self.decibels and features.shape[1]:
            features = np.maximum(features, features.max() - np.float32(RANGE_DB))
        return minus_mean(features)


SPEECHBRAIN = CentredMel()
TAORUIJIE = CentredMel(fft_samples=512, low_hz=20.0, high_hz=7600.0, emphasis=0.97, mirrored=True, decibels=False)
