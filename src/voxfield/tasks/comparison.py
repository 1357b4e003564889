"""Before and after of one recording, gathered while it is worked on: levels, what was removed, pictures, an excerpt."""

from dataclasses import dataclass

import numpy as np

from voxfield.audio import SampleQueue
from voxfield.protocols import Array
from voxfield.tasks.picture import Spectrogram

_FRAME_S = 0.1
_QUIET_DB = -120.0  # what digital silence is shown as


@dataclass(frozen=True)
class Levels:
    """Levels in dBFS of the frames of a recording, and what they say.

    The noise level is that of the quietest tenth of the frames that are not digital silence, the speech level that of
    the loudest twentieth: estimates, which hold where speech has pauses.
    """

    frames_db: tuple[float, ...]
    noise_db: float
    speech_db: float
    peak_db: float

    @classmethod
    def of(cls, frames_db: list[float], peak: float) -> "Levels":
        """Levels from those of the frames and the largest sample."""
        heard = [level for level in frames_db if level > _QUIET_DB] or [_QUIET_DB]
        noise_db, speech_db = (float(np.percentile(heard, share)) for share in (10, 95))
        return cls(tuple(frames_db), noise_db, speech_db, _db(peak**2))


class Comparison:
    """Takes a recording and what was made of it, block by block; memory grows by some kilobytes a minute.

    Args:
        rate_hz: sample rate of both.
        channels: of both; pictures and levels are of their mean.
        excerpt_s: how much is kept to be listened to, from the beginning.
    """

    def __init__(self, rate_hz: int, channels: int, excerpt_s: float = 60.0) -> None:
        self.rate_hz = rate_hz
        self.count_samples = 0
        self.excerpt_samples = round(excerpt_s * rate_hz)
        self._waiting = SampleQueue(channels)
        self._excerpts: tuple[list[Array], list[Array]] = ([], [])
        self._pictures = (Spectrogram(rate_hz), Spectrogram(rate_hz))
        self._frame_samples = round(_FRAME_S * rate_hz)
        self._pending = np.zeros((3, 0), np.float32)  # before, after, and what was removed
        self._frames_db: tuple[list[float], list[float], list[float]] = ([], [], [])
        self._peaks = np.zeros(3)

    def before(self, samples: Array) -> None:
        """Take (C, N) of the recording."""
        self._waiting.push(samples)

    def after(self, samples: Array) -> None:
        """Take (C, M) of what was made of it; the M samples that they came from were taken before."""
        pair = (self._waiting.pop(samples.shape[1]), samples)
        room = max(0, self.excerpt_samples - self.count_samples)
        self.count_samples += samples.shape[1]
        for side, excerpt, picture in zip(pair, self._excerpts, self._pictures, strict=True):
            if room:
                excerpt.append(side[:, :room].copy())
            picture.feed(side.mean(axis=0))
        lines = np.stack([pair[0].mean(axis=0), pair[1].mean(axis=0), (pair[0] - pair[1]).mean(axis=0)])
        self._peaks = np.maximum(self._peaks, np.abs(lines).max(axis=1, initial=0))
        self._pending = np.concatenate([self._pending, lines], axis=1)
        whole = self._pending.shape[1] // self._frame_samples * self._frame_samples
        frames = self._pending[:, :whole].reshape(3, -1, self._frame_samples)
        self._pending = self._pending[:, whole:]
        for levels, line in zip(self._frames_db, frames, strict=True):
            levels += [_db(float(np.mean(np.square(frame)))) for frame in line]

    def levels(self) -> tuple[Levels, Levels, Levels]:
        """Levels before, after, and of what was removed."""
        if self._pending.shape[1] and not self._frames_db[0]:  # shorter than a frame
            for levels, line in zip(self._frames_db, self._pending, strict=True):
                levels.append(_db(float(np.mean(np.square(line)))))
        first, second, third = (
            Levels.of(list(levels), float(peak)) for levels, peak in zip(self._frames_db, self._peaks, strict=True)
        )
        return first, second, third

    def pictures(self) -> tuple[Array, Array]:
        """Power (F, columns) before and after."""
        return self._pictures[0].power(), self._pictures[1].power()

    def excerpts(self) -> tuple[Array, Array]:
        """The beginning, (C, N), before and after."""
        first, second = (np.concatenate(parts, axis=1) for parts in self._excerpts)
        return first, second


def _db(power: float) -> float:
    return max(_QUIET_DB, 10 * float(np.log10(power + 1e-30)))
