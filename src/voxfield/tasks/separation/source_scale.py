"""Brings separated voices to the scale of their mixture.

Networks trained on a scale-invariant score may give voices at any scale. The gains with which the voices add up best to
the mixture, in the least-squares sense, undo that; the past counts, so that the gain of a voice does not jump.
"""

import numpy as np

from voxfield.protocols import Array

_PRIOR = 0.03  # weight of one gain for all voices against a gain for each


class SourceScale:
    """Gains (S,) of voices, from all mixtures and voices seen so far.

    Args:
        sources: S.
        memory: share of the past that one update leaves.
    """

    def __init__(self, sources: int, memory: float = 0.7) -> None:
        self._memory = memory
        self._products = np.zeros((sources, sources))
        self._matches = np.zeros(sources)
        self._gains = np.ones(sources, np.float32)

    def update(self, mixture: Array, voices: Array) -> Array:
        """Gains after one more piece: (N,) mixture, (S, N) voices, in the same order as before."""
        voices64 = voices.astype(np.float64)
        self._products = self._memory * self._products + voices64 @ voices64.T
        self._matches = self._memory * self._matches + voices64 @ mixture.astype(np.float64)
        energy = float(np.trace(self._products)) / len(self._matches)
        if energy > 0:
            shared = float(self._matches.sum() / max(self._products.sum(), 1e-3 * energy))
            weight = _PRIOR * energy
            table = self._products + weight * np.eye(len(self._matches))
            self._gains = np.linalg.solve(table, self._matches + weight * shared).astype(np.float32)
        return self._gains
