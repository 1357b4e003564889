"""Causal convolutions whose left padding is their streaming state.

A causal convolution needs `context = (kernel - 1) * dilation + 1 - stride` inputs from before its block. Offline they
are zeros (padding); streaming they are the tail of the block before. Both are the same tensor, so there is one `step`.
Where it needs none, its state is `()`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from voxfield.errors import InputError
from voxfield.nn.streaming import State, Streaming, zeros


class _Causal(Streaming):
    """A convolution that needs the last `context` steps before its block and none after it: they are its state."""

    conv: nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d

    def __init__(self, context: int, *between: int) -> None:
        super().__init__()
        self.context, self.between = context, between  # sizes of the axes between channels and time

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, self.conv.in_channels, *self.between, self.context, like=like) if self.context else ()

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        if not self.context:
            return self.conv(x), ()
        if state.shape[-1] != self.context:
            given = f"{type(self).__name__} was given {state.shape[-1]} steps as its state"
            raise InputError(f"{given}, not {self.context}")
        x = torch.cat([state, x], dim=-1)
        return self.conv(x), x[..., x.shape[-1] - self.context :]


class CausalConv1d(_Causal):
    """Convolution that sees the present and the past: (B, C, T) -> (B, C', T / stride); T is a multiple of the stride.

    State (B, C, context): the input tail that the next block still needs.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        span = (kernel - 1) * dilation + 1
        if stride > span:
            raise InputError(f"a stride of {stride} skips inputs of a field of {span}; use a longer kernel")
        super().__init__(span - stride)
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, stride, dilation=dilation, groups=groups, bias=bias)

    @property
    def stride(self) -> int:
        return int(self.conv.stride[0])

    @property
    def rate(self) -> Fraction:
        return Fraction(1, self.stride)


class CausalConvTranspose1d(Streaming):
    """Overlap-add synthesis: (B, C, T) -> (B, C', T * stride), the decoder of an encoder with the same kernel and
    stride.

    State (B, C', kernel - stride): the tail of the last frames, to which the next frames will add; `()` where none
    overlap. The bias is added after the overlap, so that it is never added twice.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, bias: bool = False) -> None:
        super().__init__()
        self.overlap = kernel - stride
        if self.overlap < 0:
            raise InputError(
                f"a stride of {stride} leaves gaps between frames of {kernel}; use a kernel of at least {stride}"
            )
        self.conv = nn.ConvTranspose1d(in_channels, out_channels, kernel, stride, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels, 1)) if bias else None

    @property
    def rate(self) -> Fraction:
        return Fraction(self.conv.stride[0])

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, self.conv.out_channels, self.overlap, like=like) if self.overlap else ()

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        y = self.conv(x)
        n = y.shape[-1] - self.overlap
        if self.overlap:
            y = y + nn.functional.pad(state, (0, n))
        out = y[..., :n] if self.bias is None else y[..., :n] + self.bias
        return out, y[..., n:] if self.overlap else ()


class CausalConv2d(_Causal):
    """Convolution over frequency and time, causal in time: (B, C, F, T) -> (B, C', F', T).

    `kernel` is (frequency, time); `stride` and `padding` are those of the frequency axis, the time stride is 1. `bands`
    is F. State (B, C, F, kernel_time - 1): the frames before this block; `()` when the kernel is 1 in time.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        bands: int,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(kernel[1] - 1, bands)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, (stride, 1), (padding, 0), groups=groups, bias=bias)


class CausalConvTranspose2d(_Causal):
    """Transposed convolution over frequency, causal in time: (B, C, F, T) -> (B, C', F', T).

    In time a transposed convolution of stride 1 is a convolution with the kernel turned round, so its state is the
    same: the `kernel_time - 1` frames before the block, (B, C, F, kernel_time - 1); `()` when the kernel is 1 in time.
    `output_padding` adds bins at the top, for an encoder that dropped them.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        bands: int,
        stride: int = 1,
        output_padding: int = 0,
    ) -> None:
        super().__init__(kernel[1] - 1, bands)
        padding = (0, self.context)  # in time it takes away what would be a tail on both sides
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, kernel, (stride, 1), padding, (output_padding, 0))
