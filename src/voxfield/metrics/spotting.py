"""Scores of spotted intervals as in the challenge MEGC: an interval is right where it overlaps a true one by half."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Interval = tuple[float, float]  # onset and offset


class Spots(NamedTuple):
    """How many intervals were found, made up and missed; sums over several videos are what a score is of."""

    found: int
    invented: int
    missed: int

    def __add__(self, other: object) -> Spots:
        if not isinstance(other, Spots):
            return NotImplemented
        return Spots(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def precision(self) -> float:
        """Share of what was spotted that is there; 0 where nothing was spotted."""
        return self.found / max(1, self.found + self.invented)

    @property
    def recall(self) -> float:
        """Share of what is there that was spotted; 0 where nothing is there."""
        return self.found / max(1, self.found + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 1 where nothing is there and nothing was spotted."""
        total = 2 * self.found + self.invented + self.missed
        return 2 * self.found / total if total else 1.0


def spots(truth: Sequence[Interval], spotted: Sequence[Interval], least_overlap: float = 0.5) -> Spots:
    """Spotted intervals against true ones, each matched at most once, the largest overlap first.

    >>> spots([(1.0, 1.4), (3.0, 3.5)], [(1.1, 1.5), (5.0, 5.4)])
    Spots(found=1, invented=1, missed=1)
    """
    pairs = sorted(
        ((overlap(a, b), i, j) for i, a in enumerate(truth) for j, b in enumerate(spotted)), key=lambda pair: -pair[0]
    )
    hits: list[tuple[int, int]] = []
    for share, i, j in pairs:
        if share >= least_overlap and all(i != k and j != m for k, m in hits):
            hits.append((i, j))
    return Spots(len(hits), len(spotted) - len(hits), len(truth) - len(hits))


def overlap(a: Interval, b: Interval) -> float:
    """Intersection over union of two intervals."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - shared
    return shared / union if union > 0 else 0.0
