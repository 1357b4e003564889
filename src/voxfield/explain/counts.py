"""What each kind of operator multiplies, and what a stream must keep of it between steps.

MACs: one multiply-accumulate counted once, dense kernels only; bias, normalisation and activations are not counted. A
transposed convolution multiplies every *input* position with its kernel. State: the columns along time that the next
step still needs. Every function takes the operator, the shapes of its inputs and outputs and the dims along which time
moves, and answers None when it cannot be said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from .graph import Op, Shape, Size, Window, product
from .shapes import label_sizes

Shapes = tuple[Shape, ...]
CountRule = Callable[[Op, Shapes, Shapes, frozenset[int]], int | None]


GATES = {"lstm": 4, "gru": 3, "rnn": 1}  # of a recurrent cell


def recurrent_weights(cell: str, features: int, hidden: int, layers: int, ways: int) -> int:
    """Values of the kernels of a recurrence: gates x hidden x (inputs + hidden) in every layer and direction."""
    inside = [features] + [hidden * ways] * (layers - 1)
    return sum(GATES.get(cell, 1) * hidden * (size + hidden) * ways for size in inside)


def kernel_values(inside: Size, outside: Size, windows: Sequence[Window] = (), groups: int = 1) -> int | None:
    """Values of the kernels of a convolution, or of a matrix."""
    if inside is None or outside is None:
        return None
    return inside // groups * outside * prod(w.kernel for w in windows)


def nothing(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return 0


def per_position(shape: Shape, dim: int | None) -> int | None:
    """Values of a tensor divided by its size along one dim."""
    total = product(shape)
    if total is None or dim is None or not shape[dim]:
        return None
    return total // (shape[dim] or 1)


def kernel_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    """Positions x kernel values: positions of the output for a convolution, of the input for all others."""
    dim = op.dims[0] if op.kind == "linear" else op.channel_dim
    positions = per_position(outs[0] if op.kind == "conv" else ins[0], dim)
    return None if positions is None or op.weight_values is None else positions * op.weight_values


def einsum_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    labels = (*op.attr("labels"), op.attr("output"))
    return product(label_sizes(labels, (*ins, outs[0]), op.attr("weight_sizes", {})).values())


def attention_macs(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    queries, keys = product(ins[0]), ins[1][op.dims[0]]
    values = product(outs[0])
    return None if queries is None or keys is None or values is None else (queries + values) * keys


def window_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    """Input columns that the next step still needs; for a transposed convolution the unfinished output columns.

    One column holds the channels and the other positions of one item of the batch (dim 0).
    """
    kept = 0
    for dim, w in zip(op.dims, op.windows, strict=True):
        if dim not in time:
            continue
        shape = outs[0] if op.kind in {"conv_transpose", "fold"} else ins[0]
        column = product(size for d, size in enumerate(shape) if d not in {0, dim})
        if column is None:
            return None
        kept += max(0, w.reach - w.stride) * column
    return kept


def rnn_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    """Hidden (and cell) values of every layer and direction, for every sequence run side by side."""
    seq = op.dims[0]
    if seq not in time:
        return 0
    total = product(ins[0])
    if total is None or op.channel_dim is None:
        return None
    side_by_side = total // ((ins[0][seq] or 1) * (ins[0][op.channel_dim] or 1))
    vectors = op.attr("layers", 1) * op.ways * (2 if op.attr("cell") == "lstm" else 1)
    return int(op.attr("hidden") * vectors * side_by_side)


def cumulative_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return per_position(ins[0], op.dims[0]) if op.dims[0] in time else 0


def attention_state(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return None if op.dims[0] in time else 0


def cannot_say(op: Op, ins: Shapes, outs: Shapes, time: frozenset[int]) -> int | None:
    return None
