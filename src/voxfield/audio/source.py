"""Recordings as blocks of float32 samples, wherever they come from: a file, bytes, an array, a pipe.

Samples that are not finite, or beyond a million times full scale, become zeros, and `notes` says so: one broken sample
must cost neither the recording nor the state of a network that runs through it.
"""

import io
import os
import re
import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import soundfile as sf

from voxfield.audio.limits import check_layout
from voxfield.audio.stored import Bitrate, Stored, bitrate_of, extras_of
from voxfield.audio.wav import open_ended
from voxfield.errors import AudioError, InputError, MissingExtraError
from voxfield.protocols import Array
from voxfield.samples import to_float

LARGEST = 1e6  # what lies beyond this many times full scale is no sound, and its square overflows
BLOCK_SAMPLES = 1 << 14
HEAD_BYTES = 12
_LONGEST_BLOCK_SAMPLES = 1 << 14  # of codecs that store whole blocks; the header says how full the last one is
Given = str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO | np.ndarray


class Source(ABC):
    """One recording to be read once, from front to back.

    Attributes:
        name: what to call it in messages.
        rate_hz: sample rate.
        channels: C.
        count_samples: N, or None where only the end will tell.
        about_samples: N to within a few frames, for showing progress; None where that is not known either.
        format, subtype: how it is stored, in libsndfile's words; empty for arrays.
        tags: title, artist and the like.
        bitrate: where it is lossy and the bitrate is known.
        extras: what else is in the file and libsndfile does not carry over, such as cover art.

    Raises:
        AudioError: a rate or a number of channels out of bounds.
    """

    def __init__(self, name: str, rate_hz: int, channels: int, count_samples: int | None) -> None:
        check_layout(name, rate_hz, channels)
        self.name = name
        self.rate_hz = rate_hz
        self.channels = channels
        self.count_samples = self.about_samples = count_samples
        self.format = self.subtype = ""
        self.tags: dict[str, str] = {}
        self.bitrate: Bitrate | None = None
        self.extras: tuple[str, ...] = ()
        self.read_samples = 0
        self._mended_samples = 0
        self._first_mended = 0

    @property
    def stored(self) -> Stored:
        """How the recording is stored, for a result that shall be stored likewise."""
        return Stored(self.name, self.format, self.subtype, self.bitrate, self.tags, self.extras)

    def blocks(self, block_samples: int = BLOCK_SAMPLES) -> Iterator[Array]:
        """Blocks (C, N) of at most `block_samples`, finite throughout.

        Raises:
            AudioError: nothing could be decoded.
        """
        while (block := self._read(block_samples)) is not None:
            yield self._mend(block)
            self.read_samples += block.shape[1]

    def notes(self) -> list[str]:
        """What the user should know about what was read so far."""
        if not self._mended_samples:
            return []
        at_s = self._first_mended / self.rate_hz
        return [
            f"{self._mended_samples} samples that are not numbers or out of all bounds were replaced by zeros, "
            f"the first at sample {self._first_mended} ({at_s:.3f} s)"
        ]

    def close(self) -> None:
        """Let go of the file."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _read(self, block_samples: int) -> Array | None:
        """The next block (C, N), or None at the end."""

    def _mend(self, block: Array) -> Array:
        if bool(np.abs(block).max(initial=0) <= LARGEST):  # false for NaN as well
            return block
        sound = np.abs(block) <= LARGEST
        if not self._mended_samples:
            self._first_mended = self.read_samples + int(np.argmin(sound.all(axis=0)))
        self._mended_samples += int((~sound).sum())
        return np.where(sound, block, np.float32(0))


class ArraySource(Source):
    """Samples that are in memory already, (N,) or (C, N)."""

    def __init__(self, samples: np.ndarray, rate_hz: int) -> None:
        samples = samples[None] if samples.ndim == 1 else samples
        if samples.ndim != 2:
            raise AudioError(f"samples must be (N,) or (C, N), not {samples.shape}")
        channels, count = samples.shape
        if count < channels and channels > 8:
            raise AudioError(f"samples must be (C, N) with time last; {samples.shape} looks transposed: pass samples.T")
        if count == 0 or channels == 0:
            raise AudioError(f"the array {samples.shape} holds no samples")
        super().__init__("array", rate_hz, channels, count)
        self._samples = to_float(samples)

    def _read(self, block_samples: int) -> Array | None:
        block = self._samples[:, self.read_samples : self.read_samples + block_samples]
        return block if block.shape[1] else None


class FileSource(Source):
    """A file that libsndfile decodes: wav, flac, ogg, opus, mp3, aiff and more.

    Raises:
        AudioError: missing, unreadable, empty, not sound, or of a rate or number of channels out of bounds.
    """

    def __init__(self, given: Path | BinaryIO, name: str = "") -> None:
        name = name or (str(given) if isinstance(given, Path) else "file object")
        if isinstance(given, Path):
            _check_readable(given)
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
        self.format, self.subtype = file.format, file.subtype
        self.tags = {key: value for key, value in file.copy_metadata().items() if value and key != "software"}
        seconds = file.frames / file.samplerate
        if isinstance(given, Path):
            with given.open("rb") as raw:
                self.bitrate, self.extras = bitrate_of(raw, self.subtype, log, seconds), extras_of(raw)
        else:
            self.bitrate, self.extras = bitrate_of(given, self.subtype, log, seconds), extras_of(given)
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

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _read(self, block_samples: int) -> Array | None:
        if self._damage:
            return None
        if self.count_samples is not None:
            block_samples = min(block_samples, self.count_samples - self.read_samples)
        try:
            frames = self._file.read(block_samples, dtype="float32", always_2d=True)
        except sf.SoundFileError as error:
            self._damage = _reason(error)
            if not self.read_samples:
                raise AudioError(f"{self.name} cannot be decoded: {self._damage}") from error
            return None
        return np.ascontiguousarray(frames.T) if len(frames) else None


def open_source(given: Given, rate_hz: int | None = None) -> Source:
    """The recording behind a path, bytes, a binary file object, or an array with its rate.

    Args:
        given: (N,) or (C, N) where it is an array; integers are scaled to full scale 1.
        rate_hz: for an array, and only for an array.

    Raises:
        InputError: an array without its rate, or a rate for something that carries its own.
        AudioError: it cannot be read; the message says why.
    """
    if isinstance(given, np.ndarray):
        if rate_hz is None:
            raise InputError("an array needs its sample rate: pass rate=16000, for example")
        if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float | np.integer | np.floating):
            raise InputError(f"the sample rate must be a number of Hz, not {rate_hz!r}")
        check_layout("the array", rate_hz, 1)
        return ArraySource(given, int(rate_hz))
    if isinstance(given, list | tuple):
        raise InputError(f"a {type(given).__name__} is no array; pass numpy.asarray(samples, numpy.float32)")
    if rate_hz is not None:
        raise InputError("a rate is given for arrays only; a file carries its own")
    if isinstance(given, str | PathLike):
        path = fspath(given)
        return open_file(Path(os.fsdecode(path)).expanduser())
    if isinstance(given, bytes | bytearray | memoryview):
        return open_file(io.BytesIO(given), "the bytes given")
    if hasattr(given, "read"):
        return open_file(_seekable(given), str(getattr(given, "name", "file object")))
    raise InputError(f"a recording is a path, bytes, a binary file object or an array, not {type(given).__name__}")


def open_file(given: Path | BinaryIO, name: str = "") -> Source:
    """The recording in a file, by libsndfile or FFmpeg: the first bytes tell whose it is, not the suffix."""
    if isinstance(given, Path):
        _check_readable(given)
        name = str(given)
        with given.open("rb") as file:
            head = file.read(HEAD_BYTES)
    else:
        here = given.tell()
        head = given.read(HEAD_BYTES)
        given.seek(here)
    if not is_container(head):
        return FileSource(given, name)
    try:
        from voxfield.audio.media import MediaSource

        return MediaSource(given, name)
    except MissingExtraError as error:
        source = Path(name)
        command = shlex.join(["ffmpeg", "-i", str(source), str(source.with_suffix(".wav"))])
        hint = f"; or convert it first, for example with: {command}" if isinstance(given, Path) else ""
        raise MissingExtraError("av", "media", f"reading {name}", hint) from error


def is_container(head: bytes) -> bool:
    """Whether a file that begins like this is one for FFmpeg: mp4, m4a, mov, 3gp, webm, mkv, aac, wma or amr.

    >>> is_container(b"\\0\\0\\0\\x20ftypM4A "), is_container(b"RIFF....WAVE")
    (True, False)
    """
    return (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
        or head.startswith((b"\x1aE\xdf\xa3", b"0&\xb2u\x8ef\xcf\x11", b"#!AMR"))
        or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0)  # ADTS: MPEG sync with layer 0
    )


def native(path: Path) -> bytes | str:
    """The path as libsndfile takes it: names in no encoding are legal where paths are bytes."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def _check_readable(path: Path) -> None:
    """Raise an AudioError that names the reason, where libsndfile would only say that it failed."""
    try:
        if path.exists() and not path.is_file():
            raise AudioError(f"{path} is {'a folder' if path.is_dir() else 'no ordinary file'}, not a recording")
        with path.open("rb") as file:
            if not file.read(1):
                raise AudioError(f"{path} is empty: 0 bytes")
    except FileNotFoundError as error:
        raise AudioError(f"{path} does not exist") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error


def _seekable(file: Any) -> BinaryIO:
    """The file itself, or a copy in memory where it cannot be sought."""
    if isinstance(file, io.TextIOBase):
        raise InputError("a file object must be opened in binary mode, such as open(path, 'rb')")
    try:
        if file.seekable():
            file.seek(0, io.SEEK_CUR)
            return file  # type: ignore[no-any-return]
    except AttributeError:
        pass
    return io.BytesIO(file.read())


def _true_samples(frames: int, log: str) -> int:
    """Samples of a file whose last block of compressed samples may be filled up; the header says with how many."""
    found = re.search(r"^fact *:.*\n *frames *: (\d+)$", log, re.MULTILINE)
    true = int(found[1]) if found else frames
    return true if 0 < frames - true < _LONGEST_BLOCK_SAMPLES and true else frames


def _reason(error: Exception) -> str:
    """libsndfile's words without the path that they repeat."""
    return re.sub(r"^Error opening .*?: ", "", str(error)).strip().rstrip(".") or type(error).__name__
