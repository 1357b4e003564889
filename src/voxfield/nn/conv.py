"""Causal convolutions whose left padding is their streaming state.

A causal convolution needs `context = (kernel - 1) * dilation + 1 - stride` inputs from before its block. Offline they
are
zeros (padding); streaming they are the tail of the block before. Both are the same tensor, so there is one `forward`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxfield.errors import InputError
from voxfield.nn.streaming import State, Streaming, zeros_like_state


class CausalConv1d(Streaming):
    """Convolution that sees the present and the past: (B, C, T) -> (B, C', T / stride).

    State (B, C, context): the input tail that the next block still needs. The block length must be a multiple of the
    stride.
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
        super().__init__()
        self.context = (kernel - 1) * dilation + 1 - stride
        if self.context < 0:
            raise InputError(
                f"a stride of {stride} skips inputs of a field of {(kernel - 1) * dilation + 1}; use a longer kernel"
            )
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, stride, dilation=dilation, groups=groups, bias=bias)

    def initial_state(self, batch: int) -> State:
        return torch.zeros(batch, self.conv.in_channels, self.context)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        state = zeros_like_state(self, x) if state is None else state
        x = torch.cat([state, x], dim=-1)
        return self.conv(x), x[..., x.shape[-1] - self.context :]  # a slice of -0 would keep everything


class CausalConvTranspose1d(Streaming):
    """Overlap-add synthesis: (B, C, T) -> (B, C', T * stride), the decoder of an encoder with the same kernel and
    stride.

    State (B, C', kernel - stride): the tail of the last frames, to which the next frames will add. The bias is added
    after the overlap, so that it is never added twice.
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

    def initial_state(self, batch: int) -> State:
        return torch.zeros(batch, self.conv.out_channels, self.overlap)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        state = zeros_like_state(self, x) if state is None else state
        y = self.conv(x)
        n = y.shape[-1] - self.overlap
        y = y + nn.functional.pad(state, (0, n))
        out = y[..., :n] if self.bias is None else y[..., :n] + self.bias
        return out, y[..., n:]


class _CausalFrames(Streaming):
    """A convolution over frequency and time that needs the last `context` frames before its block, none after it."""

    conv: nn.Conv2d | nn.ConvTranspose2d

    def __init__(self, bands: int, context: int) -> None:
        super().__init__()
        self.bands, self.context = bands, context

    def initial_state(self, batch: int) -> State:
        return torch.zeros(batch, self.conv.in_channels, self.bands, self.context) if self.context else ()

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        if not self.context:
            return self.conv(x), ()
        state = zeros_like_state(self, x) if state is None else state
        x = torch.cat([state, x], dim=-1)
        return self.conv(x), x[..., x.shape[-1] - self.context :]


class CausalConv2d(_CausalFrames):
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
    ) -> None:
        super().__init__(bands, kernel[1] - 1)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, (stride, 1), (padding, 0))


class CausalConvTranspose2d(_CausalFrames):
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
        super().__init__(bands, kernel[1] - 1)
        padding = (0, self.context)  # in time it takes away what would be a tail on both sides
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, kernel, (stride, 1), padding, (output_padding, 0))
