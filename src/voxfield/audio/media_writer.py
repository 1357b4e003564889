"""Samples into m4a, mp4, mov, webm and mkv; the picture of a video is copied beside them as it is."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.audio.media import open_container
from voxfield.audio.stored import Stored
from voxfield.audio.target import Target
from voxfield.containers import load_av
from voxfield.errors import OutputError
from voxfield.formats import CONTAINERS
from voxfield.protocols import Array

_ENCODERS = {"opus": "libopus"}
_FORMATS = {"aac": "fltp", "opus": "flt", "alac": "s32p", "flac": "s32", "pcm_f32le": "flt", "pcm_s24le": "s32"}
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1(back)", 8: "7.1"}
_SIXTEEN_BITS = {"PCM_16", "PCM_U8", "PCM_S8", "pcm_s16le", ""}
_SOUND_ONLY = {"ipod"}
_MOST_UNTIMED = 64  # packets; codecs reorder far fewer
_AHEAD_S = 0.5  # the picture is copied this far ahead of the sound


class MediaWriter:
    """One audio track, and the picture and subtitles of the recording where the container holds them.

    The length is exact and nothing is shifted: the container says how much priming and filling the encoder added.

    Args:
        path: an existing file to fill.
        target: container, codec, rate, channels and bitrate.
        stored: tags, and the file whose picture is copied.

    Raises:
        OutputError: the container or codec cannot hold them.
        MissingExtraError: the package `av` is not installed.
    """

    def __init__(self, path: Path, target: Target, stored: Stored) -> None:
        suffix = next(suffix for suffix, format in CONTAINERS.items() if format == target.format)
        self._av = load_av("media", f"writing {suffix}")
        self.notes: list[str] = []
        self._target = target
        self._written = 0
        self._start = 0
        self._copied: dict[int, Any] = {}
        self._picture: Any = None
        self._picture_file: Any = None
        self._packets: Iterator[Any] = iter(())
        self._next: Any = None
        if target.channels not in _LAYOUTS:
            raise OutputError(f"{target.format} files hold 1 to {max(_LAYOUTS)} channels, not {target.channels}")
        self._file = path.open("w+b")
        try:
            with self._translated():
                self._out = self._av.open(self._file, "w", **_muxer(target))
                if stored.picture is not None:
                    self._open_picture(stored.picture)
                self._stream = self._add_sound(stored)
                self._out.metadata.update(
                    {"track" if key == "tracknumber" else key: tag for key, tag in stored.tags.items()}
                )
                self._out.start_encoding()
        except BaseException:
            self.abort()
            raise

    def write(self, samples: Array) -> None:
        """Append (C, N)."""
        with self._translated():
            layout = _LAYOUTS[self._target.channels]
            clipped = np.clip(samples, -1, 1) if self._target.subtype != "pcm_f32le" else samples
            frame = self._av.AudioFrame.from_ndarray(clipped.T.reshape(1, -1), format="flt", layout=layout)
            frame.sample_rate = self._target.rate_hz
            frame.time_base = Fraction(1, self._target.rate_hz)
            frame.pts = self._start + self._written
            self._written += samples.shape[1]
            self._mux(self._stream.encode(frame))
            self._copy_picture((self._start + self._written) / self._target.rate_hz + _AHEAD_S)

    def close(self) -> None:
        """Finish the file."""
        with self._translated():
            self._mux(self._stream.encode(None))
            self._copy_picture(float("inf"))
            self._out.close()
            self._file.close()
        self._release()

    def abort(self) -> None:
        """Let go of the file; what is in it does not matter any more."""
        with suppress(Exception):  # the error on its way already says what went wrong
            self._out.close()
        self._release()

    def _add_sound(self, stored: Stored) -> Any:
        target = self._target
        stream = self._out.add_stream(_ENCODERS.get(target.subtype, target.subtype), rate=target.rate_hz)
        stream.codec_context.layout = _LAYOUTS[target.channels]
        wide = target.subtype not in ("alac", "flac") or stored.subtype not in _SIXTEEN_BITS
        narrow = {"alac": "s16p", "flac": "s16"}.get(target.subtype, "s16")
        stream.codec_context.format = _FORMATS.get(target.subtype, "s16") if wide else narrow
        if target.subtype in ("aac", "opus"):
            kbps = target.bitrate.kbps if target.bitrate else 32 + 64 * target.channels
            stream.bit_rate = round(1000 * kbps)
        return stream

    def _open_picture(self, path: Path) -> None:
        """Make a track for each of the picture and subtitles that the container holds."""
        self._picture_file = path.open("rb")
        self._picture = open_container(self._picture_file, str(path))
        sound = self._picture.streams.best("audio")
        if sound is not None and sound.start_time:
            self._start = max(0, round(sound.start_time * sound.time_base * self._target.rate_hz))
        unkept = []
        for stream in self._picture.streams:
            cover = bool(stream.disposition & self._av.stream.Disposition.attached_pic)
            held = stream.codec_context is not None and stream.codec_context.name in self._out.supported_codecs
            if stream.type in ("video", "subtitle") and held and (cover or self._target.format not in _SOUND_ONLY):
                copy = self._out.add_stream_from_template(stream)
                copy.disposition = stream.disposition
                copy.metadata.update(stream.metadata)
                self._copied[stream.index] = copy
            elif stream is not sound:
                unkept.append("picture" if stream.type == "video" else f"{stream.type} track")
        if unkept:
            self.notes.append(f"not kept of the recording: {', '.join(unkept)}")
        wanted = [stream for stream in self._picture.streams if stream.index in self._copied]
        self._packets = _timed(self._picture.demux(wanted)) if wanted else iter(())

    def _copy_picture(self, until_s: float) -> None:
        """Copy what belongs before this time."""
        while True:
            if self._next is None:
                self._next = next(self._packets, None)
                if self._next is None:
                    return
            packet = self._next
            if float(packet.dts * packet.time_base) > until_s:
                return
            packet.stream = self._copied[packet.stream.index]
            self._out.mux_one(packet)
            self._next = None

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            self._out.mux_one(packet)

    def _release(self) -> None:
        if self._picture is not None:
            self._picture.close()
            self._picture_file.close()
        with suppress(OSError):  # of a file that was given up; `close` has closed it already
            self._file.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """FFmpeg's errors as the system's, which `FileSink` explains."""
        try:
            yield
        except self._av.FFmpegError as error:
            raise OSError(getattr(error, "errno", 0) or 0, getattr(error, "strerror", None) or str(error)) from error


def _muxer(target: Target) -> dict[str, Any]:
    """Format and options; an m4a is an mp4 of another brand, and FFmpeg's own muxer for it takes no cover art."""
    if target.format not in ("ipod", "mp4", "mov"):
        return {"format": target.format}
    options = {"movie_timescale": str(target.rate_hz)}  # edit lists exact to the sample
    if target.format == "ipod":
        return {"format": "mp4", "options": options | {"brand": "M4A "}}
    return {"format": target.format, "options": options}


def _timed(packets: Iterable[Any]) -> Iterator[Any]:
    """Packets with a time of decoding each; what mkv leaves out is counted back from the next that is known."""
    waiting: dict[int, list[Any]] = {}
    for packet in packets:
        if not packet.size:  # only the end of a track
            continue
        held = waiting.setdefault(packet.stream.index, [])
        if packet.dts is None and len(held) < _MOST_UNTIMED:
            held.append(packet)
            continue
        packet.dts = packet.pts if packet.dts is None else packet.dts
        if packet.dts is None:
            continue
        for back, early in enumerate(reversed(held), start=1):
            early.dts = packet.dts - back * max(1, early.duration or 1)
        yield from held
        held.clear()
        yield packet
    for held in waiting.values():
        for packet in held:  # cover art has no time at all
            packet.pts = packet.dts = packet.pts or 0
        yield from held
