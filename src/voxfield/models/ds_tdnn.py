"""DS-TDNN: a speaker network for phones and batch jobs, ECAPA-TDNN made of depthwise-separable convolutions.

A layer of kernel 5 takes every second frame; blocks of a pointwise, a dilated depthwise and a pointwise convolution
with squeeze and excitation follow, and attentive pooling with global context as in ECAPA-TDNN. 1.07 M parameters and
38 M multiply-accumulates per second of sound, against 6.19 M and 519 M of ECAPA-TDNN with 512 channels.

16 kHz, hop 10 ms, 80 bands; the whole recording is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from voxfield.cards import Interface, features_to_embedding
from voxfield.nn.depthwise import Depthwise
from voxfield.nn.pooling import AttentiveStatistics, length_mask, masked
from voxfield.nn.squeeze_excite import SqueezeExcite


@dataclass(frozen=True)
class DsTdnnConfig:
    """Shape of a DS-TDNN."""

    sample_rate_hz: int = 16000
    features: str = "kaldi-hamming"  # see `voxfield.features.named`
    bands: int = 80
    channels: int = 256
    stride_frames: int = 2  # of the first layer
    kernel_frames: int = 5  # of the depthwise convolutions
    dilations: tuple[int, ...] = (1, 2, 3)  # of the blocks
    squeeze: int = 64
    joined: int = 512
    attention: int = 64
    embedding: int = 192


class _Block(nn.Module):
    """x + pointwise, depthwise, pointwise, gain: (B, C, T) -> the same."""

    def __init__(self, config: DsTdnnConfig, dilation: int) -> None:
        super().__init__()
        channels = config.channels
        self.enter, self.enter_norm = nn.Conv1d(channels, channels, 1), nn.BatchNorm1d(channels)
        self.along, self.along_norm = Depthwise(channels, config.kernel_frames, dilation), nn.BatchNorm1d(channels)
        self.leave, self.leave_norm = nn.Conv1d(channels, channels, 1), nn.BatchNorm1d(channels)
        self.gain = SqueezeExcite(channels, config.squeeze)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y = masked(self.enter_norm(self.enter(x).relu()), mask)
        y = self.along_norm(self.along(y).relu())
        y = masked(self.leave_norm(self.leave(y).relu()), mask)
        out: Tensor = x + self.gain(y, mask)
        return out


class DsTdnn(nn.Module):
    """Features without their mean (B, bands, T) -> embeddings (B, D)."""

    def __init__(self, config: DsTdnnConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.enter = nn.Conv1d(config.bands, channels, 5, config.stride_frames, padding=2)
        self.enter_norm = nn.BatchNorm1d(channels)
        self.blocks = nn.ModuleList(_Block(config, dilation) for dilation in config.dilations)
        self.join = nn.Conv1d(channels, config.joined, 1)
        self.pool = AttentiveStatistics(config.joined, config.attention, global_context=True)
        self.norm = nn.BatchNorm1d(2 * config.joined)
        self.project = nn.Linear(2 * config.joined, config.embedding)

    def interface(self) -> Interface:
        """What the card says of input and output."""
        config = self.config
        return features_to_embedding(config.features, config.bands, config.embedding, config.sample_rate_hz)

    def forward(self, x: Tensor, frames: Tensor | None = None) -> Tensor:
        """Embeddings; `frames` (B,) says how many of each row are a recording, and the rest has no influence."""
        mask = None if frames is None else length_mask(frames, x.shape[-1])
        x = self.enter_norm(self.enter(masked(x, mask)).relu())
        if mask is not None:
            mask = mask[..., :: self.config.stride_frames]
        x = masked(x, mask)
        for block in self.blocks:
            x = block(x, mask)
        embedding: Tensor = self.project(self.norm(self.pool(self.join(x).relu(), mask)))
        return embedding
