"""Names a sound by how often each code occurs in its tokens: a linear probe on histograms of codes.

The rows of every level are divided into a few ranges of bands, as the same code means another sound higher up. Square
roots of the shares go through one linear layer; its softmax gives the share of each label.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxfield.cards import TIME, Interface, Port
from voxfield.errors import InputError
from voxfield.models.vqvae2 import Vqvae2Config


@dataclass(frozen=True)
class CodeHistogramConfig:
    """Shape of the probe and what its labels are."""

    labels: tuple[str, ...] = ()
    other: str = "other"  # label of what is none of the others; it may be missing among the labels
    least_share: float = 0.5  # below, a sound is not named: all others together would be likelier
    bands: int = 64  # of the network of tokens, as the next four
    levels: int = 2
    codes: int = 512
    sample_rate_hz: int = 16000
    hop_samples: int = 256
    ranges: int = 4  # of bands
    segment_frames: int = 128  # log-mel frames that are named at a time
    tokenizer: str = ""  # the first eight hex digits of the hash of its weights

    def __post_init__(self) -> None:
        if len(set(self.labels)) < 2 or len(set(self.labels)) < len(self.labels):
            raise InputError(f"labels must be two or more different ones, not {list(self.labels)}")
        if self.ranges < 1 or self.tokens.level_shapes[0][0] % self.ranges:
            raise InputError(f"ranges must divide the {self.tokens.level_shapes[0][0]} rows of the top level")

    @property
    def tokens(self) -> Vqvae2Config:
        """What the network of tokens needs to have in common."""
        return Vqvae2Config(
            bands=self.bands, levels=self.levels, codes=self.codes, sample_rate_hz=self.sample_rate_hz,
            hop_samples=self.hop_samples,
        )  # fmt: skip


class CodeHistogram(nn.Module):
    """Tokens (B, C, T) -> natural logarithms of the share of each label (B, labels)."""

    def __init__(self, config: CodeHistogramConfig) -> None:
        super().__init__()
        self.config = config
        self.scores = nn.Linear(config.levels * config.ranges * config.codes, len(config.labels))

    def interface(self) -> Interface:
        """What the card says of input and output."""
        config, tokens = self.config, self.config.tokens
        return Interface(
            Port("tokens", (tokens.codebooks, TIME)),
            Port("scores", (len(config.labels),)),
            config.sample_rate_hz,
            config.hop_samples * tokens.stride,
            not_streaming_because="it counts codes over its whole input",
            codes=config.codes,
        )

    def forward(self, tokens: Tensor) -> Tensor:
        return self.scores(self.histogram(tokens)).log_softmax(1)  # type: ignore[no-any-return]

    def histogram(self, tokens: Tensor) -> Tensor:
        """(B, C, T) -> (B, levels * ranges * codes): square roots of the shares of the codes."""
        parts, first = [], 0
        for rows, columns in self.config.tokens.level_shapes:
            part = tokens[:, first : first + rows * columns]
            part = part.reshape(len(tokens), columns, self.config.ranges, rows // self.config.ranges, -1)
            hits = (part[..., None] == torch.arange(self.config.codes, device=tokens.device)).float()
            parts.append(hits.mean((1, 3, 4)).flatten(1))
            first += rows * columns
        return torch.cat(parts, dim=1).sqrt()
