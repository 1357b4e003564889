"""One stream of sound: what waits on its way in and out, and the network's state between."""

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any

from voxfield.audio.pcm import ENCODINGS
from voxfield.protocols import Array, Engine
from voxfield.runtime import Turns
from voxfield.serve.protocol import Start
from voxfield.serve.refusal import RefusedError
from voxfield.serve.settings import Limits
from voxfield.tasks import Enhancer, Separator

FLUSH, STOP = "flush", "stop"
_ANSWERS = {FLUSH: "flushed", STOP: "stopped"}
_LIVE_HOPS, _FILE_HOPS = 4, 16  # of sound in one turn, at most


class Session:
    """Filled and emptied by the event loop, worked on by the scheduler's thread.

    What waits on either side is bounded. A live session drops the oldest sound where that is not enough; that of a
    file takes no more until there is `room`, and is not worked on while its results wait.

    Args:
        start: what the client said.
        engine: what enhances or separates.
        limits: of the service.

    Attributes:
        live: whether sound may be dropped.
        taken, given: the encoding of what comes in and of what goes out, and the channels of each.
        has_some: whether something is ready to be sent.
        has_room: whether more may be pushed.
        on_change: is called in the event loop when either may have become true.
        error: what ended the work.
        fed_samples, given_samples, dropped_samples: counts a channel.
    """

    def __init__(self, start: Start, engine: Engine, limits: Limits) -> None:
        self._start, self._engine = start, engine
        face = engine.card.interface
        hop_samples = -(-face.hop_samples * start.rate // face.sample_rate_hz)
        self.live = start.mode == "live"
        self.taken, self.given = (start.format, start.channels), (start.format, start.channels * face.sources)
        self._frame_bytes = start.channels * ENCODINGS[start.format]  # one sample of all channels
        self._given_bytes = self._frame_bytes * face.sources  # the same of what comes out
        self._piece_samples = (_LIVE_HOPS if self.live else _FILE_HOPS) * hop_samples
        self._whole_samples = hop_samples if start.rate == face.sample_rate_hz else 1  # less would only wait elsewhere
        self._most_bytes = max(self._frame_bytes, int(limits.queue_s * start.rate) * self._frame_bytes)
        self._longest_samples = int(limits.duration_s * start.rate)
        self._lock = Lock()
        self._waiting = bytearray()
        self._controls: deque[tuple[int, str]] = deque()  # behind which sample of what was fed
        self._ready: deque[bytes | dict[str, Any]] = deque()
        self._ready_bytes = 0
        self._taken_samples = self._passed_samples = 0  # of what was fed: gone from waiting, gone from ready
        self._holes: deque[tuple[int, int]] = deque()  # between the two: where sound was dropped, and how much
        self._drops: list[dict[str, Any]] = []  # not said yet
        self._ending = ""  # the control that the present turns are for
        self._work = self._fresh()
        self.fed_samples = self.given_samples = self.dropped_samples = 0
        self.on_change: Callable[[], None] = nobody
        self.error: Exception | None = None

    def push(self, data: bytes) -> None:
        """Append sound. In the event loop.

        Raises:
            RefusedError: no whole samples, or the session has lasted too long.
        """
        count, odd = divmod(len(data), self._frame_bytes)
        if odd:
            raise RefusedError(
                400,
                "bad_frame",
                f"a frame of {len(data)} bytes is no whole number of samples: {self._frame_bytes} bytes are one of all "
                "channels",
            )
        if not data:
            return
        with self._lock:
            self.fed_samples += count
            if self.fed_samples > self._longest_samples:
                raise RefusedError(
                    413, "too_long", f"{self._longest_samples / self._start.rate:g} s are all a session may last"
                )
            self._waiting += data
            if self.live and len(self._waiting) > self._most_bytes:
                self._drop_waiting()

    def push_control(self, kind: str) -> None:
        """Append the end of a recording. In the event loop."""
        with self._lock:
            self._controls.append((self.fed_samples, kind))

    def pop(self) -> list[bytes | dict[str, Any]]:
        """What is ready to be sent, sound in few pieces. In the event loop."""
        with self._lock:
            ready, self._ready = self._ready, deque()
            said: list[bytes | dict[str, Any]] = [*self._drops]
            self._drops.clear()
            self._pass(self._ready_bytes // self._given_bytes)
            self._ready_bytes = 0
        parts: list[bytes] = []
        for item in ready:
            if isinstance(item, bytes):
                parts.append(item)
                continue
            said += [b"".join(parts), item] if parts else [item]
            parts = []
        return [*said, b"".join(parts)] if parts else said

    @property
    def has_room(self) -> bool:
        """Whether no more waits to be worked on than may."""
        return len(self._waiting) <= self._most_bytes

    @property
    def has_work(self) -> bool:
        """Whether enough waits to be worked on."""
        return bool(self._controls or self._next_samples())

    @property
    def has_some(self) -> bool:
        """Whether there is something to say."""
        return bool(self._ready or self._drops)

    def take(self) -> bytearray | None:
        """The oldest sound, as much as one turn takes; none of it where a recording ends. In the thread.

        Returns:
            None where there is nothing to do.
        """
        with self._lock:
            if self.error is not None or (not self.live and self._is_full()):
                return None
            count = self._next_samples()
            if not count and not self._controls:
                return None
            self._ending = "" if count else self._controls.popleft()[1]
            data = self._waiting[: count * self._frame_bytes]
            del self._waiting[: len(data)]
            self._taken_samples += count
            return data

    def begin(self, samples: Array) -> Turns:
        """The network's next turns for this session, with what was taken, (C, N). In the thread."""
        return self._work.flushing() if self._ending else self._work.feeding(samples)

    def finish(self, data: bytes) -> None:
        """Take what the turns gave. In the thread."""
        if self._ending:
            self._work = self._fresh()
        with self._lock:
            self.given_samples += len(data) // self._given_bytes
            if data:
                self._ready.append(data)
                self._ready_bytes += len(data)
            if self.live:
                self._drop_ready()
            if self._ending:
                self._ready.append({"type": _ANSWERS[self._ending], **self.counts()})

    def counts(self) -> dict[str, int]:
        """What happened so far."""
        return {
            "fed_samples": self.fed_samples,
            "given_samples": self.given_samples,
            "dropped_samples": self.dropped_samples,
        }

    @property
    def queued_s(self) -> float:
        """Sound that waits to be worked on, in whole hops."""
        there = len(self._waiting) // self._frame_bytes
        return (there - there % self._whole_samples) / self._start.rate

    def _is_full(self) -> bool:
        """Whether more is ready than may be."""
        return self._ready_bytes // self._given_bytes > self._most_bytes // self._frame_bytes

    def _fresh(self) -> Enhancer | Separator:
        start = self._start
        if start.task == "separate":
            return Separator(self._engine, start.rate, start.channels)
        return Enhancer(
            self._engine, start.rate, start.channels, limit_db=start.limit_db, mix=start.mix, link=start.link
        )

    def _next_samples(self) -> int:
        """How much sound the next turn takes: whole hops, and what is left where a recording ends."""
        end = self._controls[0][0] if self._controls else self.fed_samples
        there = end - self._taken_samples
        if there >= self._piece_samples:
            return self._piece_samples
        return there if self._controls else there - there % self._whole_samples

    def _drop_waiting(self) -> None:
        """Bring what waits back to its bound; the end of a recording is never dropped."""
        count = -(-(len(self._waiting) - self._most_bytes) // self._frame_bytes)
        del self._waiting[: count * self._frame_bytes]
        self._drop(self._taken_samples, count)
        self._holes.append((self._taken_samples, count))
        self._taken_samples += count
        self._controls = deque((max(at, self._taken_samples), kind) for at, kind in self._controls)
        self._pass(0)

    def _drop_ready(self) -> None:
        while self._is_full():
            at = next(at for at, item in enumerate(self._ready) if isinstance(item, bytes))
            oldest = self._ready[at]
            del self._ready[at]
            self._ready_bytes -= len(oldest)
            left = len(oldest) // self._given_bytes
            self.given_samples -= left
            while left:  # it goes on behind what was dropped before the network
                count = min(left, self._holes[0][0] - self._passed_samples) if self._holes else left
                self._drop(self._passed_samples, count)
                self._pass(count)
                left -= count

    def _pass(self, count_samples: int) -> None:
        """So much of what was ready is gone, and with it what was dropped before what comes next."""
        self._passed_samples += count_samples
        while self._holes and self._holes[0][0] <= self._passed_samples:
            self._passed_samples += self._holes.popleft()[1]

    def _drop(self, at_sample: int, count_samples: int) -> None:
        """Note what is dropped; what follows on the last drop is one with it."""
        self.dropped_samples += count_samples
        if self._drops and self._drops[-1]["at_sample"] + self._drops[-1]["samples"] == at_sample:
            self._drops[-1]["samples"] += count_samples
        else:
            self._drops.append({"type": "dropped", "samples": count_samples, "at_sample": at_sample})


def nobody() -> None:
    """Nobody is told of changes."""
