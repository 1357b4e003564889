"""What hours of mixtures buy: scores of checkpoints of one network against the hours that each has seen, as a picture.

    python benchmarks/learning_curve.py runs/pairs/noisy runs/pairs/clean a.safetensors b.safetensors -o curve.svg

Scored are the averaged weights, by the code that users run, on pairs of `benchmarks/make_pairs.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from voxfield.export import export_checkpoint
from voxfield.tasks.evaluation import evaluate

MEASURES = {"pesq": "PESQ-WB", "estoi": "ESTOI", "si_sdr_db": "SI-SDR, dB"}
WIDTH, HEIGHT, MARGIN = 260, 170, 44


def point(path: Path, noisy: Path, clean: Path, limit: int) -> dict:
    """Hours of mixtures and scores of a checkpoint."""
    print(path.name, file=sys.stderr, flush=True)
    with TemporaryDirectory() as folder:
        card = export_checkpoint(path, model := Path(folder) / "model.onnx", "crn-checkpoint.v0")
        found = evaluate(noisy, clean, model, tuple(MEASURES), limit=limit)
    return {"checkpoint": path.name, "hours": card.measured["hours_of_mixtures"], **found.summary["enhanced"]}


def picture(points: list[dict], title: str) -> str:
    """An SVG with a panel a score."""
    panels = [_panel(points, name, label, at) for at, (name, label) in enumerate(MEASURES.items())]
    width = len(panels) * (WIDTH + MARGIN) + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 2 * MARGIN}" font-family="sans-serif" '
        f'font-size="12" fill="currentColor"><title>{escape(title)}</title>{"".join(panels)}</svg>\n'
    )


def _panel(points: list[dict], name: str, label: str, number: int) -> str:
    hours, values = [p["hours"] for p in points], [p[name] for p in points]
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    left, top = MARGIN + number * (WIDTH + MARGIN), MARGIN

    def place(hour: float, value: float) -> tuple[float, float]:
        return left + WIDTH * hour / (1.05 * max(hours)), top + HEIGHT * (0.9 - 0.8 * (value - low) / spread)

    spots = [place(hour, value) for hour, value in zip(hours, values, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#0a62a8"/>'
        f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{value:g}</text>'
        f'<text x="{x:.1f}" y="{top + HEIGHT + 14}" text-anchor="middle">{hour:g}</text>'
        for (x, y), hour, value in zip(spots, hours, values, strict=True)
    )
    return (
        f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#99a"/>'
        f'<polyline points="{line}" fill="none" stroke="#0a62a8" stroke-width="1.5"/>{marks}'
        f'<text x="{left}" y="{top - 10}" font-weight="bold">{label}</text>'
        f'<text x="{left + WIDTH / 2}" y="{top + HEIGHT + 32}" text-anchor="middle">hours of mixtures</text>'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("noisy", type=Path)
    parser.add_argument("clean", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .svg to write")
    parser.add_argument("--limit", type=int, default=0, help="score only the first so many pairs; 0 for all")
    arguments = parser.parse_args()
    points = [point(path, arguments.noisy, arguments.clean, arguments.limit) for path in arguments.checkpoints]
    points.sort(key=lambda found: found["hours"])
    arguments.out.write_text(picture(points, f"{arguments.out.stem}: scores against hours of mixtures"))
    for found in points:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
