"""The log-mel bands of a recording, which wait on disk: each is seen around the level of all of them."""

import tempfile
from pathlib import Path
from typing import IO, cast

import numpy as np

from voxfield.features.centred import RANGE_DB
from voxfield.features.log_mel import LogMel
from voxfield.files import Closing, refused
from voxfield.protocols import Array

ON_DISK = "the bands of the recording cannot wait on disk"
_HELD_BYTES = 1 << 20  # a minute of 64 bands; what is longer goes to disk
_PIECE_FRAMES = 4096


class WaitingBands(Closing):
    """Bands on their way to a network that takes them around their level, in constant memory.

    Args:
        kind: of features.
        beside: a file in whose folder they wait; that of the system for temporary files if None.

    Attributes:
        count_frames: how many were added.
    """

    def __init__(self, kind: LogMel, beside: Path | None = None) -> None:
        self._kind, self._loudest_db = kind, -np.inf
        self.count_frames = 0
        with refused(ON_DISK):
            if beside is not None:
                beside.parent.mkdir(parents=True, exist_ok=True)
            folder = None if beside is None else str(beside.parent)
            self._file = cast(IO[bytes], tempfile.SpooledTemporaryFile(_HELD_BYTES, dir=folder))  # noqa: SIM115

    def add(self, bands: Array) -> None:
        """Take (bands, T) in dB.

        Raises:
            OutputError: the disk takes no more.
        """
        if not bands.shape[1]:
            return
        self._loudest_db = max(self._loudest_db, float(bands.max()))
        self.count_frames += bands.shape[1]
        with refused(ON_DISK):
            self._file.write(np.ascontiguousarray(bands.T, "<f4").tobytes())

    def level_db(self) -> float:
        """Mean of all bands, none taken for lower than 80 dB below the loudest; see `LogMel.level_db`."""
        total, floor = 0.0, np.float32(self._loudest_db - RANGE_DB)
        for first in range(0, self.count_frames, _PIECE_FRAMES):
            total += float(np.maximum(self._read(first, first + _PIECE_FRAMES), floor).sum(dtype=np.float64))
        return total / (self.count_frames * self._kind.bands)

    def finished(self, first: int, last: int, level_db: float) -> Array:
        """(bands, last - first) as a network takes them; beyond the end the last frame is repeated."""
        frames = self._read(first, last).T
        missing = last - first - frames.shape[1]
        finished = self._kind.around(frames, self._loudest_db, level_db)
        return np.pad(finished, ((0, 0), (0, missing)), mode="edge") if missing else finished

    def close(self) -> None:
        """Forget them."""
        self._file.close()

    def _read(self, first: int, last: int) -> Array:
        """Frames (T, bands), fewer where there are no more."""
        frame_bytes = 4 * self._kind.bands
        with refused(ON_DISK):
            self._file.seek(first * frame_bytes)
            content = self._file.read((min(last, self.count_frames) - first) * frame_bytes)
        return np.frombuffer(content, "<f4").reshape(-1, self._kind.bands)
