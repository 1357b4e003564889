"""Keras's `padding="same"`: as many outputs as strides fit in, and where the padding is uneven, more of it behind."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def same_padding(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after an axis of `size`.

    >>> same_padding(64, 3, 2), same_padding(65, 3, 2), same_padding(9, 2)
    ((0, 1), (1, 1), (0, 1))
    """
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


class SamePad2d(nn.Module):
    """Pads (B, C, H, W) for the layer behind it, which has this kernel and stride and no padding of its own.

    Before a maximum pool the `value` is minus infinity.
    """

    def __init__(self, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), value: float = 0.0) -> None:
        super().__init__()
        self.kernel, self.stride, self.value = kernel, stride, value

    def forward(self, x: Tensor) -> Tensor:
        height, width = (same_padding(int(x.shape[i - 2]), self.kernel[i], self.stride[i]) for i in (0, 1))
        if not any((*height, *width)):
            return x
        return F.pad(x, (*width, *height), value=self.value)
