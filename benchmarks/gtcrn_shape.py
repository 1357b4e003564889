"""A network of the published shape of GTCRN, with random weights: a yardstick of speed, and of nothing else.

GTCRN (Rong et al., "A speech enhancement model requiring ultralow computational resources", ICASSP 2024) is the small
enhancer that others are measured against. This is its shape, written from the paper's description: 257 bins folded to
129 bands, every layer looking at three neighbouring bands, two strided convolutions, three grouped temporal
convolutions with temporal recurrent attention, two dual-path grouped RNNs, the same way back, and a complex mask. It
was never trained, so it says nothing about quality. Its parameters match the published count to the last one, which is
what makes its time worth comparing.

    python benchmarks/gtcrn_shape.py                 # counts, beside the published ones
    python benchmarks/gtcrn_shape.py -o gtcrn.onnx   # and a file with a free time axis
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.cards import spectrum
from voxfield.explain import explain
from voxfield.export.onnx_file import export_network
from voxfield.nn.streaming import Chain, State, Streaming, run, zeros

PUBLISHED_PARAMETERS = 23_670  # as the paper rounds it; the fixed band filters are not counted
PUBLISHED_MACS_PER_SECOND = 33.0e6  # by the authors' own count; explain counts dense kernels only
INTERFACE = spectrum(16000, window_samples=512, hop_samples=256)
BINS, LOW_BINS, BANDS, CHANNELS, WIDTH = 257, 65, 64, 16, 33  # 65 bins as they are + 64 bands = 129 -> 65 -> 33


class Attention(Streaming):
    """Gain of each channel over time, from a GRU that hears the channels' energies. (B, C, F, T) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru, self.gain = nn.GRU(channels, 2 * channels), nn.Linear(2 * channels, channels)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(1, batch, self.gru.hidden_size, like=like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        y, state = self.gru(x.square().mean(2).permute(2, 0, 1), state)
        return x * torch.sigmoid(self.gain(y)).permute(1, 2, 0).unsqueeze(2), state


class DepthwiseInTime(Streaming):
    """(3, 3) depthwise convolution, dilated and causal in time. State: the 2 * dilation frames before the block."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.context = 2 * dilation
        self.conv = nn.Conv2d(channels, channels, 3, padding=(1, 0), dilation=(1, dilation), groups=channels)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, self.conv.in_channels, WIDTH, self.context, like=like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        x = torch.cat([state, x], dim=3)
        return self.conv(x), x[..., x.shape[3] - self.context :]


class TemporalBlock(Streaming):
    """Half of the channels convolved and weighted, the other half left alone, then shuffled. (B, C, F, T)."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        half = CHANNELS // 2
        self.widen = nn.Sequential(nn.Conv2d(3 * half, CHANNELS, 1), nn.BatchNorm2d(CHANNELS), nn.PReLU())
        self.depthwise = DepthwiseInTime(CHANNELS, dilation)
        self.narrow = nn.Sequential(
            nn.BatchNorm2d(CHANNELS), nn.PReLU(), nn.Conv2d(CHANNELS, half, 1), nn.BatchNorm2d(half)
        )
        self.attention = Attention(half)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return self.depthwise.initial_state(batch, like), self.attention.initial_state(batch, like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        convolved, kept = x.chunk(2, dim=1)
        y, of_conv = self.depthwise(self.widen(neighbours(convolved)), state[0])
        y, of_attention = self.attention(self.narrow(y), state[1])
        return torch.stack([y, kept], dim=2).flatten(1, 2), (of_conv, of_attention)


class DualPath(Streaming):
    """Grouped GRUs across the bands, both ways, then along time; each with a linear layer, a norm and a skip.

    (B, C, F, T) -> the same. State: (1, B * F, C / 2) for each of two groups.
    """

    def __init__(self) -> None:
        super().__init__()
        half = CHANNELS // 2
        self.across = nn.ModuleList(nn.GRU(half, half // 2, bidirectional=True) for _ in range(2))
        self.along = nn.ModuleList(nn.GRU(half, half) for _ in range(2))
        self.linears = nn.ModuleList(nn.Linear(CHANNELS, CHANNELS) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm((WIDTH, CHANNELS), eps=1e-8) for _ in range(2))

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return tuple(zeros(1, batch * WIDTH, gru.hidden_size, like=like) for gru in self.along)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        B, C, K, T = x.shape
        x = x.permute(0, 3, 2, 1)  # (B, T, F, C)
        halves = x.reshape(B * T, K, C).transpose(0, 1).chunk(2, dim=2)
        y = torch.cat([gru(half)[0] for gru, half in zip(self.across, halves, strict=True)], dim=2)
        x = x + self.norms[0](self.linears[0](y).transpose(0, 1).reshape(B, T, K, C))
        halves = x.transpose(0, 1).reshape(T, B * K, C).chunk(2, dim=2)
        steps = [gru(half, before) for gru, half, before in zip(self.along, halves, state, strict=True)]
        y = self.linears[1](torch.cat([y for y, _ in steps], dim=2))
        x = x + self.norms[1](y.reshape(T, B, K, C).transpose(0, 1))
        return x.permute(0, 3, 2, 1), tuple(after for _, after in steps)


class Gtcrn(Streaming):
    """Spectrum (B, 2, 257, T), real and imaginary, to the same."""

    def __init__(self) -> None:
        super().__init__()
        C = CHANNELS
        filters = torch.rand(BANDS, BINS - LOW_BINS)  # fixed, and dense as in the paper: values cost no time
        self.register_buffer("to_bands", filters / filters.sum(1, keepdim=True), persistent=False)
        self.register_buffer("from_bands", self.to_bands.T.contiguous(), persistent=False)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(*size, (5, 1), (2, 1), (2, 0), groups=groups), nn.BatchNorm2d(C), nn.PReLU())
            for size, groups in (((9, C), 1), ((C, C), 2))
        )
        self.encoder = nn.ModuleList(TemporalBlock(dilation) for dilation in (1, 2, 5))
        self.middle = Chain(DualPath(), DualPath())
        self.decoder = nn.ModuleList(TemporalBlock(dilation) for dilation in (5, 2, 1))
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(C, size, (5, 1), (2, 1), (2, 0), groups=groups), nn.BatchNorm2d(size), end)
            for size, groups, end in ((C, 2, nn.PReLU()), (2, 1, nn.Tanh()))
        )

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return tuple(part.initial_state(batch, like) for part in (*self.encoder, self.middle, *self.decoder))

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        befores = iter(state)
        real, imag = x[:, :1], x[:, 1:]
        h = torch.cat([(real.square() + imag.square() + 1e-12).sqrt(), x], dim=1)
        h = neighbours(torch.cat([h[:, :, :LOW_BINS], torch.matmul(self.to_bands, h[:, :, LOW_BINS:])], dim=2))
        skips, states = [], []
        for layer in (*self.down, *self.encoder):
            h, after = run(layer, h, next(befores) if isinstance(layer, Streaming) else None)
            skips.append(h)
            states += [after] if isinstance(layer, Streaming) else []
        h, after = self.middle(h, next(befores))
        states.append(after)
        for layer in (*self.decoder, *self.up):
            h, after = run(layer, h + skips.pop(), next(befores) if isinstance(layer, Streaming) else None)
            states += [after] if isinstance(layer, Streaming) else []
        mask = torch.cat([h[:, :, :LOW_BINS], torch.matmul(self.from_bands, h[:, :, LOW_BINS:])], dim=2)
        mask_real, mask_imag = mask[:, :1], mask[:, 1:]
        y = torch.cat([real * mask_real - imag * mask_imag, real * mask_imag + imag * mask_real], dim=1)
        return y, tuple(states)


def neighbours(x: Tensor) -> Tensor:
    """Each band beside the one below and the one above: (B, C, F, T) -> (B, 3 C, F, T)."""
    padded = F.pad(x, (0, 0, 1, 1))
    return torch.cat([padded[:, :, at : at + x.shape[2]] for at in range(3)], dim=1)


def write(out: Path) -> None:
    """The network as an ONNX file that Voxfield's engine steps, after it has shown the same numbers as torch."""
    torch.manual_seed(0)
    net = Gtcrn().eval()
    about = {"name": "gtcrn-shape.random", "task": "enhance", "architecture": "gtcrn-shape", "config": {}}
    words = {"summary": "a yardstick of speed, not trained", "licence": "Apache-2.0", "data": ()}
    export_network(net, out, about | words | {"interface": INTERFACE})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, help="also write the network as ONNX")
    arguments = parser.parse_args()
    net = Gtcrn().eval()
    costs = explain(net, input_shape=(1, 2, 257, 125), layout="BCFT", rate_hz=62.5).costs
    for name, figure, published in (
        ("parameters", costs.params, PUBLISHED_PARAMETERS),
        ("MAC/s", costs.macs_per_second, PUBLISHED_MACS_PER_SECOND),
    ):
        print(f"{name:10}  {figure.value:>10,.0f} ({figure.status.value})  published {published:>10,.0f}")
    if arguments.out:
        write(arguments.out)
        print(f"written     {arguments.out}")


if __name__ == "__main__":
    main()
