"""Depthwise convolutions, and depthwise-separable ones: a filter for each channel, then a 1 x 1 mix of the channels.

Against a standard convolution of the same kernel and N output channels, a separable one costs 1/N + 1/taps, where taps
is the product of the kernel's sizes: for 3 x 3 and many channels about a ninth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.errors import InputError
from voxfield.nn.conv import CausalConv1d, CausalConv2d
from voxfield.nn.streaming import Chain

After = Callable[[int], nn.Module]  # channels -> what follows each of the two convolutions, such as a norm with ReLU


class Depthwise(nn.Conv1d):
    """Each channel filtered by itself, as long as its input: (B, C, T) -> (B, C, T), zeros at both ends.

    Where gradients are needed it is a sum of shifted inputs, one a tap: the same numbers up to rounding, and on a CPU
    about two thirds of the time of the general operator, whose gradient for dilated channels is slow.
    """

    def __init__(self, channels: int, kernel: int, dilation: int = 1, bias: bool = True) -> None:
        around = dilation * (kernel - 1) // 2
        super().__init__(channels, channels, kernel, padding=around, dilation=dilation, groups=channels, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        read = torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting() or x.is_meta  # a graph to be read
        if read or not torch.is_grad_enabled():
            return super().forward(x)
        frames, around = x.shape[-1], int(self.padding[0])
        padded = F.pad(x, (around, around))
        y: Tensor | None = None if self.bias is None else self.bias[:, None]
        for tap in range(self.kernel_size[0]):
            start = tap * self.dilation[0]
            part, weight = padded[..., start : start + frames], self.weight[:, 0, tap, None]
            y = part * weight if y is None else torch.addcmul(y, part, weight)
        assert y is not None  # a kernel has at least one tap
        return y


def separable_cost(out_channels: int, *kernel: int) -> Fraction:
    """Multiply-accumulates of a separable convolution for each one of the standard convolution: 1/N + 1/taps.

    >>> separable_cost(64, 3, 3)
    Fraction(73, 576)
    """
    return Fraction(1, out_channels) + Fraction(1, math.prod(kernel))


class Separable1d(nn.Sequential):
    """As long as its input, zeros at both ends: (B, C, T) -> (B, C', T); an odd kernel.

    Raises:
        InputError: an even kernel, which has no middle.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, dilation: int = 1, after: After | None = None
    ) -> None:
        if kernel % 2 == 0:
            raise InputError(f"a kernel of {kernel} has no middle; use an odd one, or CausalSeparable1d")
        depthwise = Depthwise(in_channels, kernel, dilation, bias=False)
        super().__init__(*_pair(depthwise, nn.Conv1d(in_channels, out_channels, 1, bias=False), after))


class Separable2d(nn.Sequential):
    """Over an image: (B, C, H, W) -> (B, C', H', W'); `padding` zeros on every side, or padded before."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        after: After | None = None,
    ) -> None:
        depthwise = nn.Conv2d(in_channels, in_channels, kernel, stride, padding, groups=in_channels, bias=False)
        super().__init__(*_pair(depthwise, nn.Conv2d(in_channels, out_channels, 1, bias=False), after))


class CausalSeparable1d(Chain):
    """Sees the present and the past: (B, C, T) -> (B, C', T / stride); its state is the depthwise convolution's."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        after: After | None = None,
    ) -> None:
        depthwise = CausalConv1d(in_channels, in_channels, kernel, stride, dilation, in_channels, bias=False)
        super().__init__(*_pair(depthwise, nn.Conv1d(in_channels, out_channels, 1, bias=False), after))


class CausalSeparable2d(Chain):
    """Over frequency and time, causal in time: (B, C, F, T) -> (B, C', F', T); arguments as `CausalConv2d`'s."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int],
        bands: int,
        stride: int = 1,
        padding: int = 0,
        after: After | None = None,
    ) -> None:
        depthwise = CausalConv2d(in_channels, in_channels, kernel, bands, stride, padding, in_channels, bias=False)
        super().__init__(*_pair(depthwise, nn.Conv2d(in_channels, out_channels, 1, bias=False), after))


def _pair(depthwise: nn.Module, pointwise: nn.Conv1d | nn.Conv2d, after: After | None) -> list[nn.Module]:
    if after is None:
        return [depthwise, pointwise]
    return [depthwise, after(pointwise.in_channels), pointwise, after(pointwise.out_channels)]
