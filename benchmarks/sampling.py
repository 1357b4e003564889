"""Time to draw a code of a map of 32 x 32 with a cached state, against a pass for every code, on one thread.

    python benchmarks/sampling.py             # needs `pip install "voxfield[train]"`
    python benchmarks/sampling.py --markdown

Both draw from the same file in the same run. With the state a whole map is drawn; without, its first rows, as a pass
over the whole map always takes as long, and their codes are compared. "Over the rows so far" is a pass over these rows
alone, the mean over all rows. Processor time is counted. Weights are random, on which the time does not depend.
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

SIDE, FEW = 32, 2  # columns and rows of the map; rows drawn by whole passes
SHAPE = {
    "codes": 128, "columns": SIDE, "rows": SIDE, "channels": 64, "kernel": 5, "res_channels": 32, "blocks": 2,
    "res_blocks": 2,
}  # fmt: skip
SIZES = {
    "with attention, 64 channels": PixelSnailConfig(**SHAPE),
    "without, 64 channels": PixelSnailConfig(**SHAPE, attention=False),
}


class Whole:
    """An engine that keeps nothing of the codes before, so that it is given the whole map for every code."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.card = SimpleNamespace(interface=engine.card.interface, states=())

    def initial_state(self, batch: int = 1) -> State:
        return ()

    def step(self, block: Array, state: State) -> tuple[Array, State]:
        whole = np.pad(block, ((0, 0), (0, 0), (0, SIDE - block.shape[2])))
        return self.engine.step(whole, self.engine.initial_state(block.shape[0]))


def drawn(engine: object, rows: int) -> tuple[Array, float]:
    """The first rows of a map, and the milliseconds of processor time that a code took."""
    before = time.process_time()
    made = sample_map(engine, rows, [np.random.default_rng(0)], Draw())  # type: ignore[arg-type]
    return made, 1000 * (time.process_time() - before) / (SIDE * rows)


def rows_so_far(engine: Engine) -> float:
    """Milliseconds of a pass over the rows up to one, the mean over all rows."""
    before = time.process_time()
    for rows in range(1, SIDE + 1):
        engine.step(np.zeros((1, SIDE, rows), np.int64), engine.initial_state())
    return 1000 * (time.process_time() - before) / SIDE


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
            (cached, quick_ms), (whole, slow_ms) = drawn(engine, SIDE), drawn(Whole(engine), FEW)
            fair_ms, same = rows_so_far(engine), f"{(cached[:, :, :FEW] == whole).mean():.0%}"
            times = [f"{value:.2f}" for value in (quick_ms, slow_ms, fair_ms)]
            rows.append([name, *times, f"{slow_ms / quick_ms:.0f}", f"{fair_ms / quick_ms:.0f}", same])
    head = [
        "ms a code", "cached", "a pass over the map", "over the rows so far", "times as fast", "than rows so far",
        "equal codes",
    ]  # fmt: skip
    print(table(head, rows, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
