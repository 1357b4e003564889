"""Causal normalisation of the input level."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from voxfield.errors import InputError
from voxfield.nn.streaming import State, Streaming


class MovingLevel(Streaming):
    """Mean of the last `frames` values, or of as many as there were: (B, 1, T) -> (B, 1, T), always above zero.

    A moving mean over a window forgets the past completely, so hours of audio cost no precision. State
    (B, 2, frames - 1): the values of the window, and a 1 beside each that was really there.
    """

    def __init__(self, frames: int) -> None:
        super().__init__()
        if frames < 2:
            raise InputError(f"a level is a mean of 2 frames or more, not {frames}")
        self.frames = frames

    def initial_state(self, batch: int) -> State:
        return torch.zeros(batch, 2, self.frames - 1)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        state = self.initial_state(x.shape[0]).to(x) if state is None else state
        seen = torch.cat([state, F.pad(x, (0, 0, 0, 1), value=1.0)], dim=2)
        mean = F.avg_pool1d(seen, self.frames, 1)
        return mean[:, :1] / mean[:, 1:] + 1e-5, seen[:, :, -(self.frames - 1) :]
