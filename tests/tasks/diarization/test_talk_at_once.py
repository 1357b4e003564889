"""Where two speak at once, on two readers who are put one over the other."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import voxfield as vf
from voxfield.tasks.diarization.talk_at_once import TalkAtOnce

EXAMPLES = Path(__file__).parents[3] / "examples" / "clean"
BOTH_S = (5.0, 8.0)  # both speak; only the first before, and only the second afterwards


@pytest.fixture(scope="module")
def readers():
    """(N,) at 16 kHz."""
    first, second = (sf.read(EXAMPLES / f"two_voices_{n}.flac", dtype="float32")[0] for n in (1, 2))
    start, stop = (round(16_000 * time_s) for time_s in BOTH_S)
    samples = np.zeros(start + 96_000, np.float32)
    samples[:stop] += first[:stop]
    samples[start:] += second[:96_000]
    return samples


def measured(samples, parts=1):
    at_once = TalkAtOnce()
    for part in np.array_split(samples, parts):
        at_once.feed(part)
    return at_once.finish()


def test_frames_of_two_voices_are_told_from_those_of_one(readers):
    above = measured(readers)
    assert above.shape == (len(readers) // 160,)
    first, both, second = np.split(above, [round(100 * time_s) for time_s in BOTH_S])
    assert (both > 0).mean() > 0.6
    assert (first[:-30] < 0).mean() > 0.9 and (second[30:] < 0).mean() > 0.9


def test_level_and_pieces_do_not_matter(readers):
    above = measured(readers)
    assert np.array_equal(measured(readers, 53), above)
    assert np.allclose(measured(0.1 * readers), above, atol=1e-3)


def test_silence_and_moments_are_nobody_at_once():
    for count in (0, 100, 160, 12_345):
        above = measured(np.zeros(count, np.float32))
        assert above.shape == (count // 160,) and (above < 0).all()
    assert measured(0.1 * np.random.default_rng(0).standard_normal(1600).astype(np.float32)).shape == (10,)


def test_turns_overlap_where_two_speak_at_once(readers):
    made = vf.diarize(readers, 16000, speakers=2)
    overlaps = [(b.start_s, a.end_s) for a, b in pairwise(made.turns) if b.start_s < a.end_s]
    assert overlaps and sum(end - start for start, end in overlaps) > 1
    assert all(start > BOTH_S[0] - 1 and end < BOTH_S[1] + 1 for start, end in overlaps)
    assert made.rttm().count("SPEAKER") == len(made.turns)
    alone = vf.diarize(readers, 16000, speakers=1)
    assert all(a.end_s <= b.start_s for a, b in pairwise(alone.turns))
