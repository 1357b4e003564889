"""ResNet for speakers, WeSpeaker's r-vector (after Zeinali et al. 2019): log-mel features as a picture.

A 3 x 3 convolution and four stages of residual blocks see bands and frames as height and width; the last three stages
halve both. What is left of the bands becomes channels, and mean and deviation over time give the embedding. ResNet34
has 6,634,336 parameters; 221 and 293 are deeper trunks of bottleneck blocks.

What differs from ResNet for pictures: 32 channels at the start, stride 1 and no pooling there, and the stride of a
bottleneck block in its 3 x 3 convolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from voxfield.cards import Interface, features_to_embedding
from voxfield.errors import InputError
from voxfield.nn.pooling import AttentiveStatistics, StatisticsPooling, length_mask, masked

TRUNKS = {  # depth -> blocks a stage
    18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3),
    221: (6, 16, 48, 3), 293: (10, 20, 64, 3),
}  # fmt: skip
BOTTLENECK_FROM = 50  # depth
POOLINGS = ("statistics", "attentive")


@dataclass(frozen=True)
class SpeakerResNetConfig:
    """Shape of a ResNet for speakers; the defaults are ResNet34."""

    sample_rate_hz: int = 16000
    features: str = "kaldi-hamming"  # see `voxfield.features.named`
    bands: int = 80
    channels: int = 32  # of the first stage; each stage doubles them
    blocks: tuple[int, ...] = TRUNKS[34]
    bottleneck: bool = False  # blocks of 1 x 1, 3 x 3, 1 x 1, four times as wide outside, instead of two 3 x 3
    pooling: str = "statistics"  # or attentive
    embedding: int = 256
    second_layer: bool = False  # ReLU, batch norm and a second projection after the first

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise InputError(f"pooling must be {' or '.join(POOLINGS)}, not '{self.pooling}'")

    @classmethod
    def of_depth(cls, depth: int, **changes: Any) -> SpeakerResNetConfig:
        """ResNet18, 34, 50, 101, 152, 221 or 293."""
        if depth not in TRUNKS:
            raise InputError(f"there is no ResNet{depth}; choose one of {', '.join(map(str, TRUNKS))}")
        return cls(blocks=TRUNKS[depth], bottleneck=depth >= BOTTLENECK_FROM, **changes)

    @property
    def pooled(self) -> int:
        """Channels times bands that are left in front of the pooling."""
        halvings = len(self.blocks) - 1
        return -(-self.bands // (1 << halvings)) * (self.channels << halvings) * (4 if self.bottleneck else 1)


class _Block(nn.Module):
    """x + two or three convolutions, each with batch norm: (B, C, F, T) -> (B, C', F / stride, T / stride)."""

    def __init__(self, into: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        out = 4 * width if bottleneck else width
        kernels = [(into, width, 3, stride), (width, width, 3, 1)]
        if bottleneck:
            kernels = [(into, width, 1, 1), (width, width, 3, stride), (width, out, 1, 1)]
        self.convs = nn.ModuleList(_conv(*kernel) for kernel in kernels)
        self.norms = nn.ModuleList(nn.BatchNorm2d(kernel[1]) for kernel in kernels)
        self.shortcut = None
        if stride != 1 or into != out:
            self.shortcut = nn.Sequential(_conv(into, out, 1, stride), nn.BatchNorm2d(out))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = x
        for conv, norm in zip(self.convs, self.norms, strict=True):
            if y is not x:
                y = y.relu()
            y = norm(conv(y))
            if mask is not None and y.shape[-1] != mask.shape[-1]:
                mask = mask[..., ::2]
            y = masked(y, mask)
        return masked((y + (x if self.shortcut is None else self.shortcut(x))).relu(), mask)


class SpeakerResNet(nn.Module):
    """Features without their mean (B, bands, T) -> embeddings (B, D)."""

    def __init__(self, config: SpeakerResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.enter = _conv(1, config.channels, 3, 1)
        self.enter_norm = nn.BatchNorm2d(config.channels)
        self.blocks = nn.ModuleList()
        into = config.channels
        for stage, count in enumerate(config.blocks):
            width = config.channels << stage
            for at in range(count):
                self.blocks.append(_Block(into, width, 2 if stage and not at else 1, config.bottleneck))
                into = 4 * width if config.bottleneck else width
        attentive = config.pooling == "attentive"
        self.pool = AttentiveStatistics(config.pooled) if attentive else StatisticsPooling()
        self.project = nn.Linear(2 * config.pooled, config.embedding)
        self.second = None
        if config.second_layer:
            norm = nn.BatchNorm1d(config.embedding, affine=False)
            self.second = nn.Sequential(nn.ReLU(), norm, nn.Linear(config.embedding, config.embedding))

    def interface(self) -> Interface:
        """What the card says of input and output."""
        config = self.config
        return features_to_embedding(config.features, config.bands, config.embedding, config.sample_rate_hz)

    def forward(self, x: Tensor, frames: Tensor | None = None) -> Tensor:
        """Embeddings; `frames` (B,) says how many of each row are a recording, and the rest has no influence."""
        mask = None if frames is None else length_mask(frames, x.shape[-1])[:, None]
        x = masked(self.enter_norm(self.enter(masked(x[:, None], mask))).relu(), mask)
        for block in self.blocks:
            x = block(x, mask)
            if mask is not None and mask.shape[-1] != x.shape[-1]:
                mask = mask[..., ::2]
        x = self.project(self.pool(x.flatten(1, 2), None if mask is None else mask[:, 0]))
        return x if self.second is None else self.second(x)


def _conv(into: int, out: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(into, out, kernel, stride, padding=kernel // 2, bias=False)
