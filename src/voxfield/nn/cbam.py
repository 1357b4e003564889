"""CBAM: attention over channels, then over places (Woo et al., 2018), and the two residual blocks that carry it.

A channel's gate is the sigmoid of one small network applied to the mean and to the maximum of its map, added up; a
place's gate is that of a 7 x 7 convolution over the maximum and the mean of its channels. Both only scale what is
there, so a block of CBAM keeps the shape of its input. Differences from the paper, as in its authors' code: the small
network has biases, and a batch norm follows the convolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.errors import InputError

POOLS = ("mean", "max", "lp", "lse")
REDUCTION, TAPS, MOMENTUM = 16, 7, 0.01


class ChannelGate(nn.Module):
    """Scales each channel: (B, C, H, W) -> the same. The hidden layer has C / reduction values, and at least one.

    `pools` are summed: mean, max, lp (root of the sum of squares), lse (logarithm of the sum of exponentials).
    """

    def __init__(self, channels: int, reduction: int = REDUCTION, pools: tuple[str, ...] = ("mean", "max")) -> None:
        super().__init__()
        if not pools or set(pools) - set(POOLS):
            raise InputError(f"pools are {', '.join(pools) or 'none'}; choose some of {', '.join(POOLS)}")
        self.pools = pools
        hidden = max(channels // reduction, 1)
        self.narrow, self.widen = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        scores = [self.widen(F.relu(self.narrow(_pooled(x, kind)))) for kind in self.pools]
        return x * torch.sigmoid(sum(scores[1:], scores[0]))[:, :, None, None]


def _pooled(x: Tensor, kind: str) -> Tensor:
    """(B, C, H, W) -> (B, C)."""
    if kind == "mean":
        return x.mean((2, 3))
    if kind == "max":
        return x.amax((2, 3))
    if kind == "lp":
        return x.square().sum((2, 3)).sqrt()
    return x.logsumexp((2, 3))


class SpatialGate(nn.Module):
    """Scales each place: (B, C, H, W) -> the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, TAPS, padding=TAPS // 2, bias=False)
        self.norm = nn.BatchNorm2d(1, momentum=MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        pair = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.norm(self.conv(pair)))


class Cbam(nn.Sequential):
    """Both gates, or the channels' alone: (B, C, H, W) -> the same."""

    def __init__(
        self,
        channels: int,
        reduction: int = REDUCTION,
        pools: tuple[str, ...] = ("mean", "max"),
        spatial: bool = True,
    ) -> None:
        super().__init__(ChannelGate(channels, reduction, pools), *([SpatialGate()] if spatial else []))


class CbamBlock(nn.Module):
    """relu(x + cbam(two 3 x 3 convolutions)): (B, C, H, W) -> the same."""

    def __init__(self, channels: int, reduction: int = REDUCTION) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            Cbam(channels, reduction),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.branch(x))


class CbamBottleneck(nn.Module):
    """relu(x + cbam(1 x 1 to `hidden` channels, 3 x 3, 1 x 1 back)): (B, C, H, W) -> the same."""

    def __init__(self, channels: int, hidden: int, reduction: int = REDUCTION) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            Cbam(channels, reduction),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.branch(x))
