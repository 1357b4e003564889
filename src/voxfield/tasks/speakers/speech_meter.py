"""How much speech a recording holds, from its level alone."""

from dataclasses import dataclass

import numpy as np

from voxfield.protocols import Array

SILENT_DB = -80.0  # under full scale; what stays below throughout is silence
LEAST_SPREAD_DB = 6.0  # between loud and quiet frames; steady noise, hum and tones have less, speech has more
_FRAME_S = 0.02
_RANGE_DB = 30.0  # frames that far under the loud ones are pauses
_PAUSE_FRAMES = 10  # shorter pauses, such as those between syllables, are part of the speech
_SHARE = 0.3  # of the way from quiet to loud at which speech begins, where noise fills the pauses


@dataclass(frozen=True)
class Speech:
    """What the level says.

    Attributes:
        seconds: of frames that are loud for this recording, with the short pauses between them; music that comes and
            goes counts as well.
        level_db: of its loud frames, mean square relative to full scale.
        silent: nothing is louder than `SILENT_DB`.
        range_db: from its quiet frames, those of the noise, up to its loud ones; 0 for silence.
    """

    seconds: float
    level_db: float
    silent: bool
    range_db: float = 0.0


class SpeechMeter:
    """Takes a recording (N,) piece by piece and judges it at the end."""

    def __init__(self, rate_hz: int) -> None:
        self._frame_samples = max(1, round(_FRAME_S * rate_hz))
        self._frame_s = self._frame_samples / rate_hz
        self._pending = np.zeros(0, np.float32)
        self._levels: list[np.ndarray] = []

    def feed(self, samples: Array) -> None:
        """Measure (N,)."""
        joined = np.concatenate([self._pending, samples])
        count = len(joined) // self._frame_samples
        frames = joined[: count * self._frame_samples].reshape(count, self._frame_samples)
        self._pending = joined[count * self._frame_samples :]
        squares = np.square(frames, dtype=np.float64).mean(axis=1)
        self._levels.append((10 * np.log10(np.maximum(squares, 1e-12))).astype(np.float32))

    def judge(self) -> Speech:
        """What all pieces together say."""
        levels = np.concatenate([*self._levels, np.zeros(0, np.float32)])
        if not len(levels):
            return Speech(0.0, -120.0, True)
        quiet, loud = (float(level) for level in np.percentile(levels, [10, 95]))
        if loud <= SILENT_DB:
            return Speech(0.0, loud, True)
        if loud - quiet < LEAST_SPREAD_DB:
            return Speech(0.0, loud, False, loud - quiet)
        least = max(loud - _RANGE_DB, quiet + _SHARE * (loud - quiet))
        steps = np.diff(np.flatnonzero(levels >= least))  # from each frame of speech to the next
        count = 1 + int(steps[steps <= _PAUSE_FRAMES].sum() + (steps > _PAUSE_FRAMES).sum())
        return Speech(self._frame_s * count, loud, False, loud - quiet)
