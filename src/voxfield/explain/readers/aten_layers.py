"""Layers, pooling, resizing and padding of torch as neutral operators, norms of ONNX too. Imports no torch."""

from __future__ import annotations

from fractions import Fraction
from math import prod

from .build import Call, Const, Live, spread, unknown_op
from .vocabulary import convolved, cut, matrix_product, padded, pooled, resized, weighted, windows_of


def conv(c: Call) -> None:
    x, weight = c.args["input"], c.args["weight"]
    if not isinstance(x, Live) or not isinstance(weight, Const):
        return unknown_op(c)
    taps, dilation, pads = weight.shape[2:], c.args["dilation"], c.args["padding"]
    transposed = c.base.startswith("conv_transpose") or bool(c.args.get("transposed"))
    if isinstance(pads, str):
        whole = [w.reach - 1 if pads == "same" else 0 for w in windows_of(taps, dilation=dilation)]
        pads = [(p // 2, p - p // 2) for p in whole]
    extra = c.args["output_padding"] if transposed else 0
    windows = windows_of(taps, c.args["stride"], dilation, pads, extra)
    convolved(c, x, weight, windows, int(c.args["groups"]), transposed)


def linear(c: Call) -> None:
    x, weight = c.args["input"], c.args["weight"]
    if not isinstance(x, Live) or not isinstance(weight, Const) or c.args.get("transA"):
        return unknown_op(c)
    weighted(c, x, weight)


def product_of(c: Call) -> None:
    """mm, bmm, matmul, addmm, baddbmm: two arrays, each an activation or a constant."""
    kind = {"addmm": "mat", "baddbmm": "batch"}.get(c.base)
    pair = (c.args[f"{kind}1"], c.args[f"{kind}2"]) if kind else (c.arg("self", "input"), c.arg("mat2", "other"))
    made = matrix_product(c, *pair)
    if kind and isinstance(added := c.args.get("self"), Live):
        c.emit("elementwise", [made, added], function="add")


def rnn(c: Call) -> None:
    x = c.args["input"]
    weights = [w for w in c.args["params"] if isinstance(w, Const)]
    layers, both = int(c.args["num_layers"]), bool(c.args["bidirectional"])
    first = bool(c.args["batch_first"])
    kernels = [w for w in weights if len(w.shape) == 2]
    cell = {"lstm": "lstm", "gru": "gru"}.get(c.base, "rnn")
    hidden = kernels[1].shape[1] if len(kernels) > 1 else 0
    rank = len(x.shape)
    c.emit(
        "rnn",
        [x],
        more=c.others,
        dims=((1 if first else 0) if rank == 3 else 0,),
        channel_dim=rank - 1,
        weight_values=sum(prod(w.shape) for w in kernels),
        cell=cell,
        hidden=hidden,
        layers=layers,
        bidirectional=both,
    )


def cell(c: Call) -> None:
    """One step of a recurrence written as a loop: what comes in and what is remembered, each through its kernels."""
    x, memory = c.args["input"], c.args["hx"]
    memories = memory if isinstance(memory, list | tuple) else [memory]
    sides = []
    for value, weight in ((x, c.args["w_ih"]), (memories[0], c.args["w_hh"])):
        if isinstance(value, Live) and isinstance(weight, Const):
            sides.append(weighted(c, value, weight, (*value.shape[:-1], weight.shape[0])))
    hidden = c.shape
    parts = [cut(c, side, len(hidden) - 1, 0, hidden[-1]) for side in sides]
    parts += [value for value in memories if isinstance(value, Live)]
    made = c.emit("elementwise", parts, hidden, function=c.base)
    c.results = [made for _ in c.outs]


def batch_norm(c: Call) -> None:
    """In evaluation a fixed scale and shift per channel; without stored statistics a norm over batch and positions."""
    x, places = c.first(), range(2, len(c.first().shape))
    single = c.base.lower().startswith("instance")
    measured = c.args.get("use_input_stats" if single else "training")
    if isinstance(c.args.get("running_mean"), Const) and not measured:
        c.emit("elementwise", [x], function="instance_norm" if single else "batch_norm")
    else:
        c.emit("norm", [x], over=tuple(places) if single else (0, *places), channel_dim=1)


def group_norm(c: Call) -> None:
    x = c.first()
    groups = int(c.arg("num_groups", "group") or 1)
    c.emit("norm", [x], over=tuple(range(1, len(x.shape))), channel_dim=1, groups=groups)


def layer_norm(c: Call) -> None:
    """Over the last dims: as many as torch gives sizes, from the one that ONNX names."""
    x, sizes = c.first(), c.args.get("normalized_shape")
    rank = len(x.shape)
    c.emit("norm", [x], over=tuple(range(rank - len(sizes) if sizes else c.dim(rank, -1), rank)))


def dims_in(name: str) -> int:
    """How many dims an operator such as max_pool2d moves along."""
    return int(next(c for c in name if c.isdigit()))


def pool(c: Call) -> None:
    x, count = c.arg("self", "input"), dims_in(c.base)
    kernel, ceil = spread(c.args["kernel_size"], count), bool(c.args.get("ceil_mode"))
    pads, dilation = c.args.get("padding", 0), c.args.get("dilation", 1)
    windows = windows_of(kernel, c.args.get("stride") or kernel, dilation, pads, ceil=ceil)
    pooled(c, x, windows, "max" if "max" in c.base else "avg")


def adaptive(c: Call) -> None:
    x, count = c.arg("self", "input"), dims_in(c.base)
    rank = len(x.shape)
    sizes = c.shape[rank - count :]
    function = "max" if "max" in c.base else "avg"
    dims = tuple(range(rank - count, rank))
    c.emit("adaptive_pool", [x], more=c.others, dims=dims, sizes=tuple(sizes), function=function)


def upsample(c: Call) -> None:
    x = c.arg("input", "self")
    count = len(x.shape) - 2
    mode = "nearest" if "nearest" in c.base else "cubic" if "cubic" in c.base else "linear"
    given = spread(c.args.get("scale_factors") or (None,), count)
    scale = {
        dim: Fraction(c.shape[dim], x.shape[dim]) if s is None else Fraction(float(s)).limit_denominator(10_000)
        for dim, s in enumerate(given, 2)
    }
    resized(c, x, scale, "nearest_exact" if "exact" in c.base else mode, bool(c.args.get("align_corners")))


def pad(c: Call) -> None:
    x = c.arg("self", "input")
    amounts = list(c.arg("pad", "padding"))
    ends = {len(x.shape) - 1 - i: (amounts[2 * i], amounts[2 * i + 1]) for i in range(len(amounts) // 2)}
    mode = str(c.args.get("mode") or "constant") if c.base in {"pad", "constant_pad_nd"} else c.base
    padded(c, x, ends, mode)
