"""Readers of the settings that programs store beside their tensors, under their own names and in their own words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from voxfield.errors import CheckpointError


class Setting(NamedTuple):
    """Our name of a setting, and how to read their value; the first argument is their name."""

    ours: str
    read: Callable[[str, Any], Any]


def whole(theirs: str, value: Any) -> int:
    """A whole number above 0, also where it was stored as text or as a number with a fraction of 0."""
    number = _number(value)
    if not number.is_integer() or number < 1:  # no NaN is an integer
        raise CheckpointError(f"the checkpoint says {theirs} = {value!r}; a whole number above 0 is needed")
    return int(number)


def positive(theirs: str, value: Any) -> float:
    """A number above 0."""
    number = _number(value)
    if not 0 < number < float("inf"):
        raise CheckpointError(f"the checkpoint says {theirs} = {value!r}; a number above 0 is needed")
    return number


def _number(value: Any) -> float:
    """A number that may be stored as text; NaN where it is none."""
    try:
        return float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return float("nan")


def one_of(words: Mapping[str, Any] | Iterable[str]) -> Callable[[str, Any], Any]:
    """One of their words, in small or large letters -> what we call it; the same where words alone are given."""
    ours = words if isinstance(words, Mapping) else {word: word for word in words}

    def read(theirs: str, value: Any) -> Any:
        if str(value).lower() not in ours:
            raise CheckpointError(
                f"the checkpoint says {theirs} = {value!r}, which the network cannot do; it can: {', '.join(ours)}"
            )
        return ours[str(value).lower()]

    return read
