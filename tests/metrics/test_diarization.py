"""The diarization error rate: by hand, and beside pyannote.metrics."""

import numpy as np
import pytest

from voxfield import errors
from voxfield.errors import InputError, MissingExtraError
from voxfield.metrics.diarization import NO_ERRORS, DiarizationErrors, Turn, diarization_errors

TRUTH = [Turn(0, 10, "anna"), Turn(10, 20, "ben"), Turn(18, 22, "anna")]


def conversation(rng, names, count):
    """Turns of random speakers at random times, those of one speaker apart from one another."""
    turns, ends = [], dict.fromkeys(names, 0.0)
    for _ in range(count):
        name = str(rng.choice(names))
        start = ends[name] + rng.uniform(0.01, 5)
        ends[name] = start + rng.uniform(0.1, 4)
        turns.append(Turn(round(start, 3), round(ends[name], 3), name))
    return turns


def test_each_kind_of_error_by_hand():
    assert diarization_errors(TRUTH, TRUTH) == DiarizationErrors(0, 0, 0, 24)
    renamed = [Turn(*turn[:2], {"anna": "1", "ben": "2"}[turn.speaker]) for turn in TRUTH]
    assert diarization_errors(TRUTH, renamed[::-1]).rate == 0
    missed = diarization_errors(TRUTH, renamed[:2])
    assert missed == DiarizationErrors(4, 0, 0, 24) and missed.rate == pytest.approx(4 / 24)
    assert diarization_errors(TRUTH, [*renamed, Turn(30, 33, "3")]) == DiarizationErrors(0, 3, 0, 24)
    assert diarization_errors(TRUTH[:2], [Turn(0, 12, "1"), Turn(12, 20, "2")]) == DiarizationErrors(0, 0, 2, 20)
    assert diarization_errors(TRUTH[:2], [Turn(0, 12, "1"), Turn(12, 20, "2")], collar_s=0.5).confusion_s == 1.5
    assert diarization_errors(TRUTH, renamed[:2], overlap=False) == DiarizationErrors(2, 0, 0, 20)
    assert diarization_errors(TRUTH, [*renamed, Turn(30, 33, "3")], overlap=False) == DiarizationErrors(0, 3, 0, 20)


def test_nothing_said_and_nothing_found():
    assert diarization_errors([], []) == NO_ERRORS and NO_ERRORS.rate == 0
    assert diarization_errors([], TRUTH).rate == 1
    assert diarization_errors(TRUTH, []).rate == 1
    assert diarization_errors(TRUTH, [], collar_s=60).speech_s == 0
    total = diarization_errors(TRUTH, []) + diarization_errors(TRUTH, TRUTH)
    assert total == DiarizationErrors(24, 0, 0, 48) and total.rate == 0.5


def test_turns_and_collars_that_cannot_be():
    for turn in (Turn(2, 1, "a"), Turn(0, float("nan"), "a"), Turn(0, float("inf"), "a")):
        with pytest.raises(InputError, match="must end after it has started"):
            diarization_errors(TRUTH, [turn])
    with pytest.raises(InputError, match="collar"):
        diarization_errors(TRUTH, TRUTH, collar_s=-1)


def test_without_scipy_it_is_said_what_to_install(monkeypatch):
    def absent(name):
        raise ImportError(name=name)

    monkeypatch.setattr(errors, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"voxfield\[metrics\]"):
        diarization_errors(TRUTH, TRUTH)


@pytest.mark.parametrize("collar_s", [0, 0.25])
@pytest.mark.parametrize("overlap", [True, False])
def test_the_errors_are_those_of_pyannote(collar_s, overlap):
    pytest.importorskip("pyannote.metrics")
    from pyannote.core import Annotation, Segment
    from pyannote.metrics.diarization import DiarizationErrorRate

    def annotation(turns):
        made = Annotation()
        for number, turn in enumerate(turns):
            made[Segment(turn.start_s, turn.end_s), number] = turn.speaker
        return made

    rng = np.random.default_rng(0)
    theirs = DiarizationErrorRate(collar=2 * collar_s, skip_overlap=not overlap)
    for speakers, found in ((2, 2), (3, 2), (2, 4), (4, 4)):
        truth = conversation(rng, [f"r{n}" for n in range(speakers)], 25)
        guess = conversation(rng, [f"h{n}" for n in range(found)], 25)
        ours = diarization_errors(truth, guess, collar_s=collar_s, overlap=overlap)
        wanted = theirs(annotation(truth), annotation(guess), detailed=True)
        for value, key in (
            (ours.missed_s, "missed detection"), (ours.false_alarm_s, "false alarm"), (ours.confusion_s, "confusion"),
            (ours.speech_s, "total"),
        ):  # fmt: skip
            assert value == pytest.approx(wanted[key], abs=1e-6), key
