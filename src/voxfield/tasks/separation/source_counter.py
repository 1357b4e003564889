"""Counts the voices of a recording while it is separated."""

from voxfield.audio import Resampler
from voxfield.protocols import Array, Engine
from voxfield.samples import Downmix
from voxfield.tasks.enhancement.enhancer import Enhancer
from voxfield.tasks.separation.activity import Activity, ActivityMeter
from voxfield.tasks.separation.separator import Separator
from voxfield.tasks.work import Processor, engine_for

ENHANCER = "crn-tiny"


class SourceCounter:
    """`feed` and `flush` as of the separator whose outputs are judged, and the judgement at the end.

    Args:
        separator: what makes the voices.
        engine: its network.
        rate_hz: of the recording.
        enhance: enhance the recording and separate that as well, at the network's rate. That takes about as long again
            as separation, and noise is taken for a voice less often.
    """

    def __init__(self, separator: Processor, engine: Engine, rate_hz: int, *, enhance: bool) -> None:
        face = engine.card.interface
        self._separator, self._meter = separator, ActivityMeter(face.sources, rate_hz)
        self._enhanced = _EnhancedVoices(engine, rate_hz) if enhance else None

    def feed(self, samples: Array) -> Array:
        """The voices (S, C, M) that have become final."""
        if self._enhanced is not None:
            self._enhanced.feed(samples)
        return self._measured(self._separator.feed(samples))

    def flush(self) -> Array:
        """The rest of the voices. The recording ends here."""
        if self._enhanced is not None:
            self._enhanced.flush()
        return self._measured(self._separator.flush())

    def judge(self) -> Activity:
        """Which outputs are believed to be voices, once all were given out."""
        return self._meter.judge(self._enhanced.meter if self._enhanced is not None else None)

    def _measured(self, voices: Array) -> Array:
        self._meter.feed(voices.mean(axis=1))
        return voices


class _EnhancedVoices:
    """Measures what a separating network makes of a recording without its noise."""

    def __init__(self, engine: Engine, rate_hz: int) -> None:
        own_hz = engine.card.interface.sample_rate_hz
        self._downmix, self._low = Downmix(), Resampler(rate_hz, own_hz)
        self._enhancer = Enhancer(engine_for(ENHANCER, "enhance"), own_hz)
        self._separator = Separator(engine, own_hz)
        self.meter = ActivityMeter(engine.card.interface.sources, own_hz)

    def feed(self, samples: Array) -> None:
        self._take(self._enhancer.feed(self._low.feed(self._downmix.feed(samples)[None])))

    def flush(self) -> None:
        self._take(self._enhancer.feed(self._low.flush()))
        self._take(self._enhancer.flush())
        self.meter.feed(self._separator.flush()[:, 0])

    def _take(self, enhanced: Array) -> None:
        self.meter.feed(self._separator.feed(enhanced)[:, 0])
