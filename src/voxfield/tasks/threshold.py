"""The threshold for a wished rate of false accepts, from scores of pairs of recordings."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from voxfield.audio import open_source
from voxfield.errors import InputError
from voxfield.metrics.verification import equal_errors
from voxfield.protocols import Array, Engine
from voxfield.tasks.book_file import Sample
from voxfield.tasks.embedding import cosine, embed_source
from voxfield.tasks.trials import Trial

FEW_SAME = 30  # pairs of one speaker, below which the rate of misses is little more than a guess
_DEVIATIONS = 1.96  # a normal value lies within them 95 % of the time


@dataclass(frozen=True)
class Rate:
    """A rate of errors.

    Attributes:
        rate: measured, 0 to 1.
        low, high: where the true one lies with a confidence of 95 % (Wilson's interval), if the pairs are independent.
    """

    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, errors: int, trials: int) -> "Rate":
        """That of so many errors in so many trials.

        >>> Rate.of(0, 100)
        Rate(rate=0.0, low=0.0, high=0.037)
        """
        rate, weight = errors / trials, _DEVIATIONS**2 / trials
        centre, spread = rate + weight / 2, math.sqrt(weight * (rate * (1 - rate) + weight / 4))
        low, high = ((centre + sign * spread) / (1 + weight) for sign in (-1, 1))
        return cls(round(rate, 6), round(max(low, 0.0), 4), round(min(high, 1.0), 4))


@dataclass(frozen=True)
class Chosen:
    """A threshold, and what was measured with it.

    Attributes:
        threshold: the lowest at which no more than the wished share of different speakers is accepted.
        wanted: that share.
        false_accepts, misses: of pairs of two speakers, and of one.
        equal_error_rate: where both would be the same.
        same, different: pairs of one speaker, and of two.
        notes: what the user should know.
    """

    threshold: float
    wanted: float
    false_accepts: Rate
    misses: Rate
    equal_error_rate: float
    same: int
    different: int
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values for a line of JSON."""
        return asdict(self) | {"notes": list(self.notes)}


def choose_threshold(scores: np.ndarray, same: np.ndarray, wanted: float = 0.01) -> Chosen:
    """The lowest threshold that accepts no more than the wished share of different speakers.

    Args:
        scores: (N,) of pairs of recordings.
        same: (N,), true or 1 where both are of one speaker.
        wanted: rate of false accepts, above 0 and below 1.

    Raises:
        InputError: the rate is none, or pairs of one speaker or of two are missing.
    """
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or not 0 < wanted < 1:
        raise InputError(f"the wished rate of false accepts lies between 0 and 1, such as 0.01; not {wanted!r}")
    equal = equal_errors(scores, same).rate  # checks the scores as well
    scores, one = np.asarray(scores, np.float64), np.asarray(same).astype(bool)
    others = np.sort(scores[~one])[::-1]
    rejected = others[int(wanted * len(others))]  # the highest score that must not be accepted
    above = scores[scores > rejected]
    threshold = float((rejected + above.min()) / 2) if len(above) else float(np.nextafter(rejected, np.inf))
    accepted, missed = int((others >= threshold).sum()), int((scores[one] < threshold).sum())
    return Chosen(
        threshold, wanted, Rate.of(accepted, len(others)), Rate.of(missed, int(one.sum())),
        round(equal, 6), int(one.sum()), len(others), tuple(_notes(wanted, int(one.sum()), len(others))),
    )  # fmt: skip


def scores_of_samples(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """(Scores, whether both are of one speaker) of all pairs of enrolled samples.

    Raises:
        InputError: there are no two speakers, or nobody has two samples.
    """
    names = [sample.name for sample in samples]
    if len(set(names)) < 2 or len(set(names)) == len(names):
        raise InputError(
            "to choose a threshold from the book it must hold two speakers or more, one of them with two samples or "
            "more; enrol more recordings, or give trials: a text file with lines such as `1 a.wav b.wav`"
        )
    pairs = list(combinations(range(len(samples)), 2))
    scores = [cosine(samples[first].vector, samples[second].vector) for first, second in pairs]
    return np.array(scores), np.array([names[first] == names[second] for first, second in pairs])


def scores_of_trials(trials: Sequence[Trial], engine: Engine) -> tuple[np.ndarray, np.ndarray]:
    """(Scores, whether both are of one speaker) of pairs of recordings, each of which is embedded once.

    Raises:
        InputError: a recording is silent; AudioError where it cannot be read.
    """
    vectors: dict[Path, Array] = {}
    for path in (path for trial in trials for path in (trial.first, trial.second)):
        if path not in vectors:
            with open_source(path) as source:
                made, _ = embed_source(source, engine)
            if made.speech.silent:
                raise InputError(f"the recording {path} is silent; take it out of the trials")
            vectors[path] = made.vector
    scores = [cosine(vectors[trial.first], vectors[trial.second]) for trial in trials]
    return np.array(scores), np.array([trial.same for trial in trials])


def _notes(wanted: float, same: int, different: int) -> list[str]:
    notes = []
    if different < (needed := math.ceil(3 / wanted)):  # no error in that many leaves a rate of `wanted` unlikely
        notes.append(
            f"a rate of {100 * wanted:g} % is not measured by {different} pairs of two speakers: "
            f"{needed} or more are needed"
        )
    if same < FEW_SAME:
        notes.append(f"{same} pairs of one speaker say little about misses: {FEW_SAME} or more are needed")
    return notes
