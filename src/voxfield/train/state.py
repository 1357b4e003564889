"""The state of a run: network, averaged weights, optimiser, random state, and how much it has seen.

It goes to a checkpoint and comes back, so that a run that stops and resumes gives the same weights as one that never
stopped.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from voxfield.errors import CheckpointError, RecipeError
from voxfield.models import architecture
from voxfield.train import checkpoint
from voxfield.train.head import Head
from voxfield.train.muon import BETAS, Muon
from voxfield.train.recipe import Recipe, TrainConfig
from voxfield.values import build


class RunState:
    """A run at its first step.

    Attributes:
        trained: network and head, all that the optimiser changes.
        step: steps made.
        items: mixtures drawn in this run, by all processes; the number of the next one.
        epoch_items: mixtures of an epoch, kept for the whole run, so that no later change of the batch repeats one.
        hours_of_mixtures: seen by these weights, those before an `--init` as well.
        random: torch's random state after the last step.
    """

    def __init__(self, recipe: Recipe, network: nn.Module, device: torch.device, head: Head | None = None) -> None:
        config = recipe.train
        self.recipe, self.device = recipe, device
        self.net, self.head = network.to(device), (head or Head()).to(device)
        self.trained = nn.ModuleList([self.net, self.head])
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.optimiser = make_optimiser(self.trained, config)
        self.step, self.items, self.epoch_items = 0, 0, config.epoch_steps * config.batch
        self.hours_of_mixtures = 0.0
        self.random = random_state()
        pairs = list(zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        self._averaged = [averaged for averaged, _ in floats], [trained for _, trained in floats]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    def count_step(self) -> None:
        """One batch more was seen."""
        self.step += 1
        self.items += self.recipe.train.batch
        self.hours_of_mixtures += self.recipe.train.batch * self.recipe.mix.duration_s / 3600
        self.random = random_state()

    @torch.no_grad()
    def update_average(self, decay: float) -> None:
        """Move the averaged weights by 1 - decay of the way to the present ones."""
        get_ema_multi_avg_fn(decay)(*self._averaged, None)  # type: ignore[no-untyped-call]
        for averaged, trained in self._copied:
            averaged.copy_(trained)

    def save(self, path: Path) -> None:
        """Everything that is needed to go on."""
        parts = {
            "net": self.net.state_dict(),
            "ema": self.average.state_dict(),
            "head": self.head.state_dict(),
            "optimiser": checkpoint.optimiser_tensors(self.optimiser),
            "random": self.random,
        }
        checkpoint.save(path, parts, self._about())

    def save_average(self, path: Path, scores: Mapping[str, float]) -> None:
        """The averaged weights and the head, with their scores: enough to export or to start from, not to resume."""
        parts = {"ema": self.average.state_dict(), "head": self.head.state_dict()}
        checkpoint.save(path, parts, {**self._about(), "scores": dict(scores)})

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint of the same network.

        Raises:
            CheckpointError: not a checkpoint, or one that holds averaged weights only.
            RecipeError: it is of another network, or by another optimiser.
        """
        parts, about = checkpoint.load(path)
        if not {"net", "optimiser"} <= parts.keys():
            raise CheckpointError(f"{path} holds averaged weights only; start from it with --init instead of --resume")
        stored = about["recipe"]
        same_kind = (stored["task"], stored["architecture"]) == (self.recipe.task, self.recipe.architecture)
        if not same_kind or _stored_model(about) != self.recipe.model:
            raise RecipeError(
                f"{path} is of another network than the recipe's [model]; choose another folder with --run"
            )
        config = self.recipe.train
        if (before := stored["train"].get("optimiser", "adamw")) != config.optimiser:
            raise RecipeError(
                f"{path} was trained by {before}, whose state {config.optimiser} cannot use; set [train] optimiser = "
                f"'{before}', or start a new run from its weights with --init"
            )
        own = self.head.about()
        if {key: about.get(key) for key in own} != own:
            raise RecipeError(
                f"{path} is of other {' and '.join(own)} than the recipe's [data] and [mix] give; start a new run from "
                "its weights with --init"
            )
        checkpoint.restore(self.net, parts["net"], str(path))
        checkpoint.restore(self.average, parts["ema"], str(path))
        checkpoint.restore(self.head, parts.get("head", {}), str(path))
        checkpoint.restore_optimiser(self.optimiser, parts["optimiser"])
        restore_random_state(parts.get("random", {}))
        self.step, self.random = about["step"], random_state()
        self.items, self.epoch_items, self.hours_of_mixtures = seen(about)

    def start_from(self, path: Path) -> str:
        """Take the averaged weights of a checkpoint, and of its head what fits, which is said in a line for the log.

        Where the networks differ in the number of sources alone, the weights that make these start anew. So do the
        optimiser and the steps.
        """
        parts, about = checkpoint.load(path)
        if (before := about["recipe"]["architecture"]) != self.recipe.architecture:
            raise RecipeError(f"{path} is of the architecture '{before}'; the recipe's is '{self.recipe.architecture}'")
        weights, said = parts["ema"], []
        before, model = _stored_model(about), self.recipe.model
        if before != model and hasattr(model, "sources") and before == replace(model, sources=before.sources):
            own = self.net.state_dict()
            anew = [name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape]
            weights = weights | {name: own[name] for name in anew}
            said = [f"{', '.join(sorted(anew))} start anew: of {model.sources} sources instead of {before.sources}"]
        checkpoint.restore(self.net, weights, str(path))
        checkpoint.restore(self.average, weights, str(path))
        self.hours_of_mixtures = seen(about)[2]
        return "; ".join(filter(None, [*said, self.head.start_from(parts.get("head", {}), about)]))

    def _about(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "items": self.items,
            "epoch_items": self.epoch_items,
            "hours_of_mixtures": round(self.hours_of_mixtures, 6),
            "recipe": self.recipe.to_dict(),
            **self.head.about(),
        }


def make_optimiser(network: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The recipe's optimiser of all that is trained."""
    if config.optimiser == "muon":
        return Muon(network, config.learning_rate, config.weight_decay)
    rate, decay = config.learning_rate, config.weight_decay
    return torch.optim.AdamW(network.parameters(), rate, BETAS, weight_decay=decay, fused=True)


def _stored_model(about: Mapping[str, Any]) -> Any:
    stored = about["recipe"]
    return build(architecture(stored["architecture"])[0], stored["model"], "the checkpoint's [model]")


def seen(about: Mapping[str, Any]) -> tuple[int, int, float]:
    """(Mixtures drawn, mixtures of an epoch, hours of mixtures) by a checkpoint's description.

    Checkpoints of before these were counted had one batch and one length of mixtures throughout.
    """
    train, mix = about["recipe"]["train"], about["recipe"]["mix"]
    items = about.get("items", about["step"] * train["batch"])
    epoch_items = about.get("epoch_items", train["epoch_steps"] * train["batch"])
    return items, epoch_items, about.get("hours_of_mixtures", items * mix.get("duration_s", 0) / 3600)


def random_state() -> dict[str, Tensor]:
    """The state of torch's generators, as bytes."""
    states: dict[str, Tensor] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_random_state(states: Mapping[str, Tensor]) -> None:
    """The inverse of `random_state`; what is missing is left as it is."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
