"""Training steps of wav2vec against a plain implementation, and the time to represent a recording, on one thread.

    python benchmarks/represent.py             # needs `pip install "voxfield[train]"`
    python benchmarks/represent.py --markdown

Processor time is counted. Both take turns in one process, and a ratio is the median over the rounds of the ratio within
a round. Weights are random, on which the time does not depend.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from plain_wav2vec import PlainWav2Vec
from table import table
from torch import Tensor, nn

import voxfield as vf
from voxfield.export import export_network
from voxfield.models.wav2vec import PAPER, SMALL, Wav2Vec, Wav2VecConfig
from voxfield.train.losses.contrastive import choice_loss, contrastive_scores, draw_negatives
from voxfield.train.precision import in_bfloat16

BATCH, SECONDS = 8, 2


def our_loss(net: Wav2Vec, x: Tensor) -> Tensor:
    """As in training."""
    z, c, _ = net.layers(x)
    negatives = draw_negatives(len(z), z.shape[-1], 10, z.device)
    return choice_loss(contrastive_scores(net.predict(c), z, negatives, net.config.offset_frames))


def step(net: nn.Module, loss: Callable[[Tensor], Tensor], optimiser: torch.optim.Optimizer, x: Tensor) -> None:
    """One training step."""
    with torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16("auto", x.device)):
        value = loss(x)
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    optimiser.step()


def taking_turns(calls: list[Callable[[], object]], rounds: int) -> np.ndarray:
    """(rounds, calls) seconds of processor time; a first round is not counted."""
    found = []
    for _ in range(rounds + 1):
        row = []
        for call in calls:
            before = time.process_time()
            call()
            row.append(time.process_time() - before)
        found.append(row)
    return np.array(found[1:])


def training(config: Wav2VecConfig, rounds: int) -> list[str]:
    """Steps a second of both, and the ratio."""
    x = 0.1 * torch.randn(BATCH, 1, SECONDS * config.sample_rate_hz)
    ours, plain = Wav2Vec(config), PlainWav2Vec(config.channels, config.causal)
    calls = []
    for net, loss in ((ours, partial(our_loss, ours)), (plain, plain.loss)):
        calls.append(partial(step, net, loss, torch.optim.AdamW(net.parameters(), fused=True), x))
    seconds = taking_turns(calls, rounds)
    speeds = 1 / np.median(seconds, axis=0)
    ratio = np.median(seconds[:, 1] / seconds[:, 0])
    return [*(f"{speed:.2f}" for speed in speeds), f"{ratio:.2f}"]


def real_time_factor(config: Wav2VecConfig, folder: Path, seconds: float) -> str:
    """Of `vf.represent` on one thread."""
    net = Wav2Vec(config)
    about = {
        "name": "wav2vec-speed.v1", "task": "represent", "architecture": "wav2vec", "summary": "", "config": {},
        "licence": "", "data": (), "interface": net.interface(),
    }  # fmt: skip
    export_network(net, folder / f"{config.channels}.onnx", about)
    engine = vf.load_engine(folder / f"{config.channels}.onnx")
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * config.sample_rate_hz), np.float32)
    took = taking_turns([partial(vf.represent, samples, config.sample_rate_hz, model=engine)], 3)
    return f"{np.median(took) / seconds:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    whole = Wav2VecConfig(channels=SMALL.channels)
    rows = [
        ["causal, 128 channels", *training(SMALL, chosen.rounds)],
        ["as published, 128 channels", *training(whole, chosen.rounds)],
        ["as published, 512 channels", *(["-"] * 3)],
    ]
    with tempfile.TemporaryDirectory() as folder:
        for row, config in zip(rows, (SMALL, whole, PAPER), strict=True):
            row.append(real_time_factor(config, Path(folder), 20))
    head = ["network", "steps a second", "plain torch", "ratio", "real-time factor"]
    print(table(head, rows, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
