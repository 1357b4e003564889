"""One recording through a separating network, at any sample rate, with any number of channels and of any duration."""

import math

import numpy as np

from voxfield.audio import SampleQueue, check_layout
from voxfield.protocols import Array, Engine
from voxfield.runtime import Stream, Turns, run
from voxfield.samples import block_of, cancel
from voxfield.tasks.band_splitter import BandSplitter
from voxfield.tasks.separation.overlap_add import OverlapAdd, bounded
from voxfield.tasks.separation.source_scale import SourceScale
from voxfield.tasks.separation.speaker_tracker import MOST_SPEAKERS, SpeakerTracker
from voxfield.tasks.separation.stereo_image import StereoImage
from voxfield.tasks.work import Model, engine_for

_PIECES_PER_S = 63  # at most; 16 ms each
_MEMORY_S = 20.0  # after which what scaled the voices has faded by e


class Separator:
    """`feed` and `flush` of a recording (C, N) at its own rate; voices (S, C, M) come out, aligned and all of them.

    Several channels are separated on their mid and put back in their places. At another rate than the network's, each
    voice is brought back to the recording's rate, and what lies above the network's band goes to the voices by the gain
    that each has at the top of it. A network that streams gives out voices hop by hop, others in chunks of ten
    seconds; several channels come 32 ms later than one.

    Args:
        engine: a separating network, or its name or file.
        rate_hz: of the recording.
        channels: C.
        keep_noise: what no voice claimed is shared out among the voices, so that they add up to the recording.
    """

    def __init__(self, engine: Model, rate_hz: int, channels: int = 1, *, keep_noise: bool = False) -> None:
        check_layout("the recording", rate_hz, channels)
        rate_hz, channels = int(rate_hz), int(channels)  # which may be NumPy's
        engine = engine_for(engine, "separate")
        face = engine.card.interface
        self._sources, self._keep_noise = face.sources, keep_noise
        self._voices: OverlapAdd | _StreamedVoices
        self._voices = _StreamedVoices(engine) if face.streaming else OverlapAdd(engine)
        tracked = not face.streaming and 1 < face.sources <= MOST_SPEAKERS
        self._tracker = SpeakerTracker(face.sources, face.sample_rate_hz) if tracked else None
        self._bands = BandSplitter(face.sample_rate_hz, rate_hz, 1, owners=[0] * face.sources, noise=False)
        self._image = StereoImage(channels, face.sources, rate_hz, keep_noise=keep_noise)
        self._recording = SampleQueue(channels)
        self._channels, self._model = channels, engine.card.name
        self._power = np.zeros(2)  # of the mid so far, and of the channels

    def __repr__(self) -> str:
        return f"<Separator {self._model}>"

    @property
    def cancelled(self) -> bool:
        """Whether the channels so far cancel one another, so that there was nothing to separate."""
        return cancel(*self._power)

    @property
    def joins(self) -> int:
        """How many chunks were joined to one before."""
        return self._voices.joins

    @property
    def doubtful(self) -> int:
        """How many joins left the order of the voices in doubt."""
        return self._voices.doubtful

    def feed(self, samples: Array) -> Array:
        """What has become final of (C, N), or (N,) of one channel, as (S, C, M)."""
        return run(self.feeding(samples))

    def feeding(self, samples: Array) -> Turns:
        """`feed` in turns, for who takes those of many recordings together; none where the network does not stream."""
        samples = block_of(samples, self._channels)
        self._recording.push(samples)
        mid = samples.mean(axis=0, keepdims=True)
        self._power += np.vdot(mid, mid), np.vdot(samples, samples) / self._channels
        low = self._bands.down(mid)
        return self._place(self._bands.up((yield from self._fed(low[0]))))

    def flush(self) -> Array:
        """The rest, (S, C, M): afterwards as many samples have come out as went in. The recording ends here."""
        return run(self.flushing())

    def flushing(self) -> Turns:
        """`flush` in turns."""
        first = self._place(self._bands.up((yield from self._fed(self._bands.down_rest()[0]))))
        if isinstance(self._voices, OverlapAdd):
            voices = self._voices.flush()
            if self._tracker is not None:
                voices = np.concatenate([self._tracker.feed(voices), self._tracker.flush()], axis=1)
        else:
            voices = yield from self._voices.flushing()
        rest = self._place(self._bands.up(voices, last=True))
        return np.concatenate([first, rest, self._image.flush()], axis=2)

    def _fed(self, samples: Array) -> Turns:
        """Voices (S, M) that have become final, at the network's rate."""
        if isinstance(self._voices, OverlapAdd):
            voices = self._voices.feed(samples)
            return voices if self._tracker is None else self._tracker.feed(voices)
        return (yield from self._voices.feeding(samples))

    def _place(self, voices: Array) -> Array:
        recording = self._recording.pop(voices.shape[1])
        if self._keep_noise:
            voices = voices + (recording.mean(axis=0) - voices.sum(axis=0)) / np.float32(self._sources)
        return self._image.feed(recording, voices)


class _StreamedVoices:
    """What `OverlapAdd` is, for a network that streams: `feeding` and `flushing` in turns.

    Voices are brought to the mixture's scale in pieces of a hop, or of the hops that make 16 ms, whatever the size of
    what is fed.
    """

    joins = doubtful = 0

    def __init__(self, engine: Engine) -> None:
        face = engine.card.interface
        self._stream, self._sources = Stream(engine), face.sources
        self._piece_samples = -(-face.sample_rate_hz // (face.hop_samples * _PIECES_PER_S)) * face.hop_samples
        memory = math.exp(-self._piece_samples / (_MEMORY_S * face.sample_rate_hz))
        self._scale = SourceScale(face.sources, memory)
        self._waiting = SampleQueue(1 + face.sources)
        self._mixture = SampleQueue(1)
        self._gains: Array | None = None

    def feeding(self, samples: Array) -> Turns:
        self._mixture.push(samples[None])
        self._take((yield from self._stream.feeding(samples)))
        ready = [self._piece(self._piece_samples) for _ in range(len(self._waiting) // self._piece_samples)]
        return np.concatenate([np.zeros((self._sources, 0), np.float32), *ready], axis=1)

    def flushing(self) -> Turns:
        voices = yield from self.feeding(np.zeros(0, np.float32))
        self._take((yield from self._stream.flushing()))
        rest = [self._piece(self._piece_samples) for _ in range(-(-len(self._waiting) // self._piece_samples))]
        return np.concatenate([voices, *rest], axis=1)

    def _take(self, voices: Array) -> None:
        voices = voices.reshape(self._sources, -1)
        self._waiting.push(np.concatenate([self._mixture.pop(voices.shape[1]), voices]))

    def _piece(self, count_samples: int) -> Array:
        piece = self._waiting.pop(count_samples)
        mixture, voices = piece[0], piece[1:]
        before, after = self._gains, self._scale.update(mixture, voices)
        self._gains = after
        before = after if before is None else before
        rise = np.linspace(0, 1, len(mixture) + 1, dtype=np.float32)[1:]
        return bounded(voices * (before[:, None] + rise * (after - before)[:, None]), mixture)
