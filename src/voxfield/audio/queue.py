"""Samples waiting for their counterpart, which comes out of a filter later."""

from collections import deque

import numpy as np

from voxfield.protocols import Array


class SampleQueue:
    """First in, first out, in pieces of any size; holds (C, N) float32."""

    def __init__(self, channels: int) -> None:
        self._parts: deque[Array] = deque()
        self._channels = channels
        self._count_samples = 0

    def __len__(self) -> int:
        """Samples that wait."""
        return self._count_samples

    def push(self, samples: Array) -> None:
        """Append a copy of (C, N): the caller may use its array again."""
        if samples.shape[1]:
            self._parts.append(samples.copy())
            self._count_samples += samples.shape[1]

    def pop(self, count_samples: int) -> Array:
        """The oldest samples, (C, count); fewer where fewer wait."""
        taken = [np.zeros((self._channels, 0), np.float32)]
        missing = count_samples
        while missing > 0 and self._parts:
            part = self._parts.popleft()
            if part.shape[1] > missing:
                self._parts.appendleft(part[:, missing:])
                part = part[:, :missing]
            taken.append(part)
            missing -= part.shape[1]
        self._count_samples -= count_samples - missing
        return np.concatenate(taken, axis=1)

    def pop_whole(self, frame_samples: int) -> Array:
        """As many whole frames as wait, (C, a multiple of the frame)."""
        return self.pop(self._count_samples // frame_samples * frame_samples)
