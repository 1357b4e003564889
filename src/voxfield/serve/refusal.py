"""What the service says when it refuses: one shape for HTTP and WebSocket."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from voxfield.errors import (
    AudioError,
    CardError,
    DownloadError,
    ExplainError,
    InputError,
    MissingExtraError,
    UnknownModelError,
    VoxfieldError,
)

_CODES: tuple[tuple[type[Exception], str, int], ...] = (  # the first that fits
    (AudioError, "bad_audio", 422),
    (InputError, "bad_request", 422),
    (ExplainError, "not_explained", 422),
    (UnknownModelError, "unknown_model", 404),
    (MissingExtraError, "missing_extra", 501),
    (DownloadError, "no_weights", 503),
    (CardError, "bad_model", 500),
    (VoxfieldError, "failed", 500),
)
_CLOSES = {413: 1009, 429: 1013, 503: 1013}


class Reason(BaseModel):
    """A word for programs and a sentence for people."""

    code: str
    message: str


class Refused(BaseModel):
    """The body of every answer but success."""

    error: Reason


class RefusedError(Exception):
    """An answer other than success.

    Args:
        status: of HTTP.
        code: a word for programs.
        message: a sentence for people: what was given, what is needed, what to do.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = headers or {}

    def to_dict(self) -> dict[str, dict[str, str]]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}

    @property
    def close_code(self) -> int:
        """What a WebSocket is closed with."""
        return _CLOSES.get(self.status, 1008 if self.status < 500 else 1011)


def refusal_of(error: Exception) -> RefusedError:
    """The refusal that an error means; what Voxfield did not raise on purpose is not told to strangers."""
    if isinstance(error, RefusedError):
        return error
    for kind, code, status in _CODES:
        if isinstance(error, kind):
            return RefusedError(status, code, str(error))
    return RefusedError(500, "internal", "something went wrong inside the service; its log says what")


SAID = {  # of what pydantic finds wrong, by its type; of other types its own words
    "extra_forbidden": "there is no such key",
    "missing": "it is needed",
    "json_invalid": "it is no JSON",
    "model_attributes_type": "a JSON object is needed, sent as application/json",
    "model_type": "a JSON object is needed",
}


def in_words(found: Sequence[Any]) -> str:
    """What pydantic found wrong, for people: the first four, each after the name of its field."""
    return "; ".join(
        f"{'.'.join(map(str, item['loc'])) or 'it'}: {SAID.get(item['type'], item['msg'])}" for item in found[:4]
    )
