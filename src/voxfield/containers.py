"""Containers of sound and pictures, such as mp4 and mkv, opened with PyAV."""

from typing import Any, BinaryIO

from voxfield.errors import needed


def load_av(extra: str, purpose: str) -> Any:
    """The package `av`, which writes nothing to standard error.

    Raises:
        MissingExtraError: it is not installed.
    """
    av = needed("av", extra, purpose)
    needed("av.logging", extra, purpose).set_level(None)
    return av


def open_reading(av: Any, file: BinaryIO, formats: str) -> Any:
    """A container of one of the formats that are listed; it cannot make FFmpeg open other files, as playlists do.

    Raises:
        av.FFmpegError, OSError, ValueError: it cannot be read.
    """
    safe = {"format_whitelist": formats, "protocol_whitelist": ""}
    if int(av.__version__.partition(".")[0]) < 19:  # which are strict about the texts in it, unless told otherwise
        return av.open(file, "r", container_options=safe, metadata_errors="replace")
    return av.open(file, "r", container_options=safe)
