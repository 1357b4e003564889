"""The training loop: one function that any task goes through.

A run is decided by its recipe alone. Batch b of a run holds mixtures b * batch ... and each mixture is seeded by its
own number, so a run that stops and resumes gives the same weights, to the bit, as one that never stopped (same machine,
same number of threads). Everything goes to the run's folder: `checkpoint.safetensors`, `log.jsonl`, TensorBoard events.
"""

from __future__ import annotations

import copy
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voxfield.errors import RecipeError
from voxfield.train import checkpoint
from voxfield.train.recipe import Recipe, TrainConfig
from voxfield.train.task import TrainingTask
from voxfield.train.tasks import TASKS

CHECKPOINT = "checkpoint.safetensors"


def train(
    recipe: Recipe,
    folder: str | Path,
    resume: bool = False,
    max_minutes: float | None = None,
    init: str | Path | None = None,
) -> Path:
    """Train until the recipe's last step or the time limit; returns the path of the checkpoint.

    Args:
        recipe: what to train on what, and how long.
        folder: the run's folder.
        resume: go on from the checkpoint there; the recipe's `train` table may have changed (more steps), its model
        not.
        max_minutes: stop, with a checkpoint, when so much time has passed.
        init: checkpoint whose averaged weights to start from, for fine-tuning.

    Raises:
        KeyboardInterrupt: Ctrl-C or a termination signal, after the step under way was finished and saved.
        RecipeError: the folder holds a run and `resume` is not set, or the other way round.
    """
    started = time.monotonic()
    config = recipe.train
    folder = Path(folder)
    path = folder / CHECKPOINT
    if path.exists() and not resume:
        raise RecipeError(
            f"{folder} already holds a run; add --resume to go on with it, or choose another folder with --run"
        )
    if config.threads:
        torch.set_num_threads(config.threads)
    device = torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    )

    torch.manual_seed(config.seed)
    task = TASKS[recipe.task](recipe)
    net = task.network().to(device)
    average = copy.deepcopy(net).eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(net.parameters(), config.learning_rate, (0.9, 0.98), weight_decay=config.weight_decay)
    step = 0
    if resume and path.exists():
        parts, about = checkpoint.load(path)
        if about["recipe"]["model"] != json.loads(json.dumps(recipe.to_dict()["model"])):
            raise RecipeError(
                f"{path} is of another network than the recipe's [model]; choose another folder with --run"
            )
        checkpoint.restore(net, parts["net"], str(path))
        checkpoint.restore(average, parts["ema"], str(path))
        checkpoint.restore_optimiser(optimiser, parts["optimiser"])
        step = about["step"]
    elif init is not None:
        parts, _ = checkpoint.load(Path(init))
        checkpoint.restore(net, parts["ema"], str(init))
        checkpoint.restore(average, parts["ema"], str(init))

    log = _Log(folder)
    task.to(device)
    saved = time.monotonic()

    def save() -> None:
        parts = {
            "net": net.state_dict(),
            "ema": average.state_dict(),
            "optimiser": checkpoint.optimiser_tensors(optimiser),
        }
        checkpoint.save(path, parts, {"step": step, "recipe": recipe.to_dict()})

    net.train()
    sums: dict[str, float] = {}
    since, since_time = step, time.monotonic()
    with _stop_signals() as asked_to_stop:
        for batch in _batches(task, config, step):
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * schedule(config, step)
            losses = task.losses(net, [tensor.to(device, non_blocking=True) for tensor in batch])
            optimiser.zero_grad(set_to_none=True)
            losses["loss"].backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm)
            if torch.isfinite(norm):
                optimiser.step()
            step += 1
            _average(average, net, min(config.ema, (1 + step) / (10 + step)))
            for name, value in {**losses, "gradient_norm": norm}.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if step % 50 == 0 or step == config.steps:
                seconds = (time.monotonic() - since_time) / (step - since)
                means = {name: value / (step - since) for name, value in sums.items()}
                log.write(
                    step,
                    "train",
                    {**means, "learning_rate": optimiser.param_groups[0]["lr"], "seconds_per_step": seconds},
                )
                sums, since, since_time = {}, step, time.monotonic()
            if step % config.validate_steps == 0 or step == config.steps:
                log.write(step, "valid", task.validate(average))
                since_time = time.monotonic()
            if (time.monotonic() - saved) / 60 > config.checkpoint_minutes:
                save()
                saved = time.monotonic()
            late = max_minutes is not None and (time.monotonic() - started) / 60 > max_minutes
            if late or asked_to_stop:
                break
    save()
    log.close()
    if asked_to_stop:
        raise KeyboardInterrupt
    return path


def schedule(config: TrainConfig, step: int) -> float:
    """Factor on the learning rate: up, level, then down to zero in a straight line over the last `decay_steps`."""
    return min(1.0, (step + 1) / max(config.warmup_steps, 1), max(config.steps - step, 0) / max(config.decay_steps, 1))


def _batches(task: TrainingTask, config: TrainConfig, step: int) -> Iterator[list[Tensor]]:
    numbers = range(step * config.batch, config.steps * config.batch)
    loader: Any = torch.utils.data.DataLoader(
        _Items(task, config), config.batch, sampler=numbers, num_workers=config.workers, persistent_workers=False
    )
    return iter(loader)


class _Items(torch.utils.data.Dataset):
    """Item number n of the run is mixture n % epoch of epoch n // epoch."""

    def __init__(self, task: TrainingTask, config: TrainConfig) -> None:
        self.task, self.epoch = task, config.epoch_steps * config.batch

    def __getitem__(self, number: int) -> list[Tensor]:
        return [torch.from_numpy(array) for array in self.task.item(number // self.epoch, number % self.epoch)]


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """A list that a first Ctrl-C or termination signal fills, so that the step under way ends and is saved."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may handle signals
        return

    def receive(number: int, frame: object) -> None:
        received.append(number)
        signal.signal(number, before[number])  # a second one stops at once

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, receive)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@torch.no_grad()
def _average(average: nn.Module, net: nn.Module, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


class _Log:
    """One JSON line an entry, the same to TensorBoard, a short one to standard error."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self.file = (folder / "log.jsonl").open("a", encoding="utf-8")
        self.board = SummaryWriter(str(folder))

    def write(self, step: int, kind: str, values: dict[str, float]) -> None:
        rounded = {name: round(value, 5) for name, value in values.items()}
        self.file.write(json.dumps({"step": step, "kind": kind, "time": round(time.time()), **rounded}) + "\n")
        self.file.flush()
        for name, value in values.items():
            self.board.add_scalar(f"{kind}/{name}", value, step)
        print(
            f"step {step} {kind}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()),
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        self.file.close()
        self.board.close()
