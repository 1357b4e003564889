"""What is said over the WebSocket `/v1/stream`, besides the sound; docs/serve.md describes it."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voxfield.audio.limits import check_layout
from voxfield.errors import AudioError
from voxfield.serve.refusal import RefusedError, in_words

MOST_TEXT_CHARACTERS = 4096
_OF_ENHANCE = {"limit_db", "mix", "link"}


class Start(BaseModel):
    """The first frame: what comes, and what shall be done with it."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["start"]
    task: Literal["enhance", "separate"] = "enhance"
    rate: int
    channels: int = 1
    format: Literal["s16le", "f32le"] = "s16le"
    model: str | None = None
    mode: Literal["live", "file"] = "live"
    limit_db: float | None = Field(None, ge=0)
    mix: float = Field(1.0, ge=0, le=1)
    link: Literal["together", "independent"] = "together"


class Control(BaseModel):
    """A later text frame."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["flush", "stop", "keepalive"]


def start_of(text: str | None) -> Start:
    """The first frame, read.

    Raises:
        RefusedError: it is not text, not JSON, or says something that cannot be.
    """
    if text is None:
        raise RefusedError(400, "bad_start", 'the first frame is text: {"type": "start", "rate": 16000, ...}')
    try:
        start = Start.model_validate(_json(text))
        if start.task != "enhance" and (unfit := start.model_fields_set & _OF_ENHANCE):
            raise RefusedError(400, "bad_start", f"{', '.join(sorted(unfit))}: of the task enhance only")
        check_layout("the stream", start.rate, start.channels)
    except ValidationError as error:
        raise RefusedError(400, "bad_start", f"the first frame cannot be used: {_in_words(error)}") from error
    except AudioError as error:
        raise RefusedError(400, "bad_start", str(error)) from error
    return start


def control_of(text: str) -> Control:
    """A later text frame, read.

    Raises:
        RefusedError: it cannot be.
    """
    try:
        return Control.model_validate(_json(text))
    except ValidationError as error:
        raise RefusedError(400, "bad_message", f"this message cannot be used: {_in_words(error)}") from error


def _json(text: str) -> Any:
    if len(text) > MOST_TEXT_CHARACTERS:
        raise RefusedError(400, "bad_message", f"a text frame has at most {MOST_TEXT_CHARACTERS} characters")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "bad_message", f"a text frame is JSON: {str(error)[:200]}") from error


def _in_words(error: ValidationError) -> str:
    return in_words(error.errors(include_url=False, include_input=False, include_context=False))
