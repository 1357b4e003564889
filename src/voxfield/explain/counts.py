"""What each kind of operator multiplies, and what a stream must keep of it between steps.

MACs: one multiply-accumulate counted once, dense kernels only; bias, normalisation and activations are not counted. A
transposed convolution multiplies every *input* position with its kernel. State: the columns along time that the next
step still needs. Every function takes the operator, the shapes of its inputs and outputs and the dims along which time
moves, and answers None when it cannot be said.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from .graph import Op, Size

Shape = tuple[Size, ...]
Shapes = tuple[Shape, ...]
CountRule = Callable[[Op, Shapes, Shapes, frozenset[int]], int | None]


def numel(shape: Shape) -> int | None:
    """Number of values, or None when a size is not known."""
    return None if None in shape else prod(shape)  # type: ignore[arg-type]


def no_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return 0


def per_position(shape: Shape, dim: int | None) -> int | None:
    """Values of a tensor divided by its size along one dim."""
    total = numel(shape)
    if total is None or dim is None or not shape[dim]:
        return None
    return total // (shape[dim] or 1)


def conv_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    """Output positions x kernel values; for a transposed convolution input positions x kernel values."""
    positions = per_position(ins[0] if op.kind == "conv_transpose" else outs[0], op.channel_dim)
    return None if positions is None or op.weight_values is None else positions * op.weight_values


def linear_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    rows = per_position(ins[0], op.dims[0])
    return None if rows is None or op.weight_values is None else rows * op.weight_values


def einsum_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    sizes: dict[str, Size] = dict(op.attr("weight_sizes", {}))
    for labels, shape in zip((*op.attr("labels"), op.attr("output")), (*ins, outs[0]), strict=True):
        for label, size in zip(labels, shape, strict=True):
            known = sizes.get(label)
            sizes[label] = size if known is None or size is None else max(known, size)
    return numel(tuple(sizes.values()))


def attention_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    queries, keys = numel(ins[0]), ins[1][op.dims[0]]
    values = numel(outs[0])
    return None if queries is None or keys is None or values is None else (queries + values) * keys


def rnn_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    """Gates x hidden x (inputs + hidden) for every step, layer and direction."""
    steps = per_position(ins[0], op.channel_dim)
    return None if steps is None or op.weight_values is None else steps * op.weight_values


def no_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return 0


def window_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    """Input columns that the next step still needs; for a transposed convolution the unfinished output columns.

    One column holds the channels and the other positions of one item of the batch (dim 0).
    """
    kept = 0
    for dim, w in zip(op.dims, op.windows, strict=True):
        if dim not in time:
            continue
        shape = outs[0] if op.kind in {"conv_transpose", "fold"} else ins[0]
        column = numel(tuple(size for d, size in enumerate(shape) if d not in {0, dim}))
        if column is None:
            return None
        kept += max(0, w.reach - w.stride) * column
    return kept


def rnn_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    """Hidden (and cell) values of every layer and direction, for every sequence run side by side."""
    seq = op.dims[0]
    if seq not in time:
        return 0
    total = numel(ins[0])
    if total is None or op.channel_dim is None:
        return None
    side_by_side = total // ((ins[0][seq] or 1) * (ins[0][op.channel_dim] or 1))
    directions = 2 if op.attr("bidirectional") else 1
    return int(
        op.attr("hidden") * op.attr("layers", 1) * directions * (2 if op.attr("cell") == "lstm" else 1) * side_by_side
    )


def cumulative_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return per_position(ins[0], op.dims[0]) if op.dims[0] in time else 0


def attention_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return None if op.dims[0] in time else 0


def cannot_say(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return None
