"""Whether two people speak in a recording that should hold one: its windows fall into two groups unlike one another."""

from typing import NamedTuple

import numpy as np

from voxfield.features import FeatureStream, features_named
from voxfield.protocols import Array, Engine
from voxfield.tasks.calibration import Calibration
from voxfield.tasks.identification import unit_vectors

WINDOW_S, STEP_S = 1.6, 0.8
LEAST_WINDOWS = 4
MOST_WINDOWS = 150  # two minutes
LEAST_SHARE = 0.12  # of the windows; fewer are outliers rather than somebody else
BEFOREHAND = -1.5  # logarithm of how much rarer two voices in an enrolment are than one, before it was looked at
PAUSE_DB = 15.0  # windows that far under the loud ones hold little speech


class _Window(NamedTuple):
    """Its embedding (D,), and its level."""

    vector: Array
    level_db: float


class WindowVectors:
    """Takes a recording (N,) at the network's rate piece by piece, and embeds window after window of it."""

    def __init__(self, engine: Engine) -> None:
        face = engine.card.interface
        self._engine = engine
        self._kind = features_named(face.features, int(face.input.shape[0]), face.sample_rate_hz)
        least_samples = self._kind.frame_samples + (face.least_steps - 1) * self._kind.hop_samples
        self._window_samples = max(round(WINDOW_S * face.sample_rate_hz), least_samples)
        self._step_samples = round(STEP_S * face.sample_rate_hz)
        self._waiting = np.zeros(0, np.float32)
        self._windows: list[_Window] = []

    def feed(self, samples: Array) -> None:
        """Take (N,)."""
        if len(self._windows) >= MOST_WINDOWS:
            return
        self._waiting = np.concatenate([self._waiting, samples])
        while len(self._waiting) >= self._window_samples and len(self._windows) < MOST_WINDOWS:
            self._windows.append(self._embedded(self._waiting[: self._window_samples]))
            self._waiting = self._waiting[self._step_samples :]

    def speech(self) -> Array:
        """(K, D): embeddings of the windows that hold speech, at length 1."""
        levels = np.array([window.level_db for window in self._windows])
        if not len(levels):
            return np.zeros((0, int(self._engine.card.interface.output.shape[0])), np.float32)
        loud = levels >= np.percentile(levels, 90) - PAUSE_DB
        vectors = np.stack([window.vector for window, kept in zip(self._windows, loud, strict=True) if kept])
        return unit_vectors(vectors)

    def _embedded(self, samples: Array) -> _Window:
        stream = FeatureStream(self._kind)
        features = np.concatenate([stream.feed(samples), stream.flush()], axis=1)
        vector = self._engine.step(np.ascontiguousarray(self._kind.finished(features)[None]), ())[0][0]
        level_db = 10 * np.log10(max(float(np.square(samples, dtype=np.float64).mean()), 1e-12))
        return _Window(vector, float(level_db))


def likeness(vectors: Array) -> float | None:
    """Mean cosine of unit vectors (K, D) between the two groups that they fall into; None where there are none.

    >>> round(likeness(np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)), 2)
    0.1
    """
    if len(vectors) < LEAST_WINDOWS:
        return None
    _, _, axes = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    second = (vectors - vectors.mean(axis=0)) @ axes[0] > 0
    if min(second.mean(), 1 - second.mean()) < LEAST_SHARE:
        return None
    return float((vectors[~second] @ vectors[second].T).mean())


def two_voices(vectors: Array, calibration: Calibration) -> bool:
    """Whether the two groups are so unlike one another that two people are likelier than one, rare as that is."""
    alike = likeness(vectors)
    return alike is not None and calibration.ratio(alike, WINDOW_S) < BEFOREHAND
