"""The moves and products that the readers of torch's operators and of ONNX share, on a `Call`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from .build import Call, Const, Live, Shape, Value, dim_of


def cut(c: Call, x: Live, dim: int, start: int, stop: int, step: int = 1) -> Live:
    """One slice along a dim."""
    shape = (*x.shape[:dim], max(0, -(-(stop - start) // step)), *x.shape[dim + 1 :])
    attrs = {"start": (start,), "stop": (stop,), "step": (step,)}
    return c.emit("slice", [x], shape, dims=(dim,), attrs=attrs)


def split(c: Call, x: Live, dim: int) -> None:
    """One slice along a dim for each output, as long as that is."""
    made: list[Value] = []
    start = 0
    for out in c.outs:
        length = out[0][dim] if out else 0
        made.append(cut(c, x, dim, start, start + length))
        start += length
    c.results = made


def concat(c: Call, pieces: Sequence[Value | None], dim: int, kind: str = "concat") -> None:
    """Constants among the pieces become inputs without a field, so that sizes still add up."""
    live: list[Live] = []
    for piece in pieces:
        if isinstance(piece, Live):
            live.append(piece)
        elif isinstance(piece, Const) and 0 not in piece.shape:
            live.append(c.constant(piece))
    c.emit(kind, live, dims=(dim,))


def copies(c: Call, x: Live, times: Sequence[int]) -> None:
    """Copies laid side by side: one concatenation per repeated dim."""
    for dim, count in enumerate(times):
        if count == 1:
            continue
        alone, shape = x.shape[dim] == 1, (*x.shape[:dim], x.shape[dim] * count, *x.shape[dim + 1 :])
        x = c.emit("expand" if alone else "concat", [x] if alone else [x] * count, shape, dims=(dim,))
    c.results = [x]


def rearranged(c: Call, x: Live, parts: Shape, order: Sequence[int]) -> None:
    """Split into `parts`, permuted, merged to the output's shape."""
    y = c.emit("reshape", [x], parts)
    y = c.emit("permute", [y], tuple(parts[i] for i in order), attrs={"order": tuple(order)})
    c.emit("reshape", [y])


def reduced(c: Call, x: Live, dims: Sequence[int], keepdim: bool, function: str) -> None:
    """A statistic over some dims."""
    attrs = {"keepdim": keepdim, "function": function}
    c.emit("reduce", [x], more=c.others, dims=tuple(dim_of(int(d), len(x.shape)) for d in dims), attrs=attrs)


def multiply(c: Call, operands: Sequence[Value], labels: Sequence[str], output: str) -> Live:
    """An einsum of activations and weights."""
    sizes: dict[str, int] = {}
    for value, text in zip(operands, labels, strict=True):
        for label, size in zip(text, value.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    live = [(v, text) for v, text in zip(operands, labels, strict=True) if isinstance(v, Live)]
    fixed = [v for v in operands if isinstance(v, Const)]
    attrs = {"labels": tuple(text for _, text in live), "output": output, "weight_sizes": sizes}
    values = prod(fixed[0].shape) if fixed else None
    return c.emit("einsum", [v for v, _ in live], attrs=attrs, weight_values=values)


def matrix_product(c: Call, left: Value, right: Value) -> Live:
    """The product over the last dim of one and the last but one of the other, for every item of a batch."""
    a, b = len(left.shape), len(right.shape)
    batch = "abcdefgh"[: max(a, b, 2) - 2]
    labels = [batch[len(batch) - (rank - 2) :] + own if rank > 1 else "k" for rank, own in ((a, "ik"), (b, "kj"))]
    return multiply(c, [left, right], labels, batch + "i" * (a > 1) + "j" * (b > 1))


def named_product(c: Call, equation: str, operands: Sequence[Value]) -> bool:
    """An einsum by its equation; False where it is of a kind that is not followed."""
    left, arrow, output = equation.replace(" ", "").partition("->")
    labels = left.split(",")
    if "." in equation or not arrow or any(len(set(text)) != len(text) for text in labels):
        return False
    multiply(c, operands, labels, output)
    return True
