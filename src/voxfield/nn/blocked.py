"""A convolution along time as one over two axes, the first of size 1: onnxruntime blocks the channels of these only.

With blocked channels (its NCHWc layout) the large ones take three quarters of the time.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import conv2d


class BlockedConv1d(nn.Conv1d):
    """`nn.Conv1d` and ReLU: (B, C, T) -> (B, C', T')."""

    def forward(self, x: Tensor) -> Tensor:
        if self.padding_mode != "zeros" or isinstance(self.padding, str):
            return super().forward(x).relu()
        stride, around, dilation = (1, *self.stride), (0, *self.padding), (1, *self.dilation)
        y = conv2d(x.unsqueeze(2), self.weight.unsqueeze(2), self.bias, stride, around, dilation, self.groups)
        return y.relu().squeeze(2)
