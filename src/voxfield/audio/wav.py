"""The wav header, read from and written to pipes, where nothing can be sought and the end may not be known."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from voxfield.audio.limits import check_layout
from voxfield.audio.pcm import ENCODINGS
from voxfield.errors import AudioError

UNKNOWN = 0xFFFFFFFF  # what a size field says when the end is not known yet
_LIVE_BYTES = range(2**31 - 2**16, 2**31 + 1)  # what sox and arecord write when they cannot know the end
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KINDS = {(_PCM, 8): "u8", (_PCM, 16): "s16le", (_PCM, 24): "s24le", (_PCM, 32): "s32le"} | {
    (_FLOAT, 32): "f32le",
    (_FLOAT, 64): "f64le",
}


class OtherEncodingError(AudioError):
    """A wav stream whose samples are neither PCM nor float; `head` is what was read of it."""

    head = b""


def open_ended(count_bytes: int) -> bool:
    """Whether a size field means that the end was not known when it was written.

    >>> open_ended(0xFFFFFFFF), open_ended(0x7FFFF000), open_ended(32000)
    (True, True, False)
    """
    return count_bytes in (0, UNKNOWN) or count_bytes in _LIVE_BYTES or UNKNOWN - 2**16 < count_bytes <= UNKNOWN


@dataclass(frozen=True)
class WavFormat:
    """What a wav header says; `count_samples` is None where it leaves the end open."""

    rate_hz: int
    channels: int
    encoding: str  # a key of `pcm.ENCODINGS`
    count_samples: int | None

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * ENCODINGS[self.encoding]


def read_header(read: Callable[[int], bytes]) -> WavFormat:
    """The header of a wav stream, read up to the first sample.

    Args:
        read: gives exactly as many bytes as asked for, fewer only at the end.

    Raises:
        AudioError: not a wav stream, cut short, or of a rate or number of channels out of bounds.
        OtherEncodingError: an encoding other than PCM and float.
    """
    riff, _, wave = struct.unpack("<4sI4s", _exactly(read, 12))
    if riff not in (b"RIFF", b"RF64") or wave != b"WAVE":
        raise AudioError(f"a wav stream begins with RIFF....WAVE, not with {riff!r}")
    data_bytes_64 = 0
    form: tuple[int, int, str] | None = None
    while True:
        chunk, size = struct.unpack("<4sI", _exactly(read, 8))
        if chunk == b"data":
            if form is None:
                raise AudioError("the wav header has no 'fmt ' chunk before its data")
            rate_hz, channels, encoding = form
            total = data_bytes_64 if size == UNKNOWN and data_bytes_64 else size
            known = not open_ended(total)
            frame = channels * ENCODINGS[encoding]
            return WavFormat(rate_hz, channels, encoding, total // frame if known else None)
        if size > 2**24:
            raise AudioError(f"the wav header has a chunk {chunk!r} of {size} bytes before its data")
        body = _exactly(read, size + size % 2)
        if chunk == b"ds64" and size >= 16:
            data_bytes_64 = struct.unpack_from("<Q", body, 8)[0]
        if chunk == b"fmt ":
            form = _format(body)


def write_header(form: WavFormat) -> bytes:
    """Header of a wav stream; both sizes say "unknown" where the end is open or beyond 4 GB."""
    data_bytes = UNKNOWN if form.count_samples is None else form.count_samples * form.frame_bytes
    sizes = (UNKNOWN, UNKNOWN) if data_bytes > UNKNOWN - 36 else (data_bytes + 36, data_bytes)
    tag = _FLOAT if form.encoding.startswith("f") else _PCM
    frame, bits = form.frame_bytes, 8 * ENCODINGS[form.encoding]
    fmt = struct.pack("<HHIIHH", tag, form.channels, form.rate_hz, form.rate_hz * frame, frame, bits)
    return struct.pack("<4sI8sI", b"RIFF", sizes[0], b"WAVEfmt ", 16) + fmt + struct.pack("<4sI", b"data", sizes[1])


def _format(body: bytes) -> tuple[int, int, str]:
    if len(body) < 16:
        raise AudioError(f"the 'fmt ' chunk of the wav header holds {len(body)} bytes, not 16 or more")
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack_from("<H", body, 24)[0]
    check_layout("the wav stream", rate_hz, channels)
    if (tag, bits) not in _KINDS:
        raise OtherEncodingError(f"a wav stream of format {tag} with {bits} bits is neither PCM nor float")
    return rate_hz, channels, _KINDS[tag, bits]


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    data = read(count)
    if len(data) < count:
        raise AudioError("the wav stream ends within its header")
    return data
