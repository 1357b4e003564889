"""Recurrent layers, as parts of streaming networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Gru(nn.GRU):
    """A GRU that stays in 32 bits under autocast, which would cast its weights anew at every time step.

    (T, B, H), state (1, B, H) -> output (T, B, H), new state: torch's own layer obeys the streaming contract.
    """

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        if not torch.is_autocast_enabled(x.device.type):
            return super().forward(x, state)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float(), state)
