"""Whether two people speak in a recording that should hold one: its windows fall into two groups unlike one another."""

import numpy as np

from voxfield.protocols import Array
from voxfield.tasks.speakers.calibration import Calibration

LEAST_WINDOWS = 4
LEAST_SHARE = 0.12  # of the windows; fewer are outliers rather than somebody else
BEFOREHAND = -2.0  # logarithm of how much rarer two voices in an enrolment are than one; warns of 1 in 20 of one voice


def likeness(vectors: Array) -> float | None:
    """Mean cosine of unit vectors (K, D) between the two groups that they fall into; None where there are none.

    >>> round(likeness(np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32)), 2)
    0.1
    """
    if len(vectors) < LEAST_WINDOWS:
        return None
    centred = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    second = centred @ axes[0] > 0
    if min(second.mean(), 1 - second.mean()) < LEAST_SHARE:
        return None
    return float((vectors[~second] @ vectors[second].T).mean())


def two_voices(vectors: Array, window_s: float, calibration: Calibration) -> bool:
    """Whether two people are likelier than one, by the unit vectors (K, D) of windows of so many seconds."""
    alike = likeness(vectors)
    return alike is not None and calibration.ratio(alike, window_s) < BEFOREHAND
