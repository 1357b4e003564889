"""Scores of a model on pairs of noisy and clean recordings: means over all, by SNR, and beside the noisy input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.errors import InputError
from voxfield.metrics.enhancement import scores
from voxfield.protocols import Array

RATE_HZ = 16000  # of PESQ-WB and of everything scored here
SNR_EDGES_DB = (-100.0, 0.0, 5.0, 10.0, 15.0, 100.0)
SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")


@dataclass(frozen=True)
class Evaluation:
    """Scores of every recording, noisy and enhanced, and what they were measured on."""

    rows: tuple[Mapping[str, Any], ...]  # each {"name", "snr_db", "noisy": {...}, "enhanced": {...}}

    def mean(self, which: str, low_db: float = -1e9, high_db: float = 1e9) -> dict[str, float]:
        """Mean of each score of `noisy` or `enhanced` over the recordings of an SNR range; undefined values left
        out."""
        rows = [row[which] for row in self.rows if low_db <= row["snr_db"] < high_db]
        names = rows[0] if rows else {}
        return {name: float(np.nanmean([row[name] for row in rows])) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Means in all and by SNR, rounded, for JSON and for a card."""
        table: dict[str, Any] = {"recordings": len(self.rows)}
        table |= {which: _rounded(self.mean(which)) for which in ("noisy", "enhanced")}
        table["by_snr"] = [
            {"from_db": low, "to_db": high, "recordings": count}
            | {which: _rounded(self.mean(which, low, high)) for which in ("noisy", "enhanced")}
            for low, high in pairwise(SNR_EDGES_DB)
            if (count := sum(low <= row["snr_db"] < high for row in self.rows))
        ]
        return table


def pairs(noisy: Path, clean: Path) -> Iterator[tuple[str, Path, Path]]:
    """(name, noisy file, clean file) of two folders whose files have the same names up to the suffix.

    Raises:
        InputError: a folder is missing, or a noisy file has no clean one.
    """
    for folder in (noisy, clean):
        if not folder.is_dir():
            raise InputError(
                f"{folder} is not a folder; evaluation needs a folder of noisy and one of clean recordings"
            )
    targets = {path.stem: path for path in sorted(clean.iterdir()) if path.suffix.lower() in SUFFIXES}
    sources = [path for path in sorted(noisy.iterdir()) if path.suffix.lower() in SUFFIXES]
    if not sources:
        raise InputError(f"{noisy} holds no recordings ({', '.join(SUFFIXES)})")
    for path in sources:
        if path.stem not in targets:
            raise InputError(f"{path} has no clean recording of the name {path.stem} in {clean}")
        yield path.stem, path, targets[path.stem]


def evaluate(
    recordings: Iterable[tuple[str, Array, Array]], process: Callable[[Array], Array], measures: Sequence[str]
) -> Evaluation:
    """Scores of `process` on (name, noisy, clean) recordings, each (N,) at 16 kHz.

    Args:
        recordings: what to score on; SNR is measured from noisy - clean.
        process: noisy samples (N,) to enhanced ones (N,).
        measures: names of `voxfield.metrics.enhancement`, such as those of its `measurable()`.
    """
    rows = []
    for name, noisy, clean in recordings:
        noise_power, speech_power = float(np.square(noisy - clean).mean()), float(np.square(clean).mean())
        snr_db = 10 * float(np.log10(max(speech_power, 1e-12) / max(noise_power, 1e-12)))
        rows.append(
            {
                "name": name,
                "snr_db": snr_db,
                "noisy": scores(noisy, clean, measures),
                "enhanced": scores(process(noisy), clean, measures),
            }
        )
    return Evaluation(tuple(rows))


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}
