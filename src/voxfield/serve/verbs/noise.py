"""Verbs about what is not speech: which noise there is, and sound as tokens."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from voxfield.protocols import Engine
from voxfield.serve.catalogue import Catalogue
from voxfield.serve.verbs.verb import Asked, Options, Verb
from voxfield.tasks import engine_for
from voxfield.tasks.noises.kinds import KINDS, TOKENIZER, NoiseKinds
from voxfield.tasks.noises.timeline import noise_of
from voxfield.tasks.tokens.recording import sound_tokenizer, tokenize_source


class NoiseQuery(Options):
    """Options of `noise`; `model` takes the speech away."""

    tokenizer: str = Field(TOKENIZER, description="The network of tokens.")
    kinds: str = Field(KINDS, description="The network that names what the tokens stand for.")
    least_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Of the likeliest name, below which a noise is unknown; that of `kinds` if left out.",
    )


def _namers(query: NoiseQuery, catalogue: Catalogue) -> tuple[Engine, NoiseKinds]:
    models = catalogue.engine(query.tokenizer), catalogue.engine(query.kinds)
    kinds = NoiseKinds(*models, least_share=query.least_share)
    return engine_for(catalogue.engine_or_default("enhance", query.model), "enhance"), kinds


def _noise(asked: Asked, query: NoiseQuery) -> Mapping[str, Any]:
    with asked.source("file") as source:
        found, work = noise_of(source, *_namers(query, asked.catalogue))
    return {**found.to_dict(), "duration_s": round(work.audio_s, 3), "notes": list(work.notes)}


def _tokenizer(query: Options, catalogue: Catalogue) -> Engine:
    return sound_tokenizer(catalogue.engine(query.model or TOKENIZER))


def _tokens(asked: Asked, query: Options) -> Mapping[str, Any]:
    with asked.source("file") as source:
        made, work = tokenize_source(source, _tokenizer(query, asked.catalogue))
    return {"codes": made.codes[0].tolist(), "duration_s": round(work.audio_s, 3), **work.details}


NOISE = Verb(
    "noise",
    "What noise is there, when, and how loud?",
    NoiseQuery,
    _namers,
    _noise,
    {
        "kinds": {"rain": 4.1},
        "stretches": [
            {"start_s": 0.0, "end_s": 4.1, "kind": "rain", "share": 0.94, "level_dbfs": -31.2, "snr_db": 8.4}
        ],
        "steps": [],
        "models": ["crn-small.v5", "noise-vqvae.v1", "noise-kinds.v1"],
        "duration_s": 4.1,
        "notes": [],
    },
)

TOKENS = Verb(
    "tokens",
    "A recording as tokens.",
    Options,
    _tokenizer,
    _tokens,
    {"codes": [[3, 17, 17, 250]], "model": "noise-vqvae.v1", "codebook": 512, "duration_s": 0.26},
)
