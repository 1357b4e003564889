"""Hours of mixtures that training gets through in an hour of one core, in 32 and in 16 bits, and where the time goes.

    python benchmarks/training_speed.py --data data/MANIFEST.csv --markdown

Processor time of one thread is counted, so other programs disturb little. Weights are untrained, which costs the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from table import table
from torch import nn

from voxfield.train import load_recipe
from voxfield.train.tasks.contract import TrainingTask
from voxfield.train.tasks.named import task_class

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ("enhance/crn-small", "enhance/crn-tiny", "separate/conv-tasnet-small")


def seconds(call: Callable[[], object], times: int) -> float:
    """Median processor time of a call; the first one is not counted."""
    call()
    found = []
    for _ in range(times):
        before = time.process_time()
        call()
        found.append(time.process_time() - before)
    return float(np.median(found))


def measured(name: str, data: str, cache: str, times: int) -> list[str]:
    """One row: hours per hour in 32 and in 16 bits, shares of mixing, one validation mixture in seconds."""
    speeds, shares = [], []
    for bfloat16 in ("false", "true"):
        sources = [f'data.{kind}=["{data}"]' for kind in ("speech", "noise", "rooms")]
        settings = [*sources, f'data.cache="{cache}"', f"train.bfloat16={bfloat16}"]
        recipe = load_recipe(ROOT / "recipes" / f"{name}.toml", settings)
        task = task_class(recipe.task)(recipe)
        net, batch = task.network(), recipe.train.batch
        optimiser = torch.optim.AdamW(net.parameters(), fused=True)
        mixing_s = seconds(partial(batch_of, task, batch), times)
        step_s = seconds(partial(step, task, net, optimiser, batch), times)
        speeds.append(batch * recipe.mix.duration_s / step_s)
        shares.append(mixing_s / step_s)
    net.eval()
    with torch.no_grad():
        score_s = seconds(lambda: task.score(net, task.validation.mix(0, 0)), times)
    return [name, *(f"{speed:.0f}" for speed in speeds), f"{100 * shares[1]:.0f} %", f"{score_s:.2f} s"]


def batch_of(task: TrainingTask, batch: int) -> list[torch.Tensor]:
    """The first mixtures of the first epoch."""
    items = [task.mixer.mix(0, index) for index in range(batch)]
    return [torch.from_numpy(np.stack(arrays)) for arrays in zip(*items, strict=True)]


def step(task: TrainingTask, net: nn.Module, optimiser: torch.optim.Optimizer, batch: int) -> None:
    """One training step, mixing included."""
    losses = task.losses(net, batch_of(task, batch))
    optimiser.zero_grad(set_to_none=True)
    losses["loss"].backward()
    nn.utils.clip_grad_norm_(net.parameters(), 3.0)
    optimiser.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/MANIFEST.csv", help="manifest of speech, noise and rooms")
    parser.add_argument("--cache", default="runs/cache")
    parser.add_argument("--times", type=int, default=5, help="steps to take the median of")
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measured(name, chosen.data, chosen.cache, chosen.times) for name in RECIPES]
    head = ["recipe", "float32, h per h", "bfloat16, h per h", "mixing", "a validation mixture"]
    print(table(head, rows, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
