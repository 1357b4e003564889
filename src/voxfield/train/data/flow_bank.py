"""Images of flow of labelled videos, made once and kept in files: what a spotting network is trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxfield.files import written_whole
from voxfield.protocols import Array
from voxfield.tasks.spotting.video import Tracker, frame_images, frames_apart
from voxfield.train.data.expressions import Labelled
from voxfield.train.log import counted

_FORM = 2  # of the files; another number where what they hold changes


@dataclass(frozen=True)
class FlowClip:
    """One video.

    Attributes:
        images: (P, 3, 42, 42) float16, of pairs of frames.
        frames: (P,) the later frame of each pair.
        count: frames of the video.
        rate_hz, apart: frames a second, and between the two of a pair.
    """

    clip: Labelled
    images: Array
    frames: Array
    count: int
    rate_hz: float
    apart: int

    @property
    def labels(self) -> Array:
        """(P,) whether each pair shares a frame with an expression."""
        later = self.frames / self.rate_hz
        earlier = later - self.apart / self.rate_hz
        hits = [(later >= onset) & (earlier <= offset) for onset, offset in self.clip.intervals]
        return np.logical_or.reduce(hits) if hits else np.zeros(len(self.frames), bool)


def flow_clips(clips: Sequence[Labelled], lasts_s: float, cache: str | Path) -> list[FlowClip]:
    """The images of all videos; what is missing in the folder `cache` is made now."""
    return [_flow_clip(clip, lasts_s, Path(cache)) for clip in counted(clips, "making images of flow of the videos")]


def _flow_clip(clip: Labelled, lasts_s: float, cache: Path) -> FlowClip:
    there = Path(clip.path).stat() if Path(clip.path).exists() else None
    known = [_FORM, repr(clip), lasts_s, *((there.st_mtime_ns, there.st_size) if there else ())]
    name = "flow-" + hashlib.sha256(json.dumps(known).encode()).hexdigest()[:24]
    images, about = cache / f"{name}.npy", cache / f"{name}.json"
    if not about.exists():
        with clip.open() as video:
            rate_hz, apart = video.rate_hz, frames_apart(lasts_s, video.rate_hz)
            made = list(frame_images(video, apart, Tracker(clip.face, rate_hz)))
        frames = [number for number, image in enumerate(made) if image is not None]
        pairs = np.array([image for image in made if image is not None], np.float16).reshape(-1, 3, 42, 42)
        with written_whole(images) as part, part.open("wb") as file:
            np.save(file, pairs, allow_pickle=False)
        facts = {"frames": frames, "count": len(made), "rate_hz": rate_hz, "apart": apart}
        with written_whole(about) as part:
            part.write_text(json.dumps(facts), encoding="utf-8")
    facts = json.loads(about.read_text(encoding="utf-8"))
    pairs = np.load(images, mmap_mode="r", allow_pickle=False)
    return FlowClip(clip, pairs, np.array(facts["frames"]), facts["count"], facts["rate_hz"], facts["apart"])
