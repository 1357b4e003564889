"""How speaker models are scored: error rates over lists of trials, by the plain cosine and by what is made of it."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from voxfield.audio import open_source
from voxfield.errors import InputError
from voxfield.files import reason_of
from voxfield.metrics.enhancement import check_measures
from voxfield.metrics.verification import as_norm, cllr, cohort_statistics, equal_errors, min_dcf
from voxfield.protocols import Array, Engine
from voxfield.tasks.evaluation.det_plot import draw_det
from voxfield.tasks.speakers.calibration import Calibration, fit
from voxfield.tasks.speakers.embedding import Embedded, embed_source, embedding_engine, unit
from voxfield.tasks.speakers.trials import Trial, read_trials, recordings_in

MEASURES = ("eer", "min_dcf", "cllr")
TARGET_RATE = 0.01  # of the detection cost: how often a speaker is who he claims to be


class Scored(NamedTuple):
    """Trials (N,): cosine, seconds of speech of the shorter recording, dB of the noisier one, and the truth."""

    cosines: np.ndarray
    speech_s: np.ndarray
    range_db: np.ndarray
    targets: np.ndarray


class VerificationScoring:
    """See `voxfield.tasks.evaluation.scoring.Scoring`.

    Args:
        engine: a network that gives embeddings.
        measures: of `MEASURES`; all if empty. Cllr needs a calibration.
        cohort: embeddings of other speakers (.npz of `voxfield embed`), for scores less their mean and for AS-norm.
        calibrate: trials, a list or a folder of lists, that a calibration is fitted on; that of the model's card is
            used if None.
        det: an .svg to draw the errors over all thresholds into.

    Raises:
        InputError: a measure that there is none of, a cohort of another model, or another suffix than .svg.
    """

    def __init__(
        self,
        engine: Engine,
        measures: Sequence[str] = (),
        cohort: Path | None = None,
        calibrate: Path | None = None,
        det: Path | None = None,
    ) -> None:
        check_measures(measures, MEASURES, " of verification")
        self.measures = tuple(measures) or MEASURES
        if det is not None and det.suffix != ".svg":
            raise InputError(f"--det {det}: the drawing is an .svg; name it so")
        self._engine = embedding_engine(engine)
        self._cohort = None if cohort is None else read_cohort(cohort, engine.card.name)
        self._calibrate, self._det = calibrate, det
        self._made: dict[Path, Embedded] = {}
        self._lists: dict[str, list[Trial]] = {}

    def items(self, given: Path, truth: Path | None) -> Iterator[tuple[str, tuple[Path, ...]]]:
        """Each recording of the trials once."""
        if truth is not None:
            raise InputError(f"trials say themselves who speaks; leave out {truth}")
        self._lists = trial_lists(given)
        fitted = [] if self._calibrate is None else trial_lists(self._calibrate).values()
        for path in recordings_in(trial for trials in (*self._lists.values(), *fitted) for trial in trials):
            yield str(path), (path,)

    def score(self, *paths: Path) -> dict[str, Any]:
        """What is known of one recording, its vector among it; scores are of trials, see `summary`."""
        (path,) = paths
        with open_source(path) as source:
            made, _ = embed_source(source, self._engine)
        if made.speech.silent:
            raise InputError("the recording is silent; its trials are left out")
        return {"speech_s": made.speech.seconds, "embedded": made}

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """{"recordings", "trials": [a row for each list and kind of score], "calibration"}."""
        self._made = {Path(row["name"]): row["embedded"] for row in rows}
        calibration = Calibration.of(self._engine.card)
        if self._calibrate is not None:
            trials = [trial for trials in trial_lists(self._calibrate).values() for trial in trials]
            calibration = fit(*self._cosines(trials))
        found, curves = [], []
        for name, trials in self._lists.items():
            scored = self._cosines(trials)
            for kind, scores in self._kinds(trials, scored, calibration).items():
                targets = int(scored.targets.sum())
                row = {"list": name, "scores": kind, "targets": targets, "impostors": len(scored.targets) - targets}
                found.append(row | self._errors(scores, scored.targets, kind == "calibrated"))
                if kind in ("cosine", "AS-norm"):
                    curves.append((name if self._cohort is None else f"{name}, {kind}", scores, scored.targets))
        if self._det is not None:
            draw_det(self._det, curves)
        table: dict[str, Any] = {"recordings": len(rows), "trials": found}
        return table | ({"calibration": calibration.to_dict()} if self._calibrate and calibration else {})

    def table(self, summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
        """A line a list and kind of score."""
        names = [name for name in MEASURES if name in self.measures]
        cells = [
            [row["list"], row["scores"], str(row["targets"]), str(row["impostors"])]
            + [_cell(name, row.get(name)) for name in names]
            for row in summary["trials"]
        ]
        heads = {"eer": "EER (%)", "min_dcf": f"minDCF ({TARGET_RATE:g})", "cllr": "Cllr"}
        return ["trials", "scores", "targets", "impostors", *(heads[name] for name in names)], cells

    def _cosines(self, trials: Sequence[Trial]) -> Scored:
        """The trials of which both recordings could be embedded.

        Raises:
            InputError: there are none.
        """
        pairs = [(self._made[trial.first], self._made[trial.second]) for trial in self._usable(trials)]
        if not pairs:
            raise InputError("none of the trials could be scored: a recording of each is silent or cannot be read")
        first, second = (unit(np.stack([pair[side].vector for pair in pairs])) for side in (0, 1))
        return Scored(
            (first * second).sum(1),
            np.array([min(a.speech.seconds, b.speech.seconds) for a, b in pairs]),
            np.array([min(a.speech.range_db, b.speech.range_db) for a, b in pairs]),
            np.array([trial.same for trial in self._usable(trials)]),
        )

    def _usable(self, trials: Sequence[Trial]) -> list[Trial]:
        return [trial for trial in trials if trial.first in self._made and trial.second in self._made]

    def _kinds(self, trials: Sequence[Trial], scored: Scored, calibration: Calibration | None) -> dict[str, np.ndarray]:
        """Scores (N,) of each kind there is."""
        kinds = {"cosine": scored.cosines}
        if self._cohort is not None:
            kinds |= against_cohort(self._usable(trials), self._made, self._cohort)
        if calibration is not None:
            kinds["calibrated"] = calibration.ratios(scored.cosines, scored.speech_s, scored.range_db)
        return kinds

    def _errors(self, scores: np.ndarray, targets: np.ndarray, are_ratios: bool) -> dict[str, float]:
        found = {}
        if "eer" in self.measures:
            found["eer"] = equal_errors(scores, targets).rate
        if "min_dcf" in self.measures:
            found["min_dcf"] = min_dcf(scores, targets, TARGET_RATE)
        if "cllr" in self.measures and are_ratios:
            found["cllr"] = cllr(scores, targets)
        return {name: round(value, 5) for name, value in found.items()}


def trial_lists(given: Path) -> dict[str, list[Trial]]:
    """The trials of a list by its name without suffix, or of every .txt list in a folder.

    Raises:
        InputError: there is none, or one that cannot be read.
    """
    paths = sorted(given.glob("*.txt")) if given.is_dir() else [given]
    if not paths:
        raise InputError(f"{given} holds no lists of trials (.txt with lines such as `1 a.wav b.wav`)")
    return {path.stem: read_trials([path]) for path in paths}


def read_cohort(path: Path, model: str) -> Array:
    """(K, D) unit vectors of an .npz of `voxfield embed`.

    Raises:
        InputError: it is none, holds fewer than two, or those of another model.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            vectors, models = np.asarray(file["embedding"], np.float32), {str(name) for name in file["model"]}
    except OSError as error:
        raise InputError(f"the cohort {path} cannot be read: {reason_of(error)}") from error
    except (ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is no .npz that `voxfield embed -o` wrote, or it is damaged") from error
    if models != {model}:
        raise InputError(
            f"{path} holds vectors of {', '.join(sorted(models))}; the cohort must be embedded with {model}"
        )
    if vectors.ndim != 2 or len(vectors) < 2:
        raise InputError(f"{path} holds {len(vectors)} vectors; a cohort needs two or more")
    return unit(vectors)


def against_cohort(trials: Sequence[Trial], made: Mapping[Path, Embedded], cohort: Array) -> dict[str, np.ndarray]:
    """Scores (N,) of vectors less the cohort's mean, `centred`, and those normalised against the cohort, `AS-norm`."""
    mean = cohort.mean(0)
    others = unit(cohort - mean)
    paths = recordings_in(trials)
    vectors = unit(unit(np.stack([made[path].vector for path in paths])) - mean)
    means, spreads = cohort_statistics(vectors @ others.T)
    place = {path: at for at, path in enumerate(paths)}
    first, second = np.array([(place[trial.first], place[trial.second]) for trial in trials]).T
    scores = (vectors[first] * vectors[second]).sum(1)
    sides = ((means[side], spreads[side]) for side in (first, second))
    return {"centred": scores, "AS-norm": as_norm(scores, *sides)}


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{100 * value:.2f}" if name == "eer" else f"{value:.3f}"
