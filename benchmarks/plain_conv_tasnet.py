"""The paper's network as it is usually written in torch: what `benchmarks/separate.py` measures against.

Separate residual and skip convolutions, `nn.PReLU`, `nn.GroupNorm`, one module a block; no streaming, no state.
"""

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """(B, C, T) -> (residual, skip)."""

    def __init__(self, channels: int, hidden: int, kernel: int, dilation: int, last: bool) -> None:
        super().__init__()
        self.conv_layers = nn.Sequential(
            nn.Conv1d(channels, hidden, 1),
            nn.PReLU(),
            nn.GroupNorm(1, hidden, eps=1e-8),
            nn.Conv1d(hidden, hidden, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=hidden),
            nn.PReLU(),
            nn.GroupNorm(1, hidden, eps=1e-8),
        )
        self.res_out = None if last else nn.Conv1d(hidden, channels, 1)
        self.skip_out = nn.Conv1d(hidden, channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        y = self.conv_layers(x)
        return None if self.res_out is None else self.res_out(y), self.skip_out(y)


class Masker(nn.Module):
    """Frames to masks."""

    def __init__(self, filters: int, channels: int, hidden: int, kernel: int, blocks: int, repeats: int) -> None:
        super().__init__()
        self.input_norm = nn.GroupNorm(1, filters, eps=1e-8)
        self.input_conv = nn.Conv1d(filters, channels, 1)
        count = blocks * repeats
        self.conv_layers = nn.ModuleList(
            Block(channels, hidden, kernel, 2 ** (i % blocks), i == count - 1) for i in range(count)
        )
        self.output_prelu = nn.PReLU()
        self.output_conv = nn.Conv1d(channels, 2 * filters, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.input_conv(self.input_norm(x))
        total = torch.zeros_like(x)
        for block in self.conv_layers:
            residual, skip = block(x)
            x = x if residual is None else x + residual
            total = total + skip
        return torch.sigmoid(self.output_conv(self.output_prelu(total)))


class PlainConvTasNet(nn.Module):
    """(B, 1, N) -> (B, 2, N), N a multiple of the stride."""

    def __init__(
        self,
        filters: int = 512,
        window: int = 16,
        channels: int = 128,
        hidden: int = 512,
        kernel: int = 3,
        blocks: int = 8,
        repeats: int = 3,
    ) -> None:
        super().__init__()
        stride = window // 2
        self.encoder = nn.Conv1d(1, filters, window, stride, padding=stride, bias=False)
        self.mask_generator = Masker(filters, channels, hidden, kernel, blocks, repeats)
        self.decoder = nn.ConvTranspose1d(filters, 1, window, stride, padding=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.encoder(x)
        masks = self.mask_generator(frames).view(x.shape[0], 2, frames.shape[1], -1)
        voices = (frames[:, None] * masks).flatten(0, 1)
        return self.decoder(voices).view(x.shape[0], 2, -1)
