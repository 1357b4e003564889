"""Recordings from strangers: opened as the command line opens a pipe, and never longer than allowed."""

from collections.abc import Iterator
from typing import BinaryIO, cast

from voxfield.audio import RawFormat, Source, Stored, open_pipe
from voxfield.protocols import Array
from voxfield.serve.inlet import Inlet
from voxfield.serve.refusal import RefusedError


class Guarded(Source):
    """A source that ends with a refusal where it goes on longer than allowed, whatever its header says.

    So a small file that decodes to days of silence costs no more than a recording of the longest duration allowed,
    and no memory at any time.
    """

    def __init__(self, inner: Source, most_s: float) -> None:
        super().__init__("the recording", inner.rate_hz, inner.channels, inner.count_samples)
        self.inner, self._most_s = inner, most_s
        self.stored = Stored(self.name, inner.stored.format, inner.stored.subtype)
        self._blocks: Iterator[Array] | None = None
        self._most_samples = int(most_s * inner.rate_hz)
        if (inner.count_samples or 0) > self._most_samples:
            raise self._refusal()

    def notes(self) -> list[str]:
        """What the user should know about what was read so far."""
        return self.inner.notes()

    def close(self) -> None:
        """Let go of the upload."""
        self.inner.close()

    def _read(self, block_samples: int) -> Array | None:
        if self._blocks is None:
            self._blocks = self.inner.blocks(block_samples)
        block = next(self._blocks, None)
        if block is not None and self.read_samples + block.shape[1] > self._most_samples:
            raise self._refusal()
        return block

    def _refusal(self) -> RefusedError:
        return RefusedError(
            413, "too_long", f"a recording may last {self._most_s:g} s here; cut it, or use the command line"
        )


def open_upload(inlet: Inlet, raw: str | None, most_s: float) -> Guarded:
    """The recording that an inlet carries; `raw` describes headerless samples, as RATE[,CHANNELS[,ENCODING]].

    Raises:
        AudioError: not sound in a format that can be read; RefusedError where it is too long.
    """
    layout = RawFormat.parse(raw) if raw else None
    return Guarded(open_pipe(cast(BinaryIO, inlet), layout, name="the upload"), most_s)
