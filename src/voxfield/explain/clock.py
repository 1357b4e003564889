"""Positions of an axis as times: the rate of a network on samples, or the hop and window of one on frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ..errors import ExplainError
from .report import AxisField, Report


@dataclass(frozen=True)
class Frames:
    """Frames that a network on features reads: `window_samples` long, one every `hop_samples`, at `sample_rate_hz`."""

    sample_rate_hz: float
    hop_samples: int
    window_samples: int

    def __post_init__(self) -> None:
        if min(self.hop_samples, self.window_samples) < 1 or self.sample_rate_hz <= 0:
            raise ExplainError(
                f"Frames of {self.window_samples} samples every {self.hop_samples} at {self.sample_rate_hz} Hz: all "
                "three are above zero."
            )

    @property
    def rate_hz(self) -> float:
        """Frames a second: the rate of the network's time axis."""
        return self.sample_rate_hz / self.hop_samples

    def ms(self, positions: int | Fraction) -> float:
        """Audio under so many frames in a row, the whole window of the last one included."""
        samples = (float(positions) - 1) * self.hop_samples + self.window_samples if positions else 0.0
        return samples * 1000.0 / self.sample_rate_hz


def time_first(fields: Iterable[AxisField]) -> list[AxisField]:
    """Fields in the order people ask for them: time before the other axes."""
    return sorted(fields, key=lambda field: field.axis != "time")


def unit_of(field: AxisField, report: Report) -> str:
    """What a position of the axis is: "samples", "frames", "bins" or "pixels"."""
    if field.axis == "freq":
        return "bins"
    if field.axis != "time":
        return "pixels"
    if len({f.axis for f in report.fields}) > 1:
        return "frames"
    shape = dict(report.input_shapes).get(field.input, ())
    channels = [size for dim, size in enumerate(shape) if dim and size is not None and size != field.in_size]
    if field.rate_hz is not None:
        return "samples" if field.rate_hz >= 4000 else "frames"
    return "frames" if any(c > 2 for c in channels) else "samples"


def span_ms(field: AxisField, positions: int | Fraction | None, frames: Frames | None) -> float | None:
    """Milliseconds of audio under so many positions of the time axis; None without a rate."""
    if positions is None or field.axis != "time":
        return None
    return field.ms(positions) if frames is None else frames.ms(positions)
