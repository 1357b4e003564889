"""Real-time factors of the enhancers on one CPU thread, beside GTCRN's shape and RNNoise, in one run.

A real-time factor is seconds of work a second of sound. All contenders take turns in one process, a short turn each and
many rounds, and a ratio is the median over the rounds of the ratio within a round: what else the machine does hits all
of them alike. The clock counts the time that this thread was running.

- stream: samples in, samples out, hop by hop (STFT, network, inverse STFT and the Python around them)
- network: the network alone, hop by hop, as papers on such networks count
- blocks: samples in, samples out, 64 hops at once, as a file is enhanced

GTCRN's shape (benchmarks/gtcrn_shape.py) has its time axis fixed beforehand, its fastest form; ours is the file as it
is shipped. RNNoise runs at 48 kHz in frames of 10 ms, its FFT included and the resampling to 48 kHz left out.

    python benchmarks/enhance_speed.py
    python benchmarks/enhance_speed.py my.onnx crn-small --rounds 100 --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import gtcrn_shape
import numpy as np
from peers import RNNOISE_FRAME_S, Rnnoise
from table import table

from voxfield.ort.session import onnxruntime
from voxfield.protocols import Engine
from voxfield.runtime import OnnxEngine, Stream, load_engine

BLOCK_HOPS = 64
YARDSTICK, PEER = "GTCRN's shape", "RNNoise"
MEASURES = ("stream", "network", "blocks")


@dataclass
class Contender:
    """A way to run one network: `step` works on `audio_s` seconds of sound; `found` are its factors, round by round."""

    name: str
    measure: str
    audio_s: float
    step: Callable[[], object]
    found: list[float] = field(default_factory=list)

    def turn(self, turn_s: float) -> None:
        """Measure one turn on `turn_s` seconds of sound."""
        steps = max(1, round(turn_s / self.audio_s))
        began_s = time.thread_time()
        for _ in range(steps):
            self.step()
        self.found.append((time.thread_time() - began_s) / (steps * self.audio_s))


class FixedEngine(OnnxEngine):
    """A file stepped in blocks of `hops` only, so that onnxruntime works out every shape beforehand."""

    def __init__(self, path: Path, hops: int) -> None:
        super().__init__(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        options.add_free_dimension_override_by_name("time", hops)
        self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def contenders(name: str, engine: Engine, measures: tuple[str, ...] = MEASURES) -> list[Contender]:
    """One network in each of the ways."""
    card = engine.card
    hop_s = card.interface.hop_samples / card.interface.sample_rate_hz
    hop, block = noise(card.interface.hop_samples), noise(BLOCK_HOPS * card.interface.hop_samples)
    state = [engine.initial_state()]
    spectrum = np.random.default_rng(0).standard_normal((1, 2, card.interface.bins, 1)).astype(np.float32)

    def network() -> None:
        state[0] = engine.step(spectrum, state[0])[1]

    ways = {
        "stream": (hop_s, partial(Stream(engine).feed, hop)),
        "network": (hop_s, network),
        "blocks": (BLOCK_HOPS * hop_s, partial(Stream(engine).feed, block)),
    }
    return [Contender(name, measure, *ways[measure]) for measure in measures]


def yardstick() -> list[Contender]:
    """GTCRN's shape, one engine for hops and one for blocks."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gtcrn.onnx"
        gtcrn_shape.write(file)
        single, block = FixedEngine(file, 1), FixedEngine(file, BLOCK_HOPS)
    return contenders(YARDSTICK, single, ("stream", "network")) + contenders(YARDSTICK, block, ("blocks",))


def noise(count_samples: int) -> np.ndarray:
    """(1, N) of noise at -26 dBFS: never silence, which some networks skip."""
    return 0.05 * np.random.default_rng(1).standard_normal((1, count_samples)).astype(np.float32)


def measure(runners: list[Contender], rounds: int, turn_s: float) -> None:
    """Let everyone take a turn in each round, starting with another one each time; the first round only warms up."""
    for number in range(rounds + 1):
        start = number % len(runners)
        for runner in runners[start:] + runners[:start]:
            runner.turn(turn_s)
    for runner in runners:
        del runner.found[0]


def ratio(runner: Contender, other: Contender | None) -> float | None:
    """Median over the rounds of this one's factor over the other's."""
    if other is None:
        return None
    return statistics.median(mine / theirs for mine, theirs in zip(runner.found, other.found, strict=True))


def report(runners: list[Contender]) -> list[dict]:
    """One row a contender: factors and ratios."""
    by = {(runner.name, runner.measure): runner for runner in runners}
    return [
        {
            "network": runner.name,
            "measure": runner.measure,
            "rtf": statistics.median(runner.found),
            "rtf_best": min(runner.found),
            "over_gtcrn": ratio(runner, by.get((YARDSTICK, runner.measure))),
            "over_rnnoise": ratio(runner, None if runner.measure == "network" else by[PEER, "stream"]),
        }
        for runner in runners
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models", nargs="*", default=["crn-tiny", "crn-small", "crn-large"], help="names or .onnx files"
    )
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--turn", type=float, default=1.024, help="seconds of sound a turn")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()

    peer = Rnnoise()
    frame = noise(480)[0]
    runners = [*yardstick(), Contender(PEER, "stream", RNNOISE_FRAME_S, lambda: peer(frame))]
    for model in arguments.models:
        runners += contenders(Path(model).name.removesuffix(".onnx"), load_engine(model))
    measure(runners, arguments.rounds, arguments.turn)
    rows = report(runners)
    if arguments.json:
        print(json.dumps({"rounds": arguments.rounds, "rows": rows}))
        return

    def shown(value: float | None, digits: int) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    head = ["", "network", "RTF, median", "RTF, best", "/ GTCRN", "/ RNNoise"]
    cells = [
        [row["measure"], row["network"], *(shown(row[key], 4) for key in ("rtf", "rtf_best"))]
        + [shown(row[key], 3) for key in ("over_gtcrn", "over_rnnoise")]
        for measure_name in MEASURES
        for row in rows
        if row["measure"] == measure_name
    ]
    print(table(head, cells, markdown=arguments.markdown))


if __name__ == "__main__":
    main()
