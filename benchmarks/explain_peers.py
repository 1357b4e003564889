"""How explain's multiply-accumulates agree with torch's own FLOP counter, fvcore, torchinfo and ptflops.

    python benchmarks/explain_peers.py [--json FILE]

Every network comes with its count worked out by hand, as a formula next to it: dense kernels only, one
multiply-accumulate counted once, a transposed convolution as input positions x taps. Torch's counter runs on the meta
device and counts two operations per multiply-accumulate, so its number is halved. ptflops also counts bias, norms and
activations, so a few per cent more are its convention and not a fault. None of the four says how far a network sees.
"""

import argparse
import contextlib
import io
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from voxfield.explain import explain

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A network, the shape of its input, and its multiply-accumulates worked out by hand."""

    name: str
    make: Callable[[], nn.Module]
    shape: Shape
    macs: int
    layout: str | None = None


class Functional(nn.Module):
    """A convolution that is no submodule: its kernel is a parameter used by a function."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.zeros(16, 1, 64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv1d(x, self.kernel, stride=32)


class Recurrent(nn.Module):
    """A recurrence over (B, T, F) between two linear layers."""

    def __init__(self, cell: str, both: bool = False, layers: int = 1) -> None:
        super().__init__()
        self.rnn = getattr(nn, cell)(64, 32, layers, batch_first=True, bidirectional=both)
        self.out = nn.Linear(64 if both else 32, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.rnn(x)[0])


class Mask(nn.Module):
    """Encoder, dilated depthwise blocks, sigmoid mask, transposed decoder: a small separator."""

    def __init__(self, filters: int = 64, hidden: int = 128, blocks: int = 4) -> None:
        super().__init__()
        self.encoder = nn.Conv1d(1, filters, 16, 8, bias=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(filters, hidden, 1),
                nn.PReLU(),
                nn.BatchNorm1d(hidden),
                nn.Conv1d(hidden, hidden, 3, padding=2**i, dilation=2**i, groups=hidden),
                nn.Conv1d(hidden, filters, 1),
            )
            for i in range(blocks)
        )
        self.decoder = nn.ConvTranspose1d(filters, 1, 16, 8, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = y = F.relu(self.encoder(x))
        for block in self.blocks:
            y = y + block(y)
        return self.decoder(w * torch.sigmoid(y))


class Twice(nn.Module):
    """One layer applied twice: its weights once, its work twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(16, 16, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.layer(x))


class Attention(nn.Module):
    """One block of self-attention over 50 frames of 64 features, four heads."""

    def __init__(self) -> None:
        super().__init__()
        self.project, self.out = nn.Linear(64, 192), nn.Linear(64, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.project(x).reshape(1, 50, 3, 4, 16).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(1, 50, 64))


def strided() -> nn.Module:
    layers: list[nn.Module] = []
    width = 1
    for kernel, stride in ((10, 5), (8, 4), (4, 2), (4, 2), (4, 2)):
        layers += [nn.Conv1d(width, 128, kernel, stride, bias=False), nn.ReLU()]
        width = 128
    return nn.Sequential(*layers)


def separable() -> nn.Module:
    return nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), nn.Conv2d(64, 128, 1, bias=False))


def up_and_down() -> nn.Module:
    return nn.Sequential(nn.Conv1d(1, 32, 8, 4), nn.ReLU(), nn.ConvTranspose1d(32, 32, 8, 4), nn.Conv1d(32, 1, 3))


FRAMES = (16000 - 16) // 8 + 1
CASES = (
    Case(
        "strided encoder",
        strided,
        (1, 1, 16000),
        3199 * 128 * 10 + 798 * 128 * 128 * 8 + (398 + 198 + 98) * 128 * 128 * 4,
    ),
    Case("depthwise separable", separable, (1, 64, 32, 32), 32 * 32 * (64 * 9 + 64 * 128)),
    Case("grouped, dilated", lambda: nn.Conv1d(32, 64, 3, dilation=4, groups=8), (1, 32, 200), 192 * 64 * 4 * 3),
    Case("down and up", up_and_down, (1, 1, 804), 200 * 32 * 8 + 200 * 32 * 32 * 8 + 802 * 32 * 3),
    Case("transposed, stride 4", lambda: nn.ConvTranspose1d(64, 32, 16, 4), (1, 64, 100), 100 * 64 * 32 * 16),
    Case(
        "transposed, grouped",
        lambda: nn.ConvTranspose2d(32, 32, (1, 8), (1, 4), groups=4),
        (1, 32, 10, 33),
        10 * 33 * 32 * 8 * 8,
    ),
    Case("functional convolution", Functional, (1, 1, 16000), 499 * 16 * 64),
    Case("lstm", lambda: Recurrent("LSTM"), (1, 100, 64), 100 * (4 * 32 * (64 + 32) + 32 * 8), "BTC"),
    Case(
        "two-way lstm, 2 layers",
        lambda: Recurrent("LSTM", True, 2),
        (1, 100, 64),
        100 * (2 * 4 * 32 * (64 + 32) * 2 + 64 * 8),
        "BTC",
    ),
    Case("gru", lambda: Recurrent("GRU"), (1, 100, 64), 100 * (3 * 32 * (64 + 32) + 32 * 8), "BTC"),
    Case(
        "masking separator",
        Mask,
        (1, 1, 16000),
        FRAMES * (64 * 16 + 4 * (64 * 128 + 128 * 3 + 128 * 64) + 64 * 16),
    ),
    Case("one layer twice", Twice, (1, 16, 100), 2 * 100 * 16 * 16 * 3),
    Case("self-attention", Attention, (1, 50, 64), 50 * 64 * (192 + 64) + 2 * 50 * 50 * 64, "BTC"),
)


def ours(case: Case) -> float:
    figure = explain(case.make().eval(), input_shape=case.shape, layout=case.layout).costs.macs
    return float(figure.value or 0)


def torch_counter(case: Case) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        net, x = case.make().eval(), torch.zeros(case.shape)
    with FlopCounterMode(display=False) as counter:
        net(x)
    return counter.get_total_flops() / 2


def fvcore(case: Case) -> float:
    from fvcore.nn import FlopCountAnalysis

    counted = FlopCountAnalysis(case.make().eval(), torch.zeros(case.shape))
    return float(counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def torchinfo(case: Case) -> float:
    from torchinfo import summary

    return float(summary(case.make().eval(), input_size=case.shape, verbose=0).total_mult_adds)


def ptflops(case: Case) -> float:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        case.make().eval(),
        case.shape[1:],
        as_strings=False,
        print_per_layer_stat=False,
        verbose=False,
        backend="pytorch",
    )
    return float(macs or 0)


TOOLS: dict[str, Callable[[Case], float]] = {
    "explain": ours,
    "torch": torch_counter,
    "fvcore": fvcore,
    "torchinfo": torchinfo,
    "ptflops": ptflops,
}


def measured(tool: Callable[[Case], float], case: Case) -> float | str:
    """A tool's number, or the kind of error that it ended in."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            return tool(case)
    except Exception as error:  # whatever a peer raises is its result here
        return type(error).__name__


def verdict(value: float | str, truth: int) -> str:
    """How a number stands to the count by hand."""
    if isinstance(value, str):
        return value[:12]
    if value == truth:
        return "="
    return "0" if not value else f"x {value / truth:.3g}"


def resnet50_seconds() -> tuple[float, int]:
    """Seconds for the symbolic part on a graph of ResNet50's size (reading it not counted), and its operators."""
    from voxfield.explain.analysis import analyse
    from voxfield.explain.readers.torch import read_module

    class Bottleneck(nn.Module):
        def __init__(self, wide: int, narrow: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                *(nn.Conv2d(wide, narrow, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()),
                *(nn.Conv2d(narrow, narrow, 3, stride, 1, bias=False), nn.BatchNorm2d(narrow), nn.ReLU()),
                *(nn.Conv2d(narrow, 4 * narrow, 1, bias=False), nn.BatchNorm2d(4 * narrow)),
            )
            same = wide == 4 * narrow and stride == 1
            self.short = nn.Identity() if same else nn.Conv2d(wide, 4 * narrow, 1, stride, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.relu(self.body(x) + self.short(x))

    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    wide = 64
    for narrow, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for i in range(count):
            layers.append(Bottleneck(wide, narrow, stride if i == 0 else 1))
            wide = 4 * narrow
    with torch.device("meta"):
        net = nn.Sequential(*layers).eval()
    graph = read_module(net.to_empty(device="cpu"), (1, 3, 224, 224))
    start = time.perf_counter()
    report = analyse(graph)
    seconds = time.perf_counter() - start
    if report.field("h").rf != 427:
        raise SystemExit(f"ResNet50's field is 427, not {report.field('h').rf}")
    return seconds, len(graph.ops)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print("multiply-accumulates; '=' is the count by hand, 'x 4' four times as many, a name is the error raised")
    print(f"{'network':<24}{'by hand':>14}" + "".join(f"{name:>13}" for name in TOOLS))
    rows: list[dict[str, Any]] = []
    for case in CASES:
        values = {name: measured(tool, case) for name, tool in TOOLS.items()}
        told = "".join(f"{verdict(value, case.macs):>13}" for value in values.values())
        print(f"{case.name:<24}{case.macs:>14,}{told}", flush=True)
        rows.append({"network": case.name, "by_hand": case.macs, **values})
    right = {name: sum(row[name] == row["by_hand"] for row in rows) for name in TOOLS}
    print(f"{'right':<38}" + "".join(f"{f'{count} of {len(rows)}':>13}" for count in right.values()))
    seconds, operators = resnet50_seconds()
    print(f"symbolic analysis of ResNet50 ({operators} operators): {seconds:.2f} s")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "resnet50_s": seconds}, indent=1), encoding="utf-8")
    if right["explain"] != len(rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
