"""Band CRN: the convolutional recurrent network that Voxfield ships (`crn-tiny` to `crn-large`, `crn-separate`).

The composition is the CRN of Tan & Wang (Interspeech 2018; `models/crn.py`): convolutions shrink the frequency axis, a
recurrent layer runs along time, transposed convolutions grow the axis back, skips join the two. What differs, and why:

- All convolutions run along frequency only, and one step of stride 4 replaces two of stride 2. What the past tells is
  left to the recurrent layers, so the only states are theirs.
- The 64 bands are mixed down to a few and one small GRU runs along time in each of them with shared weights, instead of
  one LSTM of 1024 over all: a hundredth of the parameters. A linear layer over the bands lets them talk to each other.
- It estimates a complex mask, applied to the noisy spectrum; the mask starts at 1, so an untrained network is a wire.
- The input is compressed and divided by the mean level of the last three seconds: how loud a recording is does not
matter.

Operators, not multiplications, cost time in a hop-by-hop stream, so it is made of few dense ones.
16 kHz, window 512 samples, hop 256: 16 ms a step, 16 ms of look-ahead inside the window, 32 ms of latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.cards import Interface, spectrum
from voxfield.nn.level import MovingLevel
from voxfield.nn.recurrent import Gru
from voxfield.nn.streaming import State, Streaming, initial, zeros


@dataclass(frozen=True)
class BandCrnConfig:
    """Shape of a band CRN."""

    sample_rate_hz: int = 16000
    window_samples: int = 512
    hop_samples: int = 256
    channels: int = 48  # of the convolutions
    depth: int = 1  # residual convolutions before, and after, the recurrent part
    bands: int = 24  # in which the recurrent part runs
    hidden: int = 48  # units of each GRU
    blocks: int = 3  # recurrent blocks
    exponent: float = 0.3  # of the magnitude compression
    level_frames: int = 192  # over which the input level is averaged: 3.07 s
    sources: int = 1  # masks: 1 for the speech in noise, more for the voices of people who speak at once


class BandBlock(Streaming):
    """Along time (a GRU for each band, weights shared), then across bands and channels. (T, B, bands, H) -> the same.

    State (B, bands, H): the GRU's hidden vectors.
    """

    time_axis, batch_axis = 0, 1

    def __init__(self, bands: int, hidden: int) -> None:
        super().__init__()
        self.bands, self.hidden = bands, hidden
        self.norm_time = nn.LayerNorm(hidden)
        self.gru = Gru(hidden, hidden)
        self.norm_bands = nn.LayerNorm(hidden)
        self.mix = nn.Parameter(torch.eye(bands) + torch.randn(bands, bands) / bands)
        self.widen = nn.Linear(hidden, 2 * hidden)
        self.narrow = nn.Linear(2 * hidden, hidden)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, self.bands, self.gru.hidden_size, like=like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        K, H = self.bands, self.hidden
        normed = self.norm_time(x)  # T and B stay free in the exported graph
        y, state = self.gru(normed.reshape(normed.shape[0], -1, H), state.reshape(1, -1, H))
        x = x + y.reshape(y.shape[0], -1, K, H)
        y = torch.matmul(self.mix, self.norm_bands(x))
        y = self.narrow(F.relu(self.widen(y.reshape(-1, H))))
        return x + y.reshape_as(x), state.reshape(-1, K, H)


class BandCrn(Streaming):
    """Spectrum of a mixture in, that of each of S sources out: (B, 2, F, T), real and imaginary, -> (B, 2 S, F, T).

    The batch axis of its file is free, so one step may serve many recordings. State: the level's window, then one
    hidden vector a block. Inside, frequency is the last axis, because convolutions run along it; bin 0 (0 Hz) is left
    out of the network and takes the mask of bin 1.
    """

    turn: Tensor
    free_batch = True

    def __init__(self, config: BandCrnConfig) -> None:
        super().__init__()
        self.config = config
        C, H = config.channels, config.hidden
        self.bins = config.window_samples // 2 + 1
        conv_bands = config.window_samples // 2 // 4
        self.level = MovingLevel(config.level_frames)
        self.encoder = nn.Sequential(nn.Conv2d(3, C, (1, 8), (1, 4), (0, 2)), nn.BatchNorm2d(C), nn.ReLU())
        self.encoder_blocks = nn.ModuleList(_conv_block(C) for _ in range(config.depth))
        self.to_bands = nn.Parameter(_triangles(config.bands, conv_bands))
        self.to_hidden = nn.Linear(C, H)
        self.place = nn.Parameter(torch.randn(config.bands, H) * 0.1)  # tells the shared weights which band they are in
        self.blocks = nn.ModuleList(BandBlock(config.bands, H) for _ in range(config.blocks))
        self.from_hidden = nn.Linear(H, C)
        self.from_bands = nn.Parameter(_triangles(config.bands, conv_bands).T.contiguous() * config.bands / 8)
        self.join = nn.Sequential(nn.Conv2d(2 * C, C, 1), nn.BatchNorm2d(C), nn.ReLU())
        self.decoder_blocks = nn.ModuleList(_conv_block(C) for _ in range(config.depth))
        self.mask = nn.ConvTranspose2d(C, 2 * config.sources, (1, 8), (1, 4), (0, 2))
        assert self.mask.bias is not None
        self.register_buffer("turn", torch.tensor([-1.0, 1.0])[:, None, None], persistent=False)
        with torch.no_grad():
            self.mask.weight.mul_(0.1)
            self.mask.bias.copy_(torch.tensor([0.5493, 0.0]).repeat(config.sources))  # 2 tanh(0.5493) = 1

    def interface(self) -> Interface:
        """What the card says of input, output and latency."""
        config = self.config
        return spectrum(config.sample_rate_hz, config.window_samples, config.hop_samples, sources=config.sources)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return (self.level.initial_state(batch, like), *(initial(block, batch, like) for block in self.blocks))

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        spectrum = x.transpose(2, 3)  # (B, 2, T, F)
        magnitude = (spectrum.square().sum(1, keepdim=True) + 1e-12).sqrt()
        compressed = magnitude.pow(self.config.exponent)
        level, level_state = self.level(_mean(compressed, self.bins), state[0])  # (B, 1, T)
        scale = compressed / (magnitude * level[..., None])
        h = (torch.cat([magnitude, spectrum], dim=1) * scale)[..., 1:]

        h = self.encoder(h)
        for block in self.encoder_blocks:
            h = h + block(h)
        skip = h
        h = torch.matmul(self.to_bands, h.permute(0, 2, 3, 1)).transpose(0, 1)  # (T, B, bands, C)
        h = torch.matmul(h, self.to_hidden.weight.T) + (self.to_hidden.bias + self.place)
        states = [level_state]
        for block, before in zip(self.blocks, state[1:], strict=True):
            h, after = block(h, before)
            states.append(after)
        h = torch.matmul(self.from_hidden(h).permute(1, 3, 0, 2), self.from_bands.T)  # (B, C, T, 64)
        h = self.join(torch.cat([h, skip], dim=1))
        for block in self.decoder_blocks:
            h = h + block(h)
        mask = F.pad(2 * torch.tanh(self.mask(h)), (1, 0, 0, 0), mode="replicate")  # bin 0 as bin 1

        turned = spectrum.flip(1) * self.turn  # times i: (re, im) -> (-im, re)
        masked = [spectrum * one[:, :1] + turned * one[:, 1:] for one in torch.split(mask, 2, dim=1)]
        return torch.cat(masked, dim=1).transpose(2, 3), tuple(states)


def _mean(x: Tensor, count: int) -> Tensor:
    """Mean over the last axis of `count`, of rows filled up to whole vectors of 16 floats.

    onnxruntime adds up such rows in the same order wherever they lie, so what a stream gives does not depend on how
    many frames and sessions share a step, to the last bit.
    """
    return F.pad(x, (0, -count % 16)).sum(-1) / count


def _conv_block(channels: int) -> nn.Sequential:
    """(1, 3) convolution along frequency, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(channels, channels, (1, 3), padding=(0, 1)), nn.BatchNorm2d(channels), nn.ReLU())


def _triangles(bands: int, bins: int) -> Tensor:
    """(bands, bins) overlapping triangles, narrow at low frequencies: where the linear mixing over bands starts
    from."""
    edges = torch.linspace(0, 1, bands + 2) ** 1.5 * (bins + 1) - 1
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    at = torch.arange(bins)[None]
    width = torch.maximum(high - low, torch.tensor(2.0)) / 2
    weights = (1 - (at - centre).abs() / width).clamp(min=0)
    return weights / weights.sum(1, keepdim=True).clamp(min=1e-3)
