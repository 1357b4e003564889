"""Operators of torch and of ONNX that move or combine values, as neutral operators."""

from __future__ import annotations

from fractions import Fraction

from ..graph import Window
from .build import Call, Const, Live, Value, dim_of, spread, unknown_op
from .vocabulary import copies, cut, multiply, rearranged, reduced, resized, taken

SHUFFLES = {
    "pixel_shuffle": ("... (c r s) h w -> ... c (h r) (w s)", "upscale_factor"),
    "pixel_unshuffle": ("... c (h r) (w s) -> ... (c r s) h w", "downscale_factor"),
    "channel_shuffle": ("b (g c) ... -> b (c g) ...", "groups"),
    "DepthToSpaceDCR": ("b (r s c) h w -> b c (h r) (w s)", "blocksize"),
    "DepthToSpaceCRD": ("b (c r s) h w -> b c (h r) (w s)", "blocksize"),
    "SpaceToDepth": ("b c (h r) (w s) -> b (r s c) h w", "blocksize"),
}


def reshape(c: Call) -> None:
    x, dims, kind = c.first(), c.numbers("dim"), c.base.lower()
    rank = len(x.shape)
    inserted: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    if kind == "unsqueeze" and dims:
        inserted = tuple(dim_of(d, rank + len(dims)) for d in dims)
    elif kind == "squeeze":
        dropped = tuple(
            d for d in (range(rank) if dims is None else (dim_of(d, rank) for d in dims)) if x.shape[d] == 1
        )
    c.emit("reshape", [x], inserted=inserted, dropped=dropped)


def permute(c: Call) -> None:
    x = c.first()
    rank = len(x.shape)
    order = list(range(rank))
    if c.args.get("dims"):
        order = [dim_of(d, rank) for d in c.args["dims"]]
    elif c.base in {"numpy_T", "Transpose"}:
        order.reverse()
    elif c.base in {"t", "mT", "adjoint", "matrix_H"}:
        order[-2:] = order[-2:][::-1]
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
    x, times = c.first(), c.numbers("repeats") or c.numbers("dims")
    if times is None:
        return unknown_op(c)
    shape = (1,) * (len(times) - len(x.shape)) + x.shape
    copies(c, x if shape == x.shape else c.emit("reshape", [x], shape), times)


def repeat_interleave(c: Call) -> None:
    x, dim, times = c.first(), c.args.get("dim"), c.args.get("repeats")
    if dim is None or not isinstance(times, int):
        return unknown_op(c)
    resized(c, x, {dim_of(dim, len(x.shape)): Fraction(times)}, "nearest")


def slice_(c: Call) -> None:
    """Stretches along one dim or several, from what is behind the writes that do not meet them."""
    x, starts, ends = c.first(), c.numbers("start"), c.numbers("end")
    if any(isinstance(c.args.get(key), Live | Const) and c.numbers(key) is None for key in ("start", "end")):
        return unknown_op(c)
    dims = [dim_of(d, len(x.shape)) for d in c.numbers("dim") or range(len(starts or ends or (0,)))]
    steps = c.numbers("step") or [1] * len(dims)
    first, last = [], []
    for dim, start, end, step in zip(dims, starts or [0] * len(dims), ends or [None] * len(dims), steps, strict=True):
        size, back = x.shape[dim], step < 0
        first.append(min(max(start + size if start < 0 else start, 0), size - back))
        end = size if end is None else end + size if end < 0 else end
        last.append(min(max(end, -1 if back else 0), size))
    reads = list(zip(dims, first, last, strict=True)) if min(steps) > 0 else []
    taken(c, x, "slice", reads, dims=tuple(dims), start=tuple(first), stop=tuple(last), step=tuple(steps))


def narrow(c: Call) -> None:
    x, dim = c.along()
    start = dim_of(c.args["start"], x.shape[dim])
    cut(c, x, dim, start, start + c.args["length"])


def select(c: Call) -> None:
    x, dim = c.along()
    c.emit("select", [x], dims=(dim,), index=dim_of(c.args["index"], x.shape[dim]))


def unbind(c: Call) -> None:
    x, dim = c.along()
    shape = (*x.shape[:dim], *x.shape[dim + 1 :])
    made: list[Value] = [c.emit("select", [x], shape, dims=(dim,), index=i) for i in range(x.shape[dim])]
    c.results = made


def split(c: Call) -> None:
    """split, chunk, tensor_split: one slice along a dim for each output, as long as that is."""
    (x, dim), start, made = c.along(), 0, list[Value]()
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


def shuffle(c: Call) -> None:
    """Channels laid out as positions, and back: a pattern of einops, and the setting that says into how many."""
    mode = c.args.get("mode", "DCR") if c.base == "DepthToSpace" else ""
    pattern, setting = SHUFFLES[c.base.removeprefix("native_") + str(mode)]
    rearranged(c, pattern, **dict.fromkeys({*"rsg"} & {*pattern}, c.args[setting]))


def reduce(c: Call) -> None:
    """ONNX keeps the dims unless it is told not to, and finds the largest along the first where none is given."""
    x, base = c.first(), c.base.removeprefix("Reduce")
    dims = c.numbers("dim") or range(1 if base.startswith("Arg") else len(x.shape))
    keepdim = c.args.get("keepdim", not c.base.islower())
    reduced(c, x, dims, bool(keepdim), base.lower())


def cumulative(c: Call) -> None:
    x, dim = c.along()
    if c.args.get("reverse") or c.numbers("dim") is None:
        return unknown_op(c)
    c.emit("cumulative", [x], more=c.others, dims=(dim,), function=c.base.lower())


def softmax(c: Call) -> None:
    x, dim = c.along(-1)
    c.emit("softmax", [x], dims=(dim,), function=c.base)


def attention(c: Call) -> None:
    q, k, v = c.args["query"], c.args["key"], c.args["value"]
    if not all(isinstance(one, Live) for one in (q, k, v)):
        return unknown_op(c)
    rank = len(q.shape)
    causal = bool(c.args.get("is_causal"))
    c.emit("attention", [q, k, v], dims=(rank - 2,), channel_dim=rank - 1, causal=causal)


def glu(c: Call) -> None:
    x, dim = c.along(-1)
    half = x.shape[dim] // 2
    value, gate = cut(c, x, dim, 0, half), cut(c, x, dim, half, 2 * half)
    c.emit("elementwise", [value, gate], function="glu")


def identity(c: Call) -> None:
    c.emit("identity", c.live()[:1])


def pointwise_op(c: Call) -> None:
    c.emit("elementwise", c.live(), function=c.base.lower())
