"""ONNX operators that are unlike those of torch as neutral operators; the others are read by `aten_layers` and
`aten_moves`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import prod

from ...errors import ExplainError
from ..graph import Window
from ..shapes import same_total
from . import aten_layers
from .build import Call, Const, Live, Shape, dim_of, unknown_op
from .vocabulary import (
    convolved,
    cut,
    matrix_product,
    padded,
    pooled,
    reduced,
    resized,
    taken,
    weighted,
    windows_of,
)


def sliding(c: Call, taps: Sequence[int], sizes: Shape, transposed: bool = False) -> list[Window]:
    """The windows of a convolution or pooling over these sizes, with automatic padding worked out."""
    count, mode, wanted = len(taps), c.args.get("auto_pad"), c.args.get("output_shape")
    steps = c.args.get("strides") or 1, c.args.get("dilations") or 1
    extra, ceil = c.args.get("output_padding") or 0, bool(c.args.get("ceil_mode"))
    given = c.args.get("pads") or [0] * 2 * count
    pads, bare = list(zip(given[:count], given[count:], strict=True)), windows_of(taps, *steps, extra=extra)
    if mode in {"SAME_UPPER", "SAME_LOWER"} or wanted:
        for i, (size, w) in enumerate(zip(sizes, bare, strict=True)):
            if transposed:
                target = wanted[i] if wanted else size * w.stride
                total = (size - 1) * w.stride + w.output_padding + w.reach - target
            else:
                total = same_total(size, w.reach, w.stride)
            small, large = total // 2, total - total // 2
            pads[i] = (small, large) if (mode == "SAME_UPPER") != transposed else (large, small)
    for size, w, ends in zip(sizes, bare, pads, strict=True):
        if not transposed and size + sum(ends) < w.reach:
            raise ExplainError(
                f"Node '{c.place[0]}' ({c.base}) reaches over {w.reach} positions, more than its padded input of "
                f"{size + sum(ends)}. Give a longer input with --input, or a smaller kernel."
            )
    return windows_of(taps, *steps, pads, extra, ceil)


def conv(c: Call) -> None:
    x, weight = c.args["input"], c.args["weight"]
    if not isinstance(x, Live) or not isinstance(weight, Const) or len(weight.shape) < 3:
        return unknown_op(c)
    taps = weight.shape[2:]
    transposed = c.base == "ConvTranspose"
    groups = int(c.args.get("group", 1))
    declared = c.args.get("kernel_shape")
    fits(c, weight, "kernel_shape", list(declared or taps), list(declared or taps) == list(taps))
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    fits(c, weight, f"{x.shape[1]} input channels in groups", groups, groups > 0 and channels == x.shape[1])
    fits(c, weight, "rank", len(x.shape), len(weight.shape) == len(x.shape))
    convolved(c, x, weight, sliding(c, taps, x.shape[2:], transposed), groups, transposed)


def fits(c: Call, weight: Const, what: str, value: object, right: bool) -> None:
    """Refuses weights that contradict what the operator says of them."""
    if not right:
        raise ExplainError(
            f"Node '{c.place[0]}' ({c.base}): its weights {list(weight.shape)} do not fit {what} = {value}. The file "
            "is damaged."
        )


def matmul(c: Call) -> None:
    """A product with weights on the right is a linear layer; every other one is written with its dims named."""
    a, b = c.args["input"], c.args["weight"]
    if a is None or b is None:
        return unknown_op(c)
    if isinstance(a, Live) and isinstance(b, Const) and len(b.shape) == 2:
        weighted(c, a, b)
    else:
        matrix_product(c, a, b)


def rnn(c: Call) -> None:
    """(T, B, features) -> Y (T, directions, B, hidden), written with torch's dims and then rearranged."""
    x, w, r = (c.args[key] for key in ("input", "weight", "recurrence"))
    if not isinstance(x, Live) or not isinstance(w, Const) or not isinstance(r, Const):
        return unknown_op(c)
    hidden = int(c.args.get("hidden_size") or r.shape[-1])
    direction = c.args.get("direction", "forward")
    fits(c, r, "hidden_size", hidden, len(r.shape) == 3 and r.shape[2] == hidden and len(w.shape) == 3)
    both = direction == "bidirectional"
    ways, first = 2 if both else 1, bool(c.args.get("layout"))
    steps, batch = (x.shape[1], x.shape[0]) if first else (x.shape[0], x.shape[1])
    lead = (batch, steps) if first else (steps, batch)
    y = c.emit(
        "rnn", [x], (*lead, ways * hidden), c.others, dims=(1 if first else 0,), channel_dim=2,
        weight_values=prod(w.shape) + prod(r.shape), cell=c.base.lower(), hidden=hidden, layers=1, bidirectional=both,
        reverse=direction == "reverse", stateful=c.builder.from_state(c.args.get("state")),
    )  # fmt: skip
    states = c.results[1:]
    parted = c.emit("reshape", [y], (*lead, ways, hidden))
    if not first:
        parted = c.emit("permute", [parted], (steps, ways, batch, hidden), order=(0, 2, 1, 3))
    c.results = [parted, *states]


def batch_norm(c: Call) -> None:
    """As in torch; stored means and variances are not parameters, unless it measures others as it runs."""
    stored = [] if c.args.get("training") else [c.args["running_mean"], c.args["running_var"]]
    c.builder.counted.update(one[0] for value in stored if isinstance(value, Const) for one in value.owned)
    aten_layers.batch_norm(c)


def pool(c: Call) -> None:
    x = c.first()
    taps = list(c.args["kernel_shape"])
    pooled(c, x, sliding(c, taps, x.shape[2:]), "max" if c.base == "MaxPool" else "avg")


def global_pool(c: Call) -> None:
    x = c.first()
    reduced(c, x, range(2, len(x.shape)), True, "max" if "Max" in c.base else "mean")


def resize(c: Call) -> None:
    x = c.first()
    c.builder.counted.update(o[0] for v in c.consts() for o in v.owned)  # sizes, no weights
    dims = tuple(d for d, (i, o) in enumerate(zip(x.shape, c.shape, strict=True)) if i != o)
    transform = c.args.get("coordinate_transformation_mode", "half_pixel" if c.base == "Resize" else "asymmetric")
    mode = c.args.get("mode", "nearest")
    if mode == "nearest":
        floors = transform == "asymmetric" and c.args.get("nearest_mode", "floor") == "floor"
        mode = "nearest" if floors else "nearest_exact"
    elif transform == "asymmetric" or mode not in {"linear", "cubic"}:
        return unknown_op(c)
    resized(c, x, {d: Fraction(c.shape[d], x.shape[d]) for d in dims}, mode, transform == "align_corners")


# operators that move values


def pad(c: Call) -> None:
    x, amounts, given = c.first(), c.numbers("pads"), c.numbers("dim")
    if amounts is None:
        return unknown_op(c)
    half = len(amounts) // 2
    dims = [dim_of(d, len(x.shape)) for d in given or range(half)]
    pairs = zip(dims, amounts[:half], amounts[half:], strict=True)
    padded(c, x, {dim: (a, b) for dim, a, b in pairs if a or b}, c.args.get("mode", "constant"))


def gather(c: Call) -> None:
    x, indices, table = c.args["input"], c.numbers("indices"), c.args["indices"]
    if not isinstance(x, Live) or indices is None:
        return unknown_op(c)
    dim, shape = c.dim(len(x.shape)), table.shape
    if len(shape) == 0:
        index = dim_of(indices[0], x.shape[dim])
        return taken(c, x, "select", [(dim, index, index + 1)], dims=(dim,), index=index)
    flat = (*x.shape[:dim], len(indices), *x.shape[dim + 1 :])
    made = c.emit("gather", [x], flat, dims=(dim,), indices=tuple(indices))
    if len(shape) > 1:
        lead = tuple(dim + i for i, size in enumerate(shape[:-1]) if size == 1)
        c.emit("reshape", [made], inserted=lead if len(lead) == len(shape) - 1 else ())


def scatter(c: Call) -> None:
    """A stretch written anew, where the constant indices name one; what stands before and after it stays."""
    data, update, indices = c.args["input"], c.args["src"], getattr(c.args["indices"], "values", None)
    if not isinstance(update, Live) or data is None or indices is None or c.args.get("reduction", "none") != "none":
        return unknown_op(c)
    depth = indices.shape[-1]
    rows = indices.reshape(-1, depth)
    ranges = [(int(rows[:, d].min()), int(rows[:, d].max()) + 1) for d in range(depth)]
    wanted = [tuple(range(a, b)) for a, b in ranges]
    if [tuple(int(v) for v in row) for row in rows] != list(product(*wanted)):
        return unknown_op(c)
    block = (*(b - a for a, b in ranges), *data.shape[depth:])
    source = update if update.shape == block else c.emit("reshape", [update], block)
    made = _written(c, data, source, list(enumerate(ranges)))
    c.results = [made]
    c.builder.writes[made.name] = data, [(d, a, b) for d, (a, b) in enumerate(ranges) if (a, b) != (0, data.shape[d])]


def _written(c: Call, data: Live | Const, source: Live, ranges: list[tuple[int, tuple[int, int]]]) -> Live:
    """`source` in place of a block of `data`, dim by dim."""
    inner = [(d, ends) for d, ends in ranges if ends != (0, data.shape[d])]
    if not inner:
        return source
    (dim, (start, stop)), rest = inner[0], inner[1:]

    def stretch(a: int, b: int) -> Live | Const:
        if isinstance(data, Const):
            return Const((*data.shape[:dim], b - a, *data.shape[dim + 1 :]), (), data.item_bytes)
        return cut(c, data, dim, a, b)

    middle = _written(c, stretch(start, stop), source, rest)
    pieces = [stretch(0, start)] * (start > 0) + [middle] + [stretch(stop, data.shape[dim])] * (stop < data.shape[dim])
    live = [c.constant(piece) if isinstance(piece, Const) else piece for piece in pieces]
    return c.emit("concat", live, data.shape, dims=(dim,)) if len(live) > 1 else live[0]
