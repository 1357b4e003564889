"""Python's own functions in pasted code, as far as they only rearrange what is written there: range, zip, len ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .code_values import Free, Missing, Tensor, at, number_of

if TYPE_CHECKING:
    from .interpret import Interpreter

LONGEST_LIST = 20_000
_NAMES = (
    "range len zip enumerate reversed list tuple int float str min max sum abs round sorted dict print super "
    "isinstance bool"
)
BUILTINS = frozenset(_NAMES.split())
PLAIN: Mapping[str, Callable[..., Any]] = {
    "len": len,
    "int": int,
    "float": float,
    "str": str,
    "min": min,
    "max": max,
    "sum": sum,
    "abs": abs,
    "round": round,
    "sorted": sorted,
    "list": list,
    "tuple": tuple,
}
TENSOR_JOINS = {"sum": "add", "min": "minimum", "max": "maximum"}


def builtin(reader: Interpreter, name: str, args: list[Any], line: int) -> Any:
    """What a function of Python gives for literal arguments; missing where an argument is not known.

    Raises:
        ExplainError: arguments it cannot take, or a list that would be too long.
    """
    if name == "print":
        return None
    if name == "dict" and not args:
        return {}
    if name in {"isinstance", "bool", "super"} or any(isinstance(a, Free | Missing) for a in args):
        return Missing(f"{name}(...)", line)
    whole = (
        args if name == "str" else [a if number_of(a) or isinstance(a, str) else reader.items(a, line) for a in args]
    )
    tensors = bool(whole) and isinstance(whole[0], list) and any(isinstance(v, Tensor) for v in whole[0])
    if tensors and name in TENSOR_JOINS:
        return reader.calls.join(TENSOR_JOINS[name], whole[0], line)
    try:
        if name == "range":
            numbers = range(*whole)
            if len(numbers) > LONGEST_LIST:
                raise at(line, f"range of {len(numbers)}; at most {LONGEST_LIST} can be read.")
            return list(numbers)
        if name == "zip":
            return list(zip(*whole, strict=False))
        if name == "enumerate":
            return list(enumerate(*whole))
        if name == "reversed":
            return list(reversed(whole[0]))
        return PLAIN[name](*whole)
    except (TypeError, ValueError, OverflowError, IndexError, KeyError) as error:
        raise at(line, f"{name}(...): {error}.") from error
