"""A part of a recording as a recording."""

from dataclasses import replace

from voxfield.audio import Source
from voxfield.errors import AudioError
from voxfield.protocols import Array


class Segment(Source):
    """So many seconds of a recording from an offset on; it owns the recording, and closes it.

    Raises:
        AudioError: the recording ends before the segment begins.
    """

    def __init__(self, whole: Source, offset_s: float, duration_s: float | None) -> None:
        first = round(offset_s * whole.rate_hz)
        wanted = None if duration_s is None else max(round(duration_s * whole.rate_hz), 1)
        there = None if whole.count_samples is None else whole.count_samples - first
        if whole.skip(first) < first or (there is not None and there <= 0):
            raise AudioError(f"{whole.name} ends before {offset_s:g} s, where the segment begins")
        counts = [count for count in (wanted, there) if count is not None]
        super().__init__(whole.name, whole.rate_hz, whole.channels, min(counts, default=None))
        self.stored = replace(whole.stored, picture=None)
        self._whole, self._wanted, self._offset_s = whole, wanted, offset_s

    def notes(self) -> list[str]:
        """What the user should know about what was read so far."""
        found = super().notes()
        due = self.count_samples if self._wanted is None else self._wanted
        if due is not None and self.read_samples < due:
            found.append(
                f"{self.read_samples / self.rate_hz:.3f} s could be read of the {due / self.rate_hz:.3f} s that were "
                f"asked for from {self._offset_s:g} s on"
            )
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._whole.close()

    def _read(self, block_samples: int) -> Array | None:
        if self.count_samples is not None:
            block_samples = min(block_samples, self.count_samples - self.read_samples)
        return self._whole._read(block_samples) if block_samples else None
