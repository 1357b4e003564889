"""Reshapes by constants, where the exporter has the file work out a shape at every step.

A network writes `x.reshape(x.shape[0], -1, 32)`, and the exporter four operators that take the shape of `x` apart and
put another one together. ONNX says the same with a constant: 0 keeps an axis, -1 takes what is left.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

Size: TypeAlias = "int | tuple[str, int]"  # a number, or an axis of a tensor
_OF_SHAPES = ("Shape", "Gather", "Unsqueeze", "Concat")


def with_constant_reshapes(content: bytes) -> bytes:
    """The same ONNX file, its reshapes by constants where they can be said so."""
    model = onnx.load_from_string(content)
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    kept = []
    for at, node in enumerate(graph.node):
        if node.op_type == "Reshape" and (sizes := _sizes(node.input[1], makers)) is not None:
            target = _target(node.input[0], sizes)
            if target is not None:
                name = f"shape.{at}"
                kept.append(
                    helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(target, np.int64)))
                )
                node.input[1] = name
        kept.append(node)
    used = {item.name for item in graph.output}
    needed = []
    for node in reversed(kept):
        if used.intersection(node.output):
            used.update(node.input)
            needed.append(node)
    del graph.node[:]
    graph.node.extend(reversed(needed))
    made: bytes = model.SerializeToString()
    return made


def _sizes(name: str, makers: dict[str, onnx.NodeProto]) -> list[Size] | None:
    """The elements of a shape that is put together, or None where it is made otherwise."""
    node = makers.get(name)
    if node is None or node.op_type not in ("Constant", *_OF_SHAPES):
        return None
    if node.op_type == "Constant":
        return [int(size) for size in np.atleast_1d(numpy_helper.to_array(node.attribute[0].t))]
    if node.op_type == "Unsqueeze":
        return _sizes(node.input[0], makers)
    if node.op_type == "Gather":
        shape, chosen = makers.get(node.input[0]), _sizes(node.input[1], makers)
        if shape is None or shape.op_type != "Shape" or chosen is None or len(chosen) != 1:
            return None
        return [(shape.input[0], chosen[0])] if isinstance(chosen[0], int) else None
    if node.op_type == "Concat":
        parts = [_sizes(part, makers) for part in node.input]
        return None if any(part is None for part in parts) else [size for part in parts for size in part or ()]
    return None


def _target(data: str, sizes: list[Size]) -> list[int] | None:
    """The constant for a reshape of `data`, or None where two sizes would have to be worked out."""
    target = [0 if size == (data, at) else size for at, size in enumerate(sizes)]
    unknown = [at for at, size in enumerate(target) if not isinstance(size, int)]
    if len(unknown) > (0 if -1 in target else 1):
        return None
    return [size if isinstance(size, int) else -1 for size in target]
