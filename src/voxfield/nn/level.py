"""Causal normalisation of the input level."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from voxfield.errors import InputError
from voxfield.nn.streaming import State, Streaming, zeros


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

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, 2, self.frames - 1, like=like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        # one column more than is kept, as onnxruntime adds up one mean alone in another order
        seen = torch.cat([state, F.pad(x, (0, 1, 0, 1), value=1.0)], dim=2)
        mean = F.avg_pool1d(seen, self.frames, 1)[..., :-1]
        return mean[:, :1] / mean[:, 1:] + 1e-5, seen[..., -self.frames : -1]
