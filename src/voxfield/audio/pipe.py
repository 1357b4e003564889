"""Live sound on pipes: wav or raw PCM read as it arrives, and written at once.

What arrives is passed on as soon as it is there, so a program that feeds one hop gets one hop back.
"""

import os
import re
import tempfile
from dataclasses import dataclass
from typing import IO, Any, BinaryIO, cast

import numpy as np

from voxfield.audio.limits import check_layout
from voxfield.audio.opener import HEAD_BYTES, is_container, open_file
from voxfield.audio.pcm import ENCODINGS, SUBTYPES, decode, encode
from voxfield.audio.resampler import Resampler
from voxfield.audio.sink import Sink
from voxfield.audio.source import Source
from voxfield.audio.stored import Stored
from voxfield.audio.target import AS_RECORDED, OutputFormat
from voxfield.audio.wav import OtherEncodingError, WavFormat, read_header, write_header
from voxfield.errors import AudioError, InputError, OutputError
from voxfield.files import refused
from voxfield.protocols import Array

_MEMORY_BYTES = 32 << 20  # of a stream that has to be sought in
_SPOOLED = (  # how formats begin that have to be sought in
    *(b"fLaC", b"riff", b"RIFX", b"NIST", b"OggS", b"ID3", b"FORM", b"caff", b".snd"),
    *(b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa"),
)


@dataclass(frozen=True)
class RawFormat:
    """How headerless samples are laid out."""

    rate_hz: int
    channels: int = 1
    encoding: str = "s16le"

    @classmethod
    def parse(cls, text: str) -> "RawFormat":
        """The layout of `RATE[,CHANNELS[,ENCODING]]`.

        >>> RawFormat.parse("48000,2")
        RawFormat(rate_hz=48000, channels=2, encoding='s16le')

        Raises:
            InputError: anything else, or a rate or number of channels out of bounds.
        """
        found = re.fullmatch(r"(\d{1,7})(?:,(\d{1,3})(?:,(\w+))?)?", text.replace(" ", ""))
        if not found or (found[3] or "s16le") not in ENCODINGS:
            encodings = ", ".join(ENCODINGS)
            raise InputError(
                f"raw samples are described as RATE[,CHANNELS[,ENCODING]] with the rate in Hz, such as 16000,1,s16le, "
                f"not '{text}'; encodings: {encodings}"
            )
        check_layout("a raw stream", int(found[1]), int(found[2] or 1))
        return cls(int(found[1]), int(found[2] or 1), found[3] or "s16le")


class PipeSource(Source):
    """Wav or raw samples from a stream that cannot be sought; each read gives what has arrived.

    Raises:
        AudioError: the stream is empty or its header cannot be used.
    """

    def __init__(self, stream: BinaryIO, raw: RawFormat | None = None, *, start: bytes = b"", name: str = "-") -> None:
        self._stream = stream
        self._rest = start
        if raw is None:
            form = self._header()
        else:
            form = WavFormat(raw.rate_hz, raw.channels, raw.encoding, None)
        super().__init__(name, form.rate_hz, form.channels, form.count_samples)
        self.wav_format, self.raw = form, raw is not None
        self.stored = Stored(name, "RAW" if raw else "WAV", SUBTYPES[form.encoding])
        self._left_bytes = None if form.count_samples is None else form.count_samples * form.frame_bytes
        self._odd_bytes = 0

    def notes(self) -> list[str]:
        """What the user should know about what was read so far."""
        found = super().notes()
        if self._left_bytes or self._odd_bytes:
            found.append(f"the stream was cut short after {self.read_samples} samples")
        return found

    def _read(self, block_samples: int) -> Array | None:
        frame = self.wav_format.frame_bytes
        data, self._rest = self._rest, b""
        while len(data) < frame:
            more = self._some(block_samples * frame - len(data))
            if not more:
                self._odd_bytes = len(data)
                if not self.read_samples and not len(data):
                    raise AudioError(f"{self.name} holds no samples")
                return None
            data += more
        if self._left_bytes is not None:
            data = data[: self._left_bytes]  # chunks behind the sound are not ours
        whole = min(len(data) // frame, block_samples) * frame
        self._rest = data[whole:]
        if self._left_bytes is not None:
            self._left_bytes -= whole
            if not whole:
                return None
        return decode(data[:whole], self.wav_format.encoding, self.channels)

    def _some(self, count_bytes: int) -> bytes:
        """What has arrived, at least one byte, unless the stream is over or all that was announced was read."""
        if self._left_bytes is not None:
            count_bytes = min(count_bytes, self._left_bytes)
        if count_bytes <= 0:
            return b""
        read = getattr(self._stream, "read1", self._stream.read)
        return cast(bytes, read(count_bytes))

    def _header(self) -> WavFormat:
        head = bytearray()

        def exactly(count_bytes: int) -> bytes:
            data = self._exactly(count_bytes)
            head.extend(data)
            return data

        try:
            return read_header(exactly)
        except OtherEncodingError as error:
            error.head = bytes(head)
            raise

    def _exactly(self, count_bytes: int) -> bytes:
        while len(self._rest) < count_bytes and (more := self._stream.read(count_bytes - len(self._rest))):
            self._rest += more
        data, self._rest = self._rest[:count_bytes], self._rest[count_bytes:]
        return data


class PipeSink(Sink):
    """Wav or raw samples to a stream, each block at once. What was written cannot be undone.

    Args:
        stream: where to.
        form: what is written.
        raw: leave out the header.
        rate_hz: of the samples that come; they are resampled where it is not that of `form`.
    """

    def __init__(self, stream: IO[bytes], form: WavFormat, *, raw: bool = False, rate_hz: int | None = None) -> None:
        self._stream, self._form, self._raw = stream, form, raw
        self._begun = False
        self._resampler = Resampler(rate_hz or form.rate_hz, form.rate_hz, form.channels)

    def write(self, samples: Array) -> None:
        """Append (C, N) and pass it on."""
        self._write(self._resampler.feed(samples))

    def _write(self, samples: Array) -> None:
        if not self._form.encoding.startswith("f"):
            self.clipped_samples += int((np.abs(samples) > 1).sum())
        header = b"" if self._begun or self._raw else write_header(self._form)
        self._begun = True
        self._send(header + encode(samples, self._form.encoding))

    def commit(self) -> None:
        """Pass on what is left; a stream without samples still gets its header."""
        self._write(self._resampler.flush())

    def _send(self, data: bytes) -> None:
        with refused("the output stream cannot be written"):
            self._stream.write(data)
            self._stream.flush()


def open_pipe(stream: BinaryIO, raw: RawFormat | None = None, *, name: str = "standard input") -> Source:
    """Standard input or another stream as a recording: wav and raw live, other formats once they have arrived whole.

    Those are kept in memory up to 32 MB, and beyond that in a temporary file without a name. Messages call the stream
    by `name`.

    Raises:
        AudioError: the stream is empty, or begins like no format that can be read.
    """
    if raw is not None:
        return PipeSource(stream, raw, name=name)
    start = b""
    while len(start) < HEAD_BYTES and (more := stream.read(HEAD_BYTES - len(start))):
        start += more
    if start.startswith((b"RIFF", b"RF64")):
        try:
            return PipeSource(stream, start=start, name=name)
        except OtherEncodingError as error:  # mu-law and the like: libsndfile reads them from a file
            return open_file(_spooled(stream, error.head), name)
    if not start:
        raise AudioError(f"{name} is empty")
    if not start.startswith(_SPOOLED) and not is_container(start):
        raise AudioError(
            f"{name} begins with {start[:4]!r}, which is no sound format; "
            f"describe raw samples with {'--raw ' if name == 'standard input' else 'raw='}RATE,CHANNELS,ENCODING"
        )
    return open_file(_spooled(stream, start), name)


def pipe_sink(
    stream: IO[bytes], like: Source, *, channels: int | None = None, wanted: OutputFormat = AS_RECORDED
) -> PipeSink:
    """A sink that writes what `like` is: raw for raw, otherwise wav of the nearest encoding.

    Raises:
        OutputError: another format than wav, or a bitrate, was asked for.
    """
    if wanted.bitrate_kbps is not None or wanted.suffix not in ("", ".wav"):
        raise OutputError("a pipe takes wav or raw samples; name a file with -o for other formats and for bitrates")
    if isinstance(like, PipeSource):
        encoding, raw = like.wav_format.encoding, like.raw
    else:
        encodings = {subtype: encoding for encoding, subtype in SUBTYPES.items()}
        encoding, raw = encodings.get(like.stored.subtype, "s16le"), False
    encoding = "f32le" if wanted.exact else encoding
    rate_hz, count = wanted.rate_hz or like.rate_hz, like.count_samples
    count = None if count is None else round(count * rate_hz / like.rate_hz)
    form = WavFormat(rate_hz, channels or like.channels, encoding, count)
    return PipeSink(stream, form, raw=raw and not wanted.suffix, rate_hz=like.rate_hz)


def _spooled(stream: BinaryIO, start: bytes) -> Any:
    """All of the stream, to be sought in: in memory, or in a temporary file where it is large."""
    file = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115 - the source reads from it, and it goes when the source goes
    file.write(start)
    while data := stream.read(1 << 20):
        file.write(data)
    file.seek(0, os.SEEK_SET)
    return file
