"""Python's own functions in pasted code, as far as they only rearrange what is written there: range, zip, len ..."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .code_values import Function, Instance, Missing, Super, Tensor, at, number_of

if TYPE_CHECKING:
    from .interpret import Interpreter

LONGEST_LIST = 20_000
LARGEST_NUMBER = 10**15

ARITHMETIC: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
COMPARISONS: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
ELEMENTWISE = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power"}

HOME = "<this function>"  # no name in Python, so no clash with one
_ALIKE = (len, int, float, str, min, max, sum, abs, round, sorted, list, tuple)
_SUMS = (math.floor, math.ceil, math.sqrt, math.log, math.log2, math.prod)
PLAIN: Mapping[str, Callable[..., Any]] = {one.__name__: one for one in _ALIKE} | {
    "zip": lambda *lists: list(zip(*lists, strict=False)),
    "enumerate": lambda *args: list(enumerate(*args)),
    "reversed": lambda values: list(reversed(values)),
    **{f"{module}.{one.__name__}": one for module in ("math", "np") for one in _SUMS},
}
BUILTINS = frozenset((*PLAIN, "range", "dict", "print", "super", "isinstance", "bool", "getattr", "setattr"))
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
    if name in {"getattr", "setattr"} and len(args) > 1 and isinstance(args[0], Instance) and isinstance(args[1], str):
        return reader.member(args[0], args[1], line, *args[2:] if name == "setattr" else ())
    if name == "super":
        function = reader.scope.get(HOME)
        home = function.home if isinstance(function, Function) else None
        parent = None if home is None else home.parent or home.layer
        if isinstance(function, Function) and parent is not None:
            return Super(function.self_, parent)
    if (name not in PLAIN and name != "range") or any(isinstance(a, Missing) for a in args):
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
        return PLAIN[name](*whole)
    except (TypeError, ValueError, OverflowError, IndexError, KeyError) as error:
        raise at(line, f"{name}(...): {error}.") from error
