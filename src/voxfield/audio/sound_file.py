"""Recordings in files that libsndfile decodes."""

import os
import re
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile as sf

from voxfield.audio.source import Source
from voxfield.audio.stored import Stored, bitrate_of, extras_of
from voxfield.audio.wav import open_ended
from voxfield.errors import AudioError
from voxfield.protocols import Array

_LONGEST_BLOCK_SAMPLES = 1 << 14  # of codecs that store whole blocks; the header says how full the last one is


class FileSource(Source):
    """A file that libsndfile decodes: wav, flac, ogg, opus, mp3, aiff and more.

    Raises:
        AudioError: missing, unreadable, empty, not sound, or of a rate or number of channels out of bounds.
    """

    def __init__(self, given: Path | BinaryIO, name: str = "") -> None:
        name = name or (str(given) if isinstance(given, Path) else "file object")
        try:
            self._file = sf.SoundFile(native(given) if isinstance(given, Path) else given)
        except (sf.SoundFileError, OSError, TypeError) as error:
            raise AudioError(f"{name} is not sound in a format that can be read: {_reason(error)}") from error
        file, log = self._file, str(self._file.extra_info)
        try:
            if file.frames == 0:
                raise AudioError(f"{name} holds no samples: its header is all there is")
            super().__init__(name, file.samplerate, file.channels, _true_samples(file.frames, log))
        except AudioError:
            file.close()
            raise
        tags = {key: value for key, value in file.copy_metadata().items() if value and key != "software"}
        with given.open("rb") if isinstance(given, Path) else nullcontext(given) as raw:
            bitrate = bitrate_of(raw, file.subtype, log, file.frames / file.samplerate)
            self.stored = Stored(name, file.format, file.subtype, bitrate, tags, extras_of(raw))
        self._cut = re.search(r"(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", log)
        self._damage = ""

    def notes(self) -> list[str]:
        """What the user should know about what was read so far."""
        found = super().notes()
        missing = (self.count_samples or 0) - self.read_samples
        if self._damage or missing > 0:
            found.append(
                f"the file is damaged or cut short: {self.read_samples} of {self.count_samples} samples could be read"
                + (f" ({self._damage})" if self._damage else "")
            )
        elif self._cut and int(self._cut[2]) < int(self._cut[1]) and not open_ended(int(self._cut[1])):
            there, announced = self._cut[2], self._cut[1]
            found.append(
                f"the file is cut short: {there} of the {announced} bytes of sound that it announces are there"
            )
        return found

    def skip(self, count_samples: int) -> int:
        """Pass over so many samples at once where they are stored one by one; how many there were."""
        if not self.stored.subtype.startswith(("PCM_", "FLOAT", "DOUBLE")):
            return super().skip(count_samples)
        passed = min(count_samples, self._file.frames - self.read_samples)
        self._file.seek(self.read_samples + passed)
        self.read_samples += passed
        return int(passed)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _read(self, block_samples: int) -> Array | None:
        if self._damage:
            return None
        if self.count_samples is not None:
            block_samples = min(block_samples, self.count_samples - self.read_samples)
        frames = np.empty((block_samples, self.channels), np.float32)
        try:
            count = len(self._file.read(out=frames))
        except sf.SoundFileError as error:
            self._damage = _reason(error)
            count = self._file.tell() - self.read_samples  # those before the damage were decoded
            if self.read_samples + count <= 0:
                raise AudioError(f"{self.name} cannot be decoded: {self._damage}") from error
        return np.ascontiguousarray(frames[:count].T) if count > 0 else None


def native(path: Path) -> bytes | str:
    """The path as libsndfile takes it: names in no encoding are legal where paths are bytes."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def _true_samples(frames: int, log: str) -> int:
    """Samples of a file whose last block of compressed samples may be filled up; the header says with how many."""
    found = re.search(r"^fact *:.*\n *frames *: (\d+)$", log, re.MULTILINE)
    true = int(found[1]) if found else frames
    return true if 0 < frames - true < _LONGEST_BLOCK_SAMPLES and true else frames


def _reason(error: Exception) -> str:
    """libsndfile's words without the path that they repeat."""
    words = re.sub(r"^Error( opening .*?| ): ", "", str(error)).strip().rstrip(".") or type(error).__name__
    return words.replace("Format not recognised", "it holds no wav, flac, ogg, opus, mp3 or aiff")
