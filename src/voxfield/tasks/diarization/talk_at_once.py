"""Where two speak at once: where both outputs of a separating network hold a voice.

Two people who talk at once own different harmonics of the same moment, so an output's share of the energy varies from
bin to bin of a frame; the shares of an output that nobody fills, or of an echo of the other one, hardly do.
"""

import numpy as np

from voxfield.features import Stft
from voxfield.protocols import Array
from voxfield.tasks.separation.activity import shared
from voxfield.tasks.separation.overlap_add import separated
from voxfield.tasks.separation.source_scale import SourceScale
from voxfield.tasks.speakers.speech_detector import FRAME_S
from voxfield.tasks.work import engine_for

SEPARATOR = "conv-tasnet-small"
CHUNK_FRAMES = 500  # that the network sees at once
EDGE_FRAMES = 50  # at each end of a chunk, which the chunk beside it sees better
MEAN_FRAMES = 30  # that the spread is measured over
LEAST_SPREAD = 0.175  # of two voices; chosen on other conversations than benchmarks/overlap.py scores
_WINDOW_SAMPLES = 512


class TalkAtOnce:
    """Takes a recording (N,) at `rate_hz`, without its noise, piece by piece; a number is kept for 10 ms.

    Attributes:
        rate_hz: that the samples must have.
    """

    def __init__(self) -> None:
        self._engine = engine_for(SEPARATOR, "separate")
        self.rate_hz = self._engine.card.interface.sample_rate_hz
        self._stft = Stft(_WINDOW_SAMPLES, round(FRAME_S * self.rate_hz))
        self._waiting = np.zeros(0, np.float32)
        self._begun = 0  # frames of what waits that are measured already
        self._spreads = [np.zeros(0, np.float32)]

    def feed(self, samples: Array) -> None:
        """Take (N,)."""
        self._waiting = np.concatenate([self._waiting, samples])
        hop = self._stft.hop_samples
        while len(self._waiting) >= CHUNK_FRAMES * hop:
            self._measure(self._waiting[: CHUNK_FRAMES * hop], CHUNK_FRAMES - EDGE_FRAMES)
            self._waiting, self._begun = self._waiting[(CHUNK_FRAMES - 2 * EDGE_FRAMES) * hop :], EDGE_FRAMES

    def finish(self) -> np.ndarray:
        """By how much the spread (T,) is above the least of two voices, frame by frame of 10 ms. The recording ends."""
        count = len(self._waiting) // self._stft.hop_samples
        if count > self._begun:
            self._measure(self._waiting[: count * self._stft.hop_samples], count)
        return np.concatenate(self._spreads) - LEAST_SPREAD

    def _measure(self, mixture: Array, end: int) -> None:
        """Keep the spread in the frames of a chunk from those that are measured already to `end`."""
        voices = separated(self._engine, mixture)
        voices *= SourceScale(len(voices)).update(mixture, voices)[:, None]
        late = self._stft.hop_samples  # brings the middle of a window to that of its frame
        spectra = self._stft.analyse(np.pad(voices, ((0, 0), (0, late))))[0][..., 1:]
        energy = np.square(spectra).sum(axis=1)  # (S, F, T)
        variance = shared(energy).sum(axis=(0, 1)) - shared(energy.sum(axis=1)).sum(axis=0)
        level = np.maximum(_mean(energy.sum(axis=(0, 1))), 1e-30)
        spread = np.sqrt(np.maximum(_mean(variance), 0) / level)
        self._spreads.append(spread[self._begun : end].astype(np.float32))


def _mean(row: np.ndarray) -> np.ndarray:
    """Running mean of (T,)."""
    mean: np.ndarray = np.convolve(row, np.full(MEAN_FRAMES, 1 / MEAN_FRAMES))[MEAN_FRAMES // 2 :][: len(row)]
    return mean
