"""How many of the voices that a network gave out are voices, and how sure that is."""

from dataclasses import dataclass

import numpy as np

from voxfield.protocols import Array

EMPTY_DB = -17.0  # level under that of the loudest voice at which an output is as likely empty as not
SPREAD_DB = 3.0  # how far from there the answer is sure: the logistic scale of the odds
_FRAME_S = 0.02
_FLOOR = 1e-10  # mean square of what counts as digital silence


@dataclass(frozen=True)
class Presence:
    """What is believed about the outputs of one recording.

    Attributes:
        levels_db: level of each output under the loudest one, on its active frames.
        believed: outputs that hold a voice, by number from 0.
        confidence: 0.5 to 1, of the least certain output.
    """

    levels_db: tuple[float, ...]
    believed: tuple[int, ...]
    confidence: float


class PresenceMeter:
    """Takes voices (S, N) piece by piece and judges them at the end."""

    def __init__(self, sources: int, rate_hz: int) -> None:
        self._frame_samples = max(1, round(_FRAME_S * rate_hz))
        self._pending = np.zeros((sources, 0), np.float32)
        self._energy = np.zeros((sources, 60))  # by level class of 2 dB, so that no frame has to be kept
        self._frames = np.zeros((sources, 60))

    def feed(self, voices: Array) -> None:
        """Measure (S, N)."""
        self._pending = np.concatenate([self._pending, voices], axis=1)
        count = self._pending.shape[1] // self._frame_samples
        ready = self._pending[:, : count * self._frame_samples]
        self._pending = self._pending[:, count * self._frame_samples :]
        if not count:
            return
        energy = np.square(ready.reshape(len(ready), count, -1), dtype=np.float64).mean(2)
        classes = np.clip(-5 * np.log10(np.maximum(energy, 1e-12)), 0, 59).astype(int)
        for source in range(len(energy)):
            np.add.at(self._energy[source], classes[source], energy[source])
            np.add.at(self._frames[source], classes[source], 1)

    def judge(self) -> Presence:
        """What all pieces together say."""
        active = np.array([_active_energy(*rows) for rows in zip(self._energy, self._frames, strict=True)])
        loudest = float(active.max(initial=0))
        if loudest <= _FLOOR:
            return Presence((0.0,) * len(active), (), 1.0)
        levels = 10 * np.log10(np.maximum(active, 1e-12) / loudest)
        odds = 1 / (1 + np.exp(-(levels - EMPTY_DB) / SPREAD_DB))
        believed = tuple(int(i) for i in np.flatnonzero(odds >= 0.5))
        confidence = float(np.min(np.maximum(odds, 1 - odds)))
        return Presence(tuple(round(float(level), 1) for level in levels), believed, round(confidence, 3))


def _active_energy(energy: np.ndarray, frames: np.ndarray) -> float:
    """Mean square of the frames within 30 dB of the loudest class that holds some."""
    there = np.flatnonzero(frames)
    if not len(there):
        return 0.0
    chosen = slice(there[0], there[0] + 15)
    return float(energy[chosen].sum() / frames[chosen].sum())
