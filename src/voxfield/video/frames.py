"""Frames of a video file, or of a folder of pictures, as grey images at an even rate, one at a time."""

from __future__ import annotations

import errno
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from voxfield.containers import load_av, open_reading
from voxfield.errors import InputError, needed
from voxfield.files import Closing, path_of

Image: TypeAlias = NDArray[np.uint8]  # (H, W) grey values
EVEN_HZ = 30.0  # faster videos are thinned out to about this rate
MOST_EVEN_HZ = 45.0  # slower ones keep their own
LEAST_HZ, MOST_HZ = 5.0, 1000.0
LARGEST_PX = 960  # longer sides are scaled down to this
MOST_PIXELS = 64_000_000
LONGEST_GAP_S = 60.0
PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,asf,ogg,gif,image2,mjpeg,h264,hevc"


class Frame(NamedTuple):
    """One image: seconds from the first frame, and (H, W) uint8."""

    time_s: float
    grey: Image


class Video(Closing, ABC):
    """A video to be read once, frame by frame.

    Args:
        name: for messages.
        rate_hz: frames a second that it holds.
        count: how many, where that is known.

    Attributes:
        rate_hz: frames a second that `frames` gives.
        count: how many that will be, where that is known.
        scale: pixels of the images that `frames` gives, for each of the video.

    Raises:
        InputError: too few or too many frames a second.
    """

    def __init__(self, name: str, rate_hz: float, count: int | None) -> None:
        if not LEAST_HZ <= rate_hz <= MOST_HZ:
            raise InputError(f"{name} has {rate_hz:.3g} frames a second; {LEAST_HZ:g} to {MOST_HZ:g} can be used")
        every = max(1, round(rate_hz / EVEN_HZ)) if rate_hz > MOST_EVEN_HZ else 1
        self.name, self.rate_hz, self.scale = name, rate_hz / every, 1.0
        self.count = None if count is None else -(-count // every)

    def frames(self) -> Iterator[Frame]:
        """Frames at even times: where the video has none for a time the one before is given again, and where it has
        several only the first is.

        Raises:
            InputError: no frame can be read, or the time stamps jump by more than a minute.
        """
        due, latest = 0, None
        for time_s, image in self._read():
            place = round(time_s * self.rate_hz)
            if place < due:
                continue
            if (place - due) / self.rate_hz > LONGEST_GAP_S:
                raise InputError(
                    f"the time stamps of {self.name} jump from {due / self.rate_hz:.1f} to {time_s:.1f} s; cut it there"
                )
            for missing in range(due, place):
                if latest is not None:
                    yield Frame(missing / self.rate_hz, latest)
            latest = image()
            yield Frame(place / self.rate_hz, latest)
            due = place + 1
        if latest is None:
            raise InputError(f"{self.name} holds no frame that can be read")

    @abstractmethod
    def _read(self) -> Iterator[tuple[float, Callable[[], Image]]]:
        """Seconds from the first frame, and what gives the image, of every frame that can be read."""


class VideoFile(Video):
    """The first video track of a file, turned upright as it says."""

    def __init__(self, path: Path) -> None:
        av = load_av("video", f"reading {path}")
        self._errors = (av.FFmpegError, OSError, ValueError, EOFError)
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        try:
            self._container = open_reading(av, self._file, _FORMATS)
            self._stream = next(iter(self._container.streams.video), None)
            if self._stream is None:
                kinds = ", ".join(sorted({stream.type for stream in self._container.streams})) or "nothing"
                raise InputError(f"{path} holds no pictures, but {kinds}")
            if self._stream.width * self._stream.height > MOST_PIXELS:
                raise InputError(
                    f"{path} has frames of {self._stream.width} x {self._stream.height}; that is too large"
                )
            self._stream.thread_type = "AUTO"
            rate = self._stream.average_rate or self._stream.guessed_rate or 0
            self._rate_hz = float(rate)
            super().__init__(str(path), self._rate_hz, self._stream.frames or None)
            self.scale = _scale(self._stream.width, self._stream.height)
        except self._errors as error:
            self._file.close()
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is not a video that can be read: {_reason(error)}") from error

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()
        self._file.close()

    def _read(self) -> Iterator[tuple[float, Callable[[], Image]]]:
        begin = None
        frames = self._container.decode(self._stream)
        count = 0
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                return
            except self._errors as error:  # what is left of a damaged file is lost, what came before is not
                if begin is None:
                    raise InputError(f"{self.name} is damaged before its first frame: {_reason(error)}") from error
                return
            own_s = count / self._rate_hz if frame.time is None else frame.time
            begin = own_s if begin is None else begin
            yield max(0.0, own_s - begin), lambda frame=frame: _upright(frame)  # type: ignore[misc]
            count += 1


class Pictures(Video):
    """A folder of pictures, one a frame, in the order of the numbers in their names."""

    def __init__(self, folder: Path, rate_hz: float) -> None:
        found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES]
        if not found:
            raise InputError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
        self.paths = sorted(found, key=_by_number)
        self._given_hz = rate_hz
        super().__init__(str(folder), rate_hz, len(found))

    def _read(self) -> Iterator[tuple[float, Callable[[], Image]]]:
        for number, path in enumerate(self.paths):
            yield number / self._given_hz, lambda path=path: self._picture(path)  # type: ignore[misc]

    def _picture(self, path: Path) -> Image:
        cv2 = load_cv2(f"reading {path}")
        image: Image | None = (
            cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE) if path.stat().st_size else None
        )
        if image is None:
            raise InputError(f"{path} is not a picture that can be read")
        self.scale = _scale(*image.shape)
        if self.scale < 1:
            image = cv2.resize(image, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_AREA)
        return image


def open_video(path: str | PathLike[str], rate_hz: float | None = None) -> Video:
    """A video file; or, with the frames a second, a folder of pictures.

    Raises:
        InputError: it cannot be read; the message says why.
        MissingExtraError: the extra [video] is not installed.
    """
    path = path_of(path)
    if path.is_dir():
        if rate_hz is None:
            raise InputError(
                f"{path} is a folder; of pictures the frames a second must be given: --fps 30 (rate_hz=30)"
            )
        return Pictures(path, rate_hz)
    if rate_hz is not None:
        raise InputError("frames a second are given for a folder of pictures only; a video carries its own")
    if not path.exists():
        raise InputError(f"{path} does not exist")
    return VideoFile(path)


def load_cv2(purpose: str) -> Any:
    """The package `cv2` of OpenCV.

    Raises:
        MissingExtraError: it is not installed.
    """
    return needed("cv2", "video", purpose)


def _upright(frame: Any) -> Image:
    """The image of a decoded frame, scaled down where it is large."""
    scale = _scale(frame.width, frame.height)
    size = {"width": max(2, round(frame.width * scale)), "height": max(2, round(frame.height * scale))}
    image = frame.reformat(format="gray", **({} if scale == 1 else size)).to_ndarray()
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _scale(*sides_px: int) -> float:
    return min(1.0, LARGEST_PX / max(sides_px))


def _by_number(path: Path) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d+", path.stem)], path.name


def _reason(error: BaseException) -> str:
    if getattr(error, "errno", None) == errno.EINVAL:  # what a format outside the list above is called
        return "its format is none of those that hold video"
    return str(error).rpartition("] ")[2].partition(":")[0] or type(error).__name__
