"""MobileNet v1: what is in an image, by depthwise-separable convolutions alone (Howard et al., 2017).

A 3 x 3 convolution of stride 2, thirteen pairs of a depthwise 3 x 3 and a 1 x 1 convolution, each with batch norm and
ReLU6, and a mean over all places. Two numbers trade precision for cost: `alpha` scales the channels of every layer
and so the cost by about alpha^2, `resolution` the sides of the image and so the cost by resolution^2. 4.23 M
parameters, 4.25 M with the statistics of the norms.

As in Keras: a layer of stride 2 pads one row and one column of zeros behind, none in front, and the epsilon of the
norms is 1e-3. Images have values from -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from voxfield.cards import Interface, Port
from voxfield.errors import InputError
from voxfield.nn.depthwise import Separable2d
from voxfield.nn.same import SamePad2d

STEM, LAST = 32, 1024
PAIRS = (  # (output channels, stride) of each separable convolution
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (LAST, 2),
    (LAST, 1),
)
EPSILON, MOMENTUM = 1e-3, 0.01


@dataclass(frozen=True)
class MobileNetConfig:
    """The paper's network; the multipliers are 1 there."""

    classes: int = 1000  # 0: the output is the embedding before the classifier
    softmax: bool = False  # scores that add up to 1, as the published ones of Keras
    alpha: float = 1.0  # width multiplier: of the channels of every layer
    image_px: int = 224  # side of the image at resolution 1
    resolution: float = 1.0  # resolution multiplier: of the side of the image
    dropout: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 8 or int(STEM * self.alpha) < 1:
            raise InputError(f"alpha is {self.alpha}; it must leave at least one of {STEM} channels, and be 8 at most")
        if not 0 < self.resolution <= 8 or not 32 <= self.input_px <= 4096:
            raise InputError(
                f"image_px {self.image_px} x resolution {self.resolution} is an image of {self.input_px} pixels a "
                "side; 32 to 4096 are needed, because the strides divide it by 32"
            )
        if self.classes < 0:
            raise InputError(f"classes is {self.classes}; give how many there are, or 0 for embeddings")

    @property
    def input_px(self) -> int:
        """Side of the image that the network takes."""
        return round(self.image_px * self.resolution)

    def width(self, channels: int) -> int:
        """Channels of a layer that has so many at alpha 1."""
        return int(channels * self.alpha)


class MobileNet(nn.Module):
    """Image (B, 3, H, W) -> scores (B, classes), or embeddings (B, 1024 alpha) where classes is 0."""

    def __init__(self, config: MobileNetConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.width(STEM)
        self.stem = nn.Sequential(
            SamePad2d((3, 3), (2, 2)), nn.Conv2d(3, channels, 3, 2, bias=False), norm_relu6(channels)
        )
        pairs: list[nn.Module] = []
        for wanted, stride in PAIRS:
            out = config.width(wanted)
            if stride == 2:
                pairs.append(nn.ZeroPad2d((0, 1, 0, 1)))
            pairs.append(Separable2d(channels, out, 3, stride, padding=stride % 2, after=norm_relu6))
            channels = out
        self.pairs = nn.Sequential(*pairs)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(channels, config.classes) if config.classes else None
        self.embedding_size = channels

    def interface(self) -> Interface:
        """What the card says of input and output."""
        side, classes = self.config.input_px, self.config.classes
        output = Port("scores", (classes,)) if classes else Port("embedding", (self.embedding_size,))
        return Interface(Port("image", (3, side, side)), output, not_streaming_because="it takes one image at a time")

    def forward(self, x: Tensor) -> Tensor:
        x = self.pairs(self.stem(x)).mean((2, 3))
        if self.classifier is None:
            return x
        scores: Tensor = self.classifier(self.dropout(x))
        return scores.softmax(dim=1) if self.config.softmax else scores


def norm_relu6(channels: int) -> nn.Sequential:
    """Batch norm and ReLU6, which follow every convolution."""
    return nn.Sequential(nn.BatchNorm2d(channels, EPSILON, MOMENTUM), nn.ReLU6())
