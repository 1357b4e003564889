"""A graph whose operators were changed, with every size, weight and slice that follows worked out anew.

Channels flow on as they would in the code that made the network: a convolution takes as many as it is given, a
depthwise one stays so, normalisations follow, merged features stay merged. What cannot be decided is an error that
names the operator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import ExplainError
from .counts import GATES, kernel_values, recurrent_weights
from .graph import Graph, Op, Placed, Shape, Size, Tensor
from .phrases import NAMES
from .shapes import follow


def rebuilt(
    graph: Graph, ops: Sequence[Op], outputs: Sequence[str], past: Mapping[str, Placed], filters: Mapping[str, Size]
) -> Graph:
    """The graph of `ops`, which were changed, added or rewired.

    Args:
        graph: the graph before, for its inputs and constants.
        ops: the operators now, in order.
        outputs: the outputs now.
        past: for each operator what it was before; a new one is there with the shapes it would have had.
        filters: new numbers of output channels, for the operators where they change.

    Raises:
        ExplainError: sizes that no longer fit.
    """
    made = {name for op in graph.ops for name in op.outputs}
    tensors: dict[str, Tensor] = {name: t for name, t in graph.tensors.items() if name not in made}
    channel_of: dict[str, int] = {}
    kept: list[Op] = []
    for op in ops:
        was = past[op.name]
        ins = tuple(tensors[t].shape for t in op.inputs)
        op = _adapted(op, was, ins)
        channels = filters[op.name] if op.name in filters else _channels(op, was, ins)
        op = _weighed(op, was, ins, channels)
        known = channel_of.get(op.inputs[0]) if op.inputs else None
        shape = follow(op, was.ins, ins, was.outs[0], channels)
        if known is not None and op.params and op.kind in {"elementwise", "norm"}:
            op = _scaled(op, was.ins[0][known], ins[0][known], op.name)
        shapes = (shape, *(_side(op, was, i, ins) for i in range(1, len(op.outputs))))
        for name, one in zip(op.outputs, shapes, strict=True):
            item = graph.tensors[name].item_bytes if name in graph.tensors else 4
            tensors[name] = Tensor(name, one, "activation", item)
        if op.kind in {"conv", "conv_transpose"} and op.channel_dim is not None:
            channel_of[op.outputs[0]] = op.channel_dim
        elif known is not None and op.kind in NAMES["keeps_channels"]:
            channel_of[op.outputs[0]] = known
        kept.append(op)
    used = {name for op in kept for name in (*op.inputs, *op.outputs)}
    inputs = tuple(name for name in graph.inputs if name in used)
    tensors = {name: t for name, t in tensors.items() if name in used}
    return replace(
        graph,
        ops=tuple(kept),
        tensors=tensors,
        inputs=inputs,
        outputs=tuple(outputs),
        axes={name: graph.axes[name] for name in inputs if name in graph.axes},
    )


def _channels(op: Op, was: Placed, ins: Sequence[Shape]) -> Size:
    """Output channels of an operator without a new number: as before, or as many as come in when depthwise."""
    if op.kind == "linear":
        return was.outs[0][op.dims[0]]
    if op.kind not in {"conv", "conv_transpose"} or op.channel_dim is None:
        return None
    old_in, old_out, new_in = was.ins[0][op.channel_dim], was.outs[0][op.channel_dim], ins[0][op.channel_dim]
    if _depthwise(was.op, old_in) and old_in and old_out and new_in:
        return old_out // old_in * new_in
    return old_out


def _depthwise(op: Op, channels: Size) -> bool:
    return op.groups > 1 and op.groups == channels


def _adapted(op: Op, was: Placed, ins: Sequence[Shape]) -> Op:
    """Groups, slices and fixed indices brought to the new sizes."""
    if op.kind in {"conv", "conv_transpose"} and op.channel_dim is not None:
        old, new = was.ins[0][op.channel_dim], ins[0][op.channel_dim]
        if op.groups == was.op.groups and _depthwise(op, old) and new:
            op = op.with_(groups=new)
        if new is not None and new % op.groups:
            raise ExplainError(f"{op.name}: {new} channels cannot be split into its {op.groups} groups.")
    if op.kind == "slice" and was.ins[0] != ins[0]:
        ends = zip(op.dims, op.attrs["start"], op.attrs["stop"], strict=True)
        moved = [_moved(start, stop, was.ins[0][dim], ins[0][dim], op.name) for dim, start, stop in ends]
        op = op.with_(attrs={**op.attrs, "start": tuple(a for a, _ in moved), "stop": tuple(b for _, b in moved)})
    if op.kind == "select" and was.ins[0] != ins[0]:
        old, new, index = was.ins[0][op.dims[0]], ins[0][op.dims[0]], op.attrs["index"]
        if old is not None and new is not None and index == old - 1:
            op = op.with_(attrs={**op.attrs, "index": new - 1})
    return op


def _moved(start: int, stop: int | None, old: Size, new: Size, where: str) -> tuple[int, int | None]:
    """A slice of `old` positions on `new` ones: halves stay halves, and what was cut off at an end stays cut off."""
    if old == new or old is None or new is None or stop is None:
        return start, stop
    width = stop - start
    if width and old % width == 0 and start % width == 0 and width < old and new * width % old == 0:
        return start * new // old, stop * new // old
    end = new - (old - stop)
    if end <= start:
        raise ExplainError(f"{where}: it cuts positions {start} to {stop} of {old}, and there are only {new} now.")
    return start, end


def _weighed(op: Op, was: Placed, ins: Sequence[Shape], channels: Size) -> Op:
    """Weights and parameters for the channels and kernels of now."""
    before = was.op.weight_values
    if before is None:
        return op
    if op.kind == "rnn" and op.channel_dim is not None:
        return _recurrent(op, was, ins[0][op.channel_dim])
    dim, groups = (op.dims[0], 1) if op.kind == "linear" else (op.channel_dim, op.groups)
    if op.kind not in {"conv", "conv_transpose", "linear"} or dim is None:
        return op
    wide, now = was.outs[0][dim], kernel_values(ins[0][dim], channels, op.windows, groups)
    if now is None or channels is None or wide is None:
        return op
    if channels % groups:
        raise ExplainError(f"{op.name}: {channels} filters cannot be split into its {groups} groups.")
    bias = (was.op.params - before) * channels // wide if was.op.params else 0
    return _with_params(op, was, now, now + bias)


def _recurrent(op: Op, was: Placed, features: Size) -> Op:
    before = was.op.weight_values
    if features is None or before is None:
        return op
    cell, hidden, layers = str(op.attr("cell")), int(op.attrs["hidden"]), int(op.attr("layers", 1))
    now = recurrent_weights(cell, features, hidden, layers, op.ways)
    old, new = (GATES.get(cell, 1) * int(one.attrs["hidden"]) * layers * one.ways for one in (was.op, op))
    biases = (was.op.params - before) // old if was.op.params else 0
    return _with_params(op, was, now, now + biases * new)


def _with_params(op: Op, was: Placed, weights: int, params: int) -> Op:
    if not was.op.params:  # its parameters belong to another operator
        return op.with_(weight_values=weights)
    size = was.op.weight_bytes + (params - was.op.params) * item_bytes(was.op)
    return op.with_(weight_values=weights, params=params, weight_bytes=size)


def item_bytes(op: Op) -> int:
    """Bytes of one parameter of an operator."""
    return max(1, op.weight_bytes // op.params) if op.params else 4


def _scaled(op: Op, old: Size, new: Size, where: str) -> Op:
    """Parameters per channel of a normalisation or PReLU for another number of channels."""
    if old is None or new is None or old == new or op.params % old:
        return op
    return op.with_(params=op.params // old * new, weight_bytes=op.weight_bytes // old * new)


def _side(op: Op, was: Placed, index: int, ins: Sequence[Shape]) -> Shape:
    """Further outputs: the last states of a recurrence; others keep their shapes."""
    if op.kind != "rnn" or op.channel_dim is None:
        return was.outs[index] if index < len(was.outs) else was.outs[0]
    return (op.ways * int(op.attr("layers", 1)), *was.outs[index][1:-1], int(op.attrs["hidden"]))
