"""What a task must bring to be trained: mixtures, losses, and scores of validation mixtures."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from voxfield.errors import RecipeError
from voxfield.models import network
from voxfield.protocols import Array
from voxfield.train.data.split import Banks, open_banks
from voxfield.train.head import Head
from voxfield.train.precision import in_bfloat16
from voxfield.train.recipe import Recipe
from voxfield.train.torch_engine import TorchEngine, card_for

VALIDATION_SEED = 1000

Scores = dict[str, float]


class Mixer(Protocol):
    """An endless supply of mixtures, each decided by its number."""

    def mix(self, epoch: int, index: int) -> tuple[Array, ...]:
        """The arrays of one mixture, the same at every call."""


class TrainingTask(ABC):
    """Mixtures, losses and scores of one kind of network.

    `mix_config` and `loss_config` are the dataclasses of the recipe's [mix] and [loss]; [mix] has a `duration_s`.
    `model_keys` are those of [model] that the task works with: an architecture without them is of another task.
    `head` is what is trained beside the network, and `step` how many steps were made, which the loop sets.
    """

    mix_config: ClassVar[type]
    loss_config: ClassVar[type]
    model_keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, recipe: Recipe) -> None:
        missing = [key for key in self.model_keys if not hasattr(recipe.model, key)]
        if missing:
            raise RecipeError(
                f"architecture '{recipe.architecture}' is not for task '{recipe.task}': its [model] has no {missing[0]}"
            )
        self.recipe = recipe
        self.head, self.step = Head(), 0
        self.mixer = self.make_mixer(recipe.mix, recipe.train.seed, recipe.data.train_split)

    @cached_property
    def validation(self) -> Mixer:
        """The mixtures of validation: always the same ones."""
        return self.make_mixer(self.validation_mix(), VALIDATION_SEED, self.recipe.data.valid_split)

    @abstractmethod
    def make_mixer(self, mix: Any, seed: int, split: str) -> Mixer:
        """The mixer of a [mix] table over the recordings of one split."""

    @abstractmethod
    def validation_mix(self) -> Any:
        """The [mix] table of validation."""

    @abstractmethod
    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        """Scalars over a batch of mixtures; `loss` is the one to descend."""

    @abstractmethod
    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        """Scores of the network on one mixture, by the measures of `voxfield.metrics`.

        Raises:
            InputError: nothing can be scored against this mixture.
        """

    @abstractmethod
    def how_scored(self) -> str:
        """The measures of `score`, and which are missing here, in words for the log."""

    @abstractmethod
    def choose_by(self, scores: Mapping[str, float]) -> float:
        """The one number, larger is better, by which the best weights are chosen."""

    def network(self) -> nn.Module:
        """A new network of the recipe's configuration, with weights from the current random state."""
        made: nn.Module = network(self.recipe.architecture, self.recipe.model)
        return made

    def to(self, device: torch.device) -> None:
        """Put what the losses need on the device."""
        for value in vars(self).values():
            if isinstance(value, nn.Module):
                value.to(device)

    def banks(self, split: str) -> Banks:
        """The recordings of a split at the network's rate."""
        return open_banks(self.recipe.data, self.recipe.model.sample_rate_hz, split)

    def engine(self, net: nn.Module) -> TorchEngine:
        """The network as the task that users run takes it."""
        return TorchEngine(net, card_for(net, self.recipe.task, self.recipe.architecture))

    def run(self, network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Output of the network in training, computed in the recipe's precision and given back in float32."""
        with self.precision(x.device):
            return network(x).float()

    def precision(self, device: torch.device) -> torch.autocast:
        """Within it, torch computes in the recipe's precision."""
        return torch.autocast(device.type, torch.bfloat16, enabled=in_bfloat16(self.recipe.train.bfloat16, device))


def batch_of_one(net: nn.Module, array: Array) -> Tensor:
    """An array (...) as a batch (1, ...) on the device of the network."""
    return torch.from_numpy(array)[None].to(next(net.parameters()).device)


def mean_scores(task: TrainingTask, rows: Sequence[Scores]) -> Scores:
    """Means over mixtures, each over those that have the score; `score` to choose by, and its worst tenth."""
    names = dict.fromkeys(name for row in rows for name in row)
    known = {name: [row[name] for row in rows if not math.isnan(row.get(name, math.nan))] for name in names}
    means = {name: float(np.mean(values)) for name, values in known.items() if values}
    single = [task.choose_by(row) for row in rows if not any(map(math.isnan, row.values())) and row]
    if not single:
        return {**means, "score": math.nan}
    return {**means, "score": task.choose_by(means), "worst_tenth": float(np.percentile(single, 10))}
