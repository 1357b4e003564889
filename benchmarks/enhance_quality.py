"""PESQ-WB, ESTOI and SI-SDR of the enhancers on pairs of noisy and clean speech, beside the noisy input and two peers.

Means over all pairs and by signal-to-noise ratio; and the PESQ that is lost when the same recordings are 20 dB quieter,
which should be none. RNNoise works at 48 kHz: it hears the recording resampled to that rate, and its output is brought
back and shifted by its own delay before it is scored. noisereduce hears each recording as a whole.

    python benchmarks/make_pairs.py pairs --data data/MANIFEST.csv
    python benchmarks/enhance_quality.py pairs/noisy pairs/clean
    python benchmarks/enhance_quality.py pairs/noisy pairs/clean --models crn-small my.onnx --dnsmos --json
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from peers import rnnoise, spectral_gate
from table import table

from voxfield.audio import read
from voxfield.metrics.enhancement import scores
from voxfield.tasks.enhancement.recording import DEFAULT_MODEL, enhance
from voxfield.tasks.evaluation.enhancement import RATE_HZ, SNR_EDGES_DB, mean, pairs, score_pair

MEASURES = ("pesq", "estoi", "si_sdr_db")
LARGEST_MODEL = "crn-large"
QUIETER = 0.1  # 20 dB
DIGITS = {"si_sdr_db": 2}  # of a score; the others have three

Process = Callable[[np.ndarray], np.ndarray]


def systems(models: list[str], peers: bool) -> dict[str, Process]:
    """What turns noisy (N,) samples into enhanced ones, by name."""
    ours = {Path(model).name.removesuffix(".onnx"): partial(_ours, model=model) for model in models}
    for model in [model for model in (DEFAULT_MODEL, LARGEST_MODEL) if model in models]:
        ours[f"{model} --warm-up 5"] = partial(_ours, model=model, warm_up_s=5)
    return ours | ({"RNNoise": rnnoise, "noisereduce": spectral_gate} if peers else {})


def _ours(noisy: np.ndarray, model: str, warm_up_s: float = 0.0) -> np.ndarray:
    return enhance(noisy, RATE_HZ, model=model, warm_up_s=warm_up_s).samples[0]


def score(noisy: Path, clean: Path, chosen: dict[str, Process], measures: tuple[str, ...], limit: int) -> list[dict]:
    """Scores of the noisy input, of every system, and the PESQ of every system on quieter input, row by row."""
    rows = []
    for number, (name, *paths) in enumerate(pairs(noisy, clean), start=1):
        if limit and number > limit:
            break
        print(f"\r{number} {name}", end="", file=sys.stderr, flush=True)
        mixture, speech = (read(path, rate_hz=RATE_HZ, mono=True)[0] for path in paths)
        first, *others = chosen
        row = score_pair(mixture, chosen[first](mixture), speech, measures)
        found = {"noisy": row["noisy"], first: row["enhanced"]}
        found |= {other: scores(chosen[other](mixture), speech, measures) for other in others}
        for system, process in chosen.items():
            found[f"{system}, quieter"] = scores(process(mixture * QUIETER) / QUIETER, speech, ("pesq",))
        rows.append({"name": name, "snr_db": row["snr_db"], **found})
    print(file=sys.stderr)
    return rows


def report(rows: list[dict], names: list[str]) -> dict:
    """Means in all and by SNR for the noisy input and each system, and what each loses on quieter input."""
    parts = []
    for at, (low, high) in enumerate([(-1e9, 1e9), *pairwise(SNR_EDGES_DB)]):
        if inside := [row for row in rows if low <= row["snr_db"] < high]:
            scored = {name: mean(inside, name) for name in ("noisy", *names)}
            parts.append({"snr_db": (low, high) if at else None, "recordings": len(inside), "scores": scored})
    lost = {name: mean(rows, name)["pesq"] - mean(rows, f"{name}, quieter")["pesq"] for name in names}
    return {"parts": parts, "pesq_lost_20_db_quieter": lost}


def rows_of(result: dict) -> tuple[list[str], list[list[str]]]:
    """Head and cells of the printed table."""
    measures = list(result["parts"][0]["scores"]["noisy"])
    head = ["SNR", "pairs", "system", *measures, "PESQ lost, -20 dB"]
    cells = []
    for part in result["parts"]:
        low, high = part["snr_db"] or (None, None)
        label = "all" if low is None else f"{low:g} to {high:g} dB"
        label = label.replace("-100 to", "under").replace("15 to 100", "15 and more")
        for name, found in part["scores"].items():
            lost = result["pesq_lost_20_db_quieter"].get(name) if low is None else None
            values = [f"{value:.{DIGITS.get(measure, 3)}f}" for measure, value in found.items()]
            cells.append(
                [label, str(part["recordings"]), name, *values, "" if lost is None else f"{round(lost, 3) + 0.0:.3f}"]
            )
    return head, cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("noisy", type=Path, help="folder of noisy recordings")
    parser.add_argument("clean", type=Path, help="folder of clean recordings of the same names")
    parser.add_argument(
        "--models", nargs="+", default=["crn-tiny", "crn-small", "crn-large"], help="names or .onnx files"
    )
    parser.add_argument("--no-peers", action="store_true", help="leave RNNoise and noisereduce out")
    parser.add_argument("--dnsmos", action="store_true", help="also DNSMOS P.835 (slow)")
    parser.add_argument("--limit", type=int, default=0, help="only the first so many pairs; 0 for all")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    chosen = systems(arguments.models, peers=not arguments.no_peers)
    measures = (*MEASURES, "dnsmos") if arguments.dnsmos else MEASURES
    result = report(score(arguments.noisy, arguments.clean, chosen, measures, arguments.limit), list(chosen))
    if arguments.json:
        print(json.dumps(result))
    else:
        print(table(*rows_of(result), markdown=arguments.markdown))


if __name__ == "__main__":
    main()
