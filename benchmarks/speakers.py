"""Processor time to turn ten seconds of sound into features and into an embedding, on one thread.

Everything takes turns in one process, and a ratio is the median over the rounds of the ratio within a round.

    python benchmarks/speakers.py             # needs `pip install "voxfield[bench]"`
    python benchmarks/speakers.py --markdown

Weights are random, on which the time does not depend. The plain implementation is the same network in torch, with its
attention as WeSpeaker writes it, and the features of `voxfield.nn.fbank`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import kaldi_native_fbank
import numpy as np
import torch
from table import table

import voxfield as vf
from voxfield.export import export_network
from voxfield.features import fbank
from voxfield.models.ds_tdnn import DsTdnn, DsTdnnConfig
from voxfield.models.ecapa_tdnn import EcapaConfig, EcapaTdnn
from voxfield.nn.fbank import FilterBank
from voxfield.nn.pooling import AttentiveStatistics

SECONDS = 10


def kaldi(samples: np.ndarray) -> np.ndarray:
    """(T, 80) by kaldi-native-fbank."""
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither, options.frame_opts.window_type, options.mel_opts.num_bins = 0, "hamming", 80
    online = kaldi_native_fbank.OnlineFbank(options)
    online.accept_waveform(16000, samples * 32768)
    online.input_finished()
    return np.stack([online.get_frame(at) for at in range(online.num_frames_ready)])


def engines(folder: Path) -> tuple[torch.nn.Module, dict[str, object]]:
    """The ECAPA-TDNN in torch, and both networks as engines."""
    torch.manual_seed(0)
    nets = {"ECAPA-TDNN, 512 channels": EcapaTdnn(EcapaConfig()), "DS-TDNN": DsTdnn(DsTdnnConfig())}
    made = {}
    for number, (name, net) in enumerate(nets.items()):
        about = {
            "name": f"speed-{number}.v1", "task": "embed", "architecture": "speed", "summary": name, "config": {},
            "licence": "Apache-2.0", "data": (), "interface": net.interface(),
        }  # fmt: skip
        export_network(net, folder / f"{number}.onnx", about)
        made[name] = vf.load_engine(folder / f"{number}.onnx")
    return nets["ECAPA-TDNN, 512 channels"].eval(), made


class PlainPooling(torch.nn.Module):
    """`AttentiveStatistics` with context as WeSpeaker writes it: means and deviations stand beside every frame."""

    def __init__(self, pool: AttentiveStatistics) -> None:
        super().__init__()
        self.hidden, self.scores = pool.hidden, pool.scores

    def forward(self, x: torch.Tensor, mask: None) -> torch.Tensor:
        context = x.mean(-1, keepdim=True), torch.sqrt(torch.var(x, dim=-1, keepdim=True) + 1e-7)
        seen = torch.cat([x, *(part.expand_as(x) for part in context)], 1)
        weights = self.scores(self.hidden(seen).tanh()).softmax(-1)
        mean = (weights * x).sum(-1)
        return torch.cat([mean, ((weights * x.square()).sum(-1) - mean.square()).clamp(min=1e-7).sqrt()], 1)


def measured(rivals: dict[str, Callable[[], object]], rounds: int) -> dict[str, np.ndarray]:
    """Processor seconds of each rival in each round."""
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for at in range(rounds + 1):
        for name, work in rivals.items():
            began = time.process_time()  # of this process alone: what else runs on the machine matters less
            work()
            if at:  # the first round warms up
                times[name].append(time.process_time() - began)
    return {name: np.array(values) for name, values in times.items()}


def rows(times: dict[str, np.ndarray], what: str) -> list[list[str]]:
    """Best and median milliseconds, and how many times as fast as the first."""
    first = next(iter(times.values()))
    return [
        [what, name, f"{1e3 * np.median(t):.1f}", f"{1e3 * t.min():.1f}", f"{np.median(first / t):.2f}"]
        for name, t in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    samples = (0.1 * np.random.default_rng(0).standard_normal(16000 * SECONDS)).astype(np.float32)
    assert np.abs(kaldi(samples).T - fbank(samples)).max() < 1e-2
    found = rows(
        measured({"kaldi-native-fbank": lambda: kaldi(samples), "voxfield": lambda: fbank(samples)}, chosen.rounds),
        "features",
    )
    with tempfile.TemporaryDirectory() as folder:
        net, made = engines(Path(folder))
        frames = torch.randn(1, 80, 200)
        with torch.no_grad():
            ours, net.pool = net(frames), PlainPooling(net.pool)
            assert torch.allclose(net(frames), ours, atol=1e-4)
        features = FilterBank()

        @torch.no_grad()
        def plain() -> np.ndarray:
            bands = features(torch.from_numpy(samples)[None])
            return net(bands - bands.mean(-1, keepdim=True))[0].numpy()

        rivals: dict[str, Callable[[], object]] = {"ECAPA-TDNN, 512 channels, plain torch": plain}
        rivals |= {name: lambda engine=engine: vf.embed(samples, 16000, model=engine) for name, engine in made.items()}
        found += rows(measured(rivals, chosen.rounds), "embedding")
    print(table(["", "", "ms, median", "ms, best", "times as fast"], found, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
