"""What a verb is: one thing that can be asked of recordings over HTTP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from voxfield.audio import Sink, Source
from voxfield.serve.catalogue import Catalogue


class Options(BaseModel):
    """What every verb may be asked in the query."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="A name from /v1/models; the verb's own choice without it.")
    raw: str | None = Field(
        None, description="The body is headerless samples: RATE[,CHANNELS[,ENCODING]].", examples=["16000,1,s16le"]
    )


class Asked(Protocol):
    """One request, as a verb sees it."""

    catalogue: Catalogue

    def source(self, name: str) -> Source:
        """The recording of this name, opened."""

    def sink(self, source: Source, channels: int, model: str) -> Sink:
        """Where samples (C, N) at the rate of the source go."""


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
