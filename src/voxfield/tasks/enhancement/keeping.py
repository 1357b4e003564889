"""An enhancer that leaves chosen kinds of noise in: what it took away is given back where it is one of these."""

from collections.abc import Sequence

import numpy as np

from voxfield.audio import SampleQueue
from voxfield.errors import InputError
from voxfield.protocols import Array
from voxfield.samples import block_of
from voxfield.tasks.noises.kinds import KindStream, NoiseKinds
from voxfield.tasks.work import Processor

KEPT_FROM = 0.5  # share of the kept kinds from which on a step is kept


def check_keep(names: object) -> None:
    """Return when these are names in a list.

    Raises:
        InputError: they are not, such as one name by itself.
    """
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(f"the kinds of noise to keep are a list of names, such as ['rain', 'birds'], not {names!r}")


class Keeper:
    """`feed` and `flush` as those of the enhancer that it is around; what comes out is some two seconds later.

    In every step of about a second the noise is either kept or taken away; from the middle of one step to that of the
    next its gain follows a straight line.

    Args:
        enhancer: gives samples that are aligned with what it was fed.
        kinds: names the noise.
        names: kinds to keep.
        rate_hz: of the recording.
        channels: C.

    Raises:
        InputError: a name that is none of the kinds, or no name.
    """

    def __init__(
        self, enhancer: Processor, kinds: NoiseKinds, names: Sequence[str], rate_hz: int, channels: int = 1
    ) -> None:
        if not names:
            raise InputError(f"name the noise to keep; there are: {', '.join(kinds.names)}")
        kinds.check(names)
        self._enhancer, self._kinds, self._names, self._channels = enhancer, kinds, tuple(names), channels
        self._stream = KindStream(kinds, rate_hz)
        self._step_samples = kinds.step_samples / kinds.rate_hz * rate_hz
        self._recording, self._speech = SampleQueue(channels), SampleQueue(channels)
        self._noise = SampleQueue(channels)
        self._gains: list[float] = []  # of the steps from `_first` on
        self._first = self._done_samples = 0
        self._kept_steps = 0.0

    def feed(self, samples: Array) -> Array:
        """What has become final of (C, N), as (C, M)."""
        samples = block_of(samples, self._channels)
        self._recording.push(samples)
        self._take(self._enhancer.feed(samples))
        known = self._first + len(self._gains)  # steps; the last half of the last one waits for the next
        return self._give(max(0, int((known - 0.5) * self._step_samples) - self._done_samples))

    def flush(self) -> Array:
        """The rest, (C, M): afterwards as many samples have come out as went in. The recording ends here."""
        self._take(self._enhancer.flush())
        self._add(self._stream.flush())
        return self._give(len(self._speech))

    def notes(self) -> list[str]:
        """How much was kept, so far."""
        step_s = self._kinds.step_samples / self._kinds.rate_hz
        return [f"{' and '.join(self._names)}: kept in {self._kept_steps * step_s:.0f} s of the recording"]

    def _take(self, speech: Array) -> None:
        noise = self._recording.pop(speech.shape[1]) - speech
        self._speech.push(speech)
        self._noise.push(noise)
        self._add(self._stream.feed(noise))

    def _add(self, shares: Array) -> None:
        gains = [float(self._kinds.share_of(self._names, row) >= KEPT_FROM) for row in shares]
        self._gains += gains
        self._kept_steps += sum(gains)

    def _give(self, count: int) -> Array:
        count = min(count, len(self._speech))
        at = (self._done_samples + np.arange(count)) / self._step_samples - 0.5 - self._first
        gain = np.interp(at, np.arange(len(self._gains)), self._gains).astype(np.float32) if self._gains else 0.0
        self._done_samples += count
        past = min(
            max(0, int(self._done_samples / self._step_samples - 0.5) - self._first), max(len(self._gains) - 1, 0)
        )
        self._gains, self._first = self._gains[past:], self._first + past
        return self._speech.pop(count) + gain * self._noise.pop(count)
