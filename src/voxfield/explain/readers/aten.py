"""What each operator of an exported torch graph is in the neutral graph. Imports no torch: it sees names and numbers.

`OPERATORS` maps an operator's name to a function that adds neutral operators to a graph. An operator outside the
table is elementwise when torch says so, and `unknown` otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import aten_layers, aten_moves, aten_signal
from .build import Call, Const, OperatorGraph, Shape, operators, unknown_op

Translator = Callable[[Call], None]


def translate(
    builder: OperatorGraph,
    node: str,
    source: str,
    arguments: Mapping[str, Any],
    outs: list[tuple[Shape, int] | None],
    place: tuple[str, bool],
    pointwise: bool,
    single: bool,
) -> None:
    """Add what one node means to the builder."""
    base = source.split(".")[1] if "." in source else source
    in_place = base.endswith("_") and not base.endswith("__")
    base = base.rstrip("_") if in_place else base
    args = {name: resolved(builder, value) for name, value in arguments.items()}
    call = Call(builder, node, base, source, args, outs, place, single)
    live = call.live()
    if not live or base in SHAPE_ONLY:
        owned = tuple(dict.fromkeys(one for const in call.consts() for one in const.owned))
        call.results = [Const(out[0], owned, out[1]) if out else Const((), (), 0) for out in outs]
    else:
        rule = OPERATORS.get(base) or (aten_moves.pointwise_op if pointwise else unknown_op)
        rule(call)
    if single and call.results:
        builder.values[node] = call.results[0]
    builder.parts[node] = call.results
    first = next(iter(arguments.values()), None)
    if in_place and call.results and getattr(first, "name", None) in builder.values:
        builder.values[first.name] = call.results[0]  # type: ignore[union-attr]


def resolved(builder: OperatorGraph, value: Any) -> Any:
    """An argument with every node replaced by what it stands for."""
    if isinstance(value, list | tuple):
        return [resolved(builder, one) for one in value]
    name = getattr(value, "name", None)
    return builder.values.get(name, Const((), (), 0)) if hasattr(value, "op") and name is not None else value


SHAPE_ONLY = frozenset(
    {"zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_zeros", "new_ones"}
    | {"new_full", "new_empty", "sym_size", "sym_numel", "sym_stride", "size", "numel", "is_same_size"}
    | {"_assert_tensor_metadata", "_assert_async"}
)

OPERATORS: dict[str, Translator] = operators("aten", aten_layers, aten_moves, aten_signal)
