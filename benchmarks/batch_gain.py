"""What sessions gain from sharing a step of the network: processor time a hop and session, by how many share it.

    python benchmarks/batch_gain.py crn-tiny crn-small

Processor time, not time by the clock, so that a busy machine changes little. What comes out is compared with separate
steps, bit for bit.
"""

import sys
import time

import numpy as np
from table import table

from voxfield.runtime import Turn, load_engine, take
from voxfield.runtime.lane import Stepper

TOGETHER = (1, 2, 4, 8, 16, 32, 64)
HOPS, ROUNDS = 400, 7


def cost_us(name: str, together: int) -> float:
    """Microseconds a hop and session, transforms included; the best of some rounds."""
    engine = load_engine(name)
    hop = engine.card.interface.hop_samples
    steppers = [Stepper(engine) for _ in range(together)]
    lanes = [stepper.lane(1) for stepper in steppers]
    blocks = 0.1 * np.random.default_rng(0).standard_normal((together, 1, hop)).astype(np.float32)
    turns = [Turn(*parts) for parts in zip(steppers, lanes, blocks, strict=True)]
    steps = max(2, HOPS // together)
    best_s = float("inf")
    for _ in range(ROUNDS):
        began_s = time.thread_time()
        for _ in range(steps):
            take(turns)
        best_s = min(best_s, (time.thread_time() - began_s) / steps)
    return 1e6 * best_s / together


def same_bits(name: str, together: int = 24) -> bool:
    """Whether sharing steps changes nothing at all."""
    engine = load_engine(name)
    hop = engine.card.interface.hop_samples
    blocks = 0.1 * np.random.default_rng(1).standard_normal((20, together, 1, hop)).astype(np.float32)
    steppers = [Stepper(engine) for _ in range(2 * together)]
    lanes = [stepper.lane(1) for stepper in steppers]
    for block in blocks:
        shared = take([Turn(*parts) for parts in zip(steppers, lanes, block, strict=False)])
        alone = [steppers[at + together].step(lanes[at + together], block[at]) for at in range(together)]
        if not np.array_equal(np.stack(shared), np.stack(alone)):
            return False
    return True


def main() -> None:
    names = [word for word in sys.argv[1:] if word != "--markdown"] or ["crn-tiny", "crn-small"]
    rows = []
    for name in names:
        costs = [cost_us(name, together) for together in TOGETHER]
        bits = "the same" if same_bits(name) else "OTHERS"
        for together, cost in zip(TOGETHER, costs, strict=True):
            rows.append([name, str(together), f"{cost:.0f}", f"{costs[0] / cost:.2f}", bits])
    head = ["network", "sessions a step", "µs a hop and session", "times as cheap", "bits as alone"]
    print(table(head, rows, markdown="--markdown" in sys.argv))


if __name__ == "__main__":
    main()
