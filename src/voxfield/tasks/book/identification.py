"""Who of several enrolled speakers a vector belongs to, or nobody of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from voxfield.errors import InputError
from voxfield.protocols import Array
from voxfield.tasks.book.book_file import Sample
from voxfield.tasks.speakers.calibration import Calibration, probability
from voxfield.tasks.speakers.embedding import Embedded, unit
from voxfield.tasks.speakers.speech_meter import Speech
from voxfield.tasks.speakers.verification import calibrated


@dataclass(frozen=True)
class Identified:
    """Who of the book it is.

    Attributes:
        name: the nearest speaker where the score reaches the threshold; None for somebody unknown, or for silence.
        score: cosine with the mean direction of the nearest speaker's samples; None for silence.
        margin: how much less the second nearest has; None where the book holds one speaker, or for silence.
        threshold: the score from which on a name is given; None for silence.
        nearest: (name, score) of all speakers, the nearest first.
        ratio: natural logarithm of how much likelier it is the nearest speaker than somebody else, by the calibration
            on the model's card; None without one.
        recording: None where a vector was given.
    """

    name: str | None
    score: float | None
    margin: float | None
    threshold: float | None
    nearest: tuple[tuple[str, float], ...]
    ratio: float | None = None
    recording: Embedded | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain values for a line of JSON."""

        def rounded(value: float | None) -> float | None:
            return None if value is None else round(value, 6)

        return {
            "name": self.name,
            "score": rounded(self.score),
            "margin": rounded(self.margin),
            "threshold": rounded(self.threshold),
            "log_likelihood_ratio": rounded(self.ratio),
            "probability": None if self.ratio is None else rounded(probability(self.ratio)),
            "nearest": [{"name": name, "score": rounded(score)} for name, score in self.nearest[:3]],
            **({} if self.recording is None else self.recording.to_dict()),
        }


class Gallery:
    """Enrolled speakers, ready to be compared with.

    Args:
        samples: of them all, those of a speaker in a row; at least one.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        groups = {name: list(group) for name, group in groupby(samples, lambda sample: sample.name)}
        self.names = list(groups)
        self._directions = np.stack([direction([sample.vector for sample in group]) for group in groups.values()])
        self._speech = [_typical(group) for group in groups.values()]

    def scores(self, vector: Array) -> list[float]:
        """Cosines of a vector (D,) with the mean direction of each speaker's samples."""
        return [float(score) for score in np.clip(self._directions @ unit(vector), -1, 1)]

    def identify(
        self,
        vector: Array,
        *,
        threshold: float | None,
        calibration: Calibration | None = None,
        speech: Speech | None = None,
    ) -> Identified:
        """Who a vector (D,) belongs to.

        Args:
            threshold: score from which on a name is given; None for that of the calibration, which must be there then.
            speech: of the recording; None where that is not known.
        """
        if not vector.any() or (speech is not None and speech.silent):
            return Identified(None, None, None, None, ())
        scores = self.scores(vector)
        ranks = sorted(range(len(scores)), key=lambda at: -scores[at])
        nearest = tuple((self.names[at], scores[at]) for at in ranks)
        name, score = nearest[0]
        ratio = None
        if calibration is not None:
            own = self._speech[ranks[0]]
            at_zero, ratio, at_one = (calibrated(calibration, x, speech or own, own) for x in (0.0, score, 1.0))
            if threshold is None:  # the cosine at which the ratio, a line over it, reaches the card's
                threshold = min(max((calibration.threshold - at_zero) / max(at_one - at_zero, 1e-9), -1.0), 1.0)
        if threshold is None:
            raise InputError("a threshold is needed where the model's card holds no calibration")
        margin = score - nearest[1][1] if len(nearest) > 1 else None
        return Identified(name if score >= threshold else None, score, margin, threshold, nearest, ratio)


def direction(vectors: Sequence[Array]) -> Array:
    """Mean direction (D,) of vectors, at length 1."""
    found: Array = unit(unit(np.stack(vectors)).mean(axis=0))
    return found


def _typical(samples: Sequence[Sample]) -> Speech:
    """Means of what is known about a speaker's samples."""
    seconds, level_db, range_db = (
        float(np.mean([getattr(sample, key) for sample in samples])) for key in ("speech_s", "level_db", "range_db")
    )
    return Speech(seconds, level_db, False, range_db)
