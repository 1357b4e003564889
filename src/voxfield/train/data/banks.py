"""Decoded audio: 16-bit mono at one rate, one file of samples a recording, shared by runs and processes.

A decoded file is named by the recording's path, size and time of change and by the rate, so it serves every run that
uses the recording, whichever others it uses. It is written beside its place and renamed: two processes that decode the
same recordings do not disturb each other.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voxfield.errors import InputError
from voxfield.files import written_whole
from voxfield.protocols import Array
from voxfield.samples import Downmix
from voxfield.train.data.sources import Clip
from voxfield.train.log import counted


class AudioBank:
    """Recordings at one rate, by number and by group.

    Args:
        clips: what to hold.
        sample_rate_hz: rate to resample to.
        cache: folder of decoded files; what is missing there is decoded now.

    Raises:
        InputError: a file is missing or cannot be read; it is named.
    """

    def __init__(self, clips: Sequence[Clip], sample_rate_hz: int, cache: str | Path) -> None:
        self.clips, self.sample_rate_hz = list(clips), sample_rate_hz
        paths = {clip.path: decoded_path(clip.path, sample_rate_hz, Path(cache)) for clip in clips}
        missing = [path for path, decoded in paths.items() if not decoded.exists()]
        mixed = random.sample(missing, len(missing))  # in no order: processes that decode together share the work
        for path in counted(mixed, "decoding recordings"):
            if not paths[path].exists():
                decode(path, sample_rate_hz, paths[path])
        self.files = [paths[clip.path] for clip in clips]
        if empty := [clip.path for index, clip in enumerate(self.clips) if self.samples(index) <= 0]:
            raise InputError(f"{empty[0]} holds no sound where it is to be cut; take it out of the training data")
        groups: dict[str, list[int]] = {}
        for index, clip in enumerate(self.clips):
            groups.setdefault(clip.group, []).append(index)
        self.groups = list(groups.values())  # indices of the clips of each speaker or label

    def __len__(self) -> int:
        return len(self.clips)

    def samples(self, index: int) -> int:
        """Samples N of one clip."""
        clip, rate_hz = self.clips[index], self.sample_rate_hz
        there = max(self.files[index].stat().st_size // 2 - round(clip.offset_s * rate_hz), 0)
        return there if clip.duration_s is None else min(there, round(clip.duration_s * rate_hz))

    def clip(self, index: int, start: int = 0, samples: int | None = None) -> Array:
        """(N,) float32 samples of one clip, in -1..1; all of it, or so many from a start. No more is read."""
        rest = self.samples(index) - start
        count = max(rest if samples is None else min(samples, rest), 0)
        offset = start + round(self.clips[index].offset_s * self.sample_rate_hz)
        read = np.fromfile(self.files[index], np.int16, count, offset=2 * offset)
        return read.astype(np.float32) / np.float32(32768)


def decoded_path(recording: str, sample_rate_hz: int, cache: Path) -> Path:
    """Where the samples of a recording are, or will be, in a cache folder."""
    name = stamp(recording, sample_rate_hz)
    return cache / name[:2] / f"{name}.s16"


def stamp(path: str | Path, made: int) -> str:
    """Name in a cache of what is made of a file as it is now, such as its samples at a rate.

    Raises:
        InputError: there is no such file.
    """
    try:
        place = Path(path).resolve(strict=True)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    there = place.stat()
    key = json.dumps([str(place), there.st_size, there.st_mtime_ns, made])
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def decode(recording: str, sample_rate_hz: int, out: Path) -> None:
    """Write the channels of a recording as one, as `voxfield.samples.Downmix` does, in 16-bit samples at a rate."""
    try:
        audio, rate_hz = soundfile.read(recording, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InputError(f"cannot read {recording}: {error.error_string}") from error
    audio = Downmix().feed(audio.T)
    if rate_hz != sample_rate_hz:
        audio = soxr.resample(audio, rate_hz, sample_rate_hz)
    with written_whole(out) as partial:
        partial.write_bytes(np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16).tobytes())
