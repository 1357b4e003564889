"""One recording through an enhancing network, at any sample rate and with any number of channels."""

import numpy as np

from voxfield.audio import SampleQueue, check_layout
from voxfield.errors import InputError
from voxfield.protocols import Array
from voxfield.runtime import Stream, Turns, run
from voxfield.samples import block_of
from voxfield.tasks.band_splitter import BandSplitter
from voxfield.tasks.work import Model, engine_for
from voxfield.values import is_number

CHANNELS = ("together", "independent")
LONGEST_WARM_UP_S = 60


class Enhancer:
    """`feed` and `flush` of samples at the recording's own rate; what comes out is aligned with what went in.

    Resampling, where it is needed, holds back 65 to 95 ms from 22.05 to 48 kHz, and up to 190 ms at other rates,
    besides the network's own latency.

    Args:
        engine: an enhancing network, or its name or file.
        rate_hz: of the recording.
        channels: C.
        limit_db: take away at most this much; None for no limit.
        mix: 1 for the enhanced sound alone, 0 for the recording as it was, or anything between.
        link: channels that are enhanced `together` share one gain for each moment and frequency, so that every sound
            keeps its place between them; `independent` ones are recordings of their own.
        warm_up_s: the network runs over so much of the beginning before it starts, and knows its noise from the first
            sample on; what comes out is so much later.

    Raises:
        InputError: an option out of its range, or a network that cannot stream.
    """

    def __init__(
        self,
        engine: Model,
        rate_hz: int,
        channels: int = 1,
        *,
        limit_db: float | None = None,
        mix: float = 1.0,
        link: str = "together",
        warm_up_s: float = 0.0,
    ) -> None:
        check_link(link)
        check_warm_up(warm_up_s)
        check_layout("the recording", rate_hz, channels)
        rate_hz, channels = int(rate_hz), int(channels)  # which may be NumPy's
        engine = engine_for(engine, "enhance")
        self._wet = wet_share(limit_db, mix)
        self._stream = Stream(engine, channels, linked=link == "together")
        self._rates = engine.card.interface.sample_rate_hz, rate_hz
        self._bands = BandSplitter(*self._rates, channels, linked=link == "together")
        self._dry, self._beginning = SampleQueue(channels), SampleQueue(channels)
        self._cold_samples = round(float(warm_up_s) * rate_hz)  # still to come before the network starts
        self._channels, self._model = channels, engine.card.name

    def __repr__(self) -> str:
        return f"<Enhancer {self._model}>"

    def feed(self, samples: Array) -> Array:
        """What has become final of (C, N), or (N,) of one channel, as (C, M)."""
        return run(self.feeding(samples))

    def feeding(self, samples: Array) -> Turns:
        """`feed` in turns of the network, for who takes those of many recordings together (`voxfield.runtime.take`)."""
        samples = block_of(samples, self._channels)
        if self._wet != 1:
            self._dry.push(samples)
        if self._cold_samples:
            self._beginning.push(samples)
            if len(self._beginning) < self._cold_samples:
                return samples[:, :0]
            samples = self._warmed_up()
        enhanced = yield from self._stream.feeding(self._bands.down(samples))
        return self._blend(self._bands.up(enhanced))

    def flush(self) -> Array:
        """The rest, (C, M): afterwards as many samples have come out as went in. The recording ends here."""
        return run(self.flushing())

    def flushing(self) -> Turns:
        """`flush` in turns."""
        beginning = self._warmed_up() if self._cold_samples else self._beginning.pop(0)
        low = [self._bands.down(beginning), self._bands.down_rest()]
        enhanced = yield from self._stream.feeding(np.concatenate(low, axis=1))
        first = self._blend(self._bands.up(enhanced))
        enhanced = yield from self._stream.flushing()
        rest = self._blend(self._bands.up(enhanced, last=True))
        return np.concatenate([first, rest], axis=1)

    def _warmed_up(self) -> Array:
        """The beginning, which the network has run over."""
        samples = self._beginning.pop(len(self._beginning))
        bands = BandSplitter(*self._rates, self._channels)
        low = [bands.down(samples[:, : self._cold_samples]), bands.down_rest()]
        self._stream.warm_up(np.concatenate(low, axis=1))
        self._cold_samples = 0
        return samples

    def _blend(self, enhanced: Array) -> Array:
        if self._wet == 1:
            return enhanced
        dry = self._dry.pop(enhanced.shape[1])
        return dry + self._wet * (enhanced - dry)


def wet_share(limit_db: float | None, mix: float) -> float:
    """Share of the enhanced sound in the output, for an attenuation limit and a mix.

    >>> round(wet_share(20, 1.0), 3), wet_share(None, 0.5)
    (0.9, 0.5)

    Raises:
        InputError: a limit below 0 dB, or a mix outside 0 to 1.
    """
    for name, value in (("mix", mix), ("attenuation limit", 0 if limit_db is None else limit_db)):
        if not is_number(value):
            raise InputError(f"the {name} must be a number, not {value!r}")
    if not 0 <= mix <= 1:
        raise InputError(f"the mix must lie between 0 (as recorded) and 1 (enhanced), not {mix}")
    if limit_db is not None and not limit_db >= 0:
        raise InputError(f"the attenuation limit must be 0 dB or more, not {limit_db}")
    floor = 0.0 if limit_db is None else 10.0 ** (-float(limit_db) / 20)
    return float(mix) * (1 - floor)


def check_warm_up(warm_up_s: float) -> None:
    """Return when a warm-up has a duration that can be held in memory.

    Raises:
        InputError: it has not.
    """
    if not is_number(warm_up_s) or not 0 <= warm_up_s <= LONGEST_WARM_UP_S:
        raise InputError(f"the warm-up must last between 0 and {LONGEST_WARM_UP_S} seconds, not {warm_up_s!r}")


def check_link(link: str) -> None:
    """Return when `link` is a choice there is.

    Raises:
        InputError: it is not.
    """
    if link not in CHANNELS:
        raise InputError(f"channels are enhanced {' or '.join(CHANNELS)}, not '{link}'")
