"""Which outputs of a separating network hold a voice, and how sure that is."""

from dataclasses import dataclass

import numpy as np

from voxfield.audio import SampleQueue
from voxfield.features import Stft
from voxfield.protocols import Array

# Weights of a logistic regression on the spread over frequency, that over time and 1, fitted on training speakers by
# benchmarks/speaker_count.py recipes/separate/conv-tasnet-small.toml --fit --count 300 --set data.min_dynamic_db=0
WEIGHTS = (25.05, 14.05, -4.81)
WEIGHTS_ENHANCED = (29.45, 21.03, -3.44)  # where each spread is the lesser of those in the recording and enhanced
_WINDOW_S = 0.032
_FIRST_BIN = 2  # offset and hum lie below
_SILENT = 1e-10  # mean square of what counts as digital silence


@dataclass(frozen=True)
class Activity:
    """What is believed about the outputs of one recording.

    Attributes:
        levels_db: level of each output under the loudest one.
        spreads: standard deviations of each output's share of the energy, weighted by that energy: from bin to bin
            within frames, and from frame to frame within bins. Two people who talk at once own different harmonics of
            the same moment and take turns at being the louder one; an output that is empty, or an echo of another,
            has much the same share of everything.
        believed: outputs that hold a voice, by number from 0.
        confidence: 0.5 to 1, of the least certain output.
    """

    levels_db: tuple[float, ...]
    spreads: tuple[tuple[float, float], ...]
    believed: tuple[int, ...]
    confidence: float


class ActivityMeter:
    """Takes voices (S, N) piece by piece, keeps sums only, and judges them at the end."""

    def __init__(self, sources: int, rate_hz: int) -> None:
        window = max(2 * _FIRST_BIN, round(_WINDOW_S * rate_hz))
        self._stft = Stft(window, window)
        self._pending = SampleQueue(sources)
        self._squares = np.zeros(sources)  # of samples
        self._count_samples = 0
        self._bins = np.zeros((sources, self._stft.bins - _FIRST_BIN))  # energy of each output in each bin
        self._shared = np.zeros((2, sources))  # energy times share of it: of a bin in a frame, and of a whole frame

    def feed(self, voices: Array) -> None:
        """Measure (S, N)."""
        self._squares += np.square(voices, dtype=np.float64).sum(1)
        self._count_samples += voices.shape[1]
        self._pending.push(voices)
        spectrum, _ = self._stft.analyse(self._pending.pop_whole(self._stft.hop_samples))
        energy = np.square(spectrum[:, :, _FIRST_BIN:]).sum(1)  # (S, F, T)
        self._bins += energy.sum(2)
        self._shared += shared(energy).sum((1, 2)), shared(energy.sum(1)).sum(1)

    def spreads(self) -> np.ndarray:
        """(S, 2), the spread of each output over frequency and over time."""
        cells, frames = self._shared
        variances = np.stack([cells - frames, cells - shared(self._bins).sum(1)], axis=1)
        spreads: np.ndarray = np.sqrt(np.maximum(variances, 0) / max(float(self._bins.sum()), 1e-30))
        return spreads

    def judge(self, enhanced: "ActivityMeter | None" = None) -> Activity:
        """What all pieces together say.

        Args:
            enhanced: of the voices of the same recording after enhancement, in any order: an output that noise alone
                fills is none there.
        """
        loudest = float(self._squares.max(initial=0))
        levels = 10 * np.log10(np.maximum(self._squares / max(loudest, 1e-30), 1e-12))
        spreads, weights = self.spreads(), WEIGHTS
        ranks = np.argsort(-self._squares, kind="stable")
        if enhanced is not None:
            others = enhanced.spreads()[np.argsort(-enhanced._squares, kind="stable")]
            spreads[ranks], weights = np.minimum(spreads[ranks], others), WEIGHTS_ENHANCED
        odds = 1 / (1 + np.exp(-(spreads @ weights[:2] + weights[2])))
        odds[ranks[0]] = 1  # somebody speaks, and nobody is louder
        if loudest <= _SILENT * max(self._count_samples, 1):
            odds[:] = 0
        believed = tuple(int(i) for i in np.flatnonzero(odds >= 0.5))
        pairs = tuple((round(float(a), 4), round(float(b), 4)) for a, b in spreads)
        confidence = float(np.maximum(odds, 1 - odds).min())
        return Activity(tuple(round(float(x), 1) for x in levels), pairs, believed, round(confidence, 3))


def shared(energy: np.ndarray) -> np.ndarray:
    """Energy (S, ...) times the share that it is of the energy of all outputs."""
    products: np.ndarray = np.square(energy) / np.maximum(energy.sum(0), 1e-30)
    return products
