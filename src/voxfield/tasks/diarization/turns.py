"""From windows that are like one speaker or another to turns: who speaks from when to when."""

import numpy as np

from voxfield.tasks.speakers.speech_detector import FRAME_S
from voxfield.tasks.speakers.speech_windows import Windows

LEAST_FRAMES = 30  # of a turn within speech; a shorter one belongs to a neighbour


def speaker_turns(windows: Windows, scores: np.ndarray) -> list[tuple[float, float, int]]:
    """(Start in s, end in s, speaker) of every turn, in order.

    A frame belongs to the speaker that the windows over it are most like, those in whose middle it lies above all.

    Args:
        windows: of a recording.
        scores: (N, K) how much each window is like each speaker.
    """
    found: list[tuple[int, int, int]] = []
    bounds = np.searchsorted(windows.region, np.arange(len(windows.regions) + 1))
    for (start, end), first, last in zip(windows.regions, bounds[:-1], bounds[1:], strict=True):
        sums = np.zeros((end - start, scores.shape[1]))
        for (begin, stop), score in zip(windows.spans[first:last] - start, scores[first:last], strict=True):
            sums[begin:stop] += np.outer(np.bartlett(stop - begin + 2)[1:-1], score)
        for begin, stop, speaker in _without_short(sums):
            if found and found[-1][1:] == (start + begin, speaker):
                begin = found.pop()[0] - start
            found.append((start + begin, start + stop, speaker))
    return [(float(start * FRAME_S), float(end * FRAME_S), speaker) for start, end, speaker in found]


def _without_short(sums: np.ndarray) -> list[tuple[int, int, int]]:
    """(First frame, after the last, speaker) for scores (T, K) of frames; the shortest turn goes first."""
    best = sums.argmax(axis=1)
    while True:
        edges = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist(), len(best)]
        sizes = np.diff(edges)
        shortest = int(sizes.argmin())
        if len(sizes) == 1 or sizes[shortest] >= LEAST_FRAMES:
            return [(edges[at], edges[at + 1], int(best[edges[at]])) for at in range(len(sizes))]
        begin, stop = edges[shortest], edges[shortest + 1]
        beside = [int(best[at]) for at in (begin - 1, stop) if 0 <= at < len(best)]
        best[begin:stop] = max(beside, key=lambda speaker: sums[begin:stop, speaker].sum())
