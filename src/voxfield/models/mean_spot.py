"""MEAN_Spot: how likely a frame belongs to a facial expression, from its optical flow (Liong et al., 2022).

One image of three channels goes in: horizontal flow u, vertical flow v, and optical strain. Each has a stream of its
own, one 5 x 5 convolution with ReLU, batch norm and a maximum pool of 3; their 14 maps meet in another 5 x 5
convolution, and one linear layer gives the score. 3,593 parameters.

`cbam` adds a residual block with CBAM behind each pool: in the three streams, where it can weigh places of the face
against each other, and after the merge, where it weighs u, v and strain.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxfield.cards import Interface, Port
from voxfield.errors import InputError
from voxfield.nn.cbam import CbamBlock
from voxfield.nn.same import SamePad2d

EPSILON, MOMENTUM = 1e-3, 0.01


@dataclass(frozen=True)
class MeanSpotConfig:
    """Shape of the network; the defaults are the paper's."""

    image_px: int = 42  # side of the image
    streams: tuple[int, ...] = (3, 3, 8)  # filters for u, v and strain
    merged: int = 8  # filters behind the three streams
    cbam: bool = False  # a CBAM residual block behind each pool

    def __post_init__(self) -> None:
        if not self.streams or min(*self.streams, self.merged) < 1:
            raise InputError(f"streams {self.streams} and merged {self.merged} must be 1 or more")
        if not 12 <= self.image_px <= 1024:
            raise InputError(f"image_px is {self.image_px}; 12 to 1024 are possible")


class MeanSpot(nn.Module):
    """Image (B, 3, 42, 42) of u, v and strain -> score (B, 1)."""

    def __init__(self, config: MeanSpotConfig) -> None:
        super().__init__()
        self.config = config
        self.streams = nn.ModuleList(_stream(filters, config.cbam) for filters in config.streams)
        self.merge = nn.Sequential(
            nn.Conv2d(sum(config.streams), config.merged, 5, padding=2),
            nn.ReLU(),
            SamePad2d((2, 2), (2, 2), -torch.inf),
            nn.MaxPool2d(2),
            *([CbamBlock(config.merged)] if config.cbam else []),
        )
        self.dropout = nn.Dropout(0.2)
        side = -(-config.image_px // 3)
        self.score = nn.Linear(config.merged * (-(-side // 2)) ** 2, 1)

    def interface(self) -> Interface:
        """What the card says of input and output."""
        side = self.config.image_px
        return Interface(
            Port("image", (len(self.config.streams), side, side)),
            Port("scores", (1,)),
            not_streaming_because="it takes one image at a time",
        )

    def forward(self, x: Tensor) -> Tensor:
        maps = [stream(x[:, i : i + 1]) for i, stream in enumerate(self.streams)]
        x = self.merge(torch.cat(maps, dim=1))
        return self.score(self.dropout(x.permute(0, 2, 3, 1).flatten(1)))  # type: ignore[no-any-return]


def _stream(filters: int, cbam: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, filters, 5, padding=2),
        nn.ReLU(),
        nn.BatchNorm2d(filters, EPSILON, MOMENTUM),
        SamePad2d((3, 3), (3, 3), -torch.inf),
        nn.MaxPool2d(3),
        *([CbamBlock(filters)] if cbam else []),
        nn.Dropout(0.3),
    )
