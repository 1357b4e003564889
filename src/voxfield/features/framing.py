"""One recording on its way into features, block by block: the ends are extended, everything between is as it is."""

from typing import Protocol

import numpy as np

from voxfield.protocols import Array


class Features(Protocol):
    """What a kind of features is; immutable, any number of streams may share one.

    Attributes:
        bands: numbers a frame.
        frame_samples: samples that a frame looks at.
        hop_samples: from one frame to the next.
        first_sample: where frame 0 begins; below 0 where the beginning is extended.
    """

    @property
    def bands(self) -> int: ...
    @property
    def frame_samples(self) -> int: ...
    @property
    def hop_samples(self) -> int: ...
    @property
    def first_sample(self) -> int: ...

    def frames(self, count_samples: int) -> int:
        """Frames that so many samples make."""

    def prepared(self, samples: Array, before: Array) -> Array:
        """Samples (N,) as they are framed; `before` holds those that came before, none at the beginning."""

    def extended(self, samples: Array, start: int, stop: int) -> Array:
        """Samples from `start` to `stop`, which may lie beyond both ends."""

    def analyse(self, samples: Array) -> Array:
        """Features (bands, T) of the frames that lie within samples (N,), the first from sample 0 on."""

    def finished(self, features: Array) -> Array:
        """Features (bands, T) of a whole recording as a network takes them, such as without their mean."""


class FeatureStream:
    """One recording on its way into features: samples (N,) of any number in, (bands, T) out."""

    def __init__(self, kind: Features) -> None:
        self._kind = kind
        self._begun = False
        self._pending = self._before = np.zeros(0, np.float32)
        self._count_samples = self._done_frames = 0

    def feed(self, samples: Array) -> Array:
        """The frames that have become final."""
        self._count_samples += len(samples)
        if not self._begun:
            samples = np.concatenate([self._pending, samples], dtype=np.float32)
            if len(samples) <= self._kind.frame_samples:
                self._pending = samples
                return np.zeros((self._kind.bands, 0), np.float32)
            self._begun = True
            ready = self._kind.prepared(samples, self._before)
            self._pending = self._kind.extended(ready, self._kind.first_sample, len(ready))
        elif len(samples):
            self._pending = np.concatenate([self._pending, self._kind.prepared(samples, self._before)])
        self._before = samples[-1:] if len(samples) else self._before
        return self._analyse()

    def flush(self) -> Array:
        """The rest. The recording ends here."""
        kind = self._kind
        missing = kind.frames(self._count_samples) - self._done_frames
        if missing <= 0:
            return np.zeros((kind.bands, 0), np.float32)
        ready = self._pending if self._begun else kind.prepared(self._pending, self._before)
        start = 0 if self._begun else kind.first_sample
        self._pending = kind.extended(ready, start, start + (missing - 1) * kind.hop_samples + kind.frame_samples)
        return self._analyse()

    def _analyse(self) -> Array:
        features = self._kind.analyse(self._pending)
        self._done_frames += features.shape[1]
        self._pending = self._pending[features.shape[1] * self._kind.hop_samples :]
        return features


def whole(samples: Array, kind: Features) -> Array:
    """Features (bands, T) of a whole recording (N,), not finished."""
    stream = FeatureStream(kind)
    return np.concatenate([stream.feed(samples), stream.flush()], axis=1)


def minus_mean(features: Array) -> Array:
    """Features (bands, T) less the mean of each band over time, which takes the sound of the microphone away."""
    return features - features.mean(axis=1, keepdims=True) if features.shape[1] else features
