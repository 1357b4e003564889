"""Samples into a file through libsndfile."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile as sf

from voxfield.audio.pcm import quantise
from voxfield.audio.sound_file import native
from voxfield.audio.target import Target, bitrates
from voxfield.errors import OutputError
from voxfield.files import PartFile
from voxfield.protocols import Array

LIMIT_BYTES = 2**32 - 2**20  # of sound; what a header with 32-bit sizes can say, with room for tags
_NARROW = {"WAV", "WAVEX", "AIFF", "AU"}  # formats with 32-bit sizes
_TAGS = {"title", "copyright", "artist", "comment", "date", "album", "license", "tracknumber", "genre"}
_BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}  # of integers
_BYTES = {"ULAW": 1, "ALAW": 1, "FLOAT": 4, "DOUBLE": 8} | {subtype: bits // 8 for subtype, bits in _BITS.items()}


class SoundWriter:
    """A file that libsndfile encodes. A wav file beyond 4 GiB becomes RF64.

    Args:
        path: an existing file to fill.
        target: how to store the samples.
        tags: title, artist and the like; those that the format cannot hold are named in `notes`.
        expected_samples: how many are to come, where that is known.

    Raises:
        OutputError: the format cannot hold them.
    """

    def __init__(
        self, path: Path, target: Target, *, tags: Mapping[str, str] = {}, expected_samples: int | None = None
    ) -> None:
        self.notes: list[str] = []
        self._path, self._target, self._tags = path, target, tags
        self._bits = _BITS.get(target.subtype, 0)
        self._frame_bytes = _BYTES.get(target.subtype, 1) * target.channels
        self._narrow = target.format in _NARROW
        self._written_samples = 0
        self._larger: PartFile | None = None
        self._format = target.format
        if self._narrow and (expected_samples or 0) * self._frame_bytes > LIMIT_BYTES:
            self._format = self._wide_format()
        self._file = self._open(path)
        if target.subtype == "VORBIS" and target.bitrate is not None and target.bitrate.constant:  # it was asked for
            least, most = (_nominal(level, target.rate_hz, target.channels) for level in (1, 0))
            if not least <= target.bitrate.kbps <= most:
                nearest = min(max(target.bitrate.kbps, least), most)
                self.notes.append(f"Vorbis has {least:.0f} to {most:.0f} kbit/s here, so the result has {nearest:.0f}")
        unkept = [key for key, value in tags.items() if not self._tag(key, value)]
        if unkept:
            self.notes.append(f"{self._format} files hold no {', '.join(unkept)}: not kept")

    def write(self, samples: Array) -> None:
        """Append (C, N); integers are rounded to the nearest and clipped at full scale."""
        self._written_samples += samples.shape[1]
        if self._narrow and self._format in _NARROW and self._written_samples * self._frame_bytes > LIMIT_BYTES:
            self._widen()
        frames = np.ascontiguousarray(samples.T)
        if self._bits:
            kept = 16 if self._bits <= 16 else 32
            whole = quantise(frames, self._bits) << (kept - self._bits)
            self._file.write(whole.astype(f"int{kept}"))
        else:
            self._file.write(frames)

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
        if self._larger is not None:
            self._larger.commit()
        elif self._target.subtype == "IMA_ADPCM":
            _say_length(self._path, self._written_samples)

    def abort(self) -> None:
        """Let go of the file; what is in it does not matter any more."""
        with suppress(sf.SoundFileError):  # a full disk says so once more; the error on its way already tells
            self._file.close()
        if self._larger is not None:
            self._larger.discard()

    def _open(self, path: Path) -> sf.SoundFile:
        target = self._target
        level, mode = _compression(target)
        return sf.SoundFile(
            native(path),
            "w",
            target.rate_hz,
            target.channels,
            target.subtype,
            format=self._format,
            compression_level=level,
            bitrate_mode=mode,
        )

    def _tag(self, key: str, value: str) -> bool:
        if key not in _TAGS:  # another name would be an attribute of the object that writes
            return False
        try:
            setattr(self._file, key, value)
        except sf.SoundFileError:
            return False
        return True

    def _wide_format(self) -> str:
        if not self._format.startswith("WAV") or not sf.check_format("RF64", self._target.subtype):
            raise OutputError(f"{self._format} files end at 4 GiB; choose a name that ends in .w64, .caf or .flac")
        self.notes.append("beyond 4 GiB a wav file cannot say its own size: it was written as RF64")
        return "RF64"

    def _widen(self) -> None:
        """Go on in an RF64 file beside this one, which starts with all that was written so far."""
        self._format = self._wide_format()
        self._file.close()
        self._larger = PartFile(self._path, overwrite=True)
        kind = "float64" if self._target.subtype in ("FLOAT", "DOUBLE") else "int32" if self._bits > 16 else "int16"
        with sf.SoundFile(native(self._path)) as before:
            self._file = self._open(self._larger.path)
            for key, value in self._tags.items():
                self._tag(key, value)
            while len(frames := before.read(1 << 16, dtype=kind, always_2d=True)):
                self._file.write(frames)
        self._path.open("wb").close()  # the space is needed


def _compression(target: Target) -> tuple[float | None, str | None]:
    """What libsndfile calls compression level, 0 to 1, and bitrate mode; None leaves the choice to it."""
    if target.bitrate is None:
        return None, None
    kbps = target.bitrate.kbps
    if target.subtype == "VORBIS":
        return _vorbis_level(round(kbps), target.rate_hz, target.channels), None
    least, most = bitrates(target.subtype, target.rate_hz, target.channels)
    share = (most - kbps) / (most - least)
    if target.subtype == "OPUS":
        return share, None
    return min(share, 0.999), "CONSTANT" if target.bitrate.constant else "AVERAGE"


@cache
def _vorbis_level(kbps: int, rate_hz: int, channels: int) -> float:
    """The level whose nominal bitrate, which the encoder writes into its header, is the nearest."""
    return min((level / 20 for level in range(21)), key=lambda level: abs(_nominal(level, rate_hz, channels) - kbps))


def _nominal(level: float, rate_hz: int, channels: int) -> float:
    file = BytesIO()
    sf.SoundFile(file, "w", rate_hz, channels, "VORBIS", format="OGG", compression_level=level).close()
    return nominal_kbps(file.getvalue()) or 0.0


def nominal_kbps(head: bytes) -> float | None:
    """Nominal bitrate in the identification header of Ogg Vorbis, where it says one.

    >>> nominal_kbps(b"OggS")
    """
    at = head.find(b"\x01vorbis")
    found = int.from_bytes(head[at + 20 : at + 24], "little", signed=True) if at >= 0 else 0
    return found / 1000 if found > 0 else None


def _say_length(path: Path, count_samples: int) -> None:
    """Write the true number of samples into the 'fact' chunk, where libsndfile counts whole blocks."""
    with path.open("r+b") as file:
        at = file.read(256).find(b"fact\x04\0\0\0")
        if at >= 0:
            file.seek(at + 8)
            file.write(count_samples.to_bytes(4, "little"))
