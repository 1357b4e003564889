"""Speed and memory of separation, one thread, everything in one run: `python benchmarks/separate.py [--json]`.

1. The paper's network (5 M parameters, 8 kHz) with the same weights: as usually written in torch, our definition in
   torch, and our ONNX file.
2. The efficient network: the published one if there is one, else its configuration with random weights.
3. Its causal form, streamed hop by hop and in blocks of 64 hops.
4. Memory of `voxfield separate` on one minute and on one hour (`--hour`), each in a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import soundfile as sf
import torch
from plain_conv_tasnet import PlainConvTasNet

from voxfield.cards import cards, resolve
from voxfield.export.convert.naming import rows, theirs_from
from voxfield.export.convert.torchaudio import NAMES
from voxfield.export.onnx_file import export_network
from voxfield.models.conv_tasnet import PAPER, SMALL, SMALL_CAUSAL, ConvTasNet
from voxfield.runtime import Stream, load_engine

SECONDS = 4
MEASURE = r"""
import pathlib, re, sys
from voxfield.cli import main
try:
    main(["separate", sys.argv[1], "-o", sys.argv[2], "--model", sys.argv[3], "--quiet", "--overwrite"])
finally:
    status = pathlib.Path("/proc/self/status").read_text()  # getrusage would count the process that started this one
    print(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024)
"""


def best_s(work: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of processor time of the fastest of some runs, after one to warm up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def about(net: ConvTasNet, name: str) -> dict[str, object]:
    return {
        "name": name, "task": "separate", "architecture": "conv-tasnet", "summary": "for a benchmark",
        "licence": "none", "data": [], "config": {}, "interface": net.interface(),
    }  # fmt: skip


@torch.no_grad()
def paper(folder: Path) -> dict[str, float]:
    """Real-time factors of the paper's network three ways, and the largest difference between them."""
    config = replace(PAPER, padding="align", last_residual=False)
    net = ConvTasNet(config).eval()
    plain = PlainConvTasNet().eval()
    shapes = {name: tensor.shape for name, tensor in plain.state_dict().items()}
    plain.load_state_dict(theirs_from(net.state_dict(), shapes, list(rows(config, NAMES))))
    export_network(net, folder / "paper.onnx", about(net, "paper-benchmark.v1"))
    engine = load_engine(folder / "paper.onnx")
    x = 0.1 * torch.randn(1, 1, SECONDS * config.sample_rate_hz)
    samples, state = x.numpy(), engine.initial_state()
    difference = max(
        float((plain(x) - net.separate(x)).abs().max()),
        float(np.abs(engine.step(samples, state)[0] - plain(x).numpy()).max()),
    )
    return {
        "reference in torch": best_s(lambda: plain(x)) / SECONDS,
        "ours in torch": best_s(lambda: net.separate(x)) / SECONDS,
        "ours in onnxruntime": best_s(lambda: engine.step(samples, state)) / SECONDS,
        "largest difference": difference / float(plain(x).abs().max()),
    }


@torch.no_grad()
def efficient(folder: Path) -> dict[str, float]:
    """Real-time factors of the efficient network and of its causal form."""
    published = [card for card in cards() if card.task == "separate"]
    if published:
        path = resolve(published[0].name)[1]
    else:
        path = folder / "small.onnx"
        export_network(net := ConvTasNet(SMALL).eval(), path, about(net, "small-benchmark.v1"))
    engine = load_engine(path)
    rate_hz = engine.card.interface.sample_rate_hz
    x = 0.1 * np.random.default_rng(0).standard_normal((1, 1, SECONDS * rate_hz)).astype(np.float32)
    causal = ConvTasNet(SMALL_CAUSAL).eval()
    export_network(causal, folder / "causal.onnx", about(causal, "causal-benchmark.v1"))
    live = load_engine(folder / "causal.onnx")
    hop = live.card.interface.hop_samples

    def stream(hops: int) -> None:
        running = Stream(live)
        for start in range(0, x.shape[-1], hops * hop):
            running.feed(x[0, 0, start : start + hops * hop])
        running.flush()

    return {
        "efficient, offline": best_s(lambda: engine.step(x, engine.initial_state())) / SECONDS,
        "causal, hop by hop": best_s(lambda: stream(1), 3) / SECONDS,
        "causal, 64 hops": best_s(lambda: stream(64), 3) / SECONDS,
        "causal latency ms": live.card.interface.latency_ms,
    }


def memory_mib(folder: Path, minutes: int, model: str) -> float:
    """Largest memory of the command on so many minutes of two voices' worth of noise."""
    path = folder / f"{minutes}.wav"
    rng = np.random.default_rng(0)
    with sf.SoundFile(path, "w", 16000, 1, "PCM_16") as file:
        for _ in range(minutes * 6):
            file.write(0.1 * rng.standard_normal(160000).astype(np.float32))
    command = [sys.executable, "-c", MEASURE, str(path), str(folder / "out"), model]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    path.unlink()
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--hour", action="store_true", help="measure the memory of an hour too; takes some minutes")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = paper(folder) | efficient(folder)
        reference = found["reference in torch"]
        found["speed-up of the paper's network"] = reference / found["ours in onnxruntime"]
        found["speed-up of the efficient network"] = reference / found["efficient, offline"]
        published = [card.name for card in cards() if card.task == "separate"]
        model = published[0] if published else str(folder / "small.onnx")
        found["memory of 1 minute, MiB"] = memory_mib(folder, 1, model)
        if chosen.hour:
            found["memory of 60 minutes, MiB"] = memory_mib(folder, 60, model)
    if chosen.json:
        print(json.dumps(found))
        return
    for what, value in found.items():
        print(f"{what:36} {value:.3g}")


if __name__ == "__main__":
    main()
