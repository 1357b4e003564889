"""How much speech a recording holds, from its level alone."""

from dataclasses import dataclass

import numpy as np

from voxfield.protocols import Array

SILENT_DB = -80.0  # under full scale; what stays below throughout is silence
LEAST_SPREAD_DB = 6.0  # between loud and quiet frames; steady noise, hum and tones have less, speech has more
RANGE_DB = 30.0  # frames that far under the loud ones are pauses
_FRAME_S = 0.02
_PAUSE_FRAMES = 10  # shorter pauses, such as those between syllables, are part of the speech
_LOUD_S = 1.0  # of loud frames are enough, however long the pauses between them are
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


class FrameMoments:
    """Samples (N,) piece by piece as the mean of each frame and the power about it, for `levels_of`.

    Args:
        frame_samples: between the beginnings of two frames, which do not overlap.
    """

    def __init__(self, frame_samples: int) -> None:
        self._frame_samples = frame_samples
        self._pending = np.zeros(0, np.float32)

    def feed(self, samples: Array) -> np.ndarray:
        """(2, T) mean and mean square about it of the frames that have become whole."""
        joined = np.concatenate([self._pending, samples])
        count = len(joined) // self._frame_samples
        frames = joined[: count * self._frame_samples].reshape(count, self._frame_samples)
        self._pending = joined[count * self._frame_samples :]
        means = frames.mean(axis=1, dtype=np.float64)
        return np.asarray([means, np.square(frames - means[:, None]).mean(axis=1)], np.float32)


def levels_of(frames: np.ndarray) -> np.ndarray:
    """Levels (T,) in dB relative to full scale of what `FrameMoments` gave; an offset of all of them is no sound.

    >>> levels_of(np.array([[0.25, 0.25, 0.25], [0.0, 1e-4, 0.01]])).tolist()
    [-120.0, -40.0, -20.0]
    """
    means, powers = np.asarray(frames, np.float64)
    offset = np.median(means) if len(means) else 0.0
    return np.asarray(10 * np.log10(np.maximum(powers + np.square(means - offset), 1e-12)), np.float32)


class SpeechMeter:
    """Takes a recording (N,) piece by piece and judges it at the end."""

    def __init__(self, rate_hz: int) -> None:
        frame_samples = max(1, round(_FRAME_S * rate_hz))
        self._frame_s = frame_samples / rate_hz
        self._meter = FrameMoments(frame_samples)
        self._frames: list[np.ndarray] = [np.zeros((2, 0), np.float32)]

    def feed(self, samples: Array) -> None:
        """Measure (N,)."""
        self._frames.append(self._meter.feed(samples))

    def judge(self) -> Speech:
        """What all pieces together say."""
        levels = levels_of(np.concatenate(self._frames, axis=1))
        loudest = float(levels.max(initial=-120.0))
        if loudest <= SILENT_DB:
            return Speech(0.0, loudest, True)
        quiet, loud = quiet_and_loud(levels, self._frame_s)
        if loud - quiet < LEAST_SPREAD_DB:
            return Speech(0.0, loud, False, loud - quiet)
        steps = np.diff(np.flatnonzero(levels >= speech_level(quiet, loud)))  # from each frame of speech to the next
        count = 1 + int(steps[steps <= _PAUSE_FRAMES].sum() + (steps > _PAUSE_FRAMES).sum())
        return Speech(self._frame_s * count, loud, False, loud - quiet)


def quiet_and_loud(levels: np.ndarray, frame_s: float) -> tuple[float, float]:
    """Levels of the quiet and of the loud frames among (T,), one or more, which are `frame_s` apart.

    >>> quiet_and_loud(np.repeat([-90.0, -20.0], [980, 20]), 0.1)
    (-90.0, -20.0)
    """
    loud_share = min(0.05, _LOUD_S / (frame_s * len(levels)))
    quiet, loud = np.percentile(levels, [10, 100 * (1 - loud_share)])
    return float(quiet), float(loud)


def speech_level(quiet_db: float, loud_db: float) -> float:
    """The level from which on a frame is speech."""
    return max(loud_db - RANGE_DB, quiet_db + _SHARE * (loud_db - quiet_db))
