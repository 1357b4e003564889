"""Normalisations of (B, C, T): over everything, the past, one frame, one channel, or the training data.

Only three look along time. `GlobalNorm` and `ChannelNorm` need the whole input, so a network that uses them does not
stream; `CumulativeNorm` needs the past alone and carries it as its state. `FrameNorm` and `BatchNorm` carry nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxfield.errors import InputError
from voxfield.nn.streaming import State, Streaming, zeros


class GlobalNorm(nn.GroupNorm):
    """Zero mean and unit variance over all channels and all time (gLN): needs the whole input.

    An exported file takes means over time first and then over channels: runtimes sum a norm over everything in one
    go, and lose precision with length (4e-5 of the peak at 512 x 10000 values, against 3e-7).
    """

    def __init__(self, channels: int, eps: float = 1e-8) -> None:
        super().__init__(1, channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        if not torch.onnx.is_in_onnx_export():
            return super().forward(x)
        centred = x - _mean(x)
        scale = self.weight[:, None] / torch.sqrt(_mean(centred.square()) + self.eps)
        return centred * scale + self.bias[:, None]


class _ScaleAndOffset(nn.Module):
    """The learned part of a norm: one scale and one offset a channel."""

    def __init__(self, channels: int, eps: float = 1e-8) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps


class ChannelNorm(_ScaleAndOffset):
    """Zero mean and unit variance of each channel over all time: needs the whole input."""

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + self.eps) * self.weight[:, None] + self.bias[:, None]


class FrameNorm(_ScaleAndOffset):
    """Zero mean and unit variance over the channels of each frame: streams without a state."""

    def forward(self, x: Tensor) -> Tensor:
        y = functional.layer_norm(x.transpose(1, 2), self.weight.shape, self.weight, self.bias, self.eps)
        return y.transpose(1, 2)


class BatchNorm(nn.BatchNorm1d):
    """Zero mean and unit variance of each channel over the training data: a fixed scale and offset when it runs."""


class CumulativeNorm(_ScaleAndOffset, Streaming):
    """Zero mean and unit variance over all channels and all frames up to the present one.

    The moments of each frame are merged into those of the past about the past mean, in double precision and as mean and
    variance, never as sums of squares that grow with time: an hour of audio is normalised as precisely as a second.

    State (B, 6): frames seen, mean and variance, each as a float32 and the float32 remainder that it could not hold. A
    single float32 would stop counting after 2^24 frames, and the mean would stop moving long before.

    With `whole_in_training` set, a network in training mode takes the moments of the whole block instead, to which the
    running ones settle. Running moments are a clock: where a loss asks which frames lie near each other, a network can
    read the answer off them.
    """

    whole_in_training = False

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, 6, like=like, dtype=torch.float32)

    def step(self, x: Tensor, state: Any, counted: Tensor | None = None) -> tuple[Tensor, State]:
        """Normalised block and new state; frames where `counted` (B, 1, T) is 0 leave the statistics alone."""
        if self.training and self.whole_in_training:
            return functional.group_norm(x, 1, self.weight, self.bias, self.eps), state
        frames_before, mean_before, variance_before = _join(state)
        mean, variance = (moment.double() for moment in _frame_moments(x))
        weight = torch.ones_like(mean) if counted is None else counted[:, 0].double()
        frames = frames_before + weight.cumsum(-1)
        divisor = frames.clamp(min=1)
        shift = mean - mean_before
        moved = (weight * shift).cumsum(-1) / divisor
        mean = mean_before + moved
        spread = frames_before * variance_before + (weight * (variance + shift * shift)).cumsum(-1)
        variance = (spread / divisor - moved * moved).clamp(min=0)
        scale = torch.rsqrt(variance + self.eps).to(x)[:, None]
        y = (x - mean.to(x)[:, None]) * scale * self.weight[:, None] + self.bias[:, None]
        return y, _split(frames[:, -1:], mean[:, -1:], variance[:, -1:])


def _frame_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (B, T) over the channels of each frame.

    Twice as fast as `torch.var_mean`, for which channels lie apart in memory. The mean that the variance is about needs
    no gradient: deviations from it add up to zero.
    """
    mean = x.mean(1)
    return mean, (x - mean.detach()[:, None]).square().mean(1)


def _mean(x: Tensor) -> Tensor:
    """(B, C, T) -> (B, 1, 1); over time first, which lies together in memory."""
    return x.mean(2, keepdim=True).mean(1, keepdim=True)


def _join(state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(B, 6) single precision -> three (B, 1) in double precision."""
    pairs = state.double()
    return pairs[:, 0:1] + pairs[:, 1:2], pairs[:, 2:3] + pairs[:, 3:4], pairs[:, 4:5] + pairs[:, 5:6]


def _split(frames: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Three (B, 1) in double precision -> (B, 6): each value and what single precision loses of it."""
    parts = []
    for value in (frames, mean, variance):
        high = value.float()
        parts += [high, (value - high.double()).float()]
    return torch.cat(parts, dim=-1)


KINDS: dict[str, Callable[..., nn.Module]] = {
    "global": GlobalNorm,
    "channel": ChannelNorm,
    "cumulative": CumulativeNorm,
    "frame": FrameNorm,
    "batch": BatchNorm,
}
WHOLE_INPUT = {"global", "channel"}


def norm_layer(kind: str, channels: int, eps: float | None = None) -> nn.Module:
    """The normalisation called `kind`: one of global, channel, cumulative, frame, batch; with its own eps if None."""
    if kind not in KINDS:
        raise InputError(f"there is no norm '{kind}'; choose one of {', '.join(KINDS)}")
    return KINDS[kind](channels) if eps is None else KINDS[kind](channels, eps=eps)
