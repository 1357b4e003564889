"""From windows that are like one speaker or another to turns: who speaks from when to when."""

import itertools

import numpy as np

from voxfield.tasks.speakers.speech_detector import FRAME_S
from voxfield.tasks.speakers.speech_windows import Windows

LEAST_FRAMES = 30  # of a turn within speech; a shorter one belongs to a neighbour
LEAST_PAUSE_FRAMES = 8  # in which speakers change
TO_PAUSE_FRAMES = 45  # from where they seem to change to the pause in which they do
AT_ONCE_FRAMES = 100  # at most before and after a change, in which both speak
Spans = list[tuple[int, int, int]]  # (first frame, after the last, speaker)


def speaker_turns(
    windows: Windows, scores: np.ndarray, at_once: np.ndarray | None = None
) -> list[tuple[float, float, int]]:
    """(Start in s, end in s, speaker) of every turn, in order.

    A frame belongs to the speaker that the windows over it are most like, those in whose middle it lies above all.
    Where speakers change, a pause is nobody's, and without a pause both may speak.

    Args:
        windows: of a recording.
        scores: (N, K) how much each window is like each speaker.
        at_once: (T,) above 0 in frames of 10 ms in which two speak; None where nobody is to speak with another.
    """
    found: Spans = []
    bounds = np.searchsorted(windows.region, np.arange(len(windows.regions) + 1))
    for (start, end), first, last in zip(windows.regions, bounds[:-1], bounds[1:], strict=True):
        sums = np.zeros((end - start, scores.shape[1]))
        for (begin, stop), score in zip(windows.spans[first:last] - start, scores[first:last], strict=True):
            sums[begin:stop] += np.outer(np.bartlett(stop - begin + 2)[1:-1], score)
        for begin, stop, speaker in _without_short(sums):
            if found and found[-1][1:] == (start + begin, speaker):
                begin = found.pop()[0] - start
            found.append((start + begin, start + stop, speaker))
    found = _parted(found, windows.pauses)
    if at_once is not None:
        found = sorted(_overlapping(found, at_once))
    return [(float(start * FRAME_S), float(end * FRAME_S), speaker) for start, end, speaker in found]


def _parted(turns: Spans, pauses: np.ndarray) -> Spans:
    """The turns with changes in the longest pauses (P, 2) that are near."""
    pauses = pauses[pauses[:, 1] - pauses[:, 0] >= LEAST_PAUSE_FRAMES]
    parted = list(turns)
    for at, ((_, change, one), (start, end, other)) in enumerate(itertools.pairwise(turns)):
        first = max(parted[at][0] + 1, change - TO_PAUSE_FRAMES)
        last = min(end - 1, change + TO_PAUSE_FRAMES)
        near = pauses[(pauses[:, 0] >= first) & (pauses[:, 1] <= last)]
        if change == start and len(near):
            stop, begin = near[np.diff(near)[:, 0].argmax()].tolist()
            parted[at : at + 2] = (parted[at][0], stop, one), (begin, end, other)
    return parted


def _overlapping(turns: Spans, at_once: np.ndarray) -> Spans:
    """The turns, where both go on before and after a change without a pause up to the largest sum of `at_once` (T,)."""
    longer = list(turns)
    for at, ((begin, change, one), (start, end, other)) in enumerate(itertools.pairwise(turns)):
        if change < start:
            continue
        before = _largest_sum(at_once[max(begin, change - AT_ONCE_FRAMES) : change][::-1])
        after = _largest_sum(at_once[change : min(end, change + AT_ONCE_FRAMES)])
        longer[at : at + 2] = (longer[at][0], change + after, one), (change - before, end, other)
    return longer


def _largest_sum(values: np.ndarray) -> int:
    """How many of the values (T,), from the first on, make the largest sum.

    >>> _largest_sum(np.array([-1, 3, 1, -2]))
    3
    """
    return int(np.concatenate([[0], np.cumsum(values)]).argmax())


def _without_short(sums: np.ndarray) -> Spans:
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
