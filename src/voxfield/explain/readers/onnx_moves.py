"""ONNX operators that move or combine values as neutral operators."""

from __future__ import annotations

from itertools import product

from .build import Const, Live, dim_of, unknown_op
from .onnx_node import Node
from .vocabulary import copies, cut, padded, rearranged, reduced


def pad(n: Node) -> None:
    x, amounts = n.first(), n.numbers(1, "pads")
    axes = n.numbers(3, "axes")
    if amounts is None:
        return unknown_op(n)
    rank = len(x.shape)
    dims = [dim_of(int(d), rank) for d in axes] if axes else list(range(len(amounts) // 2))
    half = len(amounts) // 2
    ends = {dims[i]: (amounts[i], amounts[i + half]) for i in range(half) if amounts[i] or amounts[i + half]}
    padded(n, x, ends, n.args.get("mode", "constant"))


def reshape(n: Node) -> None:
    x, axes = n.first(), n.numbers(1, "axes") if n.base in {"Squeeze", "Unsqueeze"} else None
    if n.base == "Squeeze" and axes is None:
        axes = [dim for dim, size in enumerate(x.shape) if size == 1]
    more = n.base == "Unsqueeze"
    rank = len(x.shape) + (len(axes or ()) if more else 0)
    dims = tuple(dim_of(int(axis), rank) for axis in axes or ())
    n.emit("reshape", [x], inserted=dims if more else (), dropped=() if more else dims)


def transpose(n: Node) -> None:
    x = n.first()
    order = n.args.get("perm") or list(range(len(x.shape)))[::-1]
    n.emit("permute", [x], order=tuple(order))


def tile(n: Node) -> None:
    times = n.numbers(1)
    if times is None:
        return unknown_op(n)
    copies(n, n.first(), [int(t) for t in times])


def slice_(n: Node) -> None:
    x = n.first()
    starts, ends = n.numbers(1, "starts"), n.numbers(2, "ends")
    if starts is None or ends is None:
        return unknown_op(n)
    axes = n.numbers(3, "axes") or list(range(len(starts)))
    steps = [int(s) for s in n.numbers(4, "steps") or [1] * len(starts)]
    dims = [dim_of(int(a), len(x.shape)) for a in axes]
    first, last = [], []
    for dim, start, end, step in zip(dims, starts, ends, steps, strict=True):
        size = x.shape[dim]
        low, high = (0, size) if step > 0 else (0, size - 1)
        begin = min(max(start + size if start < 0 else start, low), high)
        finish = end + size if end < 0 else end
        first.append(int(begin))
        last.append(int(min(max(finish, -1 if step < 0 else 0), size)))
    if min(steps) > 0:
        behind = n.builder.untouched(x, list(zip(dims, first, last, strict=True)))
        if isinstance(behind, Const):
            n.results = [Const(n.shape, (), behind.item_bytes)]
            return None
        x = behind
    n.emit("slice", [x], dims=tuple(dims), start=tuple(first), stop=tuple(last), step=tuple(steps))


def gather(n: Node) -> None:
    x = n.value(0)
    indices = n.numbers(1)
    if not isinstance(x, Live) or indices is None:
        return unknown_op(n)
    dim = n.dim(len(x.shape))
    shape = n.constants[n.names[1]].shape
    if len(shape) == 0:
        index = dim_of(int(indices[0]), x.shape[dim])
        behind = n.builder.untouched(x, [(dim, index, index + 1)])
        if isinstance(behind, Const):
            n.results = [Const(n.shape, (), behind.item_bytes)]
            return None
        n.emit("select", [behind], dims=(dim,), index=index)
    elif len(shape) == 1:
        n.emit("gather", [x], dims=(dim,), indices=tuple(int(i) for i in indices))
    else:
        flat = (*x.shape[:dim], len(indices), *x.shape[dim + 1 :])
        made = n.emit("gather", [x], flat, dims=(dim,), indices=tuple(int(i) for i in indices))
        lead = tuple(dim + i for i, size in enumerate(shape[:-1]) if size == 1)
        n.emit("reshape", [made], inserted=lead if len(lead) == len(shape) - 1 else ())


def depth_to_space(n: Node) -> None:
    x, r = n.first(), int(n.args["blocksize"])
    b, c, h, w = x.shape
    if n.args.get("mode", "DCR") == "CRD":
        rearranged(n, x, (b, c // r // r, r, r, h, w), (0, 1, 4, 2, 5, 3))
    else:
        rearranged(n, x, (b, r, r, c // r // r, h, w), (0, 3, 4, 1, 5, 2))


def space_to_depth(n: Node) -> None:
    x, r = n.first(), int(n.args["blocksize"])
    b, c, h, w = x.shape
    rearranged(n, x, (b, c, h // r, r, w // r, r), (0, 3, 5, 1, 2, 4))


def scatter(n: Node) -> None:
    """A stretch written anew, where the constant indices name one; what stands before and after it stays."""
    data, update, indices = n.value(0), n.value(2), n.constants.get(n.names[1])
    if not isinstance(update, Live) or data is None or indices is None or n.args.get("reduction", "none") != "none":
        return unknown_op(n)
    depth = indices.shape[-1]
    rows = indices.reshape(-1, depth)
    ranges = [(int(rows[:, d].min()), int(rows[:, d].max()) + 1) for d in range(depth)]
    wanted = [tuple(range(a, b)) for a, b in ranges]
    if [tuple(int(v) for v in row) for row in rows] != list(product(*wanted)):
        return unknown_op(n)
    block = (*(b - a for a, b in ranges), *data.shape[depth:])
    source = update if update.shape == block else n.emit("reshape", [update], block)
    made = _written(n, data, source, list(enumerate(ranges)))
    n.results = [made]
    n.builder.writes[made.name] = data, [(d, a, b) for d, (a, b) in enumerate(ranges) if (a, b) != (0, data.shape[d])]


def _written(n: Node, data: Live | Const, source: Live, ranges: list[tuple[int, tuple[int, int]]]) -> Live:
    """`source` in place of a block of `data`, dim by dim."""
    inner = [(d, ends) for d, ends in ranges if ends != (0, data.shape[d])]
    if not inner:
        return source
    (dim, (start, stop)), rest = inner[0], inner[1:]

    def stretch(a: int, b: int) -> Live | Const:
        if isinstance(data, Const):
            return Const((*data.shape[:dim], b - a, *data.shape[dim + 1 :]), (), data.item_bytes)
        return cut(n, data, dim, a, b)

    middle = _written(n, stretch(start, stop), source, rest)
    pieces = [stretch(0, start)] * (start > 0) + [middle] + [stretch(stop, data.shape[dim])] * (stop < data.shape[dim])
    live = [n.constant(piece) if isinstance(piece, Const) else piece for piece in pieces]
    return n.emit("concat", live, data.shape, dims=(dim,)) if len(live) > 1 else live[0]


def reduce(n: Node) -> None:
    x, axes = n.first(), n.numbers(1, "axes")
    function = n.base.removeprefix("Reduce").lower()
    reduced(n, x, axes or range(len(x.shape)), bool(n.args.get("keepdims", 1)), function)


def arg_reduce(n: Node) -> None:
    reduced(n, n.first(), [n.dim(len(n.first().shape))], bool(n.args.get("keepdims", 1)), n.base.lower())


def cumulative(n: Node) -> None:
    x, axis = n.first(), n.numbers(1)
    if axis is None or n.args.get("reverse"):
        return unknown_op(n)
    n.emit("cumulative", [x], dims=(dim_of(int(axis[0]), len(x.shape)),), function="cumsum")
