"""The speech of a recording as embeddings of short windows, gathered in one pass.

A minute of features waits for the decision where there is speech in it; what is kept is an embedding a window.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from voxfield.audio import Resampler
from voxfield.features import FeatureStream
from voxfield.protocols import Array, Engine
from voxfield.tasks.speakers.embedding import features_for, unit, vectors_of
from voxfield.tasks.speakers.speech_detector import SpeechDetector
from voxfield.tasks.speakers.speech_probe import LEAST, probe_for

WINDOW_FRAMES = 150  # frames of speech and of features are 10 ms
HOP_FRAMES = 50
_BATCH = 32


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of speech; times are in frames of 10 ms.

    Attributes:
        regions: (R, 2) first frame and frame after the last of each stretch of speech.
        region: (N,) which of them each window lies in, ascending.
        spans: (N, 2) first frame and frame after the last of each window.
        vectors: (N, D) their embeddings, of length 1.
        pauses: (P, 2) first frame and frame after the last of each pause within the stretches.
    """

    regions: np.ndarray
    region: np.ndarray
    spans: np.ndarray
    vectors: Array
    pauses: np.ndarray

    def only(self, kept: np.ndarray) -> "Windows":
        """Those of some stretches of speech, by (R,) true values."""
        of_kept = kept[self.region]
        within = np.searchsorted(self.regions[:, 0], self.pauses[:, 0], "right") - 1  # the stretch of each pause
        return Windows(
            self.regions[kept],
            (np.cumsum(kept) - 1)[self.region[of_kept]],
            self.spans[of_kept],
            self.vectors[of_kept],
            self.pauses[kept[within]],
        )


class SpeechWindows:
    """Takes a recording (N,) of any rate piece by piece.

    Args:
        engine: turns features into embeddings.
        rate_hz: of the recording.
        watch: is shown the recording (N,) without its noise, at the rate of the detector of speech.
    """

    def __init__(self, engine: Engine, rate_hz: int, watch: Callable[[Array], None] | None = None) -> None:
        face = engine.card.interface
        self._engine, self._detector = engine, SpeechDetector(watch)
        self._kind = features_for(engine)
        self._window_frames = max(face.least_steps, WINDOW_FRAMES)
        self._detected = Resampler(rate_hz, self._detector.rate_hz)
        self._featured = Resampler(rate_hz, face.sample_rate_hz)
        self._features = FeatureStream(self._kind)
        self._waiting: list[Array] = []
        self._first_frame = 0  # of the features that wait
        self._regions: list[tuple[int, int]] = []
        self._region: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self._vectors = [np.zeros((0, int(face.output.shape[0])), np.float32)]

    def feed(self, samples: Array) -> None:
        """Take (N,)."""
        self._waiting.append(self._features.feed(self._featured.feed(samples[None])[0]))
        self._take(self._detector.feed(self._detected.feed(samples[None])[0]))

    def finish(self) -> Windows:
        """All windows. The recording ends here."""
        self._waiting += [self._features.feed(self._featured.flush()[0]), self._features.flush()]
        self._take([*self._detector.feed(self._detected.flush()[0]), *self._detector.flush()])
        return Windows(
            np.array(self._regions, int).reshape(-1, 2),
            np.array(self._region, int),
            np.array(self._spans, int).reshape(-1, 2),
            np.concatenate(self._vectors),
            np.array(self._detector.pauses, int).reshape(-1, 2),
        )

    def _take(self, regions: list[tuple[int, int]]) -> None:
        """Embed the windows of regions of speech, and forget the features before what is still to be decided."""
        decided = self._detector.decided_frames
        if decided == self._first_frame:
            return
        features = np.concatenate(self._waiting, axis=1)
        windows = [window for start, end in regions for window in self._cut(features, start, end)]
        for at in range(0, len(windows), _BATCH):
            vectors = vectors_of(self._engine, np.stack(windows[at : at + _BATCH]))
            self._vectors.append(unit(vectors))
        self._waiting, self._first_frame = [features[:, decided - self._first_frame :].copy()], decided

    def _cut(self, features: Array, start: int, end: int) -> list[Array]:
        """The finished windows (bands, T) of a region, which is taken down with them."""
        last = min(end, self._first_frame + features.shape[1])
        if last <= start:  # the end of a recording may lack a frame or two
            return []
        starts = list(range(start, max(last - self._window_frames, start) + 1, HOP_FRAMES))
        if starts[-1] + self._window_frames < last:
            starts.append(last - self._window_frames)  # so that the region is covered to its end
        found = []
        for first in starts:
            span = first, min(first + self._window_frames, last)
            part = features[:, span[0] - self._first_frame : span[1] - self._first_frame]
            found.append(self._kind.finished(part[:, np.arange(self._window_frames) % part.shape[1]]))  # repeated
            self._region.append(len(self._regions))
            self._spans.append(span)
        self._regions.append((start, end))
        return found


def of_speech(windows: Windows, engine: Engine) -> Windows:
    """Windows without those of stretches that are noise by their embeddings, which `engine` made.

    A short stretch says little of itself, so the whole recording counts as much: a word among sentences stays, and so
    does a sentence among noise.
    """
    probe = probe_for(engine)
    if probe is None or not len(windows.vectors):
        return windows
    odds, count = probe.log_odds(windows.vectors), len(windows.regions)
    means = np.bincount(windows.region, odds, count) / np.bincount(windows.region, minlength=count)
    return windows.only((means + odds.mean()) / 2 >= LEAST)
