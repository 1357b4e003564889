"""ONNX operators with weights or windows as neutral operators."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from ...errors import ExplainError
from ..graph import Window
from ..shapes import same_total
from .build import Const, Live, Shape, dim_of, unknown_op
from .onnx_node import Node
from .vocabulary import convolved, matrix_product, pooled, reduced, resized, weighted


def windows_of(n: Node, taps: Sequence[int], size: Shape, transposed: bool = False) -> tuple[Window, ...]:
    """The windows of a convolution or pooling, with automatic padding worked out."""
    count = len(taps)
    usual = {"strides": [1] * count, "dilations": [1] * count, "pads": [0] * 2 * count, "output_padding": [0] * count}
    stride, dilation, pads, extra = (list(n.args.get(key) or value) for key, value in usual.items())
    mode = n.args.get("auto_pad", "NOTSET")
    wanted = n.args.get("output_shape")
    if mode in {"SAME_UPPER", "SAME_LOWER"} or wanted:
        for i in range(count):
            reach = (taps[i] - 1) * dilation[i] + 1
            if transposed:
                target = wanted[i] if wanted else size[i] * stride[i]
                total = (size[i] - 1) * stride[i] + extra[i] + reach - target
            else:
                total = same_total(size[i], reach, stride[i])
            small, large = total // 2, total - total // 2
            upper = mode == "SAME_UPPER" if not transposed else mode != "SAME_UPPER"
            pads[i], pads[i + count] = (small, large) if upper else (large, small)
    for i in range(0 if transposed else count):
        reach, padded = (taps[i] - 1) * dilation[i] + 1, size[i] + pads[i] + pads[i + count]
        if padded < reach:
            raise ExplainError(
                f"Node '{n.place[0]}' ({n.base}) reaches over {reach} positions, more than its padded input of "
                f"{padded}. Give a longer input with --input, or a smaller kernel."
            )
    ceil = bool(n.args.get("ceil_mode"))
    return tuple(
        Window(taps[i], stride[i], dilation[i], pads[i], pads[i + count], extra[i], ceil) for i in range(count)
    )


def conv(n: Node) -> None:
    x, weight = n.value(0), n.value(1)
    if not isinstance(x, Live) or not isinstance(weight, Const) or len(weight.shape) < 3:
        return unknown_op(n)
    taps = weight.shape[2:]
    transposed = n.base == "ConvTranspose"
    groups = int(n.args.get("group", 1))
    declared = n.args.get("kernel_shape")
    fits(n, weight, "kernel_shape", list(declared or taps), list(declared or taps) == list(taps))
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    fits(n, weight, f"{x.shape[1]} input channels in groups", groups, groups > 0 and channels == x.shape[1])
    fits(n, weight, "rank", len(x.shape), len(weight.shape) == len(x.shape))
    convolved(n, x, weight, windows_of(n, taps, x.shape[2:], transposed), groups, transposed)


def fits(n: Node, weight: Const, what: str, value: object, right: bool) -> None:
    """Refuses weights that contradict what the operator says of them."""
    if not right:
        raise ExplainError(
            f"Node '{n.place[0]}' ({n.base}): its weights {list(weight.shape)} do not fit {what} = {value}. The file "
            "is damaged."
        )


def quantised_conv(n: Node) -> None:
    n.inputs = [n.inputs[0], n.inputs[3], *n.inputs[8:9]]
    conv(n)


def matmul(n: Node) -> None:
    """A product with weights on the right is a linear layer; every other one is written with its dims named."""
    a, b = n.value(0), n.value(1)
    if a is None or b is None:
        return unknown_op(n)
    if isinstance(a, Live) and isinstance(b, Const) and len(b.shape) == 2:
        weighted(n, a, b)
    else:
        matrix_product(n, a, b)


def gemm(n: Node) -> None:
    a, b = n.value(0), n.value(1)
    if not isinstance(a, Live) or not isinstance(b, Const) or n.args.get("transA"):
        return unknown_op(n)
    weighted(n, a, b)


def rnn(n: Node) -> None:
    """(T, B, features) -> Y (T, directions, B, hidden), written with torch's dims and then rearranged."""
    x, w, r = n.value(0), n.value(1), n.value(2)
    if not isinstance(x, Live) or not isinstance(w, Const) or not isinstance(r, Const):
        return unknown_op(n)
    hidden = int(n.args.get("hidden_size") or r.shape[-1])
    direction = n.args.get("direction", "forward")
    fits(n, r, "hidden_size", hidden, len(r.shape) == 3 and r.shape[2] == hidden and len(w.shape) == 3)
    both = direction == "bidirectional"
    ways, first = 2 if both else 1, bool(n.args.get("layout"))
    steps, batch = (x.shape[1], x.shape[0]) if first else (x.shape[0], x.shape[1])
    lead = (batch, steps) if first else (steps, batch)
    y = n.emit(
        "rnn", [x], (*lead, ways * hidden), n.others, dims=(1 if first else 0,), channel_dim=2,
        weight_values=prod(w.shape) + prod(r.shape), cell=n.base.lower(), hidden=hidden, layers=1, bidirectional=both,
        reverse=direction == "reverse", stateful=n.builder.from_state(n.value(5)),
    )  # fmt: skip
    states = n.results[1:]
    parted = n.emit("reshape", [y], (*lead, ways, hidden))
    if not first:
        parted = n.emit("permute", [parted], (steps, ways, batch, hidden), order=(0, 2, 1, 3))
    n.results = [parted, *states]


def batch_norm(n: Node) -> None:
    """A fixed scale and shift per channel; stored means and variances are not parameters."""
    if n.args.get("training_mode"):
        n.emit("norm", [n.first()], over=(0, *range(2, len(n.first().shape))), channel_dim=1)
        return
    for value in n.inputs[3:5]:
        if isinstance(value, Const):
            n.builder.counted.update(name for name, _, _, _ in value.owned)
    n.emit("elementwise", [n.first()], function="batch_norm")


def norm(n: Node) -> None:
    x = n.first()
    rank = len(x.shape)
    if n.base in {"LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"}:
        over = tuple(range(dim_of(int(n.args.get("axis", -1)), rank), rank))
        n.emit("norm", [x], over=over)
    elif n.base == "InstanceNormalization":
        n.emit("norm", [x], over=tuple(range(2, rank)), channel_dim=1)
    else:
        groups = int(n.args.get("num_groups", 1))
        n.emit("norm", [x], over=tuple(range(1, rank)), channel_dim=1, groups=groups)


def pool(n: Node) -> None:
    x = n.first()
    taps = list(n.args["kernel_shape"])
    pooled(n, x, windows_of(n, taps, x.shape[2:]), "max" if n.base == "MaxPool" else "avg")


def global_pool(n: Node) -> None:
    x = n.first()
    reduced(n, x, range(2, len(x.shape)), True, "max" if "Max" in n.base else "mean")


def resize(n: Node) -> None:
    x = n.first()
    n.builder.counted.update(o[0] for v in n.inputs[1:] if isinstance(v, Const) for o in v.owned)  # sizes, no weights
    dims = tuple(d for d, (i, o) in enumerate(zip(x.shape, n.shape, strict=True)) if i != o)
    transform = n.args.get("coordinate_transformation_mode", "half_pixel" if n.base == "Resize" else "asymmetric")
    mode = n.args.get("mode", "nearest")
    if mode == "nearest":
        floors = transform == "asymmetric" and n.args.get("nearest_mode", "floor") == "floor"
        mode = "nearest" if floors else "nearest_exact"
    elif transform == "asymmetric" or mode not in {"linear", "cubic"}:
        return unknown_op(n)
    resized(n, x, {d: Fraction(n.shape[d], x.shape[d]) for d in dims}, mode, transform == "align_corners")
