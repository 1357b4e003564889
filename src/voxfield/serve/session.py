"""One stream of sound: what waits on its way in and out, and the network's state between."""

import asyncio
from collections import deque
from threading import Lock

import numpy as np

from voxfield.audio.pcm import ENCODINGS, decode, encode
from voxfield.protocols import Engine
from voxfield.serve.protocol import Start
from voxfield.serve.refusal import Refusal
from voxfield.tasks import Enhancer

FLUSH, STOP = "flush", "stop"


class Session:
    """Filled and emptied by the event loop, worked on by the scheduler's thread.

    Attributes:
        fed_samples, given_samples, dropped_samples: counts a channel, of this session.
    """

    def __init__(self, start: Start, engine: Engine, queue_s: float) -> None:
        self._start, self._engine = start, engine
        self.live = start.mode == "live"
        self.frame_bytes = start.channels * ENCODINGS[start.format]
        self._most_samples = max(1, int(queue_s * start.rate))
        self._lock = Lock()
        self._waiting: deque[bytes | str] = deque()
        self._waiting_samples = 0
        self._ready: deque[bytes | str] = deque()
        self._ready_samples = 0
        self.fed_samples = self.given_samples = self.dropped_samples = 0
        self._enhancer = self._new()
        self.some = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()
        self.error: Exception | None = None

    def _new(self) -> Enhancer:
        start = self._start
        return Enhancer(
            self._engine, start.rate, start.channels, limit_db=start.limit_db, mix=start.mix, link=start.link
        )

    # the event loop's side

    def push(self, data: bytes) -> int:
        """Append sound; the samples that were dropped for it."""
        count, odd = divmod(len(data), self.frame_bytes)
        if odd:
            raise Refusal(
                400,
                "bad_frame",
                f"a frame of {len(data)} bytes; {self.frame_bytes} bytes are one sample of all channels",
            )
        dropped = 0
        with self._lock:
            self._waiting.append(data)
            self._waiting_samples += count
            self.fed_samples += count
            while self.live and self._waiting_samples > self._most_samples and len(self._waiting) > 1:
                oldest = self._waiting.popleft()
                if isinstance(oldest, str):
                    self._waiting.appendleft(oldest)
                    break
                dropped += len(oldest) // self.frame_bytes
                self._waiting_samples -= len(oldest) // self.frame_bytes
            self.dropped_samples += dropped
            if not self.live and self._waiting_samples > self._most_samples:
                self.room.clear()
        return dropped

    def push_control(self, kind: str) -> None:
        """Append the end of a recording."""
        with self._lock:
            self._waiting.append(kind)

    def pop(self) -> list[bytes | str]:
        """What is ready to be sent."""
        with self._lock:
            ready = list(self._ready)
            self._ready.clear()
            self._ready_samples = 0
            self.some.clear()
        return ready

    # the scheduler's side

    @property
    def full(self) -> bool:
        """Whether what is ready must be sent before more is made."""
        return not self.live and self._ready_samples > self._most_samples

    def step(self) -> bool:
        """Whether there was something to do, and was done."""
        with self._lock:
            if not self._waiting or self.full:
                return False
            item = self._waiting.popleft()
            if isinstance(item, bytes):
                self._waiting_samples -= len(item) // self.frame_bytes
        start = self._start
        if isinstance(item, bytes):
            samples = decode(item, start.format, start.channels)
            samples = np.where(np.isfinite(samples), samples, np.float32(0))
            made = self._enhancer.feed(samples)
        else:
            made = self._enhancer.flush()
            self._enhancer = self._new()
        with self._lock:
            if made.shape[1]:
                self._ready.append(encode(made, start.format))
                self._ready_samples += made.shape[1]
                self.given_samples += made.shape[1]
            if isinstance(item, str):
                self._ready.append(item)
        return True

    def wake(self) -> None:
        """In the event loop: something is ready, or there is room."""
        if self._waiting_samples <= self._most_samples:
            self.room.set()
        self.some.set()
