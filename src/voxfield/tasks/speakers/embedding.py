"""A recording as one vector whose direction says who speaks.

The features are those that the network's card names, so a converted network and its own program get the same. Memory is
that of two minutes, whatever the duration.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxfield.audio import Given, Resampler, Source, open_source
from voxfield.errors import InputError
from voxfield.features import Features, FeatureStream, features_named
from voxfield.protocols import Array, Engine
from voxfield.tasks.speakers.pauses import outside_pauses
from voxfield.tasks.speakers.speech_meter import RANGE_DB, FrameMoments, Speech, SpeechMeter, levels_of
from voxfield.tasks.speakers.speech_probe import sounds_like_noise
from voxfield.tasks.work import Clock, Model, Progress, Work, blocks_of, engine_for, finite

TASK = "embed"
DEFAULT_MODEL = "ds-tdnn-small"
PIECE_FRAMES = 6000  # a minute; longer recordings are embedded piece by piece
GOOD_SPEECH_S = 2.0  # below, scores of one speaker and of two lie closer together
QUIET_DB = -50.0
GOOD_RATE_HZ = 8000
LEAST_S = 0.5  # of a recording in which a voice may be heard


@dataclass(frozen=True, eq=False)
class Embedded:
    """A recording as a vector.

    Attributes:
        vector: (D,) float32 as the network gives it; only its direction counts.
        model: full name of the model; vectors of two models have nothing to do with one another.
        duration_s: of the recording.
        speech: how much of it is speech, by its level.
        notes: what the user should know about the recording or the result.
    """

    vector: Array
    model: str
    duration_s: float
    speech: Speech
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Plain values for a line of JSON, without the vector."""
        return {
            "duration_s": round(self.duration_s, 3),
            "speech_s": round(self.speech.seconds, 2),
            "level_db": round(self.speech.level_db, 1),
            "notes": list(self.notes),
        }


def embed(recording: Given, rate: int | None = None, *, model: Model | None = None, threads: int = 1) -> Embedded:
    """The voice of a recording as a vector.

    Args:
        recording: a path, the bytes of a file, a binary file object, or an array (N,) or (C, N); channels are mixed,
            and long pauses are left out.
        rate: sample rate in Hz; for an array, and only for an array.
        model: a published name, an .onnx file (also one that WeSpeaker exported), or an engine.
        threads: threads within the network.

    Raises:
        InputError: an argument that cannot be used, or no model; AudioError where it is the recording.
        UnknownModelError, CardError: the model cannot be had, or gives values that are not numbers.
    """
    engine = embedding_engine(model, threads=threads)
    with open_source(recording, rate) as source:
        return embed_source(source, engine)[0]


def embed_source(
    source: Source,
    engine: Engine,
    progress: Progress | None = None,
    listener: Callable[[Array], None] | None = None,
) -> tuple[Embedded, Work]:
    """The vector of an open recording, and what was done.

    Args:
        listener: called with the samples (N,) as they pass, at the network's rate.
    """
    clock = Clock()
    pooled = _Pieces(engine)
    meter, resampler = SpeechMeter(pooled.rate_hz), Resampler(source.rate_hz, pooled.rate_hz)
    listeners = [meter.feed, pooled.feed, *([] if listener is None else [listener])]
    for block in blocks_of(source, mono=True, progress=progress):
        _pass_on(resampler.feed(block)[0], listeners)
    _pass_on(resampler.flush()[0], listeners)
    vector = pooled.finish()
    speech, duration_s = meter.judge(), source.read_samples / source.rate_hz
    notes = [*source.notes(), *_notes(speech, pooled, source.rate_hz, duration_s)]
    if speech.seconds > 0 and duration_s >= LEAST_S and sounds_like_noise(vector, engine):
        notes.append("it sounds like noise or music rather than speech")
    done = Embedded(vector, engine.card.name, duration_s, speech, tuple(notes))
    details = {"speech_s": round(speech.seconds, 2), "level_db": round(speech.level_db, 1)}
    return done, clock.work(engine, source, source.channels, notes, details)


def embedding_engine(model: Model | None = None, *, threads: int = 1) -> Engine:
    """The engine of a model that turns a recording into an embedding; the bundled one if None.

    Raises:
        InputError: the model is for another task or wants features that are not built in.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = engine_for(model or DEFAULT_MODEL, TASK, threads=threads)
    face = engine.card.interface
    if face.input.kind != "features" or face.output.kind != "embedding":
        raise InputError(
            f"{engine.card.name} turns {face.input.kind} into {face.output.kind}; speakers need a network that turns "
            "features into an embedding"
        )
    features_for(engine)
    return engine


def features_for(engine: Engine) -> Features:
    """The features that a network takes.

    Raises:
        InputError: they are not built in.
    """
    face = engine.card.interface
    return features_named(face.features, int(face.input.shape[0]), face.sample_rate_hz)


def vectors_of(engine: Engine, features: Array) -> Array:
    """The vectors (B, D) of features (B, bands, T) that are finished.

    Raises:
        CardError: the network gives values that are not numbers.
    """
    batch = len(features) if engine.free_batch else 1
    parts = [
        engine.step(np.ascontiguousarray(features[at : at + batch]), ())[0] for at in range(0, len(features), batch)
    ]
    vectors: Array = finite(engine, np.concatenate(parts))
    return vectors


def unit(vectors: NDArray[Any]) -> NDArray[Any]:
    """Vectors (..., D) at length 1; one of zeros stays.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    scaled: NDArray[Any] = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return scaled


def cosine(first: Array, second: Array) -> float:
    """Cosine of the angle between two vectors, -1 to 1; 0 where one of them is zero.

    >>> cosine(np.array([1, 0], np.float32), np.array([2, 0], np.float32))
    1.0
    """
    return float(np.clip(unit(first.astype(np.float64)) @ unit(second.astype(np.float64)), -1, 1))


class _Pieces:
    """Samples at the network's rate on their way to one vector: the mean direction of all pieces, by their length.

    Long pauses are left out, and so are pieces that hold nothing else.
    """

    def __init__(self, engine: Engine) -> None:
        face = engine.card.interface
        self.rate_hz = face.sample_rate_hz
        self.padded = False
        self._engine, self._least = engine, face.least_steps
        self._kind = features_for(engine)
        self._features, self._meter = FeatureStream(self._kind), FrameMoments(self._kind.hop_samples)
        self._waiting: list[Array] = []
        self._moments: list[np.ndarray] = [np.zeros((2, 0), np.float32)]
        self._count_samples = self._frames = 0
        self._found: list[tuple[float, int, Array]] = []  # level of the loudest frame, frames and vector of each piece

    @property
    def pieces(self) -> int:
        """How many there were."""
        return len(self._found)

    def feed(self, samples: Array) -> None:
        """Take (N,)."""
        self._count_samples += len(samples)
        self._moments.append(self._meter.feed(samples))
        self._wait(self._features.feed(samples))
        if self._frames >= 2 * PIECE_FRAMES:
            ready, moments = np.concatenate(self._waiting, axis=1), np.concatenate(self._moments, axis=1)
            self._waiting, self._frames = [ready[:, PIECE_FRAMES:]], ready.shape[1] - PIECE_FRAMES
            self._moments = [moments[:, PIECE_FRAMES:]]
            self._embed(ready[:, :PIECE_FRAMES], levels_of(moments[:, :PIECE_FRAMES]))

    def finish(self) -> Array:
        """The vector (D,). What is too short for the network is padded with silence."""
        kind = self._kind
        if kind.frames(self._count_samples) < self._least:
            self.padded = True
            missing = kind.frame_samples + (self._least - 1) * kind.hop_samples - self._count_samples
            self._wait(self._features.feed(np.zeros(max(missing, 0), np.float32)))
        self._wait(self._features.flush())
        self._embed(np.concatenate(self._waiting, axis=1), levels_of(np.concatenate(self._moments, axis=1)))
        if len(self._found) == 1:
            return self._found[0][2]  # the network's own
        least_db = max(level_db for level_db, _, _ in self._found) - RANGE_DB
        heard = [frames * unit(vector) for level_db, frames, vector in self._found if level_db >= least_db]
        return unit(np.stack(heard).sum(axis=0))

    def _wait(self, features: Array) -> None:
        self._waiting.append(features)
        self._frames += features.shape[1]

    def _embed(self, features: Array, levels: np.ndarray) -> None:
        """Add a piece: features (bands, T) and the levels of its frames, which may lack one or two at the end."""
        count = features.shape[1]
        kept = np.ones(count, bool)
        kept[: len(levels)] = outside_pauses(levels[:count], self._kind.hop_samples / self.rate_hz)
        if kept.sum() >= self._least:
            features = features[:, kept]
        vector = vectors_of(self._engine, self._kind.finished(features)[None])[0]
        loudest = float(levels.max(initial=-120.0))
        self._found.append((loudest, features.shape[1], vector))


def _pass_on(samples: Array, listeners: Sequence[Callable[[Array], None]]) -> None:
    for listener in listeners:
        listener(samples)


def _notes(speech: Speech, pooled: _Pieces, rate_hz: int, duration_s: float) -> list[str]:
    notes = []
    if rate_hz < GOOD_RATE_HZ:
        notes.append(
            f"its sample rate of {rate_hz} Hz leaves out part of what tells voices apart; {GOOD_RATE_HZ} Hz is the "
            "least that a telephone has"
        )
    if speech.silent:
        notes.append("the recording is silent; its vector says nothing about a speaker")
    elif duration_s < LEAST_S:
        notes.append(f"it lasts {duration_s:.2f} s, too little to hear a voice in")
    elif speech.seconds == 0:
        notes.append("no speech was found: the level hardly changes, as that of noise or a tone does")
    elif round(speech.seconds, 1) < GOOD_SPEECH_S:
        notes.append(
            f"it holds {speech.seconds:.1f} s of speech; {GOOD_SPEECH_S:.0f} s or more tell voices apart better"
        )
    if not speech.silent and speech.level_db < QUIET_DB:
        notes.append(f"it is very quiet, {speech.level_db:.0f} dB relative to full scale")
    if pooled.padded:
        notes.append("it is shorter than the network needs, and was padded with silence")
    if pooled.pieces > 1:
        notes.append(f"it was embedded in {pooled.pieces} pieces of a minute or more, whose mean direction is given")
    return notes
