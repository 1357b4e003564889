"""The verb whose result is frames of features."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from voxfield.cards import Layer
from voxfield.protocols import Array, Engine
from voxfield.serve.catalogue import Catalogue
from voxfield.serve.refusal import RefusedError
from voxfield.serve.verbs.verb import Asked, Options, Verb
from voxfield.tasks import represent_into, representing_engine
from voxfield.tasks.representation.representer import layer_named

_MOST_FRAMES = 6000  # a minute: as text, frames are a hundred times the recording


class RepresentQuery(Options):
    """Options of `represent`."""

    layer: str | None = Field(None, description="Such as z or c; the last one without it.", examples=["z"])


def _layer(query: RepresentQuery, catalogue: Catalogue) -> tuple[Engine, Layer]:
    engine = representing_engine(catalogue.engine_for("represent", query.model))
    return engine, layer_named(engine.card.interface, engine.card.name, query.layer)


def _represent(asked: Asked, query: RepresentQuery) -> Mapping[str, Any]:
    engine, layer = _layer(query, asked.catalogue)
    kept: list[Array] = []

    def keep(frames: Array) -> None:
        kept.append(frames)
        if sum(part.shape[1] for part in kept) > _MOST_FRAMES:
            raise RefusedError(
                413,
                "too_long",
                f"{_MOST_FRAMES} frames are all that is given as text; use `voxfield represent` for more",
            )

    with asked.source("file") as source:
        work = represent_into(source, engine, keep, layer.name)
    return {
        "frames": np.concatenate(kept, axis=1).T.tolist(),
        "model": work.model,
        "duration_s": round(work.audio_s, 3),
        **work.details,
        "notes": list(work.notes),
    }


REPRESENT = Verb(
    "represent",
    "A recording as frames of features.",
    RepresentQuery,
    _layer,
    _represent,
    {
        "frames": [[0.12, -0.57], [0.1, -0.49]],
        "model": "wav2vec-small.v1",
        "duration_s": 0.04,
        "layer": "c",
        "count_frames": 2,
        "notes": [],
    },
)
