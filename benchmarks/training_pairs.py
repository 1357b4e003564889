"""Short training runs beside one another that differ in one thing only, and what the difference buys.

Every variant is trained from the same seeds, so the same initial weights and, where it changes neither data nor mixing,
the same mixtures; all are scored on the same validation mixtures, those of the first variant. Differences to the first
variant are means over paired mixtures, with their standard error.

    python benchmarks/training_pairs.py recipes/enhance/crn-small.toml --steps 1000 --seeds 0 1 \\
        --variant as-is --variant no-events mix.events=0 --variant more-estoi loss.intelligibility=4

A variant is a name, then the keys it sets, or another recipe and the keys to set there. Runs that are finished are not
repeated, runs that were stopped go on.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from table import table

from voxfield.errors import InputError
from voxfield.train import Recipe, checkpoint, load_recipe, start
from voxfield.train.tasks.contract import Scores, TrainingTask
from voxfield.train.tasks.named import task_class


@dataclass(frozen=True)
class Outcome:
    """Scores of the runs of one variant, mixture by mixture, seed by seed."""

    rows: list[Scores]
    hours_of_mixtures: float
    hours_per_hour: float

    def mean(self, name: str) -> float:
        return float(np.nanmean([row.get(name, math.nan) for row in self.rows]))

    def gain(self, other: Outcome, name: str) -> tuple[float, float]:
        """Mean difference to another outcome over the mixtures that both have, and its standard error."""
        own, base = (np.array([row.get(name, math.nan) for row in found.rows]) for found in (self, other))
        known = (own - base)[~np.isnan(own - base)]
        return float(known.mean()), float(known.std(ddof=1) / math.sqrt(len(known))) if len(known) > 1 else math.nan


def recipe_of(words: list[str], chosen: argparse.Namespace, seed: int) -> Recipe:
    """The recipe of a variant for one seed: short, and without validation of its own."""
    other = [word for word in words if word.endswith(".toml")]
    short = [
        f"train.steps={chosen.steps}",
        f"train.warmup_steps={min(200, chosen.steps // 10)}",
        f"train.decay_steps={chosen.steps // 4}",
        f"train.validate_steps={chosen.steps + 1}",
        "train.validate_items=1",
        "train.final_items=1",
        f"train.seed={seed}",
    ]
    settings = [word for word in words if word not in other]
    return load_recipe(other[0] if other else chosen.recipe, [*short, *chosen.set, *settings])


def trained(recipe: Recipe, folder: Path, init: Path | None) -> Path:
    """The checkpoint of a run, after what is missing of it."""
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return start(recipe, folder, init=init)
    about = checkpoint.load(path)[1]
    if about["recipe"] != json.loads(json.dumps(recipe.to_dict())):
        raise SystemExit(
            f"{folder} holds a run of other settings; give the variant another name, or choose another --out"
        )
    if about["step"] < recipe.train.steps:
        start(recipe, folder, resume=True)
    return path


@torch.no_grad()
def scored(path: Path, task: TrainingTask, yardstick: TrainingTask, items: int) -> list[Scores]:
    """Scores of the averaged weights of a checkpoint on so many mixtures; kept beside it."""
    kept = path.with_name(f"scores-{items}.json")
    if kept.exists() and kept.stat().st_mtime >= path.stat().st_mtime:
        return json.loads(kept.read_text())
    net = task.network().eval()
    checkpoint.restore(net, checkpoint.load(path)[0]["ema"], str(path))
    rows: list[Scores] = []
    for index in range(items):
        try:
            scores = task.score(net, yardstick.validation.mix(0, index))
            rows.append({**scores, "score": task.choose_by(scores)})
        except InputError:  # silence
            rows.append({})
    kept.write_text(json.dumps(rows))
    return rows


def outcome(words: list[str], chosen: argparse.Namespace, yardstick: TrainingTask) -> Outcome:
    name, *settings = words
    rows, speeds, hours = [], [], 0.0
    for seed in chosen.seeds:
        recipe = recipe_of(settings, chosen, seed)
        path = trained(recipe, chosen.out / f"{name}-{seed}", chosen.init)
        rows += scored(path, task_class(recipe.task)(recipe), yardstick, chosen.items)
        log = [json.loads(line) for line in path.with_name("log.jsonl").read_text().splitlines()]
        speeds += [line["hours_per_hour"] for line in log if line["kind"] == "train"]
        hours = checkpoint.load(path)[1]["hours_of_mixtures"]
    return Outcome(rows, hours, float(np.median(speeds)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument(
        "--variant",
        nargs="+",
        action="append",
        required=True,
        metavar=("NAME", "KEY=VALUE"),
        help="the first is the base",
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of all variants")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--items", type=int, default=96, help="validation mixtures")
    parser.add_argument("--init", type=Path, help="checkpoint that all start from")
    parser.add_argument("--out", type=Path, default=Path("runs/pairs"), help="folder of the runs")
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args(arguments)

    base = recipe_of(chosen.variant[0][1:], chosen, chosen.seeds[0])
    yardstick = task_class(base.task)(base)
    outcomes = {words[0]: outcome(words, chosen, yardstick) for words in chosen.variant}
    first = outcomes[chosen.variant[0][0]]
    measures = list(dict.fromkeys(name for row in first.rows for name in row))

    def cell(found: Outcome, name: str) -> str:
        if found is first:
            return f"{found.mean(name):.3f}"
        gain, error = found.gain(first, name)
        return f"{found.mean(name):.3f} ({gain:+.3f} ± {error:.3f})"

    rows = [
        [
            name,
            *(cell(found, measure) for measure in measures),
            f"{found.hours_of_mixtures:.1f}",
            f"{found.hours_per_hour:.0f}",
        ]
        for name, found in outcomes.items()
    ]
    print(table(["variant", *measures, "hours of mixtures", "hours per hour"], rows, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
