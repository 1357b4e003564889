"""What Prometheus is given at /metrics."""

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from voxfield.serve.settings import SHARED

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_TURNS = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The figures of this process, or of all workers where they share a folder."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.sessions = Gauge(
            "voxfield_sessions", "WebSocket sessions that are open", registry=registry, multiprocess_mode="livesum"
        )
        self.jobs = Gauge(
            "voxfield_jobs", "Requests with recordings that are open", registry=registry, multiprocess_mode="livesum"
        )
        self.queue_s = Gauge(
            "voxfield_queue_seconds",
            "Sound of the session with the longest queue that waits",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._step_s = Histogram(
            "voxfield_step_seconds", "Time of one step of the network", buckets=_SECONDS, registry=registry
        )
        self._turns = Histogram(
            "voxfield_step_sessions", "Sessions that shared one step", buckets=_TURNS, registry=registry
        )
        self.bytes_in = Tally(Counter("voxfield_received_bytes", "Bytes of sound that came in", registry=registry))
        self.bytes_out = Tally(Counter("voxfield_sent_bytes", "Bytes of sound that went out", registry=registry))
        self.dropped = Counter("voxfield_dropped_samples", "Samples that live sessions dropped", registry=registry)
        self._refused = Counter("voxfield_refusals", "Requests that were refused", ["code"], registry=registry)

    def step(self, turns: int, seconds: float) -> None:
        """One step of the network was taken."""
        self._step_s.observe(seconds)
        self._turns.observe(turns)

    def refused(self, code: str) -> None:
        """A request was refused."""
        self._refused.labels(code).inc()

    def watch(self, queues_s: Iterable[float]) -> None:
        """Once in a while: how long the queues of all sessions are."""
        self.queue_s.set(max(queues_s, default=0.0))
        self._settle()

    def text(self) -> bytes:
        """All of it as Prometheus reads it."""
        self._settle()
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _settle(self) -> None:
        self.bytes_in.settle()
        self.bytes_out.settle()


class Tally:
    """A count that is told to its counter once in a while: of many processes, a counter writes to a file each time."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.count = self._told = 0

    def inc(self, count: int) -> None:
        """So many more."""
        self.count += count

    def settle(self) -> None:
        """Tell the counter."""
        self._counter.inc(self.count - self._told)
        self._told = self.count
