"""How enhancement is scored: PESQ, STOI, ESTOI, SI-SDR and DNSMOS beside the noisy input, in all and by SNR."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.errors import InputError
from voxfield.metrics.enhancement import check_measures, measurable, scores
from voxfield.protocols import Array, Engine
from voxfield.tasks.enhancement.recording import enhance
from voxfield.tasks.evaluation.folders import read_with_truth, recordings_of

RATE_HZ = 16000  # of PESQ-WB and of everything scored here
SNR_EDGES_DB = (-100.0, 0.0, 5.0, 10.0, 15.0, 100.0)
_SNR_BOUNDS_DB = (-99.0, 99.0)  # inside these edges, also where both recordings are the same
SIDES = ("noisy", "enhanced")


class EnhancementScoring:
    """See `voxfield.tasks.evaluation.scoring.Scoring`.

    Args:
        engine: an enhancing network.
        measures: names of `voxfield.metrics.enhancement`; all that are installed if empty.
    """

    def __init__(self, engine: Engine, measures: Sequence[str] = ()) -> None:
        self._engine = engine
        self.measures = tuple(measures) or measurable()
        check_measures(self.measures)

    def items(self, given: Path, truth: Path | None) -> Iterator[tuple[str, tuple[Path, ...]]]:
        """Noisy and clean recordings of the same names up to the suffix."""
        if truth is None:
            raise InputError("enhancement is scored against clean recordings: name their folder after the noisy one's")
        for name, noisy, clean in pairs(given, truth):
            yield name, (noisy, clean)

    def score(self, *paths: Path) -> dict[str, Any]:
        """{"snr_db", "noisy": {...}, "enhanced": {...}} of one pair."""
        noisy, clean = paths
        recording, (truth,) = read_with_truth(noisy, [clean], RATE_HZ)
        enhanced = enhance(recording, RATE_HZ, model=self._engine).samples[0]
        return score_pair(recording, enhanced, truth, self.measures)

    def summary(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Means in all and by SNR, rounded; a score that no recording has is left out."""
        table: dict[str, Any] = {"recordings": len(rows)}
        table |= {side: _rounded(mean(rows, side)) for side in SIDES}
        table["by_snr"] = [
            {"from_db": low, "to_db": high, "recordings": len(inside)}
            | {side: _rounded(mean(inside, side)) for side in SIDES}
            for low, high in pairwise(SNR_EDGES_DB)
            if (inside := [row for row in rows if low <= row["snr_db"] < high])
        ]
        return table

    def table(self, summary: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
        """A line for each range of SNR and side."""
        names = list(summary["noisy"] | summary["enhanced"])
        parts = [(f"{part['from_db']:g} to {part['to_db']:g} dB", part) for part in summary["by_snr"]]
        cells = [
            [
                label,
                str(part["recordings"]),
                side,
                *(f"{part[side][name]:z.3f}" if name in part[side] else "-" for name in names),
            ]
            for label, part in [*parts, ("all", summary)]
            for side in SIDES
        ]
        return ["SNR", "recordings", "", *names], cells


def score_pair(noisy: Array, enhanced: Array, clean: Array, measures: Sequence[str]) -> dict[str, Any]:
    """Scores of a noisy recording (N,) and of what was made of it, and its SNR."""
    noise_power, speech_power = float(np.square(noisy - clean).mean()), float(np.square(clean).mean())
    snr_db = 10 * float(np.log10(max(speech_power, 1e-12) / max(noise_power, 1e-12)))
    return {
        "snr_db": float(np.clip(snr_db, *_SNR_BOUNDS_DB)),
        "noisy": scores(noisy, clean, measures),
        "enhanced": scores(enhanced, clean, measures),
    }


def mean(rows: Sequence[Mapping[str, Any]], which: str) -> dict[str, float]:
    """Mean of each score of `which` over the rows in which it is a finite number on every side; NaN where none is."""
    values: dict[str, list[float]] = {}
    for row in rows:
        sides = [side for side in row.values() if isinstance(side, Mapping)]
        for name, value in row[which].items():
            compared = all(np.isfinite(side[name]) for side in sides if name in side)
            values.setdefault(name, []).extend([value] if compared else [])
    return {name: float(np.mean(found)) if found else float("nan") for name, found in values.items()}


def pairs(noisy: Path, clean: Path) -> Iterator[tuple[str, Path, Path]]:
    """(name, noisy file, clean file) of two folders whose files have the same names up to the suffix.

    Raises:
        InputError: a folder is missing, or a noisy file has no clean one.
    """
    targets = {path.stem: path for path in recordings_of(clean)}
    for path in recordings_of(noisy):
        if path.stem not in targets:
            raise InputError(f"{path} has no clean recording of the name {path.stem} in {clean}")
        yield path.stem, path, targets[path.stem]


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items() if np.isfinite(value)}
