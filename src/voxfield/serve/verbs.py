"""The one table of what can be asked for over HTTP: a new verb is one entry of `VERBS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from voxfield.audio import Sink, Source
from voxfield.serve.catalogue import Catalogue
from voxfield.tasks import (
    DEFAULT_MODEL,
    EnhanceOptions,
    embedding_engine,
    engine_for,
    enhance_into,
    separate_into,
    separating_engine,
)
from voxfield.tasks.diarization import SpeakerCount, diarize_source
from voxfield.tasks.embedding import Embedded, embed_source
from voxfield.tasks.separation import AUTO, check_noise
from voxfield.tasks.verification import check_threshold, compared


class Options(BaseModel):
    """What every verb may be asked in the query."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="A name from /v1/models; the verb's own choice without it.")
    raw: str | None = Field(
        None, description="The body is headerless samples: RATE[,CHANNELS[,ENCODING]].", examples=["16000,1,s16le"]
    )


class EnhanceQuery(Options):
    """Options of `enhance`."""

    limit_db: float | None = Field(None, description="Take away at most this many dB.", examples=[20])
    mix: float = Field(1.0, description="1 enhanced, 0 as recorded, or between.")
    mono: bool = Field(False, description="Mix the channels down to one first.")
    channels: str = Field("together", description="together: one gain for all channels; independent: each by itself.")


class SeparateQuery(Options):
    """Options of `separate`."""

    speakers: int | None = Field(None, description="How many voices; what the model gives without it.", examples=[2])
    noise: str = Field("drop", description="drop what belongs to no voice, or keep it: shared out among the voices.")


class EmbedQuery(Options):
    """Options of `embed`."""


class VerifyQuery(Options):
    """Options of `verify`."""

    threshold: float | None = Field(None, description="Cosine from which on the answer is: the same speaker.")


class DiarizeQuery(Options):
    """Options of `diarize`."""

    speakers: int | None = Field(None, description="How many there are; found without it.", examples=[2])
    min_speakers: int | None = Field(None, description="At least so many, where the number is found.")
    max_speakers: int | None = Field(None, description="At most so many, where the number is found; 10 without it.")


class Asked(Protocol):
    """One request, as a verb sees it."""

    catalogue: Catalogue

    def source(self, name: str) -> Source:
        """The recording of this name, opened."""
        ...

    def sink(self, source: Source, channels: int, model: str) -> Sink:
        """Where samples (C, N) at the rate of the source go."""
        ...


@dataclass(frozen=True)
class Verb:
    """One thing that can be done to recordings.

    Attributes:
        files: names of the recordings that it takes.
        query: what else may be asked.
        audio: what comes as sound, in words; empty where there is only JSON.
        check: raises where the options cannot go together, before any byte of a recording is taken.
        work: does it, and gives what is said about it as JSON.
        example: such an answer.
    """

    name: str
    summary: str
    query: type[Options]
    check: Callable[[Any, Catalogue], object]
    work: Callable[[Asked, Any], Mapping[str, Any]]
    example: Mapping[str, Any]
    files: Sequence[str] = ("file",)
    audio: str = ""


def _enhancer(query: EnhanceQuery, catalogue: Catalogue) -> Any:
    options = EnhanceOptions(query.limit_db, query.mix, query.mono, query.channels)
    return engine_for(catalogue.engine_for("enhance", query.model) or DEFAULT_MODEL, "enhance"), options


def _enhance(asked: Asked, query: EnhanceQuery) -> Mapping[str, Any]:
    engine, options = _enhancer(query, asked.catalogue)
    with asked.source("file") as source:
        channels = 1 if query.mono else source.channels
        with asked.sink(source, channels, engine.card.name) as sink:
            return enhance_into(source, sink, engine, options).to_dict()


def _separating(query: SeparateQuery, catalogue: Catalogue) -> Any:
    check_noise(query.noise)
    return separating_engine(catalogue.engine_for("separate", query.model), query.speakers)


def _separate(asked: Asked, query: SeparateQuery) -> Mapping[str, Any]:
    engine = _separating(query, asked.catalogue)
    with asked.source("file") as source:
        channels = engine.card.interface.sources * source.channels
        with asked.sink(source, channels, engine.card.name) as sink:
            return separate_into(source, [sink], engine, speakers=query.speakers, noise=query.noise).to_dict()


def _embedding(query: Options, catalogue: Catalogue) -> Any:
    return embedding_engine(catalogue.engine_for("embed", query.model))


def _embedded(asked: Asked, name: str, engine: Any) -> Embedded:
    with asked.source(name) as source:
        return embed_source(source, engine)[0]


def _embed(asked: Asked, query: EmbedQuery) -> Mapping[str, Any]:
    made = _embedded(asked, "file", _embedding(query, asked.catalogue))
    return {"vector": made.vector.tolist(), "model": made.model, **made.to_dict()}


def _check_verify(query: VerifyQuery, catalogue: Catalogue) -> None:
    check_threshold(query.threshold)
    _embedding(query, catalogue)


def _verify(asked: Asked, query: VerifyQuery) -> Mapping[str, Any]:
    engine = _embedding(query, asked.catalogue)
    first, second = (_embedded(asked, name, engine) for name in ("first", "second"))
    return compared(first, second, query.threshold).to_dict()


def _diarizing(query: DiarizeQuery, catalogue: Catalogue) -> Any:
    return _embedding(query, catalogue), SpeakerCount.of(query.speakers, query.min_speakers, query.max_speakers)


def _diarize(asked: Asked, query: DiarizeQuery) -> Mapping[str, Any]:
    engine, count = _diarizing(query, asked.catalogue)
    with asked.source("file") as source:
        return diarize_source(source, engine, count)[1].to_dict()


_WORK = {
    "model": "crn-small.v2",
    "sample_rate_hz": 16000,
    "channels": 1,
    "count_samples": 48000,
    "audio_s": 3.0,
    "seconds": 0.11,
    "real_time_factor": 0.037,
}
_ONE = {"duration_s": 3.2, "speech_s": 2.4, "level_db": -26.1, "notes": []}

VERBS = (
    Verb(
        "enhance",
        "Take the noise out of a recording; reverberation stays.",
        EnhanceQuery,
        _enhancer,
        _enhance,
        {**_WORK, "notes": []},
        audio="the enhanced recording: same rate, channels, length and encoding",
    ),
    Verb(
        "separate",
        "Separate the voices of a recording.",
        SeparateQuery,
        _separating,
        _separate,
        {
            **_WORK,
            "model": "conv-tasnet-small.v1",
            "speakers": 2,
            "confidence": 0.98,
            "levels_db": [0.0, -3.1],
            "joins": 0,
            "doubtful_joins": 0,
            "notes": [],
        },
        audio="the voices as channels of one recording, one voice after the other",
    ),
    Verb(
        "embed",
        "The voice of a recording as a vector.",
        EmbedQuery,
        _embedding,
        _embed,
        {"vector": [0.12, -0.57], "model": "ecapa.v1", **_ONE},
    ),
    Verb(
        "verify",
        "Are two recordings of the same speaker?",
        VerifyQuery,
        _check_verify,
        _verify,
        {"score": 0.71, "same": True, "threshold": 0.5, "model": "ecapa.v1", "first": _ONE, "second": _ONE},
        files=("first", "second"),
    ),
    Verb(
        "diarize",
        "Who speaks when.",
        DiarizeQuery,
        _diarizing,
        _diarize,
        {
            **_WORK,
            "model": "ecapa.v1",
            "duration_s": 3.0,
            "speakers": [{"name": "speaker1", "speech_s": 2.5, "share": 1.0}],
            "overlap_s": 0.0,
            "turns": [{"start_s": 0.2, "end_s": 2.7, "speaker": "speaker1"}],
            "notes": [],
        },
    ),
)

__all__ = ["AUTO", "VERBS", "Asked", "Options", "Verb"]
