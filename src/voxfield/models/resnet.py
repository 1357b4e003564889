"""ResNet v1 with bottlenecks: ResNet50, 101 and 152 (He et al., 2015) as Keras has them.

A 7 x 7 convolution and a maximum pool, four stacks of bottleneck blocks, each of which halves the image (but the
first) and doubles the channels, and a mean over all places. A block is relu(shortcut + 1 x 1, 3 x 3, 1 x 1 with four
times the channels).

As in Keras, and not as in torchvision: the stride of a stack sits on the first 1 x 1 convolution and on the shortcut,
convolutions have biases, and the epsilon of the norms is 1.001e-5. Images are BGR with the means of ImageNet taken off.
25.58 M parameters for ResNet50, 25.64 M with the statistics of the norms, as Keras counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.cards import Interface, Port
from voxfield.errors import InputError

EXPANSION, EPSILON, MOMENTUM = 4, 1.001e-5, 0.01


@dataclass(frozen=True)
class ResNetConfig:
    """Shape of the network; the defaults are ResNet50's."""

    classes: int = 1000  # 0: the output is the embedding before the classifier
    softmax: bool = False  # scores that add up to 1, as the published ones of Keras
    blocks: tuple[int, ...] = (3, 4, 6, 3)  # of each stack
    channels: tuple[int, ...] = (64, 128, 256, 512)  # inside the blocks of each stack; four times as many come out
    stem: int = 64  # channels of the first convolution
    image_px: int = 224  # side of the image

    def __post_init__(self) -> None:
        if not self.blocks or len(self.blocks) != len(self.channels):
            raise InputError(f"blocks {self.blocks} and channels {self.channels} must name the same number of stacks")
        if min(*self.blocks, *self.channels, self.stem) < 1:
            raise InputError("blocks, channels and stem must be 1 or more")
        if not 8 <= self.image_px <= 4096:
            raise InputError(f"image_px is {self.image_px}; 8 to 4096 are possible")
        if self.classes < 0:
            raise InputError(f"classes is {self.classes}; give how many there are, or 0 for embeddings")

    @classmethod
    def resnet101(cls) -> ResNetConfig:
        """44.6 M parameters."""
        return cls(blocks=(3, 4, 23, 3))

    @classmethod
    def resnet152(cls) -> ResNetConfig:
        """60.3 M parameters."""
        return cls(blocks=(3, 8, 36, 3))


class Bottleneck(nn.Module):
    """Keras's `block1`: (B, C, H, W) -> (B, 4 channels, H / stride, W / stride)."""

    def __init__(self, in_channels: int, channels: int, stride: int = 1, project: bool = True) -> None:
        super().__init__()
        out = EXPANSION * channels
        self.shortcut = _conv_norm(in_channels, out, 1, stride) if project else nn.Identity()
        self.reduce = _conv_norm(in_channels, channels, 1, stride)
        self.middle = _conv_norm(channels, channels, 3)
        self.expand = _conv_norm(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(F.relu(self.middle(F.relu(self.reduce(x)))))
        return F.relu(self.shortcut(x) + y)


class Stack(nn.Sequential):
    """Keras's `stack1`: a block with a shortcut convolution, which takes the stride, and `blocks` - 1 without."""

    def __init__(self, in_channels: int, channels: int, blocks: int, stride: int = 2) -> None:
        out = EXPANSION * channels
        rest = (Bottleneck(out, channels, project=False) for _ in range(blocks - 1))
        super().__init__(Bottleneck(in_channels, channels, stride), *rest)


class ResNet(nn.Module):
    """Image (B, 3, H, W) -> scores (B, classes), or embeddings (B, 4 channels) where classes is 0."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = _conv_norm(3, config.stem, 7, 2)
        self.pool = nn.MaxPool2d(3, 2, padding=1)  # its padding does not matter: nothing before it is below zero
        self.stacks, channels = nn.Sequential(), config.stem
        for number, (blocks, inside) in enumerate(zip(config.blocks, config.channels, strict=True)):
            self.stacks.append(Stack(channels, inside, blocks, 1 if number == 0 else 2))
            channels = EXPANSION * inside
        self.classifier = nn.Linear(channels, config.classes) if config.classes else None
        self.embedding_size = channels

    def interface(self) -> Interface:
        """What the card says of input and output."""
        side, classes = self.config.image_px, self.config.classes
        output = Port("scores", (classes,)) if classes else Port("embedding", (self.embedding_size,))
        return Interface(Port("image", (3, side, side)), output, not_streaming_because="it takes one image at a time")

    def forward(self, x: Tensor) -> Tensor:
        x = self.stacks(self.pool(F.relu(self.stem(x)))).mean((2, 3))
        if self.classifier is None:
            return x
        scores: Tensor = self.classifier(x)
        return scores.softmax(dim=1) if self.config.softmax else scores


def _conv_norm(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2),
        nn.BatchNorm2d(out_channels, EPSILON, MOMENTUM),
    )
