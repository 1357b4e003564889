"""A torch module as a `Graph`, read from the exported graph of one forward pass.

`torch.export` records what really runs, functional operators and skips included, and keeps an LSTM as one operator.
Nothing is computed: the tracing uses shapes only. `OPERATORS` maps an operator's name to a function that adds neutral
operators to a graph. One outside the table is elementwise when torch says so, and `unknown` otherwise.
"""

from __future__ import annotations

import logging
import operator
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import torch
from torch.fx.node import map_arg

from ...errors import ExplainError
from ..axes import settled_dims
from ..graph import Graph, axes_of
from ..phrases import NAMES
from . import aten_layers, aten_moves, aten_signal
from .build import Call, Const, OperatorGraph, Owned, operators, unknown_op

Shapes = Sequence[int] | Sequence[Sequence[int]]
NOTHING = Const((), (), 0)
OPERATORS: dict[str, Callable[[Call], None]] = operators("aten", aten_layers, aten_moves, aten_signal)


def read_module(
    module: torch.nn.Module, input_shape: Shapes, *, layout: str | None = None, title: str | None = None
) -> Graph:
    """The graph of a module's forward pass in evaluation mode; the module itself is left as it was.

    Args:
        module: any torch module whose forward takes tensors.
        input_shape: the shape of its input, batch included, or a list of shapes, one for each tensor it takes.
        layout: letters of the first input's dims, such as "BCTF"; see `axes_of`.
        title: name for the report; the class name without it.

    Raises:
        ExplainError: the module cannot be run with these shapes, or cannot be exported.
    """
    shapes = [tuple(s) for s in nested(input_shape)]
    try:
        program = export(module, shapes)
    except ExplainError as error:
        through = by_recording(module, shapes, layout)
        if through is None:
            raise
        reason = f"{type(error.__cause__).__name__ if error.__cause__ else 'an error'} in torch.export"
        note = f"Read from its ONNX form after {reason}: branches that depend on data are fixed as they ran."
        own = sum(p.numel() for p in module.parameters())  # an exporter merges equal tensors and folds norms away
        return replace(through, title=title or type(module).__name__, notes=(*through.notes, note), own_params=own)
    builder = built(program)
    outputs = [builder.activation(name) for name in program.graph_signature.user_outputs if isinstance(name, str)]
    made = [name for name in outputs if name is not None]
    if not made:
        raise ExplainError(
            f"{type(module).__name__}: no output depends on the input. Check that forward returns what it computes."
        )
    builder.title = title or type(module).__name__
    for i, name in enumerate(builder.inputs):
        builder.axes[name] = axes_of(len(builder.tensors[name].shape), None if i else layout)
    builder.note_idle(builder.reached(made))
    frozen = sum(p.numel() for p in module.parameters() if not p.requires_grad)
    total, seen = sum(p.numel() for p in module.parameters()), sum(op.params for op in builder.ops)
    if total > seen:
        builder.note(f"{total - seen} of {total} parameters take no part in this forward pass and are not counted.")
    if frozen:
        builder.note(f"{frozen} of {total} parameters are frozen (requires_grad is False).")
    return settled_dims(builder.graph(made), layout)


def built(program: Any) -> OperatorGraph:
    """The operators of an exported program, and what each of its nodes became."""
    signature = program.graph_signature
    parameters, owned = set(signature.inputs_to_parameters), owned_by(program)
    builder = OperatorGraph()
    for node in program.graph.nodes:
        if node.op == "placeholder":
            read_placeholder(builder, node, owned, parameters, list(signature.user_inputs))
        elif node.op == "call_function":
            before = len(builder.ops)
            read_call(builder, node)
            builder.made[node.name] = [op.name for op in builder.ops[before:]]
    return builder


def owned_by(program: Any) -> dict[str, str]:
    """The module's own name of every placeholder that stands for a parameter, a buffer or a constant of it."""
    signature = program.graph_signature
    constants = signature.inputs_to_lifted_tensor_constants
    return {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **constants}


def by_recording(module: torch.nn.Module, shapes: Sequence[Sequence[int]], layout: str | None) -> Graph | None:
    """The graph of one recorded run in ONNX form, for modules that torch.export refuses; None when that fails too."""
    try:
        from .onnx import read_onnx

        names = [f"input_{i}" if i else "input" for i in range(len(shapes))]
        content: Any = BytesIO()  # torch says that it wants a path
        with traced(module, shapes, "torch.onnx") as inputs, unheard():
            torch.onnx.export(module, inputs, content, dynamo=False, opset_version=17, input_names=names, verbose=False)
        return read_onnx(content.getvalue(), input_shape=dict(zip(names, shapes, strict=True)), layout=layout)
    except Exception:  # whatever the reason, the message of the first attempt says more
        return None


@contextmanager
def unheard() -> Iterator[None]:
    """torch's recorder writes whole graphs where it fails, from C++: past Python's streams, to where nobody reads."""
    with suppress(AttributeError):
        torch._C._jit_set_onnx_log_output_stream("stderr")  # which is not held back until later
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def nested(input_shape: Shapes) -> list[Sequence[int]]:
    """A list of shapes, also when a single one was given."""
    if not input_shape:
        raise ExplainError("An empty input shape was given: give one size per dim, batch included, such as 1,1,16000.")
    if isinstance(input_shape[0], int):
        return [input_shape]  # type: ignore[list-item]
    return list(input_shape)  # type: ignore[arg-type]


def export(module: torch.nn.Module, shapes: Sequence[Sequence[int]]) -> Any:
    """The exported program of a module in evaluation mode."""
    for shape in shapes:
        if any(not isinstance(size, int) or size < 1 for size in shape):
            raise ExplainError(f"An input shape needs whole sizes of at least 1, batch included; given: {list(shape)}.")
    try:
        with traced(module, shapes, "torch.fx.experimental.symbolic_shapes") as inputs:
            program = torch.export.export(module, inputs, strict=False)
            if any(writes_into_a_view(node) for node in program.graph.nodes):
                program = program.run_decompositions({})
            return program
    except Exception as error:  # torch raises many kinds here, of user code as well; all mean the same to the user
        reason = str(error).strip().split("\n")[0][:300]
        raise ExplainError(
            f"{type(module).__name__} could not be traced with input shape "
            f"{', '.join(str(list(s)) for s in shapes)}: {type(error).__name__}: {reason}. Give a shape that it takes, "
            "batch included and long enough for its kernels; branches that depend on the data cannot be traced."
        ) from error


@contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """The module in evaluation mode, and every part of it back in its own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


@contextmanager
def traced(module: torch.nn.Module, shapes: Sequence[Sequence[int]], log_name: str) -> Iterator[tuple[Any, ...]]:
    """Inputs for a tracing of the module, without what torch then warns of, logs and prints: whole graphs, where it
    fails."""
    (device, dtype), log = kind_of(module), logging.getLogger(log_name)
    before, log.disabled = log.disabled, True
    silent = redirect_stdout(StringIO()), redirect_stderr(StringIO())
    try:
        with evaluating(module), warnings.catch_warnings(action="ignore"), silent[0], silent[1]:
            yield tuple(torch.zeros(*shape, device=device, dtype=dtype) for shape in shapes)
    finally:
        log.disabled = before


def kind_of(module: torch.nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and floating type of a module's parameters."""
    for value in (*module.parameters(), *module.buffers()):
        if value.is_floating_point():
            return value.device, value.dtype
    return torch.device("cpu"), torch.float32


def writes_into_a_view(node: Any) -> bool:
    """True for an in-place operator on a part of another tensor, which only a functional graph shows rightly."""
    if node.op != "call_function" or not str(node.target).split(".")[1:2] or not node.args:
        return False
    name = str(node.target).split(".")[1]
    if name in {"copy_", "index_put_", "set_", "masked_scatter_"}:
        return True
    if not name.endswith("_") or name.endswith("__"):
        return False
    base = node.args[0]
    return getattr(base, "op", "") == "call_function" and any(
        word in str(base.target)
        for word in ("slice", "select", "view", "narrow", "chunk", "split", "getitem", "permute")
    )


def read_placeholder(
    builder: OperatorGraph, node: Any, owned: Mapping[str, str], parameters: set[str], names: Sequence[Any]
) -> None:
    """An input of the graph: the user's tensor, a parameter or a buffer."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        builder.values[node.name] = NOTHING
        return
    shape = tuple(int(s) for s in value.shape)
    if node.name in names and node.name not in owned:
        builder.add_input(node.name, shape, value.element_size())
        return
    item = value.element_size()
    one: Owned = (owned.get(node.name, node.name), value.numel(), item, node.name in parameters)
    builder.values[node.name] = Const(shape, (one,), item)


def read_call(builder: OperatorGraph, node: Any) -> None:
    """Add what one operator of the graph means to the builder."""
    if node.target is operator.getitem:
        source, index = node.args
        parts = builder.parts.get(source.name)
        builder.values[node.name] = parts[index] if parts else NOTHING
        return
    made = node.meta.get("val")
    single = isinstance(made, torch.Tensor)
    outs = [
        (tuple(int(s) for s in out.shape), out.element_size()) if isinstance(out, torch.Tensor) else None
        for out in ([made] if single else made if isinstance(made, list | tuple) else ())
    ]
    source = str(node.target)
    base = source.split(".")[1] if "." in source else source
    in_place = base.endswith("_") and not base.endswith("__")
    base = base.rstrip("_") if in_place else base
    known: Any = builder.values  # torch types an argument as one of its own
    args = named_arguments(node, *map_arg((node.args, node.kwargs), lambda one: known.get(one.name, NOTHING)))
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, cls = (stack[-1][0], str(stack[-1][1])) if stack else ("", "")
    call = Call(builder, node.name, base, source, args, outs, (path, cls.startswith("torch.nn.")))
    pointwise = torch.Tag.pointwise in getattr(node.target, "tags", ())
    rule = OPERATORS.get(base) or (aten_moves.pointwise_op if pointwise else unknown_op)
    call.settle(rule, base in NAMES["aten_shape_only"])
    if single and call.results:
        builder.values[node.name] = call.results[0]
    builder.parts[node.name] = call.results
    first = getattr(next(iter((*node.args, *node.kwargs.values())), None), "name", None)
    if in_place and call.results and first in builder.values:
        builder.values[first] = call.results[0]


def named_arguments(node: Any, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of an operator by the names of its schema, defaults filled in."""
    schema = getattr(node.target, "_schema", None)
    wanted = () if schema is None else schema.arguments
    usual = {one.name: one.default_value if one.has_default_value() else None for one in wanted}
    return usual | dict(named) | {one.name: given for one, given in zip(wanted, args, strict=False)}


def first_tensor(answer: Any) -> torch.Tensor:
    """The first tensor of what a forward pass returns."""
    if isinstance(answer, torch.Tensor):
        return answer
    values = answer.values() if isinstance(answer, dict) else answer
    return first_tensor(next(iter(values)))
