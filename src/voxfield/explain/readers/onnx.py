"""An ONNX file as a `Graph`, from its structure alone: weights are not looked at and external data need not be there.

Inputs that carry state (named `state.NAME`, or paired with an output of the same shape and a related name) are left
context: concatenated along time they only shift what follows. Shapes are worked out in `onnx_shapes`; `OPERATORS` maps
an operator's type to a function that adds neutral operators to a graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from math import prod
from pathlib import Path
from typing import Any

from ...errors import ExplainError, MissingExtraError
from ..axes import settled_dims
from ..graph import Graph, axes_of
from ..phrases import NAMES, table
from . import aten_layers, aten_moves, onnx_operators
from .build import Call, Const, OperatorGraph, Shape, by_name, operators, unknown_op

SPEECH_RATE_HZ = 16000
RATE_NAME = re.compile(r"sr|fs|sample_?rate|sampling_?rate", re.IGNORECASE)
OPERATORS: dict[str, Callable[[Call], None]] = operators("onnx", onnx_operators, aten_layers, aten_moves)
INPUTS, ATTRIBUTES = (table("operators")["in_torch"][key] for key in ("inputs", "attributes"))
CALLED = by_name(*((names, called.split()) for names, called in INPUTS.items()))
Shapes = Sequence[int] | Sequence[Sequence[int]] | Mapping[str, Sequence[int]]


def read_onnx(what: str | Path | bytes, *, input_shape: Shapes | None = None, layout: str | None = None) -> Graph:
    """The graph of an ONNX model.

    Args:
        what: the file's path, or its bytes.
        input_shape: the shape of the main input, batch included, or a dict of shapes by input name; needed where the
            file leaves sizes other than the batch open.
        layout: letters of the main input's dims, such as "BCTF".

    Raises:
        ExplainError: the file is damaged, its shapes are open, or the given shape does not fit it.
        MissingExtraError: the package onnx is not installed.
    """
    model, title = load(what)
    from .onnx_shapes import resolve

    initial = {value.name for value in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initial]
    if not inputs:
        raise ExplainError(f"{title} has no inputs: there is nothing that its outputs could depend on.")
    loops = state_loops(inputs, model.graph.output)
    states = set(loops)
    shapes = input_shapes(inputs, states, input_shape, title)
    rates = {value.name for value in inputs if RATE_NAME.fullmatch(value.name) and prod(shapes[value.name]) == 1}
    resolved = resolve(model, shapes, {name: SPEECH_RATE_HZ for name in rates})
    builder = OperatorGraph(title)
    for value in inputs:
        if value.name in rates:
            builder.values[value.name] = Const(shapes[value.name], (), 8)
            builder.notes.append(f"The input '{value.name}' is the sample rate: {SPEECH_RATE_HZ} was assumed.")
            continue
        state = value.name in states
        item = 4 if state else item_bytes(value.type.tensor_type.elem_type)
        builder.add_input(value.name, shapes[value.name], item, "state" if state else "input")
    for name, tensor in resolved.weights.items():
        shape, item = tuple(tensor.dims), item_bytes(tensor.data_type)
        trained = is_float(tensor.data_type) and bool(shape) and (name in initial or prod(shape) > 1)
        if name not in initial:
            builder.inline.add(name)
        builder.values[name] = Const(shape, ((name, prod(shape), item, trained),), item)
    for number, node in enumerate(resolved.nodes):
        read_node(builder, node, number, resolved.shapes, resolved.constants)
    outputs = [builder.activation(value.name) for value in model.graph.output]
    made = [name for name in outputs if name is not None]
    if not made:
        raise ExplainError(f"{title}: no output depends on an input, so there is nothing to explain.")
    main = next((name for name in builder.inputs if name not in states), None)
    if main is None:
        raise ExplainError(f"{title}: all of its inputs look like states: {', '.join(sorted(states))}.")
    for name in builder.inputs:
        if name not in states and shapes[name]:
            builder.axes[name] = axes_of(len(shapes[name]), layout if name == main else None)
    after = ((name, builder.activation(out)) for name, out in loops.items())
    return settled_dims(builder.graph(made, loops=tuple((name, out) for name, out in after if out is not None)), layout)


def read_node(
    builder: OperatorGraph, proto: Any, number: int, shapes: Mapping[str, Shape], constants: Mapping[str, Any]
) -> None:
    """Add what one ONNX node means to the builder."""
    name, kind = proto.name or f"{proto.op_type}_{number}", proto.op_type
    outs = [(shapes[out], 4) if out in shapes else None for out in proto.output]
    args: dict[str, Any] = {}
    for called, given in zip_longest(CALLED.get(kind, ()), proto.input):
        value = builder.values.get(given, Const(shapes.get(given, ()), (), 4)) if given else None
        if isinstance(value, Const) and given in constants:
            value = replace(value, values=constants[given])
        args[called or str(len(args))] = value
    args |= {ATTRIBUTES.get(one.name, one.name): attribute(one) for one in proto.attribute}
    node = Call(builder, name, kind, kind, args, outs, (name, True), named=True)
    fixed = kind in NAMES["onnx_shape_only"] or all(out in constants for out in proto.output)
    if node.live() and not fixed and outs[0] is None:
        raise ExplainError(
            f"Node '{name}' ({kind}): the shape of its output '{proto.output[0]}' cannot be worked out from "
            "the input shapes, because it depends on the data. Give the model with fixed shapes."
        )
    node.settle(OPERATORS.get(kind, unknown_op), fixed)
    if kind in {"Constant", "ConstantOfShape"}:
        node.results = [builder.values.get(out, Const(shapes.get(out, ()), (), 4)) for out in proto.output]
    for out, result in zip(proto.output, node.results, strict=False):
        builder.values[out] = result


def attribute(a: Any) -> Any:
    """The value of an attribute: numbers and texts; None for others."""
    import onnx

    value = onnx.helper.get_attribute_value(a) if a.type in {1, 2, 3, 6, 7, 8} else None
    many = value if isinstance(value, list) else [value]
    texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in many]
    return texts if isinstance(value, list) else texts[0]


def load(what: str | Path | bytes) -> tuple[Any, str]:
    """The model without its external weights, and a name for it."""
    if isinstance(what, bytes):
        return parsed(what, "the ONNX model"), "the ONNX model"
    path = Path(what)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExplainError(
            f"{path} cannot be read: {error.strerror or error}. Give the path of an ONNX file."
        ) from error
    return parsed(data, path.name), path.name


def parsed(data: bytes, title: str) -> Any:
    """The model written in some bytes, its local functions put in place."""
    try:
        import onnx
        import onnx.inliner
    except ImportError as error:
        raise MissingExtraError("onnx", "explain", "Reading an ONNX file") from error
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own DecodeError, whose place differs between its releases
        raise ExplainError(
            f"{title} ({len(data)} bytes) is not a complete ONNX file: it may be truncated or of another format. "
            "Fetch or export it again."
        ) from error
    if not model.graph.node:
        raise ExplainError(f"{title} ({len(data)} bytes) holds no operators: it is empty, truncated or no ONNX file.")
    return onnx.inliner.inline_local_functions(model) if model.functions else model


STATE_NAME = re.compile(
    r"state|cache|hidden|memory|\bmem|buf|past|context|ctx|lstm|gru|rnn|(^|[_./])(h|c|hx|cx|hn|cn|h0|c0|hc)(_?in|\d*)?$",
    re.IGNORECASE,
)


def state_loops(inputs: Sequence[Any], outputs: Sequence[Any]) -> dict[str, str]:
    """The inputs that carry state, each with the output that becomes it at the next step: one of its own type and
    sizes, which is named alike, or whose sizes are not those of the signal."""
    names = [out.name for out in outputs]
    own = [value.name for value in inputs if value.name.startswith("state.")]
    after = {name: f"next.{name}" if f"next.{name}" in names else "" for name in own}
    rest = [name for name in names[1:] if name not in after.values()]
    found = {n: a or (rest[i] if len(rest) == len(own) else "") for i, (n, a) in enumerate(after.items())}
    signals = [value for value in inputs if value.name not in found and not _scalar(value)]
    if not signals:
        return found
    free = [out for out in outputs[1:] if out.name not in found.values()]
    main = next((v for v in signals if not STATE_NAME.search(v.name)), signals[0])
    for value in signals:
        if value is main:
            continue
        stem = value.name.lower().removesuffix("_in").removeprefix("in_").removesuffix("in").strip("_.")
        alike = [out for out in free if _fits(value, out)]
        named = [out for out in alike if stem and stem in out.name.lower()]
        other = not _fits(value, main) and not _fits(value, outputs[0])
        shown = STATE_NAME.search(value.name) is not None
        chosen = next(iter(named), None) or (alike[0] if alike and (other or shown) else None)
        if chosen is not None:
            found[value.name] = chosen.name
            free = [out for out in free if out is not chosen]
    return found


def _scalar(value: Any) -> bool:
    return not value.type.tensor_type.shape.dim or not is_float(value.type.tensor_type.elem_type)


def _fits(value: Any, out: Any) -> bool:
    """True when two tensors can have the same sizes: equal wherever both are known, with something known."""
    a, b = declared(value), declared(out)
    if len(a) != len(b) or value.type.tensor_type.elem_type != out.type.tensor_type.elem_type:
        return False
    both = [(x, y) for x, y in zip(a, b, strict=True) if isinstance(x, int) and isinstance(y, int)]
    return all(x == y for x, y in both)


def declared(value: Any) -> list[int | str]:
    """The sizes written in the file: numbers, names, or '?'."""
    dims = value.type.tensor_type.shape.dim
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in dims]


def input_shapes(
    inputs: Sequence[Any], states: set[str], given: Shapes | None, title: str
) -> dict[str, tuple[int, ...]]:
    """The size of every input: from the file, from what was given, 1 for open batches and for open sizes of states."""
    others = [v.name for v in inputs if v.name not in states]
    main = next((v.name for v in inputs if v.name in others and not _scalar(v)), next(iter(others), ""))
    if given is None or isinstance(given, Mapping):
        by_name = dict(given or {})
    else:
        single = bool(given) and isinstance(given[0], int)
        by_name = {main: given} if single else dict(zip(others, given, strict=False))  # type: ignore[dict-item, arg-type]
    known = {v.name for v in inputs}
    for name in by_name:
        if name not in known:
            raise ExplainError(f"{title} has no input '{name}'; its inputs are {', '.join(sorted(known))}.")
    symbols: dict[str, int] = {}
    found: dict[str, tuple[int, ...]] = {}
    for value in sorted(inputs, key=lambda v: v.name not in by_name):
        name, dims = value.name, declared(value)
        shown = f"[{', '.join(map(str, dims))}]"
        if name in by_name:
            shape = tuple(by_name[name])
            fits = len(shape) == len(dims) and all(isinstance(s, int) and s > 0 for s in shape)
            if not fits or any(isinstance(d, int) and 0 < d != s for d, s in zip(dims, shape, strict=True)):
                raise ExplainError(
                    f"{title}: input '{name}' has shape {shown}; the given shape {list(shape)} does not fit."
                )
            symbols.update({d: s for d, s in zip(dims, shape, strict=True) if isinstance(d, str) and d != "?"})
        else:
            sizes = [d if isinstance(d, int) and d > 0 else symbols.get(str(d)) for d in dims]
            if None in sizes[1:] and name not in states:
                example = ",".join(
                    str(d) if isinstance(d, int) and d > 0 else "1000" if i else "1" for i, d in enumerate(dims)
                )
                raise ExplainError(
                    f"{title}: input '{name}' has open sizes, {shown}. Give its shape, batch included: "
                    f"--input {example}, for example."
                )
            shape = tuple(size or 1 for size in sizes)
        found[name] = shape
    return found


def is_float(data_type: int) -> bool:
    """True for ONNX's floating types."""
    return data_type in {1, 10, 11, 16, 17, 18, 19, 20}


def item_bytes(data_type: int) -> int:
    """Bytes of one value of an ONNX data type."""
    return {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 16: 2}.get(data_type, 1)
