"""From scores to intervals: smoothing, a threshold between the mean and the highest score, and peaks above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from voxfield.errors import InputError
from voxfield.protocols import Array


class Expression(NamedTuple):
    """One interval in seconds: its beginning, its strongest moment and its end; and the smoothed score there."""

    onset_s: float
    apex_s: float
    offset_s: float
    confidence: float

    def to_dict(self) -> dict[str, float]:
        """Plain values for a line of JSON."""
        return {name: round(value, 3) for name, value in self._asdict().items()}


@dataclass(frozen=True)
class PeakOptions:
    """What makes an interval.

    Attributes:
        share: a peak reaches this share of the way from the mean score to the highest (Moilanen's threshold).
        least: and this score, so that a face at rest has none.
        edge: the interval ends where the smoothed score falls to this share of its peak.

    Raises:
        InputError: a number beyond 0 to 1.
    """

    share: float = 0.4
    least: float = 0.4
    edge: float = 0.5

    def __post_init__(self) -> None:
        for name in ("share", "least", "edge"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


DEFAULT_PEAKS = PeakOptions()


def expressions_in(
    scores: Array, rate_hz: float, apart: int, options: PeakOptions = DEFAULT_PEAKS
) -> tuple[Expression, ...]:
    """Intervals in scores (F,), one a frame, NaN where there is none.

    A score compares frames that lie `apart` frames apart, so it already rises half of that before the onset, and falls
    half of that after the offset: as much is taken off each end.
    """
    from scipy.signal import find_peaks

    if not np.isfinite(scores).any():
        return ()
    smooth = smoothed(scores, apart)
    top = float(smooth.max())
    threshold = max(options.least, float(smooth.mean()) + options.share * (top - float(smooth.mean())))
    peaks, _ = find_peaks(np.concatenate([[-1], smooth, [-1]]), height=threshold, distance=max(1, apart))
    found: list[Expression] = []
    for peak in peaks - 1:
        low = options.edge * smooth[peak]
        before, after = np.flatnonzero(smooth[:peak] < low), np.flatnonzero(smooth[peak:] < low)
        first = int(before[-1]) + 1 if len(before) else 0
        last = peak + int(after[0]) - 1 if len(after) else len(smooth) - 1
        half = min(apart / 2, max(0.0, (last - first) / 2 - 1))
        inside = np.arange(first, last + 1)
        apex = float((inside * smooth[inside]).sum() / smooth[inside].sum())  # of equal scores the middle
        onset_s, apex_s, offset_s = ((float(at) / rate_hz) for at in (first + half, apex, last - half))
        one = Expression(onset_s, apex_s, offset_s, min(1.0, float(smooth[peak])))
        while found and one.onset_s < found[-1].offset_s:  # peaks of one expression
            other = found.pop()
            better = max(other, one, key=lambda each: each.confidence)
            one = better._replace(onset_s=min(other.onset_s, one.onset_s), offset_s=max(other.offset_s, one.offset_s))
        found.append(one)
    return tuple(found)


def smoothed(scores: Array, width: int) -> Array:
    """Running mean over `width` frames of what is known, 0 where nothing is."""
    known = np.isfinite(scores)
    kernel = np.ones(max(1, width))
    sums = np.convolve(np.where(known, scores, 0.0), kernel, "same")
    counts = np.convolve(known.astype(float), kernel, "same")
    mean: Array = np.where(known, sums / np.maximum(counts, 1), 0.0)
    return mean
