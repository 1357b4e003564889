"""What a separating network itself gives for a recording, to compare with the program that it came from."""

import numpy as np

from voxfield.audio import Source
from voxfield.errors import InputError
from voxfield.protocols import Array, Engine
from voxfield.runtime import Stream
from voxfield.samples import block_of


class RawOutput:
    """`feed` and `flush` as of `Separator`; no level, scale, order or rate is changed, and nothing is cut into chunks.

    A network that does not stream is given the whole recording at once, so memory grows with it.

    Raises:
        InputError: the recording is not of the network's rate, or has several channels.
    """

    joins = doubtful = 0
    cancelled = False  # there is one channel

    def __init__(self, engine: Engine, source: Source) -> None:
        face = engine.card.interface
        if (source.rate_hz, source.channels) != (face.sample_rate_hz, 1):
            raise InputError(
                f"{engine.card.name} itself takes one channel at {face.sample_rate_hz} Hz, "
                f"not {source.channels} at {source.rate_hz} Hz"
            )
        self._engine, self._sources = engine, face.sources
        self._stream = Stream(engine) if face.streaming else None
        self._blocks: list[Array] = []

    def feed(self, samples: Array) -> Array:
        """What has become final of (1, N), as (S, 1, M)."""
        samples = block_of(samples, 1)
        if self._stream is not None:
            return self._stream.feed(samples).reshape(self._sources, 1, -1)
        self._blocks.append(samples.copy())
        return np.zeros((self._sources, 1, 0), np.float32)

    def flush(self) -> Array:
        """The rest, (S, 1, M): afterwards as many samples have come out as went in."""
        if self._stream is not None:
            return self._stream.flush().reshape(self._sources, 1, -1)
        mixture = np.concatenate(self._blocks, axis=1)
        missing = max(self._engine.card.interface.least_steps - mixture.shape[1], 0)
        output, _ = self._engine.step(np.pad(mixture, ((0, 0), (0, missing)))[None], self._engine.initial_state())
        return np.asarray(output[0, :, None, : mixture.shape[1]], np.float32)
