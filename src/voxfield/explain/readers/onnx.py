"""An ONNX file as a `Graph`, from its structure alone: weights are not looked at and external data need not be there.

Inputs that carry state (named `state.NAME`, or paired with an output of the same shape and a related name) are left
context: concatenated along time they only shift what follows. Shapes are worked out in `onnx_shapes`, and what each
operator means is in `onnx_ops`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import ExplainError, MissingExtraError
from ..graph import Axis, Graph, Tensor, axes_of
from .build import Builder, Const
from .onnx_ops import read_node

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
    states = state_names(inputs, model.graph.output)
    shapes = input_shapes(inputs, states, input_shape, title)
    resolved = resolve(model, shapes)
    builder = Builder()
    for value in inputs:
        builder.add_input(value.name, shapes[value.name], item_bytes(value.type.tensor_type.elem_type))
        if value.name in states:
            builder.tensors[value.name] = Tensor(value.name, shapes[value.name], "state", 4)
    for value in model.graph.initializer:
        shape, item = tuple(value.dims), item_bytes(value.data_type)
        size = 1
        for length in shape:
            size *= length
        trained = is_float(value.data_type) and bool(shape)
        builder.values[value.name] = Const(shape, ((value.name, size, item, trained),), item)
    for number, node in enumerate(resolved.nodes):
        read_node(builder, node, number, resolved.shapes, resolved.constants)
    outputs = [builder.activation(value.name) for value in model.graph.output]
    made = [name for name in outputs if name is not None]
    if not made:
        raise ExplainError(f"{title}: no output depends on an input, so there is nothing to explain.")
    main = next((value.name for value in inputs if value.name not in states), None)
    if main is None:
        raise ExplainError(f"{title}: all of its inputs look like states: {', '.join(sorted(states))}.")
    axes: dict[str, tuple[Axis, ...]] = {}
    for value in inputs:
        if value.name not in states and len(shapes[value.name]) > 0:
            axes[value.name] = axes_of(len(shapes[value.name]), layout if value.name == main else None)
    return Graph(
        tuple(builder.ops), builder.tensors, tuple(builder.inputs), tuple(made), axes, title, tuple(builder.notes)
    )


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


def state_names(inputs: Sequence[Any], outputs: Sequence[Any]) -> set[str]:
    """The inputs that carry state from one step to the next."""
    found = set()
    for value in inputs[1:] if not inputs[0].name.startswith("state.") else inputs:
        name = value.name
        if name.startswith("state."):
            found.add(name)
            continue
        stem = name.lower().removesuffix("_in").removeprefix("in_").removesuffix("in").strip("_.")
        for out in outputs[1:]:
            if stem and stem in out.name.lower() and declared(value) == declared(out):
                found.add(name)
    return found


def declared(value: Any) -> list[int | str]:
    """The sizes written in the file: numbers, names, or '?'."""
    dims = value.type.tensor_type.shape.dim
    return [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in dims]


def input_shapes(
    inputs: Sequence[Any], states: set[str], given: Shapes | None, title: str
) -> dict[str, tuple[int, ...]]:
    """The size of every input: from the file, from what was given, 1 for open batches and for open sizes of states."""
    main = next((v.name for v in inputs if v.name not in states), "")
    if given is None:
        by_name: dict[str, Sequence[int]] = {}
    elif isinstance(given, Mapping):
        by_name = dict(given)
    elif given and isinstance(given[0], int):
        by_name = {main: given}  # type: ignore[dict-item]
    else:
        names = [v.name for v in inputs if v.name not in states]
        by_name = dict(zip(names, given, strict=False))  # type: ignore[arg-type]
    known = {v.name for v in inputs}
    for name in by_name:
        if name not in known:
            raise ExplainError(f"{title} has no input '{name}'; its inputs are {', '.join(sorted(known))}.")
    symbols: dict[str, int] = {}
    found: dict[str, tuple[int, ...]] = {}
    for value in sorted(inputs, key=lambda v: v.name not in by_name):
        dims = declared(value)
        if value.name in by_name:
            shape = tuple(by_name[value.name])
            fits = len(shape) == len(dims) and all(isinstance(s, int) and s > 0 for s in shape)
            if not fits or any(isinstance(d, int) and 0 < d != s for d, s in zip(dims, shape, strict=True)):
                raise ExplainError(
                    f"{title}: input '{value.name}' has shape {show(dims)}; the given shape {list(shape)} does not fit."
                )
            symbols.update({d: s for d, s in zip(dims, shape, strict=True) if isinstance(d, str) and d != "?"})
            found[value.name] = shape
            continue
        sizes: list[int] = []
        for place, dim in enumerate(dims):
            if isinstance(dim, int) and dim > 0:
                sizes.append(dim)
            elif dim in symbols:
                sizes.append(symbols[str(dim)])
            elif place == 0 or value.name in states:
                sizes.append(1)
            else:
                likely = (str(d) if isinstance(d, int) and d > 0 else "1000" if i else "1" for i, d in enumerate(dims))
                example = ",".join(likely)
                raise ExplainError(
                    f"{title}: input '{value.name}' has open sizes, {show(dims)}. Give its shape, batch included: "
                    f"--input {example}, for example."
                )
        found[value.name] = tuple(sizes)
    return found


def show(dims: Sequence[int | str]) -> str:
    """Sizes as text."""
    return "[" + ", ".join(str(d) for d in dims) + "]"


def is_float(data_type: int) -> bool:
    """True for ONNX's floating types."""
    return data_type in {1, 10, 11, 16, 17, 18, 19, 20}


def item_bytes(data_type: int) -> int:
    """Bytes of one value of an ONNX data type."""
    return {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 16: 2}.get(data_type, 1)
