"""Squeeze and excitation (Hu et al. 2018): each channel scaled by a gain that all channels together decide."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """x times a gain from 0 to 1 a channel, which looks at the means over the whole recording: (B, C, T) -> the same.

    A mask (B, 1, T) says which frames count.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv1d(channels, hidden, 1)
        self.excite = nn.Conv1d(hidden, channels, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            mean = x.mean(-1, keepdim=True)
        else:
            mean = (x * mask).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True)
        return x * torch.sigmoid(self.excite(self.squeeze(mean).relu()))
