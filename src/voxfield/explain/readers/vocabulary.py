"""What readers share: windows, and the moves and products of operators of torch and of ONNX, on a `Call`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from ..graph import Window
from ..shapes import label_sizes, rearrangement
from .build import Call, Const, Live, Shape, Value, dim_of, spread


def cut(c: Call, x: Live, dim: int, start: int, stop: int, step: int = 1) -> Live:
    """One slice along a dim."""
    shape = (*x.shape[:dim], max(0, -(-(stop - start) // step)), *x.shape[dim + 1 :])
    return c.emit("slice", [x], shape, dims=(dim,), start=(start,), stop=(stop,), step=(step,))


def copies(c: Call, x: Live, times: Sequence[int]) -> None:
    """Copies laid side by side: one concatenation per repeated dim."""
    for dim, count in enumerate(times):
        if count == 1:
            continue
        alone, shape = x.shape[dim] == 1, (*x.shape[:dim], x.shape[dim] * count, *x.shape[dim + 1 :])
        x = c.emit("expand" if alone else "concat", [x] if alone else [x] * count, shape, dims=(dim,))
    c.results = [x]


def taken(c: Call, x: Live, kind: str, reads: Sequence[tuple[int, int, int]], **settings: Any) -> None:
    """A slice or one place of what is behind the writes that do not meet it: (dim, start, stop) of what it reads."""
    behind = c.builder.untouched(x, reads)
    if isinstance(behind, Const):
        c.results = [Const(c.shape, (), behind.item_bytes)]
    else:
        c.emit(kind, [behind], **settings)


def rearranged(c: Call, pattern: str, **sizes: int) -> None:
    """The dims of the input taken apart, put in another order and merged, as a pattern of einops says it."""
    apart, order, _ = rearrangement(pattern, c.first().shape, sizes, c.base)
    parts = tuple(int(size or 1) for size in apart)
    y = c.emit("reshape", [c.first()], parts)
    y = c.emit("permute", [y], tuple(parts[i] for i in order), order=tuple(order))
    c.emit("reshape", [y])


def windows_of(
    taps: Sequence[int], stride: Any = 1, dilation: Any = 1, pads: Any = 0, extra: Any = 0, ceil: bool = False
) -> list[Window]:
    """One window per dim; a single number stands for all of them, and one pad for both ends."""
    strides, dilations, ends, more = (spread(value, len(taps)) for value in (stride, dilation, pads, extra))
    pairs = [end if isinstance(end, tuple) else (end, end) for end in ends]
    rows = zip(taps, strides, dilations, pairs, more, strict=True)
    return [Window(k, step, d, before, after, o, ceil) for k, step, d, (before, after), o in rows]


def convolved(c: Call, x: Live, weight: Const, windows: Sequence[Window], groups: int, transposed: bool) -> Live:
    """A convolution along the last dims; the channels are in the one before them."""
    first = len(x.shape) - len(windows)
    return c.emit(
        "conv_transpose" if transposed else "conv",
        [x],
        windows=tuple(windows),
        dims=tuple(range(first, len(x.shape))),
        channel_dim=first - 1,
        groups=groups,
        weight_values=prod(weight.shape),
    )


def pooled(c: Call, x: Live, windows: Sequence[Window], function: str) -> Live:
    """A pooling along the last dims."""
    dims = tuple(range(len(x.shape) - len(windows), len(x.shape)))
    return c.emit("pool", [x], more=c.others, windows=tuple(windows), dims=dims, function=function)


def weighted(c: Call, x: Live, weight: Const, shape: Shape | None = None) -> Live:
    """The last dim through a matrix of weights."""
    return c.emit("linear", [x], shape, dims=(len(x.shape) - 1,), weight_values=prod(weight.shape))


def padded(c: Call, x: Live, ends: Mapping[int, tuple[int, int]], mode: str) -> Live:
    """Positions (before, after) added along some dims; negative ones are cropped."""
    before, after = (tuple(int(pair[i]) for pair in ends.values()) for i in (0, 1))
    return c.emit("pad", [x], dims=tuple(ends), before=before, after=after, mode=mode)


def resized(c: Call, x: Live, scale: Mapping[int, Fraction], mode: str, corners: bool = False) -> Live:
    """Some dims spread or shrunk by interpolation."""
    factors = tuple(scale.values())
    return c.emit("upsample", [x], dims=tuple(scale), scale=factors, mode=mode, align_corners=corners)


def reduced(c: Call, x: Live, dims: Sequence[int], keepdim: bool, function: str) -> None:
    """A statistic over some dims."""
    over = tuple(dim_of(int(d), len(x.shape)) for d in dims)
    c.emit("reduce", [x], more=c.others, dims=over, keepdim=keepdim, function=function)


def multiply(c: Call, operands: Sequence[Value], labels: Sequence[str], output: str) -> Live:
    """An einsum of activations and weights."""
    sizes = label_sizes(labels, [value.shape for value in operands], {})
    live = [(v, text) for v, text in zip(operands, labels, strict=True) if isinstance(v, Live)]
    fixed = [v for v in operands if isinstance(v, Const)]
    values, texts = prod(fixed[0].shape) if fixed else None, tuple(text for _, text in live)
    inputs = [value for value, _ in live]
    return c.emit("einsum", inputs, weight_values=values, labels=texts, output=output, weight_sizes=sizes)


def matrix_product(c: Call, left: Value, right: Value) -> Live:
    """The product over the last dim of one and the last but one of the other, for every item of a batch."""
    return multiply(c, [left, right], *product_labels(len(left.shape), len(right.shape)))


def product_labels(left: int, right: int) -> tuple[list[str], str]:
    """The dims of two arrays of these ranks and of their matrix product, as letters; those of a batch are shared."""
    batch = "abcdefgh"[: max(left, right, 2) - 2]
    pairs = ((left, "ik"), (right, "kj"))
    labels = [batch[len(batch) - (rank - 2) :] + own if rank > 1 else "k" for rank, own in pairs]
    return labels, batch + "i" * (left > 1) + "j" * (right > 1)
