"""Where a recording holds speech: where an enhancing network leaves something of it.

The threshold lies under the level of the speech so far, so a recording is judged piece by piece, in memory that does
not grow with its duration. benchmarks/diarization.py measures it beside the level of the recording alone.
"""

import itertools
from collections.abc import Callable

import numpy as np

from voxfield.audio import SampleQueue
from voxfield.protocols import Array
from voxfield.runtime import Stream
from voxfield.tasks.work import engine_for

ENHANCER = "crn-tiny"
FRAME_S = 0.01
PAUSE_S = 0.25  # shorter pauses are part of the speech; the ends of words that noise hides make them look longer
LEAST_S = 0.2  # of speech; what is shorter is none
RANGE_DB = 37.0  # speech lies within it under the level of all speech so far
KEPT_DB = -12.0  # of the energy of a region the enhancer leaves more where it is speech
SILENT_DB = -75.0  # estimates below, relative to full scale, are none
PIECE_S = 60.0  # that are judged at once
_BLOCK_HOPS = 256
_SMOOTHED_FRAMES = 3


class SpeechDetector:
    """Takes a recording (N,) at `rate_hz` and gives regions of speech, in frames of 10 ms.

    Args:
        watch: is shown the enhanced recording (N,) as it passes.

    Attributes:
        rate_hz: that the samples must have.
        decided_frames: before that all regions have been given.
        pauses: those within the regions that have been given, in frames as well.
    """

    def __init__(self, watch: Callable[[Array], None] | None = None) -> None:
        engine = engine_for(ENHANCER, "enhance")
        self.rate_hz = engine.card.interface.sample_rate_hz
        self.decided_frames = 0
        self.pauses: list[tuple[int, int]] = []
        self._watch = watch
        self._frame_samples = round(FRAME_S * self.rate_hz)
        self._piece_frames = round(PIECE_S / FRAME_S)
        self._stream = Stream(engine, max_block_hops=_BLOCK_HOPS)
        self._mixture, self._estimate = SampleQueue(1), SampleQueue(1)
        self._powers = np.zeros((2, 0))  # of the recording and of the estimate, frame by frame
        self._loud = np.zeros(2)  # sums of power, and of power times level, of the estimate

    def feed(self, samples: Array) -> list[tuple[int, int]]:
        """The regions (first frame, frame after the last) that have become final with (N,) more samples."""
        self._take(samples, self._stream.feed(samples))
        return self._decide() if self._powers.shape[1] >= self._piece_frames else []

    def flush(self) -> list[tuple[int, int]]:
        """The rest of the regions. The recording ends here."""
        self._take(np.zeros(0, np.float32), self._stream.flush())
        return self._decide(last=True)

    def _take(self, samples: Array, estimate: Array) -> None:
        if self._watch is not None:
            self._watch(estimate)
        self._mixture.push(samples[None])
        self._estimate.push(estimate[None])
        count = len(self._estimate) // self._frame_samples
        signals = np.concatenate([queue.pop(count * self._frame_samples) for queue in (self._mixture, self._estimate)])
        powers = np.square(signals.reshape(2, count, self._frame_samples), dtype=np.float64).mean(axis=2)
        self._powers = np.concatenate([self._powers, powers], axis=1)
        sounding = powers[1][powers[1] > 0]
        self._loud += sounding.sum(), (sounding * _db(sounding)).sum()

    def _decide(self, last: bool = False) -> list[tuple[int, int]]:
        mixture, estimate = self._powers
        count, begun = len(estimate), self.decided_frames
        if not count:
            return []
        level_db = self._loud[1] / max(self._loud[0], 1e-30)  # the mean level, weighted by energy: that of loud frames
        least_db = max(level_db - RANGE_DB, SILENT_DB)
        smooth = np.convolve(estimate, np.full(_SMOOTHED_FRAMES, 1 / _SMOOTHED_FRAMES), "same")[:count]
        pause = round(PAUSE_S / FRAME_S)
        sounding = runs(_db(smooth) >= least_db)
        found = joined(sounding, pause)
        cut = count
        if found and not last and count - found[-1][1] < pause and found[-1][0] > 0:
            cut = found.pop()[0]  # it may go on, so it waits for the next piece
        self._powers, self.decided_frames = self._powers[:, cut:], begun + cut
        found = [
            (start, end)
            for start, end in found
            if (end - start) * FRAME_S >= LEAST_S
            and estimate[start:end].sum() >= 10 ** (KEPT_DB / 10) * mixture[start:end].sum()
        ]
        self.pauses += [
            (begun + stop, begun + begin)
            for (_, stop), (begin, _) in itertools.pairwise(sounding)
            if any(start < stop and begin < end for start, end in found)
        ]
        return [(begun + start, begun + end) for start, end in found]


def runs(on: np.ndarray) -> list[tuple[int, int]]:
    """(First, after the last) of each run of true values.

    >>> runs(np.array([0, 1, 1, 0, 1], bool))
    [(1, 3), (4, 5)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(np.int8), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def joined(found: list[tuple[int, int]], pause: int) -> list[tuple[int, int]]:
    """Runs, those together that are not more than a pause apart.

    >>> joined([(0, 2), (4, 5), (9, 12)], 2)
    [(0, 5), (9, 12)]
    """
    whole: list[tuple[int, int]] = []
    for start, end in found:
        if whole and start - whole[-1][1] <= pause:
            start = whole.pop()[0]
        whole.append((start, end))
    return whole


def _db(power: np.ndarray) -> np.ndarray:
    level: np.ndarray = 10 * np.log10(power + 1e-12)
    return level
