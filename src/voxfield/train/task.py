"""What a task must bring to be trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from voxfield.models import architecture

if TYPE_CHECKING:
    from voxfield.train.recipe import Recipe


class TrainingTask(ABC):
    """Data, losses and validation of one kind of network.

    `mix_config` and `loss_config` are the dataclasses of the recipe's [mix] and [loss] tables.
    """

    mix_config: ClassVar[type]
    loss_config: ClassVar[type]

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def run(self, net: nn.Module, x: Tensor) -> Tensor:
        """Output of the network in training, computed in the recipe's precision and given back in float32."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.recipe.train.bfloat16):
            return net(x)[0].float()

    def network(self) -> nn.Module:
        """A new network of the recipe's configuration, with weights from the current random state."""
        return architecture(self.recipe.architecture)[1](self.recipe.model)

    @abstractmethod
    def to(self, device: torch.device) -> None:
        """Put what the losses need on the device."""

    @abstractmethod
    def item(self, epoch: int, index: int) -> tuple[np.ndarray, ...]:
        """Arrays of one training item, the same at every call."""

    @abstractmethod
    def losses(self, net: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        """Scalars; `loss` is the one to descend."""

    @abstractmethod
    def validate(self, net: nn.Module) -> dict[str, float]:
        """Scores of a network on the validation items; `score` is the one to choose by, larger is better."""
