"""A sink that brings what passes to a loudness: it is measured while it is written aside, then copied with one gain."""

import numpy as np

from voxfield.audio import BLOCK_SAMPLES, FileSink, Sink
from voxfield.errors import InputError
from voxfield.files import PartFile, refused
from voxfield.protocols import Array
from voxfield.tasks.enhancement.loudness import LoudnessMeter

PIPED = "a loudness needs the whole recording to be measured before the first sample is written; name a file with -o"


class LoudnessSink(Sink):
    """Holds back all samples, in a file beside the result and not in memory, until `commit`.

    Args:
        sink: where the result goes.
        target_lufs: the integrated loudness that it shall have.
        rate_hz, channels: of what is written.

    Raises:
        InputError: the sink is a pipe, which is written as samples come.
        OutputError: nothing can be written beside the result.
    """

    def __init__(self, sink: Sink, target_lufs: float, rate_hz: int, channels: int) -> None:
        if not isinstance(sink, FileSink):
            raise InputError(PIPED)
        self._sink, self._target_lufs, self._channels = sink, target_lufs, channels
        self._meter = LoudnessMeter(rate_hz, channels)
        self._part = PartFile(sink.path, overwrite=True)
        self._aside = self._part.path.open("wb")
        self._done = ""

    def write(self, samples: Array) -> None:
        """Append (C, N)."""
        self._meter.feed(samples)
        with refused(f"{self._sink.path} could not be written to its end"):
            self._aside.write(np.ascontiguousarray(samples.T, np.float32).tobytes())

    def commit(self) -> None:
        """Write the result at its loudness."""
        with refused(f"{self._sink.path} could not be written to its end"):
            self._aside.close()
        gain, self._done = self._meter.finish().gain(self._target_lufs)
        with self._part.path.open("rb") as aside:
            while len(samples := np.fromfile(aside, np.float32, BLOCK_SAMPLES * self._channels)):
                self._sink.write(samples.reshape(-1, self._channels).T * np.float32(gain))
        self._sink.commit()
        self.clipped_samples = self._sink.clipped_samples

    def notes(self) -> list[str]:
        """What the user should know about the output."""
        return [self._done, *self._sink.notes()]

    def __exit__(self, *_: object) -> None:
        try:
            self._aside.close()
        except OSError:  # a full disk says so once more; the error on its way already tells
            pass
        finally:
            self._part.discard()
