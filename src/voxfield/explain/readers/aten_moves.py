"""Operators of torch graphs that move or combine values, as neutral operators; some read those of ONNX, too."""

from __future__ import annotations

from fractions import Fraction

from ..graph import Window
from .build import Call, Live, Value, dim_of, spread, unknown_op
from .vocabulary import copies, cut, multiply, rearranged, reduced, resized


def reshape(c: Call) -> None:
    x, dim = c.first(), c.args.get("dim")
    inserted: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    if c.base == "unsqueeze" and isinstance(dim, int):
        inserted = (dim_of(dim, len(x.shape) + 1),)
    elif c.base == "squeeze":
        dims = range(len(x.shape)) if dim is None else [dim_of(d, len(x.shape)) for d in spread(dim, 1)]
        dropped = tuple(d for d in dims if x.shape[d] == 1)
    c.emit("reshape", [x], inserted=inserted, dropped=dropped)


def permute(c: Call) -> None:
    x = c.first()
    rank = len(x.shape)
    order = list(range(rank))
    if c.base in {"permute"}:
        order = [dim_of(d, rank) for d in c.args["dims"]]
    elif c.base in {"t", "numpy_T", "mT", "adjoint", "matrix_H"}:
        order = order[:-2] + order[-2:][::-1] if c.base != "numpy_T" else order[::-1]
    elif c.base in {"movedim", "moveaxis"}:
        source, target = spread(c.args["source"], 1), spread(c.args["destination"], 1)
        froms = [dim_of(d, rank) for d in source]
        tos = [dim_of(d, rank) for d in target]
        rest = iter([d for d in range(rank) if d not in froms])
        order = [froms[tos.index(i)] if i in tos else next(rest) for i in range(rank)]
    else:
        a = dim_of(c.arg("dim0", "axis0"), rank)
        b = dim_of(c.arg("dim1", "axis1"), rank)
        order[a], order[b] = order[b], order[a]
    c.emit("permute", [x], order=tuple(order))


def expand(c: Call) -> None:
    c.emit("expand", c.live()[:1])


def repeat(c: Call) -> None:
    x = c.first()
    times = list(c.args.get("repeats") or c.args.get("dims") or ())
    shape = (1,) * (len(times) - len(x.shape)) + x.shape
    copies(c, x if shape == x.shape else c.emit("reshape", [x], shape), times)


def repeat_interleave(c: Call) -> None:
    x, dim, times = c.first(), c.args.get("dim"), c.args.get("repeats")
    if dim is None or not isinstance(times, int):
        return unknown_op(c)
    resized(c, x, {dim_of(dim, len(x.shape)): Fraction(times)}, "nearest")


def slice_(c: Call) -> None:
    x = c.first()
    dim = c.dim(len(x.shape))
    size = x.shape[dim]
    start, stop, step = c.args.get("start"), c.args.get("end"), c.args.get("step") or 1
    first = 0 if start is None else max(0, start + size) if start < 0 else min(start, size)
    last = size if stop is None else stop + size if stop < 0 else min(stop, size)
    cut(c, x, dim, first, last, step)


def narrow(c: Call) -> None:
    x, dim = c.first(), c.dim(len(c.first().shape))
    start = dim_of(c.args["start"], x.shape[dim])
    cut(c, x, dim, start, start + c.args["length"])


def select(c: Call) -> None:
    x = c.first()
    dim = c.dim(len(x.shape))
    c.emit("select", [x], dims=(dim,), index=dim_of(c.args["index"], x.shape[dim]))


def unbind(c: Call) -> None:
    x = c.first()
    dim = c.dim(len(x.shape))
    shape = (*x.shape[:dim], *x.shape[dim + 1 :])
    made: list[Value] = [c.emit("select", [x], shape, dims=(dim,), index=i) for i in range(x.shape[dim])]
    c.results = made


def split(c: Call) -> None:
    """split, chunk, tensor_split: one slice along a dim for each output, as long as that is."""
    x, start, made = c.first(), 0, list[Value]()
    dim = c.dim(len(x.shape))
    for out in c.outs:
        length = out[0][dim] if out else 0
        made.append(cut(c, x, dim, start, start + length))
        start += length
    c.results = made


def concat(c: Call) -> None:
    """Constants among the pieces become inputs without a field, so that sizes still add up."""
    kept = [v for v in c.operands() if isinstance(v, Live) or 0 not in v.shape]
    pieces = [v if isinstance(v, Live) else c.constant(v) for v in kept]
    c.emit("stack" if c.base == "stack" else "concat", pieces, dims=(c.dim(len(c.shape)),))


def einsum(c: Call) -> None:
    """Activations and weights by an equation, where every letter stands once in each of them."""
    left, arrow, output = str(c.args["equation"]).replace(" ", "").partition("->")
    labels = left.split(",")
    if "." in left + output or not arrow or any(len(set(text)) != len(text) for text in labels):
        return unknown_op(c)
    multiply(c, c.operands(), labels, output)


def flip(c: Call) -> None:
    x = c.first()
    c.emit("flip", [x], dims=tuple(dim_of(d, len(x.shape)) for d in c.args["dims"]))


def roll(c: Call) -> None:
    x = c.first()
    dims = spread(c.args.get("dims") or (), 1)
    if not dims:
        return unknown_op(c)
    shifts = tuple(spread(c.args["shifts"], len(dims)))
    c.emit("roll", [x], dims=tuple(dim_of(d, len(x.shape)) for d in dims), shifts=shifts)


def unfold(c: Call) -> None:
    x = c.first()
    dim = dim_of(c.args["dimension"], len(x.shape))
    c.emit("unfold", [x], dims=(dim,), windows=(Window(c.args["size"], c.args["step"]),))


def pixel_shuffle(c: Call) -> None:
    """(C r r, H, W) -> (C, H r, W r)."""
    x, r = c.first(), c.args["upscale_factor"]
    batch, (channels, h, w) = x.shape[:-3], x.shape[-3:]
    n = len(batch)
    rearranged(c, x, (*batch, channels // r // r, r, r, h, w), (*range(n), n, n + 3, n + 1, n + 4, n + 2))


def pixel_unshuffle(c: Call) -> None:
    x, r = c.first(), c.args["downscale_factor"]
    batch, (channels, h, w) = x.shape[:-3], x.shape[-3:]
    n = len(batch)
    rearranged(c, x, (*batch, channels, h // r, r, w // r, r), (*range(n), n, n + 2, n + 4, n + 1, n + 3))


def channel_shuffle(c: Call) -> None:
    x, groups = c.first(), c.args["groups"]
    first, channels, *rest = x.shape
    rearranged(c, x, (first, groups, channels // groups, *rest), (0, 2, 1, *range(3, len(x.shape) + 1)))


def reduce(c: Call) -> None:
    x, given = c.first(), c.args.get("dim")
    dims = range(len(x.shape)) if given is None or given == [] else spread(given, 1)
    reduced(c, x, dims, bool(c.args.get("keepdim")), c.base)


def cumulative(c: Call) -> None:
    x = c.first()
    c.emit("cumulative", [x], more=c.others, dims=(c.dim(len(x.shape)),), function=c.base)


def softmax(c: Call) -> None:
    x = c.first()
    c.emit("softmax", [x], dims=(c.dim(len(x.shape), -1),), function=c.base)


def attention(c: Call) -> None:
    q, k, v = c.args["query"], c.args["key"], c.args["value"]
    if not all(isinstance(one, Live) for one in (q, k, v)):
        return unknown_op(c)
    rank = len(q.shape)
    causal = bool(c.args.get("is_causal"))
    c.emit("attention", [q, k, v], dims=(rank - 2,), channel_dim=rank - 1, causal=causal)


def glu(c: Call) -> None:
    x = c.first()
    dim = c.dim(len(x.shape), -1)
    half = x.shape[dim] // 2
    value, gate = cut(c, x, dim, 0, half), cut(c, x, dim, half, 2 * half)
    c.emit("elementwise", [value, gate], function="glu")


def identity(c: Call) -> None:
    c.emit("identity", c.live()[:1])


def pointwise_op(c: Call) -> None:
    c.emit("elementwise", c.live(), function=c.base.lower())
