"""A recording on its way to frames of features, for a network on samples."""

import numpy as np
import numpy.typing as npt

from voxfield.audio import Resampler
from voxfield.cards import Interface, Layer
from voxfield.errors import CardError, InputError
from voxfield.protocols import Array, Engine
from voxfield.tasks.work import finite

BLOCK_HOPS = 100  # as many frames at once: memory is that of a second, whatever the duration
WHOLE_S = 60.0  # the longest recording for a network that needs it whole: its memory grows with it


class Representer:
    """One channel is resampled; out come the frames of one layer, (C, T), as soon as they are complete.

    N samples at the network's rate give `card.interface.frames(N)` frames; samples behind the last whole hop give none.
    A network that does not stream gives all frames at the end.

    Args:
        engine: of `representing_engine`.
        rate_hz: of the recording.
        layer: name of one of `card.interface.layers`; the last one if None.

    Raises:
        InputError: no such layer.
    """

    def __init__(self, engine: Engine, rate_hz: int, layer: str | None = None) -> None:
        self._engine, self._face = engine, engine.card.interface
        self.layer = layer_named(self._face, engine.card.name, layer)
        names = [each.name for each in self._face.layers]
        first = sum(each.channels for each in self._face.layers[: names.index(self.layer.name)])
        self._channels = slice(first, first + self.layer.channels)
        self._resampler = Resampler(rate_hz, self._face.sample_rate_hz)
        self._state = engine.initial_state()
        self._waiting = [np.zeros(0, np.float32)]
        self._waiting_samples = 0
        self.count_frames = 0

    def feed(self, samples: Array) -> Array:
        """Frames (C, T) that (1, N) completes.

        Raises:
            InputError: the recording is too long for a network that needs it whole.
            CardError: the model gives something that is not a number, or of another shape than its card says.
        """
        return self._advance(self._resampler.feed(samples)[0])

    def flush(self) -> Array:
        """The rest of the frames. The recording ends here."""
        frames = self._advance(self._resampler.flush()[0])
        if self._face.streaming or self._waiting_samples < self._face.least_steps:
            return frames
        return self._step(np.concatenate(self._waiting))

    def _advance(self, samples: Array) -> Array:
        self._waiting.append(samples)
        self._waiting_samples += len(samples)
        hop = self._face.hop_samples
        if not self._face.streaming:
            self._check_length()
            return self._none()
        if self._waiting_samples < hop:
            return self._none()
        ready = np.concatenate(self._waiting)
        whole = len(ready) // hop * hop
        self._waiting, self._waiting_samples = [ready[whole:].copy()], len(ready) - whole
        parts = [self._step(ready[at : min(at + BLOCK_HOPS * hop, whole)]) for at in range(0, whole, BLOCK_HOPS * hop)]
        return np.concatenate(parts, axis=1)

    def _step(self, samples: Array) -> Array:
        """Frames of the layer, of (N,)."""
        output, self._state = self._engine.step(samples[None, None], self._state)
        count = len(samples) // self._face.hop_samples if self._face.streaming else self._face.frames(len(samples))
        if output.shape != (1, self._face.output.shape[0], count):
            raise CardError(
                f"{self._engine.card.name} turned {len(samples)} samples into {output.shape}, not into {count} frames; "
                "its file is not usable"
            )
        self.count_frames += count
        frames: Array = finite(self._engine, output)[0, self._channels]
        return frames

    def _check_length(self) -> None:
        if self._waiting_samples > WHOLE_S * self._face.sample_rate_hz:
            raise InputError(
                f"the recording is longer than {WHOLE_S:.0f} s, the most that {self._engine.card.name} takes, as "
                f"{self._face.not_streaming_because}; cut it, or use a model that streams"
            )

    def _none(self) -> Array:
        return np.zeros((self.layer.channels, 0), np.float32)


def layer_named(face: Interface, model: str, name: str | None) -> Layer:
    """A layer of a network by its name; the last one, which sees most, if None.

    Raises:
        InputError: no such layer.
    """
    found = {layer.name: layer for layer in face.layers}
    if name is not None and name not in found:
        raise InputError(f"{model} has no layer '{name}'; it has: {', '.join(found)}")
    return face.layers[-1] if name is None else found[name]


def field_times_s(face: Interface, layer: Layer, first: int, count: int) -> npt.NDArray[np.float64]:
    """(3, count) start, centre and end of the fields of frames from number `first` on, in seconds.

    A field that begins before the recording has a start below zero. What norms remember of the recording is not in it.

    >>> from voxfield.cards import samples_to_features
    >>> z = Layer("z", 1, 465)
    >>> face = samples_to_features(16000, 160, (z,), 465, "it needs the whole recording")
    >>> field_times_s(face, z, 0, 2)[:, 1].tolist()
    [0.01, 0.02453125, 0.0390625]
    """
    ends = face.least_steps + face.hop_samples * np.arange(first, first + count)
    starts = ends - layer.field_samples
    return np.stack([starts, (starts + ends) / 2, ends]) / face.sample_rate_hz
