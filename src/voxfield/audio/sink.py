"""Where finished samples go: a file that appears only when it is whole."""

from pathlib import Path
from typing import Protocol, Self

import numpy as np
import soundfile as sf

from voxfield.audio.limits import check_layout
from voxfield.audio.resampler import Resampler
from voxfield.audio.sound_writer import SoundWriter
from voxfield.audio.source import Source
from voxfield.audio.stored import NOT_STORED, Stored
from voxfield.audio.target import AS_RECORDED, OutputFormat, Target, target_for
from voxfield.errors import MissingExtraError, OutputError
from voxfield.files import PartFile
from voxfield.protocols import Array


class Sink(Protocol):
    """Takes blocks of (C, N); `commit` makes them last, leaving without it undoes them."""

    clipped_samples: int = 0  # so far, of those that were beyond full scale

    def write(self, samples: Array) -> None:
        """Append (C, N)."""

    def commit(self) -> None:
        """Finish: what was written is now the output."""

    def notes(self) -> list[str]:
        """What the user should know about the output: what was clipped, not kept, or stored otherwise."""
        clipped = self.clipped_samples
        return [f"{clipped} samples were beyond full scale and were clipped"] if clipped else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Writer(Protocol):
    """Encodes samples into an open file; knows nothing of names."""

    notes: list[str]

    def write(self, samples: Array) -> None:
        """Append (C, N)."""

    def close(self) -> None:
        """Finish the file."""

    def abort(self) -> None:
        """Let go of the file; what is in it does not matter any more."""


class FileSink(Sink):
    """A recording written under a temporary name beside its target and renamed by `commit`.

    Args:
        path: the file to make; its folder is made where it is missing.
        rate_hz: sample rate of what is written; it is resampled where the target has another.
        target: how to store it.
        stored: what to take over, such as tags, and the picture of a video.
        overwrite: replace what is there.
        expected_samples: how many are to come, where that is known.

    Raises:
        OutputError: the target exists, cannot be written to, or cannot hold so many channels at this rate.
    """

    def __init__(
        self,
        path: Path,
        rate_hz: int,
        target: Target,
        *,
        stored: Stored = NOT_STORED,
        overwrite: bool = False,
        expected_samples: int | None = None,
    ) -> None:
        self.path, self.target = path, target
        self.committed = False
        self._counts_clipped = target.subtype not in ("FLOAT", "DOUBLE", "pcm_f32le")
        self._extras = () if target.container else stored.extras
        self._resampler = Resampler(rate_hz, target.rate_hz, target.channels)
        if expected_samples is not None:
            expected_samples = round(expected_samples * target.rate_hz / rate_hz)
        self._part = PartFile(path, overwrite=overwrite)
        try:
            self._writer = _writer(self._part.path, target, stored, expected_samples)
        except (sf.SoundFileError, ValueError, TypeError, OSError, MissingExtraError) as error:
            self._part.discard()
            if isinstance(error, OutputError | MissingExtraError):
                raise
            raise OutputError(
                f"{path}: {target.format} with {target.subtype} cannot hold {target.channels} channels "
                f"at {target.rate_hz} Hz ({_reason(error)}); choose a name that ends in .wav"
            ) from error
        except BaseException:
            self._part.discard()
            raise

    def write(self, samples: Array) -> None:
        """Append (C, N); integers are rounded to the nearest and clipped at full scale."""
        self._write(self._resampler.feed(samples))

    def commit(self) -> None:
        """Close the file and give it its name."""
        self._write(self._resampler.flush())
        try:
            self._writer.close()
        except (sf.SoundFileError, OSError, ValueError) as error:
            raise self._failed(error) from error
        self._part.commit()
        self.committed = True

    def notes(self) -> list[str]:
        """What the user should know about the output: what was clipped, not kept, or stored otherwise."""
        found = [*self.target.notes, *self._writer.notes]
        if self._extras:
            found.append(f"{', '.join(self._extras)} of the recording: not kept")
        return [*found, *super().notes()]

    def __exit__(self, *_: object) -> None:
        try:
            self._writer.abort()
        finally:
            self._part.discard()  # nothing is left to remove after `commit`

    def _write(self, samples: Array) -> None:
        if not samples.shape[1]:
            return
        if self._counts_clipped:
            self.clipped_samples += int((np.abs(samples) > 1).sum())
        try:
            self._writer.write(samples)
        except (sf.SoundFileError, OSError, ValueError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> OutputError:
        if isinstance(error, OutputError):
            return OutputError(f"{self.path}: {error}")
        reason = self._part.refusal() or _reason(error)
        return OutputError(f"{self.path} could not be written to its end: {reason}")


def file_sink(
    path: Path,
    like: Source,
    *,
    channels: int | None = None,
    overwrite: bool = False,
    wanted: OutputFormat = AS_RECORDED,
) -> FileSink:
    """A sink that stores a result as the recording `like` is stored, as far as the suffix of `path` allows.

    Args:
        path: where to.
        like: the recording, whose rate and length are those of the result.
        channels: C of what is written; that of the recording if None.
        overwrite: replace what is there.
        wanted: format, bitrate and sample rate of the result, where they shall differ.

    Raises:
        OutputError: as for `FileSink` and `target_for`.
    """
    layout = like.rate_hz, channels or like.channels, like.count_samples
    return _sink(path, like.stored, *layout, overwrite=overwrite, wanted=wanted)


def save(
    path: Path,
    samples: Array,
    rate_hz: int,
    like: Stored = NOT_STORED,
    *,
    overwrite: bool = False,
    wanted: OutputFormat = AS_RECORDED,
) -> list[str]:
    """Notes on writing samples (C, N) to a file, stored as `like` is where the suffix is the same.

    Raises:
        OutputError: as for `file_sink`.
    """
    with _sink(path, like, rate_hz, *samples.shape, overwrite=overwrite, wanted=wanted) as sink:
        sink.write(samples)
        sink.commit()
    return sink.notes()


def _sink(
    path: Path,
    stored: Stored,
    rate_hz: int,
    channels: int,
    count_samples: int | None,
    *,
    overwrite: bool,
    wanted: OutputFormat,
) -> FileSink:
    check_layout("the result", rate_hz, channels)
    target = target_for(path, stored, rate_hz, channels, wanted)
    return FileSink(path, rate_hz, target, stored=stored, overwrite=overwrite, expected_samples=count_samples)


def _writer(path: Path, target: Target, stored: Stored, expected_samples: int | None) -> Writer:
    if target.container:
        from voxfield.audio.media_writer import MediaWriter

        return MediaWriter(path, target, stored)
    return SoundWriter(path, target, tags=stored.tags, expected_samples=expected_samples)


def _reason(error: Exception) -> str:
    return str(error).rpartition(": ")[2].rstrip(".") or type(error).__name__
