"""Which outputs of a separating network hold a voice, and how sure that is."""

from dataclasses import dataclass

import numpy as np

from voxfield.protocols import Array

EVEN = 0.2  # spread of an output's share of the frames at which it is as likely empty as not
STEP = 0.03  # how far from there the answer is sure: the logistic scale of the odds
_FRAME_S = 0.02
_FLOOR = 1e-10  # mean square of what counts as digital silence
_CLASSES = 60  # of 2 dB each
_ACTIVE_CLASSES = 15  # frames within 30 dB of the loudest ones count


@dataclass(frozen=True)
class Activity:
    """What is believed about the outputs of one recording.

    Attributes:
        levels_db: level of each output under the loudest one, on active frames.
        spreads: standard deviation of each output's share of a frame's energy, over active frames. Two people who talk
            take turns at being the louder one, syllable by syllable; an output that is empty, or an echo of another,
            has much the same share throughout.
        believed: outputs that hold a voice, by number from 0.
        confidence: 0.5 to 1, of the least certain output.
    """

    levels_db: tuple[float, ...]
    spreads: tuple[float, ...]
    believed: tuple[int, ...]
    confidence: float


class ActivityMeter:
    """Takes voices (S, N) piece by piece and judges them at the end."""

    def __init__(self, sources: int, rate_hz: int) -> None:
        self._frame_samples = max(1, round(_FRAME_S * rate_hz))
        self._pending = np.zeros((sources, 0), np.float32)
        self._sums = np.zeros((_CLASSES, 3, sources))  # by level of the frame: energies, shares, shares squared
        self._frames = np.zeros(_CLASSES)

    def feed(self, voices: Array) -> None:
        """Measure (S, N)."""
        self._pending = np.concatenate([self._pending, voices], axis=1)
        count = self._pending.shape[1] // self._frame_samples
        ready = self._pending[:, : count * self._frame_samples]
        self._pending = self._pending[:, count * self._frame_samples :]
        if not count:
            return
        energy = np.square(ready.reshape(len(ready), count, -1), dtype=np.float64).mean(2).T  # (frames, S)
        total = energy.sum(1, keepdims=True)
        shares = energy / np.maximum(total, 1e-14)
        classes = np.clip(-5 * np.log10(np.maximum(total[:, 0], 1e-12)), 0, _CLASSES - 1).astype(int)
        np.add.at(self._sums, classes, np.stack([energy, shares, np.square(shares)], axis=1))
        np.add.at(self._frames, classes, 1)

    def judge(self) -> Activity:
        """What all pieces together say."""
        there = np.flatnonzero(self._frames)
        active = slice(there[0], there[0] + _ACTIVE_CLASSES) if len(there) else slice(0)
        count = float(self._frames[active].sum())
        energy, share, square = self._sums[active].sum(0) / max(count, 1.0)
        loudest = float(energy.max(initial=0))
        if loudest <= _FLOOR:
            return Activity((0.0,) * len(energy), (0.0,) * len(energy), (), 1.0)
        levels = 10 * np.log10(np.maximum(energy, 1e-12) / loudest)
        spreads = np.sqrt(np.maximum(square - np.square(share), 0))
        odds = 1 / (1 + np.exp(-(spreads - EVEN) / STEP))
        odds[int(np.argmax(energy))] = 1  # somebody speaks, and nobody is louder
        believed = tuple(int(i) for i in np.flatnonzero(odds >= 0.5))
        confidence = float(np.min(np.maximum(odds, 1 - odds)))
        return Activity(_rounded(levels, 1), _rounded(spreads, 3), believed, round(confidence, 3))


def _rounded(values: np.ndarray, digits: int) -> tuple[float, ...]:
    return tuple(round(float(value), digits) for value in values)
