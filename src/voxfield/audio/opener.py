"""A recording behind whatever it is given as: a path, bytes, a file object, an array."""

import io
import os
import re
import shlex
from os import PathLike, fspath
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from voxfield.audio.limits import check_rate
from voxfield.audio.media import MediaSource
from voxfield.audio.sound_file import FileSource
from voxfield.audio.source import ArraySource, Source
from voxfield.errors import AudioError, InputError, MissingExtraError
from voxfield.files import home_spelt

HEAD_BYTES = 12  # of a file, which tell what it is
Given = str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO | np.ndarray | Source


def open_source(given: Given, rate_hz: int | None = None) -> Source:
    """The recording behind a path, bytes, a binary file object, or an array with its rate; an open one is given back.

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
        check_rate("the array", rate_hz)
        return ArraySource(given, int(rate_hz))
    if isinstance(given, list | tuple) and given and all(isinstance(one, str | PathLike) for one in given):
        raise InputError(f"{len(given)} paths are given; call it once for each recording")
    if isinstance(given, list | tuple) or hasattr(given, "__array__"):  # a torch tensor has it
        raise InputError(f"a {type(given).__name__} is no array; pass numpy.asarray(samples)")
    if not isinstance(given, Source | str | PathLike | bytes | bytearray | memoryview) and not hasattr(given, "read"):
        raise InputError(f"a recording is a path, bytes, a binary file object or an array, not {type(given).__name__}")
    if rate_hz is not None:
        raise InputError("a rate is given for arrays only; a file carries its own")
    if isinstance(given, Source):
        return given
    if isinstance(given, str | PathLike):
        path = fspath(given)
        if not path:
            raise InputError("the path is empty; name a recording")
        return open_file(home_spelt(os.fsdecode(path)))
    if isinstance(given, bytes | bytearray | memoryview):
        return open_file(io.BytesIO(given), "the data given")
    name = getattr(given, "name", None)  # of a temporary file a number
    return open_file(_seekable(given), name if isinstance(name, str) else "the file object")


def open_file(given: Path | BinaryIO, name: str = "") -> Source:
    """The recording in a file, by libsndfile or FFmpeg: the first bytes tell whose it is, not the suffix."""
    if isinstance(given, Path):
        name, head = str(given), _head(given)
    else:
        here = given.tell()
        head = given.read(HEAD_BYTES)
        given.seek(here)
        if not head:
            raise AudioError(f"{name} has nothing to read{': it is at its end; seek(0) goes back' if here else ''}")
    if not is_container(head):
        return FileSource(given, name)
    try:
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


def _head(path: Path) -> bytes:
    """How a file begins.

    Raises:
        AudioError: it cannot be read; the reason is named, where libsndfile would only say that it failed.
    """
    try:
        if path.exists() and not path.is_file():
            raise AudioError(f"{path} is {'a folder' if path.is_dir() else 'no ordinary file'}, not a recording")
        with path.open("rb") as file:
            if head := file.read(HEAD_BYTES):
                return head
        raise AudioError(f"{path} is empty: 0 bytes; copy or record it again")
    except FileNotFoundError as error:
        address = re.match(r"(?!file:)[a-z0-9]{2,}:/", str(path))  # Path makes one slash of two
        hint = ", and addresses are not opened; download it first, or use `voxfield batch`" if address else ""
        raise AudioError(f"{path} does not exist{hint}") from error
    except AudioError:
        raise
    except ValueError as error:  # a zero byte in the name
        raise AudioError(f"{str(path)!r} cannot be read: {error}") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error


def _seekable(file: Any) -> BinaryIO:
    """The file itself, or a copy in memory where it cannot be sought."""
    if isinstance(file, io.TextIOBase):
        raise InputError("a file object must be opened in binary mode, such as open(path, 'rb')")
    try:
        seekable = file.seekable()
        content = file.read(0 if seekable else -1)
        if seekable:
            file.seek(0, io.SEEK_CUR)
    except AttributeError:  # it can be read and no more
        seekable, content = False, file.read()
    except ValueError as error:
        raise InputError(f"the file object is {'closed' if file.closed else 'not open for reading'}") from error
    if not isinstance(content, bytes):
        raise InputError(f"a file object gives bytes, as open(path, 'rb') does, and a {type(file).__name__} does not")
    return file if seekable else io.BytesIO(content)
