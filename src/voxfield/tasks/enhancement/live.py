"""Live sound: from a microphone through an enhancing network to headphones, without ever holding up the device."""

from collections import deque
from threading import Condition, Thread
from typing import Self

import numpy as np

from voxfield.audio import SampleQueue
from voxfield.protocols import Array
from voxfield.samples import QUIET_DB, power_db
from voxfield.tasks.work import Processor


class Live:
    """Two queues with a network between them.

    The device calls `exchange` in its own thread, once a block: it leaves what was recorded, takes what is ready, and
    never waits for the network, which runs in another thread while the `with` block lasts. Where the network is too
    slow, the oldest recorded blocks are dropped, and silence is played; both are counted.

    Args:
        processor: what the sound goes through.
        channels: C.
        most_blocks: blocks that wait in either queue at most, which bounds the latency.

    Attributes:
        enhanced: whether the processed or the recorded sound is played; both have the same latency.
        underruns: blocks that were not ready in time.
        dropped: blocks that were left out, on either side.
        levels_db: power of the last block, recorded and played, in dBFS.
        error: what ended the work of the network.
    """

    def __init__(self, processor: Processor, channels: int = 1, *, most_blocks: int = 8) -> None:
        self._processor, self._channels, self._most_blocks = processor, channels, most_blocks
        self._changed = Condition()
        self._recorded: deque[Array] = deque()
        self._untreated = SampleQueue(channels)  # recorded samples whose counterpart is still in the network
        self._ready = SampleQueue(2 * channels)  # recorded samples and, below them, what was made of them
        self._playing = self._over = False
        self._spare_blocks = 1  # in hand when playing starts
        self._held_samples = 0  # recorded, not dropped, not played yet
        self._share = 1.0  # of the processed sound in what is played
        self._thread = Thread(target=self._work, daemon=True)
        self.enhanced = True
        self.underruns = self.dropped = 0
        self.levels_db = (QUIET_DB, QUIET_DB)
        self.error: Exception | None = None

    @property
    def latency_samples(self) -> int:
        """Samples between a recorded and a played one, those of the device not counted."""
        return self._held_samples

    def exchange(self, recorded: Array) -> Array:
        """The block to play, (C, N), for one that was recorded, (C, N)."""
        count = recorded.shape[1]
        with self._changed:
            self._recorded.append(recorded.copy())
            self._held_samples += count
            if len(self._recorded) > self._most_blocks:
                self._held_samples -= self._recorded.popleft().shape[1]
                self.dropped += 1
            self._changed.notify()
            if len(self._ready) > self._most_blocks * count:
                self._held_samples -= self._ready.pop(count).shape[1]
                self.dropped += 1
            self._playing = self._playing or len(self._ready) >= (1 + self._spare_blocks) * count
            taken = self._ready.pop(count) if self._playing else self._ready.pop(0)
            self._held_samples -= taken.shape[1]
            if self._playing and taken.shape[1] < count:
                self.underruns += 1
                self._playing = False  # until more is in hand than last time: one gap rather than many
                self._spare_blocks = min(self._spare_blocks + 1, self._most_blocks // 2)
        played = self._blend(np.pad(taken, ((0, 0), (0, count - taken.shape[1]))))
        self.levels_db = (_db(recorded), _db(played))
        return played

    def step(self, wait_s: float = 0.0) -> bool:
        """Whether a recorded block was there, within so many seconds, and was processed."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._recorded or self._over, wait_s) or self._over:
                return False
            block = self._recorded.popleft()
        self._untreated.push(block)
        made = self._processor.feed(block)
        both = np.concatenate([self._untreated.pop(made.shape[1]), made])
        with self._changed:
            self._ready.push(both)
        return True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        try:
            while not self._over:
                self.step(wait_s=0.5)
        except Exception as error:  # told by whoever runs the device: nobody waits for this thread
            self.error = error

    def _blend(self, both: Array) -> Array:
        """Recorded or processed sound, faded over the block in which that changes."""
        dry, wet = both[: self._channels], both[self._channels :]
        share = 1.0 if self.enhanced else 0.0
        ramp = np.linspace(self._share, share, both.shape[1], dtype=np.float32)
        self._share = share
        return np.asarray(dry + ramp * (wet - dry), np.float32)


def _db(samples: Array) -> float:
    return power_db(float(np.square(samples, dtype=np.float64).mean()) if samples.size else 0.0)
