"""A recording and what was made of it, gathered block by block for a report: levels, spectrograms, excerpts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxfield.audio import SampleQueue
from voxfield.protocols import Array
from voxfield.samples import QUIET_DB, Downmix, power_db
from voxfield.tasks.report.picture import Spectrogram

_FRAME_S = 0.1
_MOST_DB = 20.0  # of a gain that matches levels: an empty output stays quiet


@dataclass(frozen=True)
class Levels:
    """Levels in dBFS of the frames of a recording, and what follows from them.

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
        sounding = [level for level in frames_db if level > QUIET_DB] or [QUIET_DB]
        noise_db, speech_db = (float(np.percentile(sounding, share)) for share in (10, 95))
        return cls(tuple(frames_db), noise_db, speech_db, power_db(peak**2))


class LevelMeter:
    """Power of frames of 100 ms, averaged over channels, and the largest sample of all."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._frame_samples = round(_FRAME_S * rate_hz)
        self._pending = np.zeros((channels, 0), np.float32)
        self._frames_db: list[float] = []
        self._peak = 0.0

    def feed(self, samples: Array) -> None:
        """Take (C, N)."""
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0)))
        self._pending = np.concatenate([self._pending, samples], axis=1)
        whole = self._pending.shape[1] // self._frame_samples * self._frame_samples
        frames = self._pending[:, :whole].reshape(len(samples), -1, self._frame_samples)
        self._pending = self._pending[:, whole:]
        self._frames_db += [power_db(float(power)) for power in np.square(frames).mean(axis=(0, 2))]

    def levels(self) -> Levels:
        """Levels so far; a recording shorter than a frame is one frame."""
        frames_db = list(self._frames_db)
        if not frames_db and self._pending.shape[1]:
            frames_db = [power_db(float(np.square(self._pending).mean()))]
        return Levels.of(frames_db, self._peak)


class Track:
    """One signal of a comparison.

    Attributes:
        name: what the report calls it.
        picture: spectrogram of its channels, mixed.
        meter: levels.
    """

    def __init__(self, name: str, rate_hz: int, channels: int, excerpt_samples: int) -> None:
        self.name = name
        self.picture = Spectrogram(rate_hz)
        self.meter = LevelMeter(rate_hz, channels)
        self._downmix = Downmix()
        self._excerpt = [np.zeros((channels, 0), np.float32)]
        self._missing_samples = excerpt_samples

    def feed(self, samples: Array) -> None:
        """Take (C, N)."""
        if self._missing_samples:
            self._excerpt.append(samples[:, : self._missing_samples].copy())
            self._missing_samples -= self._excerpt[-1].shape[1]
        self.picture.feed(self._downmix.feed(samples))
        self.meter.feed(samples)

    def excerpt(self) -> Array:
        """The beginning, (C, N)."""
        return np.concatenate(self._excerpt, axis=1)


class Comparison:
    """Takes a recording and its results block by block; memory grows by some kilobytes a minute.

    Args:
        rate_hz: sample rate of all.
        channels: C of all.
        excerpt_s: how much is kept to be listened to, from the beginning.
        recording: what the report calls the recording.
        results: what it calls each result.

    Attributes:
        tracks: the recording, then each result.
        removed: levels of what a single result lacks of the recording; None where there are several.
        count_samples: samples that all have by now.
    """

    def __init__(
        self,
        rate_hz: int,
        channels: int,
        excerpt_s: float = 60.0,
        *,
        recording: str = "Before",
        results: Sequence[str] = ("After",),
    ) -> None:
        self.rate_hz = rate_hz
        self.count_samples = 0
        self.excerpt_samples = round(excerpt_s * rate_hz)
        self.tracks = [Track(name, rate_hz, channels, self.excerpt_samples) for name in (recording, *results)]
        self.removed = LevelMeter(rate_hz, channels) if len(results) == 1 else None
        self._waiting = SampleQueue(channels)

    def before(self, samples: Array) -> None:
        """Take (C, N) of the recording."""
        self._waiting.push(samples)

    def after(self, results: Array) -> None:
        """Take (R, C, M), or (C, M) of a single result; the M samples that they came from were taken before."""
        results = results[None] if results.ndim == 2 else results
        recording = self._waiting.pop(results.shape[2])
        self.count_samples += results.shape[2]
        for track, samples in zip(self.tracks, (recording, *results), strict=True):
            track.feed(samples)
        if self.removed is not None:
            self.removed.feed(recording - results[0])


def matching_gains_db(levels: Sequence[Levels]) -> list[float]:
    """Gains in dB that bring every signal to the speech level of the first, and all down together if one would clip.

    A gain before that is at most 20 dB either way, and 0 for silence.

    >>> loud, quiet = Levels((), -60, -20, -3), Levels((), -80, -24, -1)
    >>> matching_gains_db([loud, quiet])
    [-3.0, 1.0]
    """
    gains = [
        0.0
        if level.speech_db <= QUIET_DB
        else float(np.clip(levels[0].speech_db - level.speech_db, -_MOST_DB, _MOST_DB))
        for level in levels
    ]
    above = max(0.0, *(gain + level.peak_db for gain, level in zip(gains, levels, strict=True)))
    return [gain - above for gain in gains]
