"""From frames (B, C, T) to one vector (B, 2C): mean and standard deviation over time, plain or weighted by attention.

A mask (B, 1, T) of ones and zeros says which frames belong to a recording that is shorter than others of its batch;
what lies behind its end counts nowhere. One frame alone has a deviation of the floor, never NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d


def length_mask(frames: Tensor, most: int) -> Tensor:
    """(B, 1, most): 1 where a recording of so many frames, (B,), has one.

    >>> length_mask(torch.tensor([1, 3]), 3).tolist()
    [[[1.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]]]
    """
    return (torch.arange(most, device=frames.device) < frames[:, None]).float()[:, None]


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """Zeros behind the end of each recording."""
    return x if mask is None else x * mask


def moments(x: Tensor, mask: Tensor | None = None, *, bessel: bool = True) -> tuple[Tensor, Tensor]:
    """Mean and variance over time, each (B, C, 1); `bessel` divides by one less than the frames, if there are two."""
    ones = torch.ones_like(x[:, :1]) if mask is None else mask
    count = ones.sum(-1, keepdim=True)
    mean = masked(x, mask).sum(-1, keepdim=True) / count
    squares = masked((x - mean).square(), mask).sum(-1, keepdim=True)
    return mean, squares / ((count - 1).clamp(min=1) if bessel else count)


class StatisticsPooling(nn.Module):
    """Mean and standard deviation of each channel over time (TSTP): (B, C, T) -> (B, 2C)."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        mean, variance = moments(x, mask)
        return torch.cat([mean, (variance + 1e-7).sqrt()], 1).flatten(1)


class AttentiveStatistics(nn.Module):
    """Mean and standard deviation under weights that attention gives each frame of each channel (ASTP).

    Args:
        channels: C of the frames (B, C, T).
        hidden: channels between the two layers of the attention.
        global_context: the attention sees each frame beside mean and deviation over the whole recording.
        hidden_norm: ReLU and batch norm in the attention before its tanh.
        bessel: of the deviation that the attention sees.
        floor: least variance.
        floor_added: the floor is added to the variance that the attention sees, instead of bounding it.
    """

    def __init__(
        self,
        channels: int,
        hidden: int = 128,
        *,
        global_context: bool = False,
        hidden_norm: bool = False,
        bessel: bool = True,
        floor: float = 1e-7,
        floor_added: bool = True,
    ) -> None:
        super().__init__()
        self.global_context, self.bessel, self.floor, self.floor_added = global_context, bessel, floor, floor_added
        self.hidden = nn.Conv1d(3 * channels if global_context else channels, hidden, 1)
        self.hidden_norm = nn.BatchNorm1d(hidden) if hidden_norm else None
        self.scores = nn.Conv1d(hidden, channels, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        seen = self._in_context(x, mask) if self.global_context else self.hidden(x)
        if self.hidden_norm is not None:
            seen = self.hidden_norm(seen.relu())
        scores = self.scores(seen.tanh())
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        weights = scores.softmax(-1)
        mean = (weights * x).sum(-1, keepdim=True)
        variance = (weights * (x - mean).square()).sum(-1, keepdim=True)
        return torch.cat([mean, variance.clamp(min=self.floor).sqrt()], 1).flatten(1)

    def _in_context(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """`hidden` of frames, means and deviations joined; the latter two are the same in each frame: passed once."""
        mean, variance = moments(x, mask, bessel=self.bessel)
        variance = variance + self.floor if self.floor_added else variance.clamp(min=self.floor)
        own, shared = self.hidden.weight[:, : x.shape[1]], self.hidden.weight[:, x.shape[1] :]
        return conv1d(x, own, self.hidden.bias) + conv1d(torch.cat([mean, variance.sqrt()], 1), shared)
