"""Are two recordings of the same speaker?"""

from dataclasses import dataclass

from voxfield.audio import Given, open_source
from voxfield.errors import InputError
from voxfield.tasks.speakers.calibration import Calibration, probability
from voxfield.tasks.speakers.embedding import Embedded, cosine, embed_source, embedding_engine
from voxfield.tasks.speakers.speech_meter import Speech
from voxfield.tasks.work import Model
from voxfield.values import is_number


@dataclass(frozen=True)
class Verified:
    """What two recordings have in common.

    Attributes:
        score: cosine of their vectors, -1 to 1, higher for one speaker; None where one of them is silent.
        same: whether the score reaches the threshold, or, without one, the ratio that of the model's card; None where
            there is neither, or no score.
        threshold: as it was given.
        first, second: the recordings.
        ratio: natural logarithm of how much likelier one speaker is than two, by the calibration on the model's card;
            None without one, or without a score.
        least_ratio: from which on the card's answer is one speaker; None without a calibration.
    """

    score: float | None
    same: bool | None
    threshold: float | None
    first: Embedded
    second: Embedded
    ratio: float | None = None
    least_ratio: float | None = None

    @property
    def probability(self) -> float | None:
        """How likely one speaker is, where one and two are as likely beforehand; None without a ratio."""
        return None if self.ratio is None else probability(self.ratio)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, of which recording."""
        return tuple(
            f"{which} recording: {note}"
            for which, made in (("first", self.first), ("second", self.second))
            for note in made.notes
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values for a line of JSON."""
        return {
            "score": None if self.score is None else round(self.score, 6),
            "same": self.same,
            "threshold": self.threshold,
            "log_likelihood_ratio": None if self.ratio is None else round(self.ratio, 4),
            "probability": None if self.probability is None else round(self.probability, 6),
            "model": self.first.model,
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
        }


def verify(
    first: Given,
    second: Given,
    rate: int | None = None,
    *,
    model: Model | None = None,
    threshold: float | None = None,
    threads: int = 1,
) -> Verified:
    """Compare the speakers of two recordings.

    Args:
        first, second: as for `voxfield.embed`.
        rate: sample rate in Hz of both; for arrays, and only for arrays.
        model: as for `voxfield.embed`.
        threshold: cosine from which on the answer is "the same"; that of the model's calibration if None. A model
            without one gives no answer then, as the right threshold depends on the model and on the recordings.
        threads: threads within the network.

    Raises:
        InputError: an argument that cannot be used, or no model; AudioError where it is a recording.
        UnknownModelError, CardError: the model cannot be had.
    """
    threshold = as_threshold(threshold)
    engine = embedding_engine(model, threads=threads)
    made = []
    for recording in (first, second):
        with open_source(recording, rate) as source:
            made.append(embed_source(source, engine)[0])
    return compared(made[0], made[1], threshold, Calibration.of(engine.card))


def compared(
    first: Embedded, second: Embedded, threshold: float | None = None, calibration: Calibration | None = None
) -> Verified:
    """The comparison of two recordings that are vectors already.

    Args:
        first, second: of one model.
        threshold: as for `verify`.
        calibration: of the model.

    Raises:
        InputError: the vectors are of two models.
    """
    threshold = as_threshold(threshold)
    if first.model != second.model:
        raise InputError(
            f"vectors of {first.model} and of {second.model} cannot be compared; embed both with one model"
        )
    least = None if calibration is None else calibration.threshold
    if first.speech.silent or second.speech.silent:
        return Verified(None, None, threshold, first, second, None, least)
    score = cosine(first.vector, second.vector)
    ratio = None if calibration is None else calibrated(calibration, score, first.speech, second.speech)
    if threshold is not None:
        same: bool | None = score >= threshold
    else:
        same = None if ratio is None or least is None else ratio >= least
    return Verified(score, same, threshold, first, second, ratio, least)


def calibrated(calibration: Calibration, score: float, first: Speech, second: Speech) -> float:
    """Log-likelihood ratio of two recordings by their cosine and what their level says of their speech."""
    shorter, worse = min(first.seconds, second.seconds), min(first.range_db, second.range_db)
    return calibration.ratio(score, shorter, worse)


def as_threshold(threshold: object) -> float | None:
    """A threshold, which is a cosine or None, as a plain number.

    Raises:
        InputError: it is neither.
    """
    if threshold is None:
        return None
    if not is_number(threshold) or not -1 <= threshold <= 1:  # false for NaN as well
        raise InputError(f"a threshold is a cosine from -1 to 1, not {threshold!r}")
    return float(threshold)
