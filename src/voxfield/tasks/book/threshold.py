"""The threshold for a wished rate of false accepts, from scores of trials."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from voxfield.audio import open_source
from voxfield.errors import InputError
from voxfield.metrics.verification import equal_errors
from voxfield.protocols import Array, Engine
from voxfield.tasks.book.book_file import Sample
from voxfield.tasks.book.identification import direction
from voxfield.tasks.speakers.embedding import cosine, embed_source
from voxfield.tasks.speakers.trials import Trial, recordings_in
from voxfield.values import is_number, plural

FEW_SAME = 30  # trials of one speaker, below which the rate of misses is little more than a guess
_DEVIATIONS = 1.96  # a normal value lies within them 95 % of the time


@dataclass(frozen=True)
class Rate:
    """A rate of errors.

    Attributes:
        rate: measured, 0 to 1.
        low, high: where the true one lies with a confidence of 95 % (Wilson's interval), if the trials are independent.
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
        false_accepts, misses: of trials of two speakers, and of one.
        equal_error_rate: where both would be the same.
        same, different: trials of one speaker, and of two.
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
        scores: (N,) of trials.
        same: (N,), true or 1 for one speaker.
        wanted: rate of false accepts, above 0 and below 1.

    Raises:
        InputError: the rate is none, or trials of one speaker or of two are missing.
    """
    check_wanted(wanted)
    wanted = float(wanted)
    equal = equal_errors(scores, same).rate  # checks the scores as well
    scores, one = np.asarray(scores, np.float64), np.asarray(same).astype(bool)
    others = np.sort(scores[~one])[::-1]
    rejected = others[int(wanted * len(others))]  # the highest score that must not be accepted
    above = scores[scores > rejected]
    threshold = float((rejected + above.min()) / 2) if len(above) else float(np.nextafter(rejected, np.inf))
    if threshold > 1:
        raise InputError(
            f"more than {100 * wanted:g} % of the trials of two speakers score 1, as two copies of one recording do; "
            "take the copies out of the trials"
        )
    accepted, missed = int((others >= threshold).sum()), int((scores[one] < threshold).sum())
    return Chosen(
        threshold, wanted, Rate.of(accepted, len(others)), Rate.of(missed, int(one.sum())),
        round(equal, 6), int(one.sum()), len(others), tuple(_notes(wanted, int(one.sum()), len(others))),
    )  # fmt: skip


def check_wanted(wanted: object) -> None:
    """Return when it is a rate of false accepts that can be wished for.

    Raises:
        InputError: it is not.
    """
    if not is_number(wanted) or not 0 < wanted < 1:
        raise InputError(f"the wished rate of false accepts lies between 0 and 1, such as 0.01; not {wanted!r}")


def scores_of_samples(samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """(Scores, whether it is the speaker's own) of what identifying each sample with the rest of the book would give.

    Each sample is compared with its speaker's other samples, where there are any, and, as a stranger, with the nearest
    of all other speakers.

    Raises:
        InputError: there are no two speakers, or nobody has two samples.
    """
    vectors: dict[str, list[Array]] = {}
    for sample in samples:
        vectors.setdefault(sample.name, []).append(sample.vector)
    if len(vectors) < 2 or len(vectors) == len(samples):
        raise InputError(
            "to choose a threshold from the book it must hold two speakers or more, one of them with two samples or "
            "more; enrol more recordings, or give trials: a text file with lines such as `1 a.wav b.wav`"
        )
    directions = {name: direction(own) for name, own in vectors.items()}
    own_scores, nearest_scores = [], []
    for name, own in vectors.items():
        for at, vector in enumerate(own):
            if rest := own[:at] + own[at + 1 :]:
                own_scores.append(cosine(vector, direction(rest)))
            nearest_scores.append(max(cosine(vector, other) for key, other in directions.items() if key != name))
    return np.array(own_scores + nearest_scores), np.repeat([True, False], [len(own_scores), len(nearest_scores)])


def scores_of_trials(trials: Sequence[Trial], engine: Engine) -> tuple[np.ndarray, np.ndarray]:
    """(Scores, whether both are of one speaker) of pairs of recordings, each of which is embedded once.

    Raises:
        InputError: a recording is silent; AudioError where it cannot be read.
    """
    if not all(isinstance(trial, Trial) for trial in trials):
        raise InputError("trials are objects of voxfield.tasks.speakers.trials, as `read_trials` gives them")
    vectors: dict[Path, Array] = {}
    for path in recordings_in(trials):
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
            f"a rate of {100 * wanted:g} % cannot be measured with {plural(different, 'trial')} of "
            f"two speakers; {needed} or more are needed"
        )
    if same < FEW_SAME:
        notes.append(f"misses need {FEW_SAME} trials of one speaker or more to be measured; there are {same}")
    return notes
