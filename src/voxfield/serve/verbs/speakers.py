"""Verbs about voices: whose they are, and when they speak."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from voxfield.protocols import Engine
from voxfield.serve.catalogue import Catalogue
from voxfield.serve.verbs.verb import Asked, Options, Verb
from voxfield.tasks import embedding_engine
from voxfield.tasks.diarization.recording import SpeakerCount, diarize_source
from voxfield.tasks.speakers.calibration import Calibration
from voxfield.tasks.speakers.embedding import Embedded, embed_source
from voxfield.tasks.speakers.verification import as_threshold, compared


class VerifyQuery(Options):
    """Options of `verify`."""

    threshold: float | None = Field(
        None, description="Cosine from which on the answer is: the same speaker; the model's own decision without it."
    )


class DiarizeQuery(Options):
    """Options of `diarize`."""

    speakers: int | None = Field(None, description="How many; found out without it.", examples=[2])
    min_speakers: int | None = Field(None, description="At least so many.")
    max_speakers: int | None = Field(None, description="At most so many.")


class IdentifyQuery(Options):
    """Options of `identify`."""

    threshold: float | None = Field(None, description="Score from which on a name is given; the book's own without it.")


def _engine(query: Options, catalogue: Catalogue) -> Engine:
    return embedding_engine(catalogue.engine_for("embed", query.model))


def _embedded(asked: Asked, name: str, engine: Engine) -> Embedded:
    with asked.source(name) as source:
        return embed_source(source, engine)[0]


def _embed(asked: Asked, query: Options) -> Mapping[str, Any]:
    made = _embedded(asked, "file", _engine(query, asked.catalogue))
    return {"vector": made.vector.tolist(), "model": made.model, **made.to_dict()}


def _check_verify(query: VerifyQuery, catalogue: Catalogue) -> None:
    as_threshold(query.threshold)
    _engine(query, catalogue)


def _verify(asked: Asked, query: VerifyQuery) -> Mapping[str, Any]:
    engine = _engine(query, asked.catalogue)
    first, second = (_embedded(asked, name, engine) for name in ("first", "second"))
    return compared(first, second, query.threshold, Calibration.of(engine.card)).to_dict()


def _count(query: DiarizeQuery, catalogue: Catalogue) -> SpeakerCount:
    _engine(query, catalogue)
    return SpeakerCount.of(query.speakers, query.min_speakers, query.max_speakers)


def _diarize(asked: Asked, query: DiarizeQuery) -> Mapping[str, Any]:
    with asked.source("file") as source:
        engine, count = _engine(query, asked.catalogue), _count(query, asked.catalogue)
        made, work = diarize_source(source, engine, count)
    return {**made.to_dict(), "model": work.model, "notes": list(work.notes)}


def _check_identify(query: IdentifyQuery, catalogue: Catalogue) -> None:
    catalogue.book(query.model).check_threshold(query.threshold)


def _identify(asked: Asked, query: IdentifyQuery) -> Mapping[str, Any]:
    with asked.source("file") as source:
        return asked.catalogue.book(query.model).identify(source, threshold=query.threshold).to_dict()


_ONE = {"duration_s": 3.2, "speech_s": 2.4, "level_db": -26.1, "notes": []}

EMBED = Verb(
    "embed",
    "The voice of a recording as a vector.",
    Options,
    _engine,
    _embed,
    {"vector": [0.12, -0.57], "model": "ecapa.v1", **_ONE},
)

VERIFY = Verb(
    "verify",
    "Are two recordings of the same speaker?",
    VerifyQuery,
    _check_verify,
    _verify,
    {"score": 0.71, "same": True, "threshold": 0.5, "model": "ecapa.v1", "first": _ONE, "second": _ONE},
    files=("first", "second"),
)

DIARIZE = Verb(
    "diarize",
    "Who speaks when?",
    DiarizeQuery,
    _count,
    _diarize,
    {
        "duration_s": 61.2,
        "speakers": [{"name": "speaker1", "speech_s": 30.4, "share": 0.6}],
        "turns": [{"start_s": 0.4, "end_s": 3.1, "speaker": "speaker1"}],
        "model": "ecapa.v1",
        "notes": [],
    },
)

IDENTIFY = Verb(
    "identify",
    "Who of the enrolled speakers is it? Needs a service that was started with --book.",
    IdentifyQuery,
    _check_identify,
    _identify,
    {"name": "anna", "score": 0.62, "margin": 0.31},
)
