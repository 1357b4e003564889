"""The shape of every tensor in an ONNX graph, for given input shapes, without looking at its weights.

Exported graphs compute many of their shapes while they run: Shape, Gather, Concat, Reshape. So one pass in running
order does both: it evaluates small operators whose inputs are known, and asks onnx for the output shape of the others.
A branch (`If`) whose condition is known by then is replaced by the side that runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx

from ..phrases import NAMES

SMALL = 4096  # values; larger constants are weights and stay unread
LARGEST_INDEX = 500_000  # values of a table of indices, as an exporter writes them for a slice assignment


@dataclass
class Resolved:
    """What one pass over the graph found.

    Attributes:
        nodes: the operators that run, branches with a known condition replaced by their content.
        shapes: sizes by tensor name, where they are known.
        constants: small known arrays by tensor name.
        types: onnx TypeProtos by tensor name.
        weights: every constant of the file by tensor name, those in nodes and in the branches that run included.
        inferred: types of outputs by what they follow from, as many operators are alike.
    """

    nodes: list[Any] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    types: dict[str, Any] = field(default_factory=dict)
    weights: dict[str, Any] = field(default_factory=dict)
    inferred: dict[Any, list[Any]] = field(default_factory=dict)


def resolve(model: Any, inputs: Mapping[str, tuple[int, ...]], values: Mapping[str, int] | None = None) -> Resolved:
    """Shapes, small constants and the operators that run.

    Args:
        model: an onnx ModelProto; it is not changed.
        inputs: the shape of every input.
        values: inputs that are one known number, such as a sample rate.
    """
    found = Resolved()
    for value in model.graph.input:
        if value.name in inputs:
            learn_type(found, value.name, value.type.tensor_type.elem_type, inputs[value.name])
    for name, number in (values or {}).items():
        learn_value(found, name, np.full(inputs[name], number, np.int64))
    opsets = list(model.opset_import)
    walk(model.graph, found, opsets)
    return found


def walk(graph: Any, found: Resolved, opsets: Sequence[Any]) -> None:
    """Take in one graph: its constants first, then its operators in order."""
    for value in graph.initializer:
        learn_constant(found, value.name, value)
    for node in graph.node:
        if node.op_type == "If" and node.input[0] in found.constants:
            wanted = "then_branch" if found.constants[node.input[0]].item() else "else_branch"
            branch = next(a.g for a in node.attribute if a.name == wanted)
            walk(branch, found, opsets)
            for inner, outer in zip(branch.output, node.output, strict=True):
                same = onnx.helper.make_node("Identity", [inner.name], [outer], name=f"{outer}.branch")
                take(same, found, opsets)
        else:
            take(node, found, opsets)


def take(node: Any, found: Resolved, opsets: Sequence[Any]) -> None:
    """One operator: its value when it can be evaluated, otherwise the shapes of its outputs."""
    found.nodes.append(node)
    if node.op_type == "Constant":
        for attribute in node.attribute:
            kind = {"value_int": np.int64, "value_float": np.float32}.get(attribute.name.removesuffix("s"))
            if attribute.name == "value":
                learn_constant(found, node.output[0], attribute.t)
            elif kind is not None:
                learn_value(found, node.output[0], np.array(onnx.helper.get_attribute_value(attribute), kind))
        return
    if node.op_type in {"Shape", "Size"} and node.input[0] in found.shapes:
        shape = found.shapes[node.input[0]]
        options = {a.name: a.i for a in node.attribute}
        cut = shape[options.get("start", 0) : options.get("end")]
        learn_value(found, node.output[0], np.array(cut if node.op_type == "Shape" else int(np.prod(shape)), np.int64))
        return
    if node.op_type in NAMES["evaluated"] and all(not name or name in found.constants for name in node.input):
        results = evaluate(node, [found.constants[name] for name in node.input if name], opsets)
        for name, value in zip(node.output, results, strict=False):
            if value.size <= SMALL:
                learn_value(found, name, value)
        if results and all(not name or name in found.constants for name in node.output):
            return
    for name, made in infer(node, found, opsets).items():
        kind = made.tensor_type
        found.types[name] = made
        if kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim):
            found.shapes[name] = tuple(d.dim_value for d in kind.shape.dim)
            if node.op_type.endswith("Pool"):
                shape = pooled_shape(node, found.shapes.get(node.input[0], ()), found.shapes[name])
                learn_type(found, name, kind.elem_type, shape)


def pooled_shape(node: Any, source: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a pooling which rounds up really gives: no window starts behind the end, as onnx counts it."""
    options = {a.name: a.i if a.name == "ceil_mode" else list(a.ints) for a in node.attribute}
    if not options.get("ceil_mode") or len(source) != len(shape):
        return shape
    count = len(shape) - 2
    strides, pads = options.get("strides") or [1] * count, options.get("pads") or [0] * count
    ends = zip(shape[2:], source[2:], strides, pads, strict=False)
    return (*shape[:2], *(out - ((out - 1) * stride >= size + pad) for out, size, stride, pad in ends))


def infer(node: Any, found: Resolved, opsets: Sequence[Any]) -> dict[str, Any]:
    """The types of a node's outputs as onnx works them out; empty when it cannot."""
    if node.op_type in NAMES["alike"] and not node.domain:
        shapes = {found.shapes.get(name) for name in node.input}
        if len(shapes) == 1 and None not in shapes and node.input[0] in found.types:
            return {node.output[0]: found.types[node.input[0]]}
    versions = {entry.domain: entry.version for entry in opsets}
    domain = "" if node.domain == "ai.onnx" else node.domain
    names = [name for name in node.input if name]
    if any(name not in found.types for name in names):
        return {}
    key = _known(node, names, found)
    if key is not None and key in found.inferred:
        return dict(zip(node.output, found.inferred[key], strict=False))
    try:
        schema = onnx.defs.get_schema(node.op_type, versions.get(domain, versions.get("", 1)), domain)
        known = {
            name: onnx.numpy_helper.from_array(found.constants[name], name) for name in names if name in found.constants
        }
        types = {name: found.types[name] for name in names}
        made = dict(onnx.shape_inference.infer_node_outputs(schema, node, types, known, opset_imports=list(opsets)))
    except (onnx.defs.SchemaError, onnx.shape_inference.InferenceError, KeyError, ValueError, RuntimeError):
        same = found.types.get(node.input[0]) if node.input else None
        return {node.output[0]: same} if same is not None and node.domain not in {"", "ai.onnx"} else {}
    if key is not None and list(made) == list(node.output):
        found.inferred[key] = list(made.values())
    return made


def _known(node: Any, names: Sequence[str], found: Resolved) -> Any:
    """What the types of a node's outputs follow from; None where some of it is not known, left out or large."""
    large = any(name in found.constants and found.constants[name].size > SMALL for name in names)
    if large or len(names) != len(node.input) or any(name not in found.shapes for name in names):
        return None
    attributes = tuple([attribute.SerializeToString() for attribute in node.attribute])
    types = tuple([found.types[name].tensor_type.elem_type for name in names])
    values = tuple([found.constants[name].tobytes() if name in found.constants else None for name in names])
    return node.domain, node.op_type, attributes, types, tuple([found.shapes[name] for name in names]), values


def evaluate(node: Any, values: Iterable[Any], opsets: Sequence[Any]) -> list[Any]:
    """The result of one small operator; nothing when it cannot be evaluated."""
    from onnx.reference import ReferenceEvaluator

    names = [name for name in node.input if name]
    given = list(values)
    if any(value.size > SMALL for value in given) or result_size(node.op_type, given) > SMALL:
        return []
    describe = onnx.helper.make_tensor_value_info
    unique = dict(zip(names, given, strict=True))
    ins = [describe(n, onnx.helper.np_dtype_to_tensor_dtype(v.dtype), list(v.shape)) for n, v in unique.items()]
    outs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name]
    try:
        graph = onnx.helper.make_graph([node], "one", ins, outs)
        model = onnx.helper.make_model(graph, opset_imports=list(opsets))
        made = ReferenceEvaluator(model).run(None, unique)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return []
    return [np.asarray(value) for value in made]


def result_size(kind: str, values: Sequence[Any]) -> float:
    """Values that an operator would make, for those that can make more than they are given."""
    numbers = [[float(x) for x in value.reshape(-1)] for value in values]
    if kind == "ConstantOfShape":
        return prod(numbers[0])
    if kind in {"Expand", "Tile"} and len(numbers) > 1:
        return max(1, len(numbers[0])) * prod(numbers[1])
    if kind == "Range" and all(len(one) == 1 for one in numbers[:3]):
        (start,), (stop,), (step,) = numbers[:3]
        return abs((stop - start) / step) if step else 0.0
    return float(max((len(one) for one in numbers), default=0))


def learn_type(found: Resolved, name: str, data_type: int, shape: Sequence[int]) -> None:
    """Note the type and sizes of a tensor."""
    found.types[name] = onnx.helper.make_tensor_type_proto(data_type, list(shape))
    found.shapes[name] = tuple(shape)


def learn_value(found: Resolved, name: str, value: Any) -> None:
    """Note a small known array."""
    found.constants[name] = value
    learn_type(found, name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def learn_constant(found: Resolved, name: str, value: Any) -> None:
    """Note a constant of the file: its sizes, and its values when they are few and inside the file."""
    found.weights[name] = value
    learn_type(found, name, value.data_type, list(value.dims))
    size = prod(value.dims)
    integers, floats = value.data_type in {6, 7, 9}, value.data_type in {1, 11}
    if value.data_location == 0 and (size <= LARGEST_INDEX if integers else floats and size <= 64):
        found.constants[name] = onnx.numpy_helper.to_array(value)
