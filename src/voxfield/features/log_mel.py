"""Log-mel bands of a recording around its own level, as networks of tokens take them, and back.

Frames lie as those of `voxfield.features.fourier.stft` with the same window and hop, so that its phases fit them.
"""

from dataclasses import dataclass

import numpy as np

from voxfield.features.centred import LEAST_POWER, RANGE_DB, CentredMel
from voxfield.features.mel import hz_matrix
from voxfield.protocols import Array

UNIT_DB = 15.0  # that make 1 in a network
_STEPS = 30


@dataclass(frozen=True)
class LogMel(CentredMel):
    """64 bands of windows of 32 ms every 16 ms; `analyse` gives dB, `finished` what a network takes."""

    bands: int = 64
    fft_samples: int = 512
    window_samples: int = 512
    hop_samples: int = 256
    low_hz: float = 20.0
    window: str = "sqrt-hann"

    @classmethod
    def of(cls, sample_rate_hz: int, bands: int, window_samples: int, hop_samples: int) -> "LogMel":
        """So many bands of windows that are transformed as they are, nothing filled up."""
        return cls(sample_rate_hz, bands, window_samples, window_samples, hop_samples)

    def level_db(self, features: Array) -> float:
        """Mean over bands and frames of features (bands, T) in dB, bounded below as `finished` does it."""
        return float(_bounded(features).mean()) if features.size else float(10 * np.log10(LEAST_POWER))

    def finished(self, features: Array) -> Array:
        """(bands, T) around their level in units of 15 dB, at most 80 dB below the loudest."""
        return self.around(features, float(features.max()) if features.size else 0.0, self.level_db(features))

    def around(self, features: Array, loudest_db: float, level_db: float) -> Array:
        """`finished` of a part of a recording whose loudest band and whose level are known."""
        return (np.maximum(features, np.float32(loudest_db - RANGE_DB)) - np.float32(level_db)) / np.float32(UNIT_DB)

    def restored(self, finished: Array, level_db: float) -> Array:
        """The inverse of `finished`, but for what was bounded: (bands, T) in dB."""
        return finished * np.float32(UNIT_DB) + np.float32(level_db)

    def magnitudes(self, features: Array) -> Array:
        """Magnitudes (F, T), none below 0, of a spectrum that has nearly these bands, (bands, T) in dB."""
        weights = hz_matrix(self.bands, self.fft_samples, self.sample_rate_hz, self.low_hz, self.high_hz, True)
        wanted = weights.T @ np.power(10.0, features / 10.0)
        found = wanted / np.maximum(weights.sum(0) ** 2, 1e-3)[:, None]
        for _ in range(_STEPS):  # of non-negative least squares: a multiplied power stays above 0
            found *= wanted / np.maximum(weights.T @ (weights @ found), 1e-20)
        magnitudes: Array = np.sqrt(found).astype(np.float32)
        return magnitudes


def _bounded(features: Array) -> Array:
    return np.maximum(features, features.max() - np.float32(RANGE_DB)) if features.size else features
