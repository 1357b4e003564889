"""Verbs whose result is sound."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from voxfield.serve.catalogue import Catalogue
from voxfield.serve.verbs.verb import Asked, Options, Verb
from voxfield.tasks import EnhanceOptions, engine_for, enhance_into, separate_into, separating_engine
from voxfield.tasks.separation.recording import SeparateOptions


class EnhanceQuery(Options):
    """Options of `enhance`."""

    limit_db: float | None = Field(None, description="Take away at most this many dB.", examples=[20])
    mix: float = Field(1.0, description="1 enhanced, 0 as recorded, or between.")
    mono: bool = Field(False, description="Mix the channels down to one first.")
    channels: str = Field("together", description="together: one gain for all channels; independent: each by itself.")
    warm_up_s: float = Field(
        0.0, description="So much of the beginning the network runs over before it starts.", examples=[5]
    )


class SeparateQuery(Options):
    """Options of `separate`."""

    speakers: int | None = Field(None, description="How many voices; what the model gives without it.", examples=[2])
    noise: str = Field("drop", description="drop what belongs to no voice, or keep it: shared out among the voices.")


def _enhancer(query: EnhanceQuery, catalogue: Catalogue) -> Any:
    options = EnhanceOptions(query.limit_db, query.mix, query.mono, query.channels, warm_up_s=query.warm_up_s)
    return engine_for(catalogue.engine_or_default("enhance", query.model), "enhance"), options


def _enhance(asked: Asked, query: EnhanceQuery) -> Mapping[str, Any]:
    engine, options = _enhancer(query, asked.catalogue)
    with asked.source("file") as source:
        channels = 1 if query.mono else source.channels
        with asked.sink(source, channels, engine.card.name) as sink:
            return enhance_into(source, sink, engine, options).to_dict()


def _separating(query: SeparateQuery, catalogue: Catalogue) -> Any:
    SeparateOptions(query.speakers, query.noise)  # raises where there is no such choice
    return separating_engine(catalogue.engine_for("separate", query.model), query.speakers)


def _separate(asked: Asked, query: SeparateQuery) -> Mapping[str, Any]:
    engine = _separating(query, asked.catalogue)
    with asked.source("file") as source:
        channels = engine.card.interface.sources * source.channels
        with asked.sink(source, channels, engine.card.name) as sink:
            return separate_into(source, [sink], engine, speakers=query.speakers, noise=query.noise).to_dict()


_WORK = {
    "model": "crn-small.v5",
    "sample_rate_hz": 16000,
    "channels": 1,
    "count_samples": 48000,
    "audio_s": 3.0,
    "seconds": 0.11,
    "real_time_factor": 0.037,
}

ENHANCE = Verb(
    "enhance",
    "Take the noise out of a recording; reverberation stays.",
    EnhanceQuery,
    _enhancer,
    _enhance,
    {**_WORK, "notes": []},
    audio="the enhanced recording: same rate, channels, length and encoding",
)

SEPARATE = Verb(
    "separate",
    "Separate the voices of a recording.",
    SeparateQuery,
    _separating,
    _separate,
    {
        **_WORK,
        "model": "conv-tasnet-small.v4",
        "speakers": 2,
        "confidence": 0.98,
        "levels_db": [0.0, -3.1],
        "joins": 0,
        "doubtful_joins": 0,
        "notes": [],
    },
    audio="the voices as channels of one recording, one voice after the other",
)
