"""What sessions gain from sharing a step of the network: processor time a hop and session, by how many share it.

    python benchmarks/batch_gain.py crn-tiny crn-small

Processor time, not time by the clock, so that a busy machine changes little. What comes out is compared with separate
steps, bit for bit.
"""

import sys
import time

import numpy as np

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


if __name__ == "__main__":
    for name in sys.argv[1:] or ("crn-tiny", "crn-small"):
        rate = load_engine(name).card.interface.sample_rate_hz / load_engine(name).card.interface.hop_samples
        print(f"\n{name}: {'the same bits' if same_bits(name) else 'OTHER BITS'} as alone")
        print("| sessions a step | us a hop and session | sessions on one core |\n| ---: | ---: | ---: |")
        for together in TOGETHER:
            cost = cost_us(name, together)
            print(f"| {together} | {cost:.0f} | {1e6 / cost / rate:.0f} |")
