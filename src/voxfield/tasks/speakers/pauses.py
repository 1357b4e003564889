"""Long pauses, which hold no voice: embedded with speech, they would draw its vector towards that of their noise."""

import numpy as np

from voxfield.tasks.speakers.speech_detector import runs
from voxfield.tasks.speakers.speech_meter import LEAST_SPREAD_DB, quiet_and_loud, speech_level

LONG_S = 1.0
MARGIN_S = 0.25  # of a long pause that stays at either end, with the ends of words in it


def outside_pauses(levels: np.ndarray, frame_s: float) -> np.ndarray:
    """(T,) booleans: which frames of these levels in dB, (T,), `frame_s` apart, lie in no long pause.

    >>> int(outside_pauses(np.repeat([-20.0, -90.0, -20.0], [10, 12, 10]), 0.1).sum())
    24
    """
    kept = np.ones(len(levels), bool)
    if not len(levels):
        return kept
    quiet, loud = quiet_and_loud(levels, frame_s)
    if loud - quiet < LEAST_SPREAD_DB:
        return kept
    long, margin = round(LONG_S / frame_s), round(MARGIN_S / frame_s)
    for start, end in runs(levels < speech_level(quiet, loud)):
        if end - start >= long:
            kept[start + margin * (start > 0) : end - margin * (end < len(levels))] = False
    return kept
