"""A network in training as an engine, so that tasks and metrics run on it as they run on an ONNX file."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from voxfield.cards import Card
from voxfield.errors import InputError
from voxfield.nn.streaming import flatten, initial, run, unflatten
from voxfield.protocols import Array, State


class TorchEngine:
    """`voxfield.protocols.Engine` over a torch network with the streaming contract, on whatever device it is.

    Args:
        net: put into evaluation mode by the caller.
        card: what it is and takes; see `card_for`.
    """

    free_batch = True

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net, self._card = net, card

    @property
    def card(self) -> Card:
        """What the network is and expects."""
        return self._card

    def initial_state(self, batch: int = 1) -> State:
        """Zeros, in the order of the flattened state."""
        return tuple(leaf.numpy() for _, leaf in flatten(initial(self.net, batch)))

    @torch.no_grad()
    def step(self, block: Array, state: State) -> tuple[Array, State]:
        """Output and next state of one block; see `voxfield.protocols.Engine`.

        Raises:
            InputError: the network is in training mode, where its norms would learn from what they see.
        """
        if self.net.training:
            raise InputError("the network is in training mode; call its eval() before it is used as an engine")
        device = next((parameter.device for parameter in self.net.parameters()), torch.device("cpu"))
        leaves = (torch.from_numpy(np.asarray(part)).to(device) for part in state)
        like = initial(self.net, block.shape[0])
        y, after = run(self.net, torch.from_numpy(block).to(device), unflatten(like, leaves) if state else None)
        return y.cpu().numpy(), tuple(leaf.cpu().numpy() for _, leaf in flatten(after)) if state else ()


def card_for(net: Any, task: str, architecture: str) -> Card:
    """The card of a network that is not published: figures that only a finished file has are left at 0."""
    return Card(
        name=f"{architecture}.training",
        task=task,
        architecture=architecture,
        summary="a network in training",
        config={},
        interface=net.interface(),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        macs=0,
        licence="",
        data=(),
    )
