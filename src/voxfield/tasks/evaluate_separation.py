"""Scores of a separating model on folders of mixtures with the voices they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.errors import InputError
from voxfield.metrics.enhancement import pesq_wb, stoi
from voxfield.metrics.separation import best_order, count_swaps, separation_scores
from voxfield.protocols import Array
from voxfield.tasks.evaluate import SUFFIXES

MEASURES = ("si_sdr", "sdr", "pesq", "stoi", "swaps")


@dataclass(frozen=True)
class SeparationEvaluation:
    """Scores of every mixture."""

    rows: tuple[Mapping[str, Any], ...]  # each {"name", "si_sdr_gain_db", ...}

    def to_dict(self) -> dict[str, Any]:
        """Means over the mixtures, and the share of them that gained less than 1 dB, for JSON and for a card."""
        names = [name for name in self.rows[0] if name != "name"] if self.rows else []
        table: dict[str, Any] = {"mixtures": len(self.rows)}
        for name in names:
            values = [row[name] for row in self.rows]
            table[name] = int(np.sum(values)) if name == "swaps" else round(float(np.nanmean(values)), 3)
        gains = [row["si_sdr_gain_db"] for row in self.rows]
        return table | {"share_below_1_db": round(float(np.mean(np.array(gains) < 1)), 3)}


def mixtures(folder: Path, voices: Path, sources: int) -> Iterator[tuple[str, Path, list[Path]]]:
    """(name, mixture, its voices) of a folder of mixtures and the folders `s1`, `s2` ... with files of the same names.

    So `mix_clean` and `s1`, `s2` of LibriMix, and `mix` and `s1`, `s2` of WSJ0-2mix.

    Raises:
        InputError: a folder is missing, or a mixture lacks a voice.
    """
    folders = [voices / f"s{number}" for number in range(1, sources + 1)]
    for needed in (folder, *folders):
        if not needed.is_dir():
            raise InputError(f"{needed} is not a folder; evaluation needs a folder of mixtures and {voices}/s1, s2 ...")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(f"{folder} holds no recordings ({', '.join(SUFFIXES)})")
    for path in paths:
        parts = [source / path.name for source in folders]
        if absent := [part for part in parts if not part.is_file()]:
            raise InputError(f"{path} lacks the voice {absent[0]}")
        yield path.stem, path, parts


def evaluate_separation(
    recordings: Iterable[tuple[str, Array, Array]],
    process: Callable[[Array], Array],
    rate_hz: int,
    measures: Sequence[str] = MEASURES,
) -> SeparationEvaluation:
    """Scores of `process` on (name, mixture (N,), voices (S, N)).

    Args:
        recordings: what to score on.
        process: mixture (N,) to voices (S, N).
        rate_hz: sample rate of all; PESQ and STOI are measured at 16 kHz only and left out otherwise.
        measures: of `MEASURES`.

    Raises:
        InputError: a measure that there is none of.
    """
    if unknown := [name for name in measures if name not in MEASURES]:
        raise InputError(f"there is no measure '{unknown[0]}' of separation; choose from {', '.join(MEASURES)}")
    rows = []
    for name, mixture, voices in recordings:
        estimates = process(mixture)
        row: dict[str, Any] = {"name": name, **separation_scores(estimates, voices, mixture, "sdr" in measures)}
        ordered = estimates[list(best_order(estimates, voices))]
        if rate_hz == 16000:
            for measure, function in (("pesq", pesq_wb), ("stoi", stoi)):
                if measure in measures:
                    row[measure] = _mean(function, ordered, voices)
                    row[f"{measure}_of_mixture"] = _mean(function, [mixture] * len(voices), voices)
        if "swaps" in measures:
            row["swaps"] = count_swaps(ordered, voices, rate_hz)
        rows.append(row)
    return SeparationEvaluation(tuple(rows))


def _mean(measure: Callable[[Array, Array], float], estimates: Iterable[Array], targets: Iterable[Array]) -> float:
    return float(np.mean([measure(estimate, target) for estimate, target in zip(estimates, targets, strict=True)]))
