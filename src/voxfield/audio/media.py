"""Sound from containers that libsndfile does not know, such as m4a, mp4, webm and mkv; needs the extra [media].

The encoder's priming and the filling of the last frame are taken away, as the container says; gaps become silence.
"""

import re
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from voxfield.audio.limits import check_layout
from voxfield.audio.queue import SampleQueue
from voxfield.audio.source import Source
from voxfield.audio.stored import Bitrate, Stored
from voxfield.containers import load_av, open_reading
from voxfield.errors import AudioError
from voxfield.protocols import Array

_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,asf,amr,amrnb,amrwb"
_PRIMING_S = 0.25  # that Matroska may count into the duration of a track
_LEAST_GAP_S, _MOST_GAP_S = 0.05, 3600.0  # shorter is rounding of time stamps, longer is damage
_GAP_BLOCK_SAMPLES = 1 << 14
_TECHNICAL = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|creation_time|handler_name|vendor_id|itun.*|language|duration.*"
)


def open_container(file: BinaryIO, name: str) -> Any:
    """A container to read.

    Raises:
        AudioError: it cannot be read.
        MissingExtraError: the package `av` is not installed.
    """
    av = load_av("media", f"reading {name}")
    try:
        return open_reading(av, file, _FORMATS)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise AudioError(f"{name} is not sound in a format that can be read: {_reason(error)}") from error


class MediaSource(Source):
    """The first audio track of a container, or the one that is marked as the main one.

    Raises:
        AudioError: not a container that can be read, one without sound, or of a rate or channels out of bounds.
        MissingExtraError: the package `av` is not installed.
    """

    def __init__(self, given: Path | BinaryIO, name: str = "") -> None:
        name = name or (str(given) if isinstance(given, Path) else "file object")
        av = load_av("media", f"reading {name}")
        self._errors = (av.FFmpegError, OSError, ValueError, EOFError)
        self._own = given.open("rb") if isinstance(given, Path) else None
        self._damage, self._gap_samples, self._lost_packets = "", 0, 0
        try:
            self._container = open_container(self._own or given, name)  # type: ignore[arg-type]
            self._stream = self._container.streams.best("audio")
            if self._stream is None:
                kinds = ", ".join(sorted({stream.type for stream in self._container.streams})) or "nothing"
                raise AudioError(f"{name} holds no sound, but {kinds}")
            context = self._stream.codec_context
            if context is None:
                raise AudioError(f"{name} holds sound of a codec that FFmpeg does not know")
            rate_hz, channels = context.sample_rate or 0, context.layout.nb_channels if context.sample_rate else 0
            check_layout(name, rate_hz, channels)
            count = _gapless_samples(self._container, self._stream)
            super().__init__(name, rate_hz, channels, count)
        except BaseException:
            self.close()
            raise
        track = self._stream.duration * self._stream.time_base * rate_hz if self._stream.duration else 0
        self._end_samples = count or (ceil(track + rate_hz / 1000) if track > 0 else None)  # edit lists are in ms
        self._meant_samples = self._end_samples or round(_stated_s(self._stream) * rate_hz)
        whole_s = (self._container.duration or 0) / 1e6  # of the picture, if that is longer
        self.about_samples = self._end_samples or (round(whole_s * rate_hz) if whole_s > 0 else None)
        self._whole_ticks = self._stream.time_base.denominator % rate_hz == 0  # durations are exact to the sample
        videos = [stream for stream in self._container.streams if stream.type == "video"]
        bits = self._stream.bit_rate or (None if videos else self._container.bit_rate)
        self.stored = Stored(
            name,
            self._container.format.name.partition(",")[0],
            context.name,
            Bitrate(bits / 1000) if bits else None,
            _tags(self._container.metadata),
            ("the picture",) if videos and not isinstance(given, Path) else (),
            given if videos and isinstance(given, Path) else None,
        )
        self._waiting = SampleQueue(channels)
        self._packer = av.AudioResampler(format="flt")
        self._frames = self._decoded()

    def notes(self) -> list[str]:
        """What the user should know about what was read so far."""
        found = super().notes()
        if self._gap_samples:
            found.append(f"gaps in the recording, {self._gap_samples / self.rate_hz:.2f} s together, became silence")
        if self._lost_packets:
            found.append(f"the file is damaged: {self._lost_packets} packets could not be decoded")
        missing_s = (self._meant_samples - self.read_samples) / self.rate_hz
        if self._damage:
            found.append(f"the file is damaged or cut short after {self.read_samples} samples ({self._damage})")
        elif missing_s > (_LEAST_GAP_S if self._end_samples else _PRIMING_S):
            found.append(f"the file is damaged or cut short: the last {missing_s:.2f} s could not be read")
        return found

    def close(self) -> None:
        """Let go of the file."""
        if hasattr(self, "_container"):
            self._container.close()
        if self._own is not None:
            self._own.close()

    def _read(self, block_samples: int) -> Array | None:
        if self._end_samples is not None:
            block_samples = min(block_samples, self._end_samples - self.read_samples)
        while len(self._waiting) < block_samples:
            frame = next(self._frames, None)
            if frame is None:
                break
            self._waiting.push(frame)
        block = self._waiting.pop(block_samples)
        if block.shape[1]:
            return block
        if not self.read_samples:
            why = f": {self._damage}" if self._damage else ""
            raise AudioError(f"{self.name} holds no sound that can be decoded{why}")
        return None

    def _decoded(self) -> Iterator[Array]:
        """Frames (C, N), with silence where time stamps leave a gap; the last is as long as its packet says."""
        last, most = None, None
        for samples, packet_samples in self._frames_of_packets():
            if last is not None:
                yield last
            last, most = samples, packet_samples
        if last is not None:
            yield last[:, :most]

    def _frames_of_packets(self) -> Iterator[tuple[Array, int | None]]:
        """Frames (C, N), and how many of these samples the packet is meant to give, if it says."""
        count, first_s = 0, None
        for frame, packet_samples in self._raw_frames():
            channels = frame.layout.nb_channels
            if (frame.sample_rate, channels) != (self.rate_hz, self.channels):
                self._damage = f"it changes to {channels} channels at {frame.sample_rate} Hz"
                return
            if frame.pts is not None and frame.time_base:
                at_s = float(frame.pts * frame.time_base)
                first_s = at_s if first_s is None else first_s
                gap_s = at_s - first_s - count / self.rate_hz
                if _LEAST_GAP_S < gap_s < _MOST_GAP_S:
                    gap = round(gap_s * self.rate_hz)
                    self._gap_samples += gap
                    count += gap
                    for start in range(0, gap, _GAP_BLOCK_SAMPLES):
                        yield np.zeros((channels, min(_GAP_BLOCK_SAMPLES, gap - start)), np.float32), None
            for values in self._interleaved(frame):
                count += len(values)
                yield np.ascontiguousarray(values.T), packet_samples

    def _interleaved(self, frame: Any) -> Iterator[Array]:
        """Samples (N, C) of a frame. PyAV must not be asked for planes: beyond seven it reads past their end."""
        try:
            packed = self._packer.resample(frame)
        except self._errors as error:  # the sample format changes
            self._damage = _reason(error)
            return
        for part in packed:
            yield part.to_ndarray().reshape(-1, self.channels)

    def _raw_frames(self) -> Iterator[tuple[Any, int | None]]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self._errors as error:
                self._damage = _reason(error)
                return
            samples = round(packet.duration * packet.time_base * self.rate_hz) if packet.duration else 0
            try:
                frames = packet.decode()
            except self._errors:
                self._lost_packets += 1
                continue
            for frame in frames:
                yield frame, samples if samples > 0 and self._whole_ticks else None


def _gapless_samples(container: Any, stream: Any) -> int | None:
    """Samples without priming and filling, as iTunes writes them; None where it has not."""
    text = str(stream.metadata.get("iTunSMPB") or container.metadata.get("iTunSMPB") or "")
    found = re.match(r"\s*[0-9A-Fa-f]+ +[0-9A-Fa-f]+ +[0-9A-Fa-f]+ +([0-9A-Fa-f]{8,16})", text)
    return (int(found[1], 16) or None) if found else None


def _stated_s(stream: Any) -> float:
    """Seconds from the first sample to the end that Matroska states of a track; 0 where it does not."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", str(stream.metadata.get("DURATION")))
    if not found:
        return 0.0
    start_s = float((stream.start_time or 0) * stream.time_base)
    return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3]) - start_s


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    names = {"track": "tracknumber"}
    texts = {
        key.lower(): text.encode(errors="surrogateescape").decode(errors="replace") for key, text in metadata.items()
    }
    found = {names.get(key, key): text for key, text in texts.items() if text}
    return {key: value for key, value in found.items() if not _TECHNICAL.fullmatch(key)}


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
