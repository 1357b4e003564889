"""Seconds to draw a map of codes with a cached state, against a whole pass for every code, on one thread.

    python benchmarks/sampling.py             # needs `pip install "voxfield[train]"`
    python benchmarks/sampling.py --markdown

Both draw the same map of 32 x 32 codes from the same file in the same run, and their codes are compared. Processor time
is counted. Weights are random, on which the time does not depend.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from table import table

from voxfield.export import export_network
from voxfield.models.pixelsnail import PixelSnail, PixelSnailConfig
from voxfield.protocols import Array, Engine, State
from voxfield.runtime import load_engine
from voxfield.tasks.tokens.sampling import Draw, sample_map

SIDE = 32
SIZES = {
    "with attention, 32 channels": PixelSnailConfig(
        codes=64, columns=SIDE, rows=SIDE, channels=32, res_channels=16, blocks=1, res_blocks=2, kernel=3
    ),
    "without, 32 channels": PixelSnailConfig(
        codes=64, columns=SIDE, rows=SIDE, channels=32, res_channels=16, blocks=1, res_blocks=2, kernel=3,
        attention=False,
    ),
}  # fmt: skip


class Whole:
    """An engine that keeps nothing of the codes before, so that it is given the whole map for every code."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.card = SimpleNamespace(interface=engine.card.interface, states=())

    def initial_state(self, batch: int = 1) -> State:
        return ()

    def step(self, block: Array, state: State) -> tuple[Array, State]:
        return self.engine.step(block, self.engine.initial_state(block.shape[0]))


def drawn(engine: object) -> tuple[Array, float]:
    """A map, and the seconds of processor time that it took."""
    before = time.process_time()
    made = sample_map(engine, SIDE, [np.random.default_rng(0)], Draw())  # type: ignore[arg-type]
    return made, time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, config in SIZES.items():
            torch.manual_seed(0)
            net, path = PixelSnail(config).eval(), Path(folder) / f"{len(rows)}.onnx"
            about = {
                "name": "prior-speed.v1", "task": "prior", "architecture": "pixelsnail", "summary": "", "config": {},
                "licence": "", "data": (), "interface": net.interface(),
            }  # fmt: skip
            export_network(net, path, about)
            engine = load_engine(path)
            (cached, quick_s), (whole, slow_s) = drawn(engine), drawn(Whole(engine))
            same = f"{(cached == whole).mean():.2%}"
            rows.append([name, f"{quick_s:.1f}", f"{slow_s:.1f}", f"{slow_s / quick_s:.0f}", same])
    head = ["32 x 32 codes", "cached (s)", "whole passes (s)", "times as fast", "equal codes"]
    print(table(head, rows, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
