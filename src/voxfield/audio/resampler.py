"""From one sample rate to another, in chunks, without delay or drift."""

import numpy as np
import soxr

from voxfield.audio.limits import check_rate
from voxfield.errors import InputError
from voxfield.protocols import Array


class Resampler:
    """One recording on its way from one rate to another; what comes out is aligned with what went in.

    `feed` holds back what the filter still needs, some tens of milliseconds; `flush` gives the rest, after which
    round(N * target / source) samples have come out. At equal rates samples pass untouched and at once.

    Raises:
        InputError: a rate out of bounds, or no channels.
    """

    def __init__(self, source_hz: int, target_hz: int, channels: int = 1) -> None:
        check_rate("what is to be resampled", source_hz)
        check_rate("the result of resampling", target_hz)
        if channels < 1:
            raise InputError(f"resampling needs 1 channel or more, not {channels}")
        self._channels, self._ended = channels, False
        same = source_hz == target_hz
        self._stream = None if same else soxr.ResampleStream(source_hz, target_hz, channels, dtype="float32")

    def feed(self, samples: Array) -> Array:
        """What has become final of (C, N), as (C, M)."""
        return samples if self._stream is None else self._push(samples, last=False)

    def flush(self) -> Array:
        """The rest, (C, M). The recording ends here."""
        none = np.zeros((self._channels, 0), np.float32)
        return none if self._stream is None else self._push(none, last=True)

    def _push(self, samples: Array, *, last: bool) -> Array:
        assert self._stream is not None
        if self._ended:
            raise InputError("this recording was flushed, and ended with that; begin anew for the next one")
        self._ended = last
        frames = np.ascontiguousarray(samples.T, np.float32)
        return np.ascontiguousarray(self._stream.resample_chunk(frames, last=last).reshape(-1, self._channels).T)


def resample(samples: Array, source_hz: int, target_hz: int) -> Array:
    """A whole recording (C, N) at another rate, (C, round(N * target / source)).

    >>> resample(np.zeros((2, 44100), np.float32), 44100, 16000).shape
    (2, 16000)
    """
    resampler = Resampler(source_hz, target_hz, samples.shape[0])
    return np.concatenate([resampler.feed(samples), resampler.flush()], axis=1)
