"""When the machine gave a program nothing, however urgent: a virtual machine is halted by its host, and does not know.

A watcher of real-time priority on each core sleeps a millisecond at a time and notes when it was woken later than that.
Nothing else on the machine goes before it, so what it misses was not there for anyone.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

LATE_S = 0.005


@contextmanager
def watched() -> Iterator[list[tuple[float, float]]]:
    """What was missed within the block, when it has ended: when, by `time.perf_counter`, and for how many seconds.

    Raises:
        PermissionError: real-time priority is not allowed here.
    """
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # would the watchers be allowed to?
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    found: list[tuple[float, float]] = []
    watchers = [
        subprocess.Popen([sys.executable, __file__, str(core)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for core in os.sched_getaffinity(0)
    ]
    try:
        yield found
    finally:
        found += [tuple(gap) for watcher in watchers for gap in json.loads(watcher.communicate()[0])]


def watch(core: int) -> None:
    """Print what was missed on a core until the input ends."""
    os.sched_setaffinity(0, [core])
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    missed, last_s = [], time.perf_counter()
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        now_s = time.perf_counter()
        if now_s - last_s > LATE_S:
            missed.append((last_s, now_s - last_s))
        last_s = now_s
    print(json.dumps(missed))


if __name__ == "__main__":
    watch(int(sys.argv[1]))
