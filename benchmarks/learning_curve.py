"""What hours of training data buy: scores of one network against the hours that it has seen, as a picture.

    python benchmarks/learning_curve.py runs/pairs/noisy runs/pairs/clean a.safetensors b.safetensors -o curve.svg
    python benchmarks/learning_curve.py runs/wav2vec-small/log.jsonl -o curve.svg

Of checkpoints of an enhancer, the averaged weights are scored by the code that users run, on pairs of
`benchmarks/make_pairs.py`. Of a run's log, the validations that training made are drawn, with what chance would score.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from voxfield.export import export_checkpoint
from voxfield.tasks.evaluation.scoring import evaluate

MEASURES = {"pesq": "PESQ-WB", "estoi": "ESTOI", "si_sdr_db": "SI-SDR, dB"}
VALIDATED = {"choice_loss": "contrastive loss", "accuracy": "share of right choices"}
CHANCE = {"choice_loss": math.log(11), "accuracy": 1 / 11}  # among ten wrong frames and the right one
MOST_NUMBERS = 8  # that fit on one curve
WIDTH, HEIGHT, MARGIN = 260, 170, 44


def point(path: Path, noisy: Path, clean: Path, limit: int) -> dict:
    """Hours of mixtures and scores of a checkpoint."""
    print(path.name, file=sys.stderr, flush=True)
    with TemporaryDirectory() as folder:
        card = export_checkpoint(path, model := Path(folder) / "model.onnx", "crn-checkpoint.v0")
        found = evaluate(noisy, clean, model, tuple(MEASURES), limit=limit)
    return {"checkpoint": path.name, "hours": card.measured["hours_of_mixtures"], **found.summary["enhanced"]}


def validations(log: Path) -> list[dict]:
    """Hours of training data and scores of each validation of a run."""
    points, hours = [], {}
    for row in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
        if row["kind"] == "train":
            hours[row["step"]] = row["hours_of_mixtures"]
        elif row["step"] in hours:
            scores = {name: row[name] for name in VALIDATED}
            points.append({"step": row["step"], "hours": hours[row["step"]], "items": row["items"], **scores})
    return points


def picture(points: list[dict], title: str, measures: dict[str, str]) -> str:
    """An SVG with a panel a score."""
    panels = [_panel(points, name, label, at) for at, (name, label) in enumerate(measures.items())]
    width = len(panels) * (WIDTH + MARGIN) + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 2 * MARGIN}" font-family="sans-serif" '
        f'font-size="12" fill="currentColor"><title>{escape(title)}</title>{"".join(panels)}</svg>\n'
    )


def _panel(points: list[dict], name: str, label: str, number: int) -> str:
    hours, values = [p["hours"] for p in points], [p[name] for p in points]
    chance = [CHANCE[name]] if name in CHANCE else []
    low, high = min(values + chance), max(values + chance)
    spread = (high - low) or 1.0
    left, top = MARGIN + number * (WIDTH + MARGIN), MARGIN

    def place(hour: float, value: float) -> tuple[float, float]:
        return left + WIDTH * hour / (1.05 * max(hours)), top + HEIGHT * (0.9 - 0.8 * (value - low) / spread)

    spots = [place(hour, value) for hour, value in zip(hours, values, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    every = -(-len(points) // MOST_NUMBERS)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#0a62a8"/>'
        + (
            f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{value:.3g}</text>'
            f'<text x="{x:.1f}" y="{top + HEIGHT + 14}" text-anchor="middle">{hour:.3g}</text>'
            if (len(points) - 1 - at) % every == 0
            else ""
        )
        for at, ((x, y), hour, value) in enumerate(zip(spots, hours, values, strict=True))
    )
    for value in chance:
        y = place(0, value)[1]
        marks += (
            f'<line x1="{left}" x2="{left + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#99a" stroke-dasharray="4 3"/>'
            f'<text x="{left + WIDTH - 4}" y="{y - 5:.1f}" text-anchor="end">by chance {value:.3g}</text>'
        )
    return (
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#99a"/>'
        f'<polyline points="{line}" fill="none" stroke="#0a62a8" stroke-width="1.5"/>{marks}'
        f'<text x="{left}" y="{top - 10}" font-weight="bold">{label}</text>'
        f'<text x="{left + WIDTH / 2}" y="{top + HEIGHT + 32}" text-anchor="middle">hours of training data</text>'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=Path, nargs="+", metavar="LOG | NOISY CLEAN CHECKPOINT...")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .svg to write")
    parser.add_argument("--limit", type=int, default=0, help="score only the first so many pairs; 0 for all")
    arguments = parser.parse_args()
    first, *more = arguments.inputs
    if first.suffix == ".jsonl" and not more:
        points, measures = validations(first), VALIDATED
    elif len(more) >= 2:
        points = [point(path, first, more[0], arguments.limit) for path in more[1:]]
        measures = MEASURES
    else:
        parser.error("give the log of a run, or noisy recordings, clean ones and checkpoints")
    points.sort(key=lambda found: found["hours"])
    arguments.out.write_text(picture(points, f"{arguments.out.stem}: scores against hours of training data", measures))
    for found in points:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
