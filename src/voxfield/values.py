"""Frozen dataclasses from the tables of a recipe or a job: an unknown key or a value of another type is an error."""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

from voxfield.errors import RecipeError

Config = TypeVar("Config")
EXAMPLES = {int: "1", float: "0.5", str: '"one"', bool: "true"}
NAMES = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}


def build(config: type[Config], table: Mapping[str, Any], where: str) -> Config:
    """A frozen dataclass from a table.

    Args:
        config: the dataclass; its fields are bool, int, float, str, literals, tuples and unions of these.
        table: keys and values, as TOML or JSON give them.
        where: how messages name the table.

    Raises:
        RecipeError: a key that is no field (the nearest one is named), or a value that is not of the field's type.
    """
    if not isinstance(table, Mapping):
        raise RecipeError(f"{where} must be a table")
    refuse_unknown(table, [field.name for field in dataclasses.fields(config)], where)  # type: ignore[arg-type]
    hints = get_type_hints(config)
    return config(**{key: convert(hints[key], value, f"{where} {key}") for key, value in table.items()})


def convert(kind: Any, value: Any, where: str) -> Any:
    """The value as one of a type: lists become tuples, integers become floats where floats are wanted, nothing else.

    >>> convert(tuple[float, float], [-5, 20], "[mix] snr_db")
    (-5.0, 20.0)

    Raises:
        RecipeError: it is of another type.
    """
    if not _fits(kind, value):
        raise RecipeError(f"{where} = {value!r}: {describe(kind)} is needed")
    return _converted(kind, value)


def describe(kind: Any) -> str:
    """How a message names a type.

    >>> describe(tuple[float, float]), describe(tuple[str, ...])
    ('a list such as [0.5, 0.5]', 'a list such as ["one"]')
    """
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return " or ".join(repr(argument) for argument in arguments)
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(describe(argument) for argument in arguments if argument is not type(None))
    if get_origin(kind) is tuple:
        items = arguments[:1] if arguments[-1] is ... else arguments
        examples = ", ".join(EXAMPLES.get(item, "...") for item in items)
        return f"a list such as [{examples}]"
    return NAMES.get(kind) or f"a {getattr(kind, '__name__', kind)}"


def _fits(kind: Any, value: Any) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is Literal:
        return any(type(value) is type(argument) and value == argument for argument in arguments)
    if origin in (Union, UnionType):
        return any(_fits(argument, value) for argument in arguments)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        if arguments[-1] is ...:
            return all(_fits(arguments[0], item) for item in value)
        return len(value) == len(arguments) and all(map(_fits, arguments, value))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _converted(kind: Any, value: Any) -> Any:
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return _converted(next(argument for argument in arguments if _fits(argument, value)), value)
    if get_origin(kind) is tuple:
        kinds = arguments[:1] * len(value) if arguments[-1] is ... else arguments
        return tuple(map(_converted, kinds, value))
    return float(value) if kind is float else value


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a real number, of Python or of NumPy, and no bool.

    >>> is_number(0.5), is_number(float("nan")), is_number("0.5"), is_number(True)
    (True, True, False, False)
    """
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number, of Python or of NumPy, and no bool.

    >>> is_whole(2), is_whole(2.0), is_whole(True)
    (True, False, False)
    """
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def plural(count: int, noun: str) -> str:
    """So many of something.

    >>> plural(1, "sample"), plural(0, "voice")
    ('1 sample', '0 voices')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def refuse_unknown(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Raises RecipeError at the first key that is not among the known ones."""
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.4)
            hint = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(known)}"
            raise RecipeError(f"{where} has no key '{key}'{hint}")


def parse_override(override: str) -> tuple[str, Any]:
    """Key and value of `key=value`; the value is read as TOML, or taken as a string.

    >>> parse_override("train.steps=7"), parse_override("train.device=cpu")
    (('train.steps', 7), ('train.device', 'cpu'))

    Raises:
        RecipeError: no `=` in it.
    """
    key, sign, text = override.partition("=")
    if not sign:
        raise RecipeError(f"--set {override}: write it as key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return key.strip(), value


def read_tables(path: Path, what: str) -> dict[str, Any]:
    """The tables of a TOML file.

    Args:
        path: the file.
        what: it is, for messages, such as "the recipe".

    Raises:
        RecipeError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RecipeError(f"cannot read {what} {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error


def override(table: dict[str, Any], text: str) -> None:
    """Put `table.key=value` into nested tables.

    Raises:
        RecipeError: no `=` in it, or a part of the key is a value.
    """
    key, value = parse_override(text)
    *path, last = key.split(".")
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {text}: '{part}' is a value, not a table")
    table[last] = value
