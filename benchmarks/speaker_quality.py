"""Error rates of speaker models on the trials of `make_trials.py`, by corpus, duration and noise.

    python benchmarks/make_trials.py runs/trials data/MANIFEST.csv
    python benchmarks/speaker_quality.py runs/trials --models a.onnx b.onnx --markdown
    python benchmarks/speaker_quality.py runs/trials --models a.onnx --json > scores.json

EER and minDCF are those of the cosine over the trials of all speakers; Cllr is that of the trials among one half of the
speakers, after a calibration that was fitted on those among the other half. The JSON is what
`voxfield export --measured` takes for a card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from table import table

from voxfield.tasks.evaluation.scoring import evaluate


def measured(trials: Path, model: str) -> dict[str, Any]:
    """{"model", "recordings", "trials": [a row a list], "calibration"}."""
    found = evaluate(trials / "all", None, model, ["eer", "min_dcf"])
    half = evaluate(trials / "test", None, model, ["cllr"], options={"calibrate": trials / "fit"})
    cllr = {row["list"]: row["cllr"] for row in half.summary["trials"] if "cllr" in row}
    rows = [
        {key: value for key, value in row.items() if key != "scores"}
        | ({"cllr": cllr[row["list"]]} if row["list"] in cllr else {})
        for row in found.summary["trials"]
        if row["scores"] == "cosine"
    ]
    return {
        "model": found.model,
        "recordings": found.summary["recordings"],
        "trials": rows,
        "calibration": half.summary["calibration"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", type=Path, help="folder that make_trials.py wrote")
    parser.add_argument("--models", nargs="+", required=True, help="names, or .onnx files")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", action="store_true", help="of the last model, for its card")
    chosen = parser.parse_args()
    results = [measured(chosen.trials, model) for model in chosen.models]
    if chosen.json:
        print(json.dumps(results[-1]))
        return
    cells = [
        [
            f"{result['model']}, {row['list']}",
            str(row["targets"]),
            str(row["impostors"]),
            f"{100 * row['eer']:.2f}",
            f"{row['min_dcf']:.3f}",
            f"{row['cllr']:.3f}" if "cllr" in row else "",
        ]
        for result in results
        for row in result["trials"]
    ]
    head = ["model, trials", "targets", "impostors", "EER (%)", "minDCF (0.01)", "Cllr"]
    print(table(head, cells, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
