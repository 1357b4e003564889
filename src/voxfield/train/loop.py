"""The training loop: one function that any task goes through.

A run is decided by its recipe alone. Batch b of a run holds mixtures b * batch ... and each mixture is seeded by its
own number, so a run that stops and resumes gives the same weights, to the bit, as one that never stopped (same machine,
same number of threads). Everything goes to the run's folder: `checkpoint.safetensors`, `best.safetensors` (the averaged
weights that scored best), `log.jsonl`, TensorBoard events.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from voxfield.errors import InputError, RecipeError
from voxfield.train import checkpoint
from voxfield.train.log import Log
from voxfield.train.precision import in_bfloat16
from voxfield.train.processes import Processes, chosen_device, joined
from voxfield.train.recipe import Recipe, TrainConfig
from voxfield.train.shared_norm import share_statistics
from voxfield.train.state import RunState
from voxfield.train.tasks.contract import Scores, TrainingTask, mean_scores
from voxfield.train.tasks.named import task_class

CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"
LOG_STEPS = 50


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
        resume: go on from the checkpoint there, optimiser, random state and all. The recipe's [train], [mix], [loss]
            and [data] may have changed; its [model] not.
        max_minutes: stop, with a checkpoint, when so much time has passed.
        init: checkpoint whose averaged weights a new run starts from, for fine-tuning.

    Raises:
        InputError: a time limit that is none.
        KeyboardInterrupt: Ctrl-C or a termination signal, after the step under way was finished and saved.
        OutputError: the folder cannot be written, or another process trains there.
        RecipeError: the folder holds a run and `resume` is not set, or the other way round, or both ways to start are
            given. Whatever is raised once steps were made, they are saved first.
    """
    started = time.monotonic()
    config, folder = recipe.train, Path(folder)
    path = folder / CHECKPOINT
    if max_minutes is not None and not max_minutes >= 0:
        raise InputError(f"the minutes to train for must be 0 or more, not {max_minutes:g}")
    if resume and init is not None:
        raise RecipeError("--resume goes on with a run and --init starts a new one from its weights; give one of them")
    if resume and not path.exists():
        raise RecipeError(f"{folder} holds no run to resume; leave --resume out to start one there")
    if path.exists() and not resume:
        raise RecipeError(
            f"{folder} already holds a run; add --resume to go on with it, or choose another folder with --run"
        )
    if config.threads:
        torch.set_num_threads(config.threads)
    device = chosen_device(config.device)

    with joined(config.batch, device) as processes, ExitStack() as stack:
        torch.manual_seed(config.seed)
        task = task_class(recipe.task)(recipe)
        state = RunState(recipe, task.network(), device, task.head)
        said = ""
        if resume:
            state.resume(path)
        elif init is not None:
            said = state.start_from(Path(init))
        task.to(device)
        if processes.count > 1:
            share_statistics(state.trained, processes.count)
        log = Log(folder, quiet=not processes.first)
        stack.callback(log.close)
        validation = Validation(task, state, folder / BEST, log, resume) if processes.first else None
        log.say(
            f"{processes.count} process(es) on {device.type}, "
            f"{'bfloat16' if in_bfloat16(config.bfloat16, device) else 'float32'}, from step {state.step} and "
            f"{state.hours_of_mixtures:.1f} hours of mixtures"
        )
        if said:
            log.say(said)
        if state.step >= config.steps:
            log.say(f"nothing is left to train: [train] steps = {config.steps}, of which {state.step} are made")
        elif config.steps < config.decay_steps:
            log.say(
                f"the rate stays below {config.steps / config.decay_steps:.2g} of learning_rate, as decay_steps = "
                f"{config.decay_steps} are more than steps = {config.steps}; set train.decay_steps to fewer"
            )
        began = state.step
        deadline = math.inf if max_minutes is None else started + 60 * max_minutes
        try:
            with stop_signals() as asked_to_stop:
                _steps(task, state, processes, log, validation, path, deadline, asked_to_stop)
        except BaseException:
            if processes.first and state.step > began:
                state.save(path)
            raise
        if processes.first:
            state.save(path)
        if state.step < config.steps:
            log.say(f"stopped after step {state.step} of {config.steps}; the same command with --resume goes on")
        processes.wait()  # torchrun stops all when one that has left did not end well
        if asked_to_stop:
            raise KeyboardInterrupt
    return path


def _steps(
    task: TrainingTask,
    state: RunState,
    processes: Processes,
    log: Log,
    validation: Validation | None,
    path: Path,
    deadline: float,
    asked_to_stop: list[int],
) -> None:
    """Step until the last one, the deadline, or a signal."""
    config, net = task.recipe.train, state.net.train()
    means = Means(state, processes)
    saved = time.monotonic()
    for batch in _batches(task, state, processes):
        for group in state.optimiser.param_groups:
            group["lr"] = config.learning_rate * schedule(config, state.step)
        task.step = state.step
        losses = task.losses(net, [tensor.to(state.device, non_blocking=True) for tensor in batch])
        state.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["loss"])
        stop = processes.average(state.trained, bool(asked_to_stop) or time.monotonic() > deadline)
        norm = nn.utils.clip_grad_norm_(state.trained.parameters(), config.clip_norm)
        infinite = (~torch.isfinite(norm)).float()
        state.optimiser.found_inf = infinite  # type: ignore[attr-defined]  # such a step is left out, on the device
        state.optimiser.step()
        state.count_step()
        state.update_average(averaging(config, state.step))
        means.add({**losses, "gradient_norm": norm, "steps_left_out": infinite})

        last = state.step == config.steps
        if state.step % LOG_STEPS == 0 or last:
            log.write(state.step, "train", {**means.take(), "learning_rate": state.optimiser.param_groups[0]["lr"]})
        if validation is not None and (last or validation.is_due()):
            with means.paused():
                validation.run(max(config.final_items, config.validate_items) if last else config.validate_items)
        if processes.first and (time.monotonic() - saved) / 60 > config.checkpoint_minutes:
            with means.paused():
                state.save(path)
            saved = time.monotonic()
        if stop:
            break


def schedule(config: TrainConfig, step: int) -> float:
    """Factor on the learning rate: up, level, then down to zero in a straight line over the last `decay_steps`."""
    return min(1.0, (step + 1) / max(config.warmup_steps, 1), max(config.steps - step, 0) / max(config.decay_steps, 1))


def averaging(config: TrainConfig, step: int) -> float:
    """Share of the averaged weights that is kept after so many steps: short at first, longest at the end."""
    late = config.ema_late > 0 and step > config.steps - config.decay_steps
    return min(config.ema_late if late else config.ema, (1 + step) / (10 + step))


class Means:
    """Means of the losses since they were last taken. They stay on the device until then, so no step waits for them."""

    def __init__(self, state: RunState, processes: Processes) -> None:
        self.state, self.processes = state, processes
        self.names: list[str] = []
        self._start_anew()

    def _start_anew(self) -> None:
        self.sums: Tensor | None = None
        self.first_step, self.first_hours, self.since = self.state.step, self.state.hours_of_mixtures, time.monotonic()

    def add(self, values: dict[str, Tensor]) -> None:
        """Scalars of one step."""
        self.names = list(values)
        stacked = torch.stack([value.detach() for value in values.values()])
        self.sums = stacked if self.sums is None else self.sums + stacked

    def take(self) -> Scores:
        """The means, and how fast it went; a new count begins."""
        assert self.sums is not None
        steps, seconds = self.state.step - self.first_step, time.monotonic() - self.since
        means = dict(zip(self.names, self.processes.mean(self.sums / steps).tolist(), strict=True))
        hours = self.state.hours_of_mixtures - self.first_hours
        speed = {
            "seconds_per_step": seconds / steps,
            "hours_of_mixtures": self.state.hours_of_mixtures,
            "hours_per_hour": hours / seconds * 3600,
        }
        self._start_anew()
        return {**means, **speed}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that is not the steps'."""
        before = time.monotonic()
        yield
        self.since += time.monotonic() - before


class Validation:
    """Scores of the averaged weights on fixed mixtures; the best weights are kept.

    Which are best is decided on the first `validate_items` mixtures, those of every validation, the last one too.
    """

    def __init__(self, task: TrainingTask, state: RunState, best: Path, log: Log, resume: bool) -> None:
        self.task, self.state, self.best, self.log = task, state, best, log
        self.mixer = task.validation  # now, so that missing recordings are found before the first step
        self.best_scores: Scores = checkpoint.load(best)[1].get("scores", {}) if resume and best.exists() else {}
        log.say(f"validation: {task.how_scored()}")
        self.began, self.spent_s, self.last_s = time.monotonic(), 0.0, 0.0
        self.refused = ""  # why the last mixture could not be scored that could not

    def is_due(self) -> bool:
        """Whether it is time, and whether it would stay within its share of the time."""
        config = self.task.recipe.train
        if self.state.step % config.validate_steps:
            return False
        return self.spent_s + self.last_s <= config.validate_share * (time.monotonic() - self.began)

    @torch.no_grad()
    def run(self, items: int) -> None:
        """Score so many mixtures and keep the weights if they are the best so far."""
        before = time.monotonic()
        rows = [self._row(index) for index in range(items)]
        subset = rows[: self.task.recipe.train.validate_items]
        scores = {**mean_scores(self.task, subset), "items": len(subset)}
        if self._is_better(scores):
            self.state.save_average(self.best, scores)
            self.best_scores = scores
        self.last_s = time.monotonic() - before
        self.spent_s += self.last_s
        self.log.write(
            self.state.step, "valid", {**mean_scores(self.task, rows), "items": len(rows), "seconds": self.last_s}
        )
        if not any(rows):
            self.log.say(f"no mixture of the validation could be scored: {self.refused}")

    def _row(self, index: int) -> Scores:
        try:
            return self.task.score(self.state.average, self.mixer.mix(0, index))
        except InputError as error:  # silence, against which nothing can be scored
            self.refused = str(error)
            return {}

    def _is_better(self, scores: Scores) -> bool:
        """Than the best so far; the first is, and so is one by other measures or on more or fewer mixtures."""
        comparable = scores.keys() == self.best_scores.keys() and scores["items"] == self.best_scores["items"]
        return not math.isnan(scores["score"]) and (not comparable or scores["score"] > self.best_scores["score"])


def _batches(task: TrainingTask, state: RunState, processes: Processes) -> Iterator[list[Tensor]]:
    config = task.recipe.train
    stop = state.items + (config.steps - state.step) * config.batch
    loader: torch.utils.data.DataLoader[list[Tensor]] = torch.utils.data.DataLoader(
        _Mixtures(task, state.epoch_items),
        config.batch // processes.count,
        sampler=processes.numbers(state.items, stop, config.batch),
        num_workers=config.workers,
        pin_memory=state.device.type == "cuda",
        generator=torch.Generator(),  # its own: starting it leaves torch's random state alone
    )
    return iter(loader)


class _Mixtures(torch.utils.data.Dataset[list[Tensor]]):
    """Mixture number n of the run is mixture n % epoch of epoch n // epoch."""

    def __init__(self, task: TrainingTask, epoch_items: int) -> None:
        self.mixer, self.epoch_items = task.mixer, epoch_items

    def __getitem__(self, number: int) -> list[Tensor]:
        epoch, index = divmod(number, self.epoch_items)
        return [torch.from_numpy(array) for array in self.mixer.mix(epoch, index)]


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """A list that a first Ctrl-C or termination signal fills, so that the step under way ends and is saved."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may handle signals
        return

    def receive(number: int, frame: object) -> None:
        received.append(number)
        signal.signal(number, before[number])  # a second one stops at once

    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, receive)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
