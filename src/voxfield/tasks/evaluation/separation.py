"""How separation is scored: SI-SDR and SDR with their gains, PESQ, STOI, and how often two voices changed places."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.errors import InputError
from voxfield.metrics.enhancement import NEEDS, check_measures, pesq_wb, stoi
from voxfield.metrics.separation import best_order, count_swaps, separation_scores
from voxfield.protocols import Array, Engine
from voxfield.tasks.evaluation.folders import read_with_truth, recordings_of
from voxfield.tasks.separation.recording import separate

MEASURES = ("si_sdr", "sdr", "pesq", "stoi", "swaps")
_PACKAGES = {**NEEDS, "sdr": "fast_bss_eval"}


class SeparationScoring:
    """See `voxfield.tasks.evaluation.scoring.Scoring`.

    Args:
        engine: a separating network; PESQ and STOI are measured at 16 kHz only, and left out at other rates.
        measures: of `MEASURES`; all that are installed if empty.

    Raises:
        InputError: a measure that there is none of.
    """

    def __init__(self, engine: Engine, measures: Sequence[str] = ()) -> None:
        check_measures(measures, MEASURES, " of separation")
        installed = [name for name in MEASURES if name not in _PACKAGES or find_spec(_PACKAGES[name])]
        self.measures = tuple(measures) or tuple(installed)
        self._engine = engine
        self._rate_hz = engine.card.interface.sample_rate_hz

    def items(self, given: Path, truth: Path | None) -> Iterator[tuple[str, tuple[Path, ...]]]:
        """Mixtures and their voices in `s1`, `s2` ...: `mix_clean` of LibriMix, `mix` of WSJ0-2mix."""
        if truth is None:
            raise InputError("separation is scored against the voices: name the folder that holds s1, s2 ...")
        folders = [truth / f"s{number}" for number in range(1, self._engine.card.interface.sources + 1)]
        for folder in folders:
            if not folder.is_dir():
                raise InputError(
                    f"{folder} is not a folder; evaluation needs a folder of mixtures and {truth}/s1, s2 ..."
                )
        for path in recordings_of(given):
            parts = [folder / path.name for folder in folders]
            if absent := [part for part in parts if not part.is_file()]:
                raise InputError(f"{path} lacks the voice {absent[0]}")
            yield path.stem, (path, *parts)

    def score(self, *paths: Path) -> dict[str, Any]:
        """Scores of one mixture."""
        mixture, *parts = paths
        recording, voices = read_with_truth(mixture, parts, self._rate_hz)
        estimates = separate(recording, self._rate_hz, model=self._engine).voices[:, 0]
        return score_voices(recording, estimates, voices, self._rate_hz, self.measures)

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Means over the mixtures, and the share of them that gained less than 1 dB."""
        table: dict[str, Any] = {"mixtures": len(rows)}
        for name in (name for name in rows[0] if name != "name"):
            values = np.array([row[name] for row in rows], float)
            finite = values[np.isfinite(values)]
            table[name] = (
                int(values.sum()) if name == "swaps" else round(float(np.mean(finite)), 3) if len(finite) else None
            )
        gains = np.array([row["si_sdr_gain_db"] for row in rows])
        return table | {"share_below_1_db": round(float(np.mean(gains < 1)), 3)}

    def table(self, summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
        """A line a score."""
        return ["score", "mean"], [[name, str(value)] for name, value in summary.items()]


def score_voices(
    mixture: Array, estimates: Array, voices: Array, rate_hz: int, measures: Sequence[str] = MEASURES
) -> dict[str, Any]:
    """Scores of separated voices (S, N) under their best order, beside the mixture (N,)."""
    row: dict[str, Any] = separation_scores(estimates, voices, mixture, "sdr" in measures)
    ordered = estimates[list(best_order(estimates, voices))]
    if rate_hz == 16000:
        for measure, function in (("pesq", pesq_wb), ("stoi", stoi)):
            if measure in measures:
                row[measure] = float(np.mean([function(*pair) for pair in zip(ordered, voices, strict=True)]))
                row[f"{measure}_of_mixture"] = float(np.mean([function(mixture, voice) for voice in voices]))
    if "swaps" in measures:
        row["swaps"] = count_swaps(ordered, voices, rate_hz)
    return row
