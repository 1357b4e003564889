"""How a recording is stored: what a result takes over from it, as far as the format of the result can hold it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_HEAD_BYTES = 1 << 16
_MOST_CHUNKS = 100  # that are looked at
_EXTRAS = {  # what may stand in the head of a file and is lost on the way through libsndfile
    b"APIC\0": "cover art",
    b"PIC\0": "cover art",
    b"METADATA_BLOCK_PICTURE": "cover art",
    b"metadata_block_picture": "cover art",
    b"bext": "the broadcast chunk (bext)",
    b"iXML": "the iXML chunk",
    b"cue ": "cue points",
}


@dataclass(frozen=True)
class Bitrate:
    """Of a lossy recording, over all channels."""

    kbps: float
    constant: bool = False  # the same in every frame


@dataclass(frozen=True)
class Stored:
    """How a recording is stored.

    Attributes:
        name: its path, or what to call it in messages.
        format, subtype: in libsndfile's words, or the container and codec in FFmpeg's; empty for arrays.
        bitrate: where it is lossy and the bitrate is known.
        tags: title, artist and the like.
        extras: what else is in the file and cannot be written again.
        picture: the file whose picture a video takes over.
    """

    name: str = "array"
    format: str = ""
    subtype: str = ""
    bitrate: Bitrate | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    picture: Path | None = None


NOT_STORED = Stored()  # samples in memory


def bitrate_of(file: BinaryIO, subtype: str, log: str, seconds: float) -> Bitrate | None:
    """The bitrate of a lossy file, None where it is not lossy.

    Args:
        file: the whole file; its position is kept.
        subtype: in libsndfile's words.
        log: what libsndfile found in the header.
        seconds: duration of the recording.
    """
    if subtype not in ("MPEG_LAYER_III", "VORBIS", "OPUS") or seconds <= 0:
        return None
    here = file.tell()
    total_bytes = file.seek(0, 2)
    file.seek(0)
    head = file.read(1 << 20)
    file.seek(here)
    if subtype != "MPEG_LAYER_III":
        return Bitrate(8 * (total_bytes - _ogg_head_bytes(head)) / seconds / 1000)
    frame = re.search(r"rate\s*: (\d+)\n(?:.*\n)*?\s*framesize\s*: (\d+)", log)
    if frame and re.search(r"bitrate mode\s*: constant", log):
        rate_hz, frame_bytes = int(frame[1]), int(frame[2])
        samples = 1152 if rate_hz >= 32_000 else 576
        return Bitrate(8 * frame_bytes * rate_hz / samples / 1000, constant=True)
    tag = re.search(r"ID3v2\S* header length\s*:\s*(\d+)", log)
    return Bitrate(8 * (total_bytes - (int(tag[1]) if tag else 0)) / seconds / 1000)


def extras_of(file: BinaryIO) -> tuple[str, ...]:
    """Names of what libsndfile does not carry over; the file's position is kept."""
    here = file.tell()
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    file.seek(here)
    found = {name: None for mark, name in _EXTRAS.items() if mark in head}
    if head[:4] == b"fLaC" and 6 in _flac_blocks(head):
        found["cover art"] = None
    if head[:4] == b"RIFF":
        found |= {_EXTRAS[mark]: None for mark in _riff_chunks(file) if mark in _EXTRAS}
        file.seek(here)
    return tuple(found)


def _riff_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Names of the chunks of a wav, those behind the sound among them."""
    at = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        yield head[:4]
        size = int.from_bytes(head[4:], "little")
        at += 8 + size + size % 2


def _ogg_head_bytes(head: bytes) -> int:
    """Bytes of the pages before the first with sound: identification, comments, cover art."""
    at = 0
    while head[at : at + 4] == b"OggS" and at + 27 <= len(head):
        granule = int.from_bytes(head[at + 6 : at + 14], "little")
        if 0 < granule < 2**63:
            return at
        segments = head[at + 27 : at + 27 + head[at + 26]]
        at += 27 + len(segments) + sum(segments)
    return at


def _flac_blocks(head: bytes) -> set[int]:
    """Kinds of the metadata blocks; 6 is a picture."""
    kinds, at, last = set(), 4, False
    while not last and at + 4 <= len(head):
        kinds.add(head[at] & 0x7F)
        last = bool(head[at] & 0x80)
        at += 4 + int.from_bytes(head[at + 1 : at + 4], "big")
    return kinds
