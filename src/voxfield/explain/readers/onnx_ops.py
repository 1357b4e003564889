"""What each ONNX operator is in the neutral graph. `OPERATORS` maps an operator type to a function over a `Node`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import ExplainError
from . import aten_moves, onnx_layers, onnx_moves
from .build import Const, OperatorGraph, Shape, operators, unknown_op
from .onnx_node import Node, attribute


def read_node(
    builder: OperatorGraph, proto: Any, number: int, shapes: Mapping[str, Shape], constants: Mapping[str, Any]
) -> None:
    """Add what one ONNX node means to the builder."""
    name = proto.name or f"{proto.op_type}_{number}"
    inputs = [builder.values.get(n, Const(shapes.get(n, ()), (), 4)) if n else None for n in proto.input]
    options = {a.name: attribute(a) for a in proto.attribute}
    outs: list[tuple[Shape, int] | None] = []
    for out in proto.output:
        outs.append((shapes[out], 4) if out in shapes else None)
    args = {str(i): value for i, value in enumerate(inputs)}
    node = Node(
        builder, name, proto.op_type, proto.op_type, args, outs, (name, True), len(outs) == 1, inputs=inputs,
        names=list(proto.input), options=options, constants=constants, named=True,
    )  # fmt: skip
    live = node.live()
    if not live or proto.op_type in SHAPE_ONLY or all(out in constants for out in proto.output):
        owned = tuple(dict.fromkeys(one for const in node.consts() for one in const.owned))
        node.results = [Const(out[0] if out else (), owned, 4) for out in outs]
        if proto.op_type in {"Constant", "ConstantOfShape"}:
            node.results = [builder.values.get(out, Const(shapes.get(out, ()), (), 4)) for out in proto.output]
    elif not outs or outs[0] is None:
        name_of = proto.output[0] if proto.output else name
        raise ExplainError(
            f"Node '{name}' ({proto.op_type}): the shape of its output '{name_of}' cannot be worked out from the input "
            "shapes, because it depends on the data. Give the model with fixed shapes."
        )
    else:
        OPERATORS.get(proto.op_type, unknown_op)(node)
    for out, result in zip(proto.output, node.results, strict=False):
        builder.values[out] = result


SHAPE_ONLY = frozenset({"Shape", "Size", "ConstantOfShape", "RandomNormalLike", "RandomUniformLike", "EyeLike"})

OPERATORS: dict[str, Callable[[Node], None]] = operators("onnx", onnx_layers, onnx_moves, aten_moves)
