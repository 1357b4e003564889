"""Whether a recording is good enough to enrol a speaker, and what speaks against it."""

from collections.abc import Sequence

import numpy as np

from voxfield.audio import Source
from voxfield.errors import InputError
from voxfield.protocols import Engine
from voxfield.tasks.book.book_file import Sample
from voxfield.tasks.book.identification import Gallery
from voxfield.tasks.book.one_voice import two_voices
from voxfield.tasks.speakers.calibration import Calibration
from voxfield.tasks.speakers.embedding import Embedded, embed_source
from voxfield.tasks.speakers.speech_detector import FRAME_S
from voxfield.tasks.speakers.speech_meter import Speech
from voxfield.tasks.speakers.speech_windows import WINDOW_FRAMES, SpeechWindows, of_speech

LEAST_SPEECH_S = 1.0  # below, vectors of one speaker scatter too much
LEAST_LEVEL_DB = -65.0  # of the speech relative to full scale; below, 16 bits hold little but rounding


def examined(source: Source, engine: Engine) -> tuple[Embedded, list[str]]:
    """An open recording as a vector, and what the user should know before it is enrolled.

    Raises:
        InputError: it is silent, holds too little speech, or is too quiet; the message says what is needed.
    """
    windows = SpeechWindows(engine, engine.card.interface.sample_rate_hz)
    made, _ = embed_source(source, engine, listener=windows.feed)
    found = of_speech(windows.finish(), engine)
    check_quality(made.speech, FRAME_S * float(np.diff(found.regions).sum()))
    notes, calibration = list(made.notes), Calibration.of(engine.card)
    if calibration is not None and two_voices(found.vectors, FRAME_S * WINDOW_FRAMES, calibration):
        notes.append("two people seem to speak in it; enrol recordings of one voice alone")
    return made, notes


def check_quality(speech: Speech, detected_s: float) -> None:
    """Return when a recording is good enough to enrol.

    Args:
        speech: what its level says.
        detected_s: seconds of speech that the detector found, which takes noise and most music for none.

    Raises:
        InputError: it is not.
    """
    if speech.silent:
        raise InputError("the recording is silent, so it cannot be enrolled; check the microphone")
    if speech.level_db < LEAST_LEVEL_DB:
        raise InputError(
            f"its speech is at {speech.level_db:.0f} dB relative to full scale, too quiet to enrol: "
            f"{LEAST_LEVEL_DB:.0f} dB are needed at least; record it louder"
        )
    seconds = speech.seconds if speech.seconds < LEAST_SPEECH_S else min(speech.seconds, detected_s)
    if seconds == 0:
        raise InputError("no speech was found in it, only what sounds like noise, tones or music")
    if seconds < LEAST_SPEECH_S:
        raise InputError(
            f"it holds {seconds:.2f} s of speech, too little to enrol; {LEAST_SPEECH_S:g} s is the least, and 10 s or "
            "more are better"
        )


def comparison_notes(
    sample: Sample, others: Sequence[Sample], threshold: float | None, calibration: Calibration | None = None
) -> list[str]:
    """What a new sample has against the rest of the book: unlike its own speaker, or like another one.

    Args:
        threshold: of the book; that of the calibration where it has none.
    """
    if not others or (threshold is None and calibration is None):
        return []
    gallery = Gallery(others)
    speech = Speech(sample.speech_s, sample.level_db, False, sample.range_db)
    found = gallery.identify(sample.vector, threshold=threshold, calibration=calibration, speech=speech)
    if found.threshold is None:  # a vector of zeros
        return []
    threshold = found.threshold
    scores = dict(zip(gallery.names, gallery.scores(sample.vector), strict=True))
    own = scores.pop(sample.name, None)
    notes = []
    if own is not None and own < threshold:
        notes.append(
            f"it does not sound like the other samples of {sample.name} (score {own:.2f}, below {threshold:.2f}); "
            "if it is somebody else, remove it"
        )
    nearest = max(scores, key=lambda name: scores[name], default=None)
    if nearest is not None and scores[nearest] >= max(threshold, -1.0 if own is None else own):
        notes.append(f"it sounds like {nearest}, who is in the book as well (score {scores[nearest]:.2f})")
    return notes
