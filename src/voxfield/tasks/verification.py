"""Are two recordings of the same speaker?"""

import math
from dataclasses import dataclass

from voxfield.audio import Given, open_source
from voxfield.errors import InputError
from voxfield.tasks.embedding import Embedded, cosine, embed_source, embedding_engine
from voxfield.tasks.work import Model


@dataclass(frozen=True)
class Verified:
    """What two recordings have in common.

    Attributes:
        score: cosine of their vectors, -1 to 1, higher for one speaker; None where one of them is silent.
        same: whether the score reaches the threshold; None without a threshold or a score.
        threshold: as it was given.
        first, second: the recordings.
    """

    score: float | None
    same: bool | None
    threshold: float | None
    first: Embedded
    second: Embedded

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
        threshold: score from which on the answer is "the same"; no answer is given without one, as the right one
            depends on the model and on how the recordings were made.
        threads: threads within the network.

    Raises:
        InputError: an argument that cannot be used, or no model; AudioError where it is a recording.
        UnknownModelError, CardError: the model cannot be had.
    """
    check_threshold(threshold)
    engine = embedding_engine(model, threads=threads)
    made = []
    for recording in (first, second):
        with open_source(recording, rate) as source:
            made.append(embed_source(source, engine)[0])
    return compared(made[0], made[1], threshold)


def compared(first: Embedded, second: Embedded, threshold: float | None = None) -> Verified:
    """The comparison of two recordings that are vectors already.

    Raises:
        InputError: the vectors are of two models.
    """
    check_threshold(threshold)
    if first.model != second.model:
        raise InputError(
            f"vectors of {first.model} and of {second.model} cannot be compared; embed both with one model"
        )
    silent = first.speech.silent or second.speech.silent
    score = None if silent else cosine(first.vector, second.vector)
    same = None if score is None or threshold is None else score >= threshold
    return Verified(score, same, threshold, first, second)


def check_threshold(threshold: float | None) -> None:
    """Return when the threshold is a cosine, or None.

    Raises:
        InputError: it is not.
    """
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool) and math.isfinite(threshold)
    if threshold is not None and not (number and -1 <= threshold <= 1):
        raise InputError(f"a threshold is a cosine from -1 to 1, not {threshold!r}")
