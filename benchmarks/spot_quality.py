"""F1 of spotted expressions, as in MEGC (overlap of half), on made clips that no training saw; and what it costs.

    python benchmarks/spot_quality.py             # needs `pip install "voxfield[dev]"`
    python benchmarks/spot_quality.py --markdown --clips 40 --model mean-spot --model mine.onnx

Whole frames of 640 x 480 go the way that users' videos go: the face is found, aligned, its flow scored, intervals made
of the scores; where no face is found, nothing is. Milliseconds are processor time on one thread: of the network alone,
and of everything, a frame.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from functools import reduce
from operator import add

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from table import table

from voxfield.errors import InputError
from voxfield.metrics.spotting import Spots, spots
from voxfield.tasks.spotting.video import spot, spotting_engine
from voxfield.video import load_cv2
from voxfield.video.made_faces import MadeClip, Making

FIRST = 2_000_000  # number of the first clip; those of training and validation are lower
AS_TRAINED = Making(expressions=(1, 3))
CONDITIONS = {
    "as in training": {},
    "half as far": {"amount": (0.006, 0.015)},
    "a quarter as far": {"amount": (0.003, 0.0075)},
    "noise x 3": {"noise": (6.0, 12.0)},
    "drift x 3": {"drift": 0.06, "turn_degrees": 4.5},
    "a face at rest": {"expressions": (0, 0)},
}


def network_ms(model: str, rounds: int = 200) -> float:
    """Processor time of one step of the network."""
    engine, image = spotting_engine(model), np.zeros((1, 3, 42, 42), np.float32)
    engine.step(image, ())
    start = time.process_time()
    for _ in range(rounds):
        engine.step(image, ())
    return 1000 * (time.process_time() - start) / rounds


def scored(model: str, making: Making, clips: int) -> tuple[Spots, float]:
    """Sums over clips, and milliseconds a frame without the making of the clips."""
    found, frames, seconds = [], 0, 0.0
    for seed in range(FIRST, FIRST + clips):
        clip = MadeClip(seed, making)
        images = list(clip.frames())
        clip.frames = lambda images=images: iter(images)  # type: ignore[method-assign,misc]
        start = time.process_time()
        try:
            expressions = spot(clip, model=model).expressions
        except InputError:  # no face was found, so nothing in the clip was
            expressions = ()
        seconds += time.process_time() - start
        frames += len(images)
        truth = [(one.onset_s, one.offset_s) for one in clip.expressions]
        found.append(spots(truth, [(one.onset_s, one.offset_s) for one in expressions]))
    return reduce(add, found), 1000 * seconds / frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="names or files; mean-spot and mean-spot-cbam without it")
    parser.add_argument("--clips", type=int, default=30, help="of each condition")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    load_cv2("the benchmark").setNumThreads(1)
    models = given.model or ["mean-spot", "mean-spot-cbam"]
    rows, costs = [], []
    for model in models:
        card = spotting_engine(model).card
        each_ms = []
        for name, change in CONDITIONS.items():
            total, ms = scored(model, dataclasses.replace(AS_TRAINED, **change), given.clips)
            each_ms.append(ms)
            f1 = f"{total.f1:.2f}" if total.found + total.missed else ""
            counts = [str(total.found + total.missed), str(total.found), str(total.invented)]
            rows.append([card.short_name, name, *counts, f1])
        macs, alone_ms = f"{card.macs / 1e6:.2f} M", f"{network_ms(model):.2f}"
        costs.append([card.short_name, f"{card.parameters:,}", macs, alone_ms, f"{np.median(each_ms):.1f}"])
    print(table(["network", "clips", "expressions", "found", "made up", "F1"], rows, markdown=given.markdown))
    print()
    print(
        table(
            ["network", "parameters", "MACs an image", "network, ms", "a whole frame, ms"],
            costs,
            markdown=given.markdown,
        )
    )


if __name__ == "__main__":
    main()
