"""Represent: a recording as frames of features, a hundred a second, that a network learned without labels."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from voxfield.audio import Given, Source, open_source
from voxfield.cards import Interface, Layer
from voxfield.errors import InputError
from voxfield.protocols import Array, Engine
from voxfield.tasks.representation.representer import Representer, field_times_s, layer_named
from voxfield.tasks.work import Clock, Model, Progress, Work, engine_for, pieces

TASK = "represent"
DEFAULT_MODEL = "wav2vec-small"


@dataclass(frozen=True, eq=False)
class Represented:
    """A recording as frames of features.

    Attributes:
        features: (C, T) float32, frame t in column t.
        layer: which layer of the network they are of, and the samples at the network's rate that a frame is made of.
        interface: of the model.
        model: full name of the model.
        duration_s: of the recording.
        notes: what the user should know about the recording or the result.
    """

    features: Array
    layer: Layer
    interface: Interface
    model: str
    duration_s: float
    notes: tuple[str, ...] = ()

    @cached_property
    def times_s(self) -> npt.NDArray[np.float64]:
        """(3, T) start, centre and end of what each frame is made of; see `field_times_s`."""
        return field_times_s(self.interface, self.layer, 0, self.features.shape[1])


def represent(
    recording: Given, rate: int | None = None, *, model: Model | None = None, layer: str | None = None, threads: int = 1
) -> Represented:
    """A recording as frames of features.

    Args:
        recording: a path, the bytes of a file, a binary file object, or an array (N,) or (C, N); channels are mixed.
        rate: sample rate in Hz; for an array, and only for an array.
        model: a published name, an .onnx file, or an engine.
        layer: such as "z", of the encoder, or "c", of the context network; the last one if None.
        threads: threads within the network.

    Raises:
        InputError: an argument that cannot be used, no model, or a recording that is too long for a network that needs
            it whole; AudioError where it is the recording.
        UnknownModelError, CardError: the model cannot be had, or gives values that are not numbers.
    """
    engine = representing_engine(model, threads=threads)
    parts: list[Array] = []
    with open_source(recording, rate) as source:
        work = represent_into(source, engine, parts.append, layer)
    face = engine.card.interface
    wanted = layer_named(face, engine.card.name, layer)
    return Represented(np.concatenate(parts, axis=1), wanted, face, work.model, work.audio_s, work.notes)


def represent_into(
    source: Source,
    engine: Engine,
    take: Callable[[Array], object],
    layer: str | None = None,
    progress: Progress | None = None,
) -> Work:
    """Give the frames (C, T) of an open recording to `take`, piece by piece in constant memory; what was done."""
    clock = Clock()
    made = Representer(engine, source.rate_hz, layer)
    for frames in pieces(source, made, mono=True, progress=progress):
        take(frames)
    notes = source.notes()
    if made.count_frames == 0:
        face = engine.card.interface
        least_ms = 1000 * face.least_steps / face.sample_rate_hz
        notes.append(f"it is shorter than one frame, which needs {face.least_steps} samples ({least_ms:.0f} ms)")
    return clock.work(
        engine, source, source.channels, notes, {"layer": made.layer.name, "count_frames": made.count_frames}
    )


def representing_engine(model: Model | None = None, *, threads: int = 1) -> Engine:
    """The engine of a model that turns a recording into frames of features; the bundled one if None.

    Raises:
        InputError: the model is for another task or gives something else.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = engine_for(model or DEFAULT_MODEL, TASK, threads=threads)
    face = engine.card.interface
    if face.input.kind != "samples" or not face.layers:
        raise InputError(
            f"{engine.card.name} turns {face.input.kind} into {face.output.kind}; a network is needed that turns "
            "samples into layers of features"
        )
    return engine
