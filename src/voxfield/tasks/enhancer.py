"""One recording through an enhancing network, at any sample rate and with any number of channels."""

import numpy as np

from voxfield.audio import Resampler, SampleQueue
from voxfield.errors import InputError
from voxfield.protocols import Array, Engine
from voxfield.runtime import Stream
from voxfield.tasks.band_gain import BandGain

_SPARE_SAMPLES = 8  # silence behind the end, so that resampling back never comes out short


class Enhancer:
    """`feed` and `flush` of samples at the recording's own rate; what comes out is aligned with what went in.

    At another rate than the network's, the recording is split into what survives the way to the network's rate and
    back, and the rest: the first goes through the network, the rest is scaled by the gain that the network gave to the
    top of its band. So nothing above 8 kHz is lost, and no noise stays there either. Resampling holds back some
    50 to 100 ms besides the network's own latency.

    Args:
        engine: an enhancing network.
        rate_hz: of the recording.
        channels: C, each enhanced on its own.
        limit_db: take away at most this much; None for no limit.
        mix: 1 for the enhanced sound alone, 0 for the recording as it was, or anything between.

    Raises:
        InputError: an option out of its range, or a network that cannot stream.
    """

    def __init__(
        self, engine: Engine, rate_hz: int, channels: int = 1, *, limit_db: float | None = None, mix: float = 1.0
    ) -> None:
        low_hz = engine.card.interface.sample_rate_hz
        self._wet = wet_share(limit_db, mix)
        self._stream = Stream(engine, channels)
        self._dry = SampleQueue(channels)
        self._split = None if rate_hz == low_hz else _Split(low_hz, rate_hz, channels)

    def feed(self, samples: Array) -> Array:
        """What has become final of (C, N), as (C, M)."""
        self._dry.push(samples)
        if self._split is None:
            return self._blend(self._stream.feed(samples))
        low = self._split.down(samples)
        self._split.measure(self._stream.feed(low))
        return self._join(*self._split.take(len(self._dry)))

    def flush(self) -> Array:
        """The rest, (C, M): afterwards as many samples have come out as went in. The recording ends here."""
        if self._split is None:
            return self._blend(self._stream.flush())
        rest = self._stream.feed(self._split.down_rest())
        self._split.measure(np.concatenate([rest, self._stream.flush()], axis=1))
        self._split.finish()
        return self._join(*self._split.take(len(self._dry)))

    def _blend(self, enhanced: Array) -> Array:
        dry = self._dry.pop(enhanced.shape[1])
        return enhanced if self._wet == 1 else dry + self._wet * (enhanced - dry)

    def _join(self, low: Array, change: Array, gain: Array) -> Array:
        dry = self._dry.pop(low.shape[1])
        return dry + self._wet * (change + (gain - 1) * (dry - low))


class _Split:
    """The low band of a recording on its way to the network's rate and back, beside what the network changed in it."""

    def __init__(self, low_hz: int, full_hz: int, channels: int) -> None:
        self._channels = channels
        self._down = Resampler(full_hz, low_hz, channels)
        self._up = Resampler(low_hz, full_hz, 2 * channels)
        self._low = SampleQueue(channels)
        self._back = SampleQueue(2 * channels)
        self._gain = BandGain(channels, low_hz, full_hz)

    def down(self, samples: Array) -> Array:
        """What has become final at the low rate."""
        low = self._down.feed(samples)
        self._low.push(low)
        return low

    def down_rest(self) -> Array:
        """The rest at the low rate."""
        low = self._down.flush()
        self._low.push(low)
        return low

    def measure(self, enhanced: Array) -> None:
        """Take what the network gave, (C, N) at the low rate."""
        low = self._low.pop(enhanced.shape[1])
        self._gain.feed(low, enhanced)
        self._back.push(self._up.feed(np.concatenate([low, enhanced - low])))

    def finish(self) -> None:
        """Let out what the filters still hold."""
        self._back.push(self._up.feed(np.zeros((2 * self._channels, _SPARE_SAMPLES), np.float32)))
        self._back.push(self._up.flush())
        self._gain.flush()

    def take(self, most_samples: int) -> tuple[Array, Array, Array]:
        """Low band, change of it and gain of the rest, each (C, M) at the full rate, for all that is known."""
        known = self._gain.known_samples()
        count = min(len(self._back), most_samples, len(self._back) if known is None else known)
        low, change = np.split(self._back.pop(count), 2)
        return low, change, self._gain.read(count)


def wet_share(limit_db: float | None, mix: float) -> float:
    """Share of the enhanced sound in the output, for an attenuation limit and a mix.

    >>> round(wet_share(20, 1.0), 3), wet_share(None, 0.5)
    (0.9, 0.5)

    Raises:
        InputError: a limit below 0 dB, or a mix outside 0 to 1.
    """
    if not 0 <= mix <= 1:
        raise InputError(f"the mix must lie between 0 (as recorded) and 1 (enhanced), not {mix}")
    if limit_db is not None and not limit_db >= 0:
        raise InputError(f"the attenuation limit must be 0 dB or more, not {limit_db}")
    floor = 0.0 if limit_db is None else 10.0 ** (-limit_db / 20)
    return float(mix * (1 - floor))
