"""Where finished samples go: a file that appears only when it is whole."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import soundfile as sf

from voxfield.audio.pcm import quantise
from voxfield.audio.source import Source, native
from voxfield.errors import OutputError
from voxfield.protocols import Array

_BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_OTHER_NAMES = {"OPUS": "OGG", "OGA": "OGG", "AIF": "AIFF", "AIFC": "AIFF", "WAVE": "WAV", "SND": "AU"}
_NEAREST = {  # subtype of the input -> what to store it as, best first, where the other format has its own set
    "DOUBLE": ("DOUBLE", "FLOAT", "PCM_24"),
    "FLOAT": ("FLOAT", "PCM_24"),
    "PCM_32": ("PCM_32", "PCM_24"),
    "PCM_U8": ("PCM_U8", "PCM_S8"),
    "PCM_S8": ("PCM_S8", "PCM_U8"),
}


class Sink(Protocol):
    """Takes blocks of (C, N); `commit` makes them last, leaving without it undoes them."""

    clipped_samples: int

    def write(self, samples: Array) -> None:
        """Append (C, N)."""
        ...

    def commit(self) -> None:
        """Finish: what was written is now the output."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class FileSink:
    """A sound file, written under a temporary name beside its target and renamed by `commit`.

    Args:
        path: the target; its folder is made where it is missing.
        rate_hz: sample rate.
        channels: C.
        format, subtype: in libsndfile's words; see `storage`.
        overwrite: replace what is there.
        tags: title, artist and the like, as far as the format holds them.

    Raises:
        OutputError: the target exists, or its folder cannot be written to.
    """

    def __init__(
        self,
        path: Path,
        rate_hz: int,
        channels: int,
        format: str,
        subtype: str,
        *,
        overwrite: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.clipped_samples = 0
        self._overwrite = overwrite
        self._bits = _BITS.get(subtype, 0)
        self._float = subtype in ("FLOAT", "DOUBLE")
        self._check_free()
        self._part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._part.open("xb").close()
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error
        try:
            self._file = sf.SoundFile(native(self._part), "w", rate_hz, channels, subtype, format=format)
        except (sf.SoundFileError, ValueError, TypeError) as error:
            self._part.unlink(missing_ok=True)
            raise OutputError(
                f"{path}: {format} with {subtype} cannot hold {channels} channels at {rate_hz} Hz "
                f"({str(error).rpartition(': ')[2].rstrip('.')}); choose a name that ends in .wav"
            ) from error
        for key, value in (tags or {}).items():
            with suppress(sf.SoundFileError):  # not every format holds every tag
                setattr(self._file, key, value)

    def write(self, samples: Array) -> None:
        """Append (C, N); integers are rounded to the nearest and clipped at full scale."""
        frames = np.ascontiguousarray(samples.T)
        if not self._float:
            self.clipped_samples += int((np.abs(frames) > 1).sum())
        try:
            if self._bits:
                kept = 16 if self._bits <= 16 else 32
                whole = quantise(frames, self._bits) << (kept - self._bits)
                self._file.write(whole.astype(f"int{kept}"))
            else:
                self._file.write(frames)
        except (sf.SoundFileError, OSError) as error:
            raise OutputError(f"{self.path} could not be written to its end: {error}") from error

    def commit(self) -> None:
        """Close the file and give it its name."""
        try:
            self._file.close()
            self._check_free()
            self._part.replace(self.path)
        except (sf.SoundFileError, OSError) as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(f"{self.path} could not be written to its end: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(sf.SoundFileError):  # a full disk says so once more; the error on its way already tells
            self._file.close()
        self._part.unlink(missing_ok=True)  # nothing is left to unlink after `commit`

    def _check_free(self) -> None:
        if self.path.is_dir():
            raise OutputError(f"{self.path} is a folder, not a file to write")
        if not self._overwrite and self.path.exists():
            raise OutputError(f"{self.path} exists already; allow it to be replaced with --overwrite (overwrite=True)")


def file_sink(path: Path, like: Source, *, channels: int | None = None, overwrite: bool = False) -> FileSink:
    """A sink stored as `like` is, as far as the suffix of `path` allows."""
    format, subtype = storage(path, like)
    channels = channels or like.channels
    return FileSink(path, like.rate_hz, channels, format, subtype, overwrite=overwrite, tags=like.tags)


def storage(path: Path, like: Source) -> tuple[str, str]:
    """Format and subtype for a file of this name: those of `like` where the suffix is the same, else the nearest.

    Raises:
        OutputError: the suffix names no format that can be written.
    """
    if (
        like.format
        and path.suffix.lower() == Path(like.name).suffix.lower()
        and sf.check_format(like.format, like.subtype)
    ):
        return like.format, like.subtype
    word = path.suffix[1:].upper()
    format = _OTHER_NAMES.get(word, word)
    if format not in sf.available_formats() or format == "RAW":
        raise OutputError(f"{path}: '{path.suffix}' names no format that can be written; .wav, .flac, .ogg and .mp3 do")
    if word == "OPUS":
        return format, "OPUS"
    wanted = like.subtype or "PCM_16"
    fitting = (subtype for subtype in _NEAREST.get(wanted, (wanted,)) if sf.check_format(format, subtype))
    return format, next(fitting, str(sf.default_subtype(format)))
