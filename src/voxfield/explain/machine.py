"""How fast this machine multiplies and moves memory on one thread, measured once per process in about 50 ms."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter

from .costs import Machine


@lru_cache(maxsize=1)
def measure() -> Machine:
    """Peak multiply-accumulates and bytes a second in float32, each the best of several short runs.

    The matrix product runs on as many threads as numpy's own library uses; set OMP_NUM_THREADS=1 for one.
    """
    import numpy as np

    size = 384
    a = np.ones((size, size), np.float32)
    out = np.empty_like(a)
    block = np.ones(4_000_000, np.float32)
    copy = np.empty_like(block)
    product = best(lambda: np.matmul(a, a, out=out), 6)
    moving = best(lambda: np.copyto(copy, block), 4)
    return Machine(macs_per_second=size**3 / product, bytes_per_second=2 * block.nbytes / moving)


def best(run: object, times: int) -> float:
    """Seconds of the fastest run; the first one warms up."""
    found = float("inf")
    for i in range(times):
        start = perf_counter()
        run()  # type: ignore[operator]
        if i:
            found = min(found, perf_counter() - start)
    return found
