"""Spot facial expressions in a video: a score for every moment, and the intervals in which a face moved briefly.

Frames come one at a time, and only as many crops are kept as lie between the two frames that are compared, so an hour
of video takes the memory of a minute but for one number a frame.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from voxfield.errors import InputError
from voxfield.files import path_of, written_whole
from voxfield.protocols import Array, Engine
from voxfield.tasks.spotting.peaks import DEFAULT_PEAKS, Expression, PeakOptions, expressions_in
from voxfield.tasks.work import Model, engine_for
from voxfield.values import plural
from voxfield.video import (
    IMAGE_PX,
    FaceFinder,
    FlowImages,
    Image,
    Place,
    Video,
    boxed,
    open_video,
    parse_box,
    whole_frame,
    within,
)

TASK = "spot"
DEFAULT_MODEL = "mean-spot"
AUTO, WHOLE = "auto", "whole"
LOOK_AGAIN_S = 1.0  # so often the face is searched anew
MOVED = 0.12  # of its width: a face that moved less keeps its crop, which the flow needs still
SHORTEST_S, LONGEST_S = 0.1, 5.0
Progress = Callable[[int], object]


@dataclass(frozen=True, eq=False)
class Spotted:
    """What was seen in a video.

    Attributes:
        scores: (F,) float32, one a frame at `rate_hz`: about 1 where the face is moving, about 0 where it rests, NaN
            where there is no face or too little around it.
        rate_hz: frames a second that were looked at.
        expressions: the intervals, in order.
        model: full name of the model.
        apart: frames between the two that each score compares.
        least: the score that an interval needs.
        notes: what the user should know about the video or the result.
    """

    scores: Array
    rate_hz: float
    expressions: tuple[Expression, ...]
    model: str
    apart: int
    least: float
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Duration of what was looked at."""
        return len(self.scores) / self.rate_hz

    def to_dict(self) -> dict[str, object]:
        """Plain values for a line of JSON."""
        return {
            "model": self.model,
            "duration_s": round(self.duration_s, 3),
            "rate_hz": round(self.rate_hz, 3),
            "expressions": [one.to_dict() for one in self.expressions],
            "notes": list(self.notes),
        }

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the intervals as CSV: onset_s, apex_s, offset_s, confidence; the path.

        Raises:
            OutputError: the file exists and may not be overwritten, or cannot be written.
        """
        path = path_of(path)
        with written_whole(path, overwrite=overwrite) as part, part.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(Expression._fields)
            rows.writerows([f"{value:.3f}" for value in one] for one in self.expressions)
        return path


def spot(
    video: str | PathLike[str] | Video,
    *,
    rate_hz: float | None = None,
    model: Model = DEFAULT_MODEL,
    face: str = AUTO,
    lasts_s: float = 0.4,
    peaks: PeakOptions = DEFAULT_PEAKS,
    threads: int = 1,
    progress: Progress | None = None,
) -> Spotted:
    """Spot brief facial expressions.

    Args:
        video: a file, a folder of pictures, or an open video, which is read to its end.
        rate_hz: frames a second; for a folder of pictures, and only for one.
        model: a published name, an .onnx file, or an engine.
        face: `auto` finds the largest face; `whole` takes each frame for a face that was cut out before;
            `X,Y,WIDTH,HEIGHT` in pixels says where it is.
        lasts_s: how long an expression lasts, about: 0.4 for micro-expressions, 1 or more for others. Frames half as
            far apart are compared.
        peaks: what makes an interval of the scores.
        threads: threads within the network.
        progress: is called with the number of frames done.

    Raises:
        InputError: a video that cannot be read or shows no face, or an option out of its range.
        UnknownModelError, CardError: the model cannot be had.
        MissingExtraError: the extra [video] is not installed.
    """
    engine = spotting_engine(model, threads=threads)
    with video if isinstance(video, Video) else open_video(video, rate_hz) as opened:
        apart = frames_apart(lasts_s, opened.rate_hz)
        tracker = Tracker(face, opened.rate_hz)
        scores: list[float] = []
        for image in frame_images(opened, apart, tracker):
            scores.append(float("nan") if image is None else float(engine.step(image[None], ())[0].reshape(-1)[0]))
            if progress is not None:
                progress(len(scores))
        if not tracker.seen:
            raise InputError(
                f"{opened.name} shows no face that was found; say where it is with --face X,Y,WIDTH,HEIGHT, or --face "
                "whole where the frames are cut to the face"
            )
        moved = centred(np.array(scores, np.float32), apart)
        found = expressions_in(moved, opened.rate_hz, apart, peaks)
        notes = tuple(_notes(tracker, len(scores), apart))
        return Spotted(moved, opened.rate_hz, found, engine.card.name, apart, peaks.least, notes)


def check_face(face: str) -> None:
    """Return when it says where the face is.

    Raises:
        InputError: it does not.
    """
    if face not in (AUTO, WHOLE):
        parse_box(face)


def frames_apart(lasts_s: float, rate_hz: float) -> int:
    """Frames between the two that are compared, for expressions of a duration.

    Raises:
        InputError: a duration out of its range.
    """
    if not SHORTEST_S <= lasts_s <= LONGEST_S:
        raise InputError(f"an expression lasts {SHORTEST_S:g} to {LONGEST_S:g} s, not {lasts_s:g}")
    return max(1, round(lasts_s / 2 * rate_hz))


def frame_images(video: Video, apart: int, tracker: Tracker) -> Iterator[Array | None]:
    """For every frame the image (3, 42, 42) of the flow from the one `apart` before it; None where there is no face in
    both at the same place."""
    flow = FlowImages()
    crops: deque[Image] = deque(maxlen=apart)
    for frame in video.frames():
        crop, moved = tracker.crop(frame.grey, video.scale)
        if crop is None or moved:
            crops.clear()
        yield flow.image(crops[0], crop) if crop is not None and len(crops) == apart else None
        if crop is not None:
            crops.append(crop)


def centred(scores: Array, apart: int) -> Array:
    """Scores (F,) of each frame with the one `apart` before it, moved to the middle of the two."""
    moved = np.full_like(scores, np.nan)
    early = apart // 2
    moved[: len(scores) - early] = scores[early:]
    return moved


def spotting_engine(model: Model = DEFAULT_MODEL, *, threads: int = 1) -> Engine:
    """The engine of a model that scores images of flow.

    Raises:
        InputError: the model is for another task or takes other images.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = engine_for(model, TASK, threads=threads)
    if engine.card.interface.input.shape != (3, IMAGE_PX, IMAGE_PX):
        raise InputError(
            f"{engine.card.name} takes images of {engine.card.interface.input.shape}, not (3, {IMAGE_PX}, {IMAGE_PX})"
        )
    return engine


class Tracker:
    """Follows the largest face: found again every second, and its crop kept in place while it moves little.

    Args:
        face: as for `spot`.

    Attributes:
        seen: frames with a face.
        others: frames in which there were other faces too.
        moves: how often the crop had to follow.
    """

    def __init__(self, face: str, rate_hz: float) -> None:
        self._whole = face == WHOLE
        self._box = None if face in (AUTO, WHOLE) else parse_box(face)
        self._place: Place | None = None
        self._each = max(1, round(LOOK_AGAIN_S * rate_hz))
        self._finder = FaceFinder() if face == AUTO else None
        self.frames = self.seen = self.others = self.moves = 0

    def crop(self, grey: Image, scale: float = 1.0) -> tuple[Image | None, bool]:
        """(the face or None, whether the crop lies elsewhere than before).

        Args:
            grey: an image.
            scale: pixels of it for each of the video.
        """
        moved = False
        if self._box is not None:
            self._place = boxed(within(self._box, grey, scale))
        elif self._whole:
            self._place = whole_frame(grey)
        elif self._finder is not None and (self._place is None or self.frames % self._each == 0):
            found = self._finder.place(grey)
            self.others += len(self._finder.found) > 1
            if found is None or self._place is None or not found.box.near(self._place.box, MOVED):
                moved = found is not self._place
                self.moves += found is not None and self._place is not None
                self._place = found
        self.frames += 1
        if self._place is None:
            return None, moved
        self.seen += 1
        return self._place.crop(grey), moved


def _notes(tracker: Tracker, frames: int, apart: int) -> list[str]:
    notes = []
    if frames <= apart:
        notes.append(f"{plural(frames, 'frame')}: too few to compare any that lie {apart} apart")
    if tracker.seen < frames:
        notes.append(f"no face in {100 * (1 - tracker.seen / frames):.0f} % of the frames")
    if tracker.others:
        notes.append("there is more than one face; the largest one is followed")
    if tracker.moves:
        notes.append(
            f"the head moved so far that its crop had to follow {tracker.moves} times; nothing is spotted there"
        )
    return notes
