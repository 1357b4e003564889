"""What each Keras layer does to a graph: one function per family of layers, found by class name in `LAYERS`.

Facts that decide the answer: arrays are channels-last; `padding="same"` with a stride pads less before than after, and
with an even kernel the odd position comes at the END, which is look-ahead along time; `Conv2DTranspose` with `same` is
the full output cut to size * stride, again at the end first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import ExplainError
from ..graph import Axis, Graph, Size, Window
from ..shapes import Shape, product, shape_text
from .keras_config import ALIASES, Settings
from .layers import LayerGraph, Origin
from .text import same_padding

Family = Callable[[LayerGraph, str, Settings, list[str], Origin], str]

_ELEMENTWISE = (
    "Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise GaussianDropout AlphaDropout ReLU "
    "LeakyReLU ELU SELU ThresholdedReLU Masking ActivityRegularization Rescaling UnitNormalization Normalization "
    "Identity Relu Sigmoid Tanh Softplus Softsign Silu Gelu Swish Exp Log Log1p Sqrt Square Absolute Abs Negative "
    "Elu Selu LeakyRelu Clip Relu6 HardSigmoid HardSwish Power"
)
_MERGES = "Add Subtract Multiply Average Maximum Minimum Divide TrueDivide"
ELEMENTWISE, MERGES = _ELEMENTWISE.split(), _MERGES.split()


def keras_axes(shape: Shape, layout: tuple[Axis, ...] | None = None) -> tuple[Axis, ...]:
    """The axes of a channels-last input: time; time and frequency, or height and width of a picture.

    An input of two axes is taken for a picture when both have the same size or it has three channels.
    """
    if layout is not None:
        return layout
    if len(shape) == 4:
        picture = shape[3] == 3 or (shape[1] is not None and shape[1] == shape[2])
        return (Axis("h", 1), Axis("w", 2)) if picture else (Axis("time", 1), Axis("freq", 2))
    if len(shape) == 5:
        return (Axis("depth", 1), Axis("h", 2), Axis("w", 3))
    return (Axis("time", 1),) if len(shape) == 3 else ()


def settled_axes(graph: Graph) -> Graph:
    """The graph with the axes of its inputs behind the channels, where its first convolution says channels_first."""
    first = next((op for op in graph.ops if op.kind in {"conv", "conv_transpose"}), None)
    if first is None or first.channel_dim != 1:
        return graph
    axes = {}
    for name, found in graph.axes.items():
        batch, channels, *places = graph.shape(name)
        last = keras_axes((batch, *places, channels))
        axes[name] = tuple(replace(axis, dim=axis.dim + 1) for axis in last) if places else found
    return replace(graph, axes=axes)


def add_keras_layer(net: LayerGraph, kind: str, values: Mapping[str, Any], xs: Sequence[str], origin: Origin) -> str:
    """Adds the Keras layer of class `kind` and returns its output; a class without a rule becomes an unknown operator.

    Raises:
        ExplainError: settings or shapes the layer cannot have; the layer and its line are named.
    """
    kind = ALIASES.get(kind, kind)
    if not xs:
        raise ExplainError(f"{origin.where}: the layer has no input.")
    family = LAYERS.get(kind)
    if family is None:
        net.note(f"{origin.where}: the layer {kind} is not known; its output was taken to have its input's shape.")
        return net.add("unknown", xs, origin, shape=net.shape(xs[0]))
    return family(net, kind, Settings(values, origin), list(xs), origin)


def _spatial(net: LayerGraph, kind: str, s: Settings, x: str) -> tuple[int, tuple[int, ...], int]:
    """(number of axes, their dims, channel dim) of a layer whose name ends in 1D, 2D or 3D."""
    rank = next(int(kind[i - 1]) for i in range(1, len(kind)) if kind[i] == "D" and kind[i - 1] in "123")
    if net.rank(x) != rank + 2:
        raise ExplainError(
            f"{s.origin.where}: it takes an input of {rank + 2} dims, batch included; given is "
            f"{shape_text(net.shape(x))}."
        )
    last = s.channels_last()
    return rank, tuple(range(1, rank + 1) if last else range(2, rank + 2)), rank + 1 if last else 1


def _windows(
    net: LayerGraph, x: str, dims: tuple[int, ...], kernel: Sequence[int], s: Settings, strides: int | None = 1
) -> tuple[Window, ...]:
    """One window per axis with Keras's padding."""
    rank = len(dims)
    stride = tuple(kernel) if strides is None and s.values.get("strides") is None else s.sizes("strides", rank, 1)
    dilation = s.sizes("dilation_rate", rank, 1)
    mode = s.word("padding", "valid", "valid", "same", "causal")
    found = []
    for dim, k, step, d in zip(dims, kernel, stride, dilation, strict=True):
        if min(k, step, d) < 1:
            raise ExplainError(f"{s.origin.where}: kernel {k}, stride {step}, dilation {d}; all start at 1.")
        before = after = 0
        if mode == "causal":
            before = (k - 1) * d
        elif mode == "same":
            before, after = same_padding(net, s.origin.where, net.shape(x)[dim], k, step, d)
        found.append(Window(k, step, d, before, after))
    return tuple(found)


def activation(net: LayerGraph, x: str, function: str | None, origin: Origin, dim: int | None = None) -> str:
    """`x` through an activation given by name; None adds nothing."""
    if function is None:
        return x
    part = origin.part(function, function)
    if function == "softmax":
        return net.add("softmax", [x], part, dims=(net.rank(x) - 1 if dim is None else dim,))
    return net.elementwise([x], part, function)


def _conv(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    _, dims, channel = _spatial(net, kind, s, xs[0])
    windows = _windows(net, xs[0], dims, s.sizes("kernel_size", len(dims)), s)
    return _convolved(net, s, xs[0], origin, windows, dims, channel, groups=s.whole("groups", 1))


def _convolved(
    net: LayerGraph,
    s: Settings,
    x: str,
    origin: Origin,
    windows: Sequence[Window],
    dims: tuple[int, ...],
    channel: int,
    *,
    filters: int | None = None,
    groups: int = 1,
    transposed: bool = False,
    part: str = "",
) -> str:
    """A convolution with its bias and its activation; as many filters as its settings say, where none are given."""
    y = net.conv(
        x,
        origin.part(part) if part else origin,
        filters=s.whole("filters") if filters is None else filters,
        windows=windows,
        dims=dims,
        channel_dim=channel,
        groups=groups,
        bias=s.flag("use_bias", True),
        transposed=transposed,
    )
    return activation(net, y, s.activation(), origin, channel)


def _conv_transposed(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    rank, dims, channel = _spatial(net, kind, s, xs[0])
    kernel, stride = s.sizes("kernel_size", rank), s.sizes("strides", rank, 1)
    dilation = s.sizes("dilation_rate", rank, 1)
    same = s.word("padding", "valid", "valid", "same") == "same"
    extra = s.sizes("output_padding", rank) if s.values.get("output_padding") is not None else None
    windows = []
    for i, (k, step, d) in enumerate(zip(kernel, stride, dilation, strict=True)):
        reach = (k - 1) * d + 1
        if extra is not None:
            cut = (2 * (reach // 2) if same else 0) - extra[i]
        elif same:
            cut = reach - step
        else:
            cut = min(0, reach - step)
        before = max(0, cut) // 2
        windows.append(Window(k, step, d, before, max(0, cut) - before, max(0, -cut)))
    return _convolved(net, s, xs[0], origin, windows, dims, channel, transposed=True)


def _depthwise(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    _, dims, channel = _spatial(net, kind, s, xs[0])
    windows = _windows(net, xs[0], dims, s.sizes("kernel_size", len(dims)), s)
    channels = net.shape(xs[0])[channel]
    if channels is None:
        raise ExplainError(f"{origin.where}: its number of input channels is not known; give the shape with --input.")
    filters = channels * s.whole("depth_multiplier", 1)
    if not kind.startswith("Separable"):
        return _convolved(net, s, xs[0], origin, windows, dims, channel, filters=filters, groups=channels)
    part = origin.part("depthwise")
    y = net.conv(
        xs[0], part, filters=filters, windows=windows, dims=dims, channel_dim=channel, groups=channels, bias=False
    )
    return _convolved(net, s, y, origin, (Window(),) * len(dims), dims, channel, part="pointwise")


def _pool(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    _, dims, _ = _spatial(net, kind, s, xs[0])
    windows = _windows(net, xs[0], dims, s.sizes("pool_size", len(dims), 2), s, strides=None)
    return net.pool(xs[0], origin, windows=windows, dims=dims, function=kind[:3].lower())


def _global_pool(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    _, dims, _ = _spatial(net, kind, s, xs[0])
    function = "max" if "Max" in kind else "mean"
    return net.add("reduce", xs[:1], origin, dims=dims, keepdim=s.flag("keepdims", False), function=function)


def _upsample(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    rank, dims, _ = _spatial(net, kind, s, xs[0])
    mode = s.word("interpolation", "nearest", "nearest", "bilinear", "bicubic")
    modes = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}
    return net.upsample(xs[0], origin, dims=dims, scale=s.sizes("size", rank, 2), mode=modes[mode])


def _pad(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    rank, dims, _ = _spatial(net, kind, s, xs[0])
    crop = kind.startswith("Cropping")
    pairs = s.pairs("cropping" if crop else "padding", rank)
    if crop:
        pairs = tuple((-before, -after) for before, after in pairs)
    return net.pad(xs[0], origin, dims=dims, pairs=pairs, mode="constant")


def _dense(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    y = net.linear(xs[0], origin, units=s.whole("units"), bias=s.flag("use_bias", True))
    return activation(net, y, s.activation(), origin)


def _recurrent(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin, merge: str | None = None) -> str:
    if net.rank(xs[0]) != 3:
        raise ExplainError(f"{origin.where}: it takes (batch, time, features), not {shape_text(net.shape(xs[0]))}.")
    x, batch = xs[0], net.shape(xs[0])[0]
    if merge is None and s.flag("go_backwards", False):
        x = net.add("flip", [x], origin.part("backwards"), dims=(1,))
    cell = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}[kind]
    hidden = s.whole("units")
    y = net.rnn(
        x,
        origin,
        cell=cell,
        hidden=hidden,
        dim=1,
        channel_dim=2,
        biases=s.flag("use_bias", True) * (2 if cell == "gru" and s.flag("reset_after", True) else 1),
        bidirectional=merge is not None,
    )
    join = {"sum": "add", "ave": "mean", "mul": "multiply"}.get(merge or "")
    if s.flag("return_sequences", False):
        if join is None:
            return y
        cut = [
            net.add("slice", [y], origin.part(name), dims=(2,), start=(a,), stop=(a + hidden,), step=(1,))
            for name, a in (("forward", 0), ("backward", hidden))
        ]
        return net.elementwise(cut, origin.part("merge"), join)
    last = y.removesuffix(":0") + ":1"  # (directions, batch, hidden): the state after the last step
    if merge is None:
        return net.reshape(last, origin.part("last"), (batch, hidden))
    if join is None:
        side = net.add("permute", [last], origin.part("order"), order=(1, 0, 2))
        return net.reshape(side, origin.part("last"), (batch, 2 * hidden))
    ends = [net.add("select", [last], origin.part(n), dims=(0,), index=i) for i, n in enumerate(("first", "last"))]
    return net.elementwise(ends, origin.part("merge"), join)


def _bidirectional(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    inner_kind, inner = wrapped(s)
    if inner_kind not in {"LSTM", "GRU", "SimpleRNN"}:
        raise ExplainError(f"{origin.where}: Bidirectional around {inner_kind}; needed is LSTM, GRU or SimpleRNN.")
    merge = s.word("merge_mode", "concat", "concat", "sum", "ave", "mul")
    return _recurrent(net, inner_kind, Settings(inner, origin), xs, origin, merge)


def _time_distributed(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    """Dense and elementwise layers act on the last dim anyway; others are applied to each step with time as batch."""
    inner_kind, inner = wrapped(s)
    shape = net.shape(xs[0])
    if inner_kind in {"Dense", "Activation", "BatchNormalization", *ELEMENTWISE} or len(shape) < 4:
        return add_keras_layer(net, inner_kind, inner, xs, origin)
    folded = net.reshape(xs[0], origin.part("fold"), (product(shape[:2]), *shape[2:]))
    y = add_keras_layer(net, inner_kind, inner, [folded], origin)
    return net.reshape(y, origin.part("unfold"), (*shape[:2], *net.shape(y)[1:]))


def wrapped(s: Settings) -> tuple[str, Mapping[str, Any]]:
    """(class name, settings) of the layer inside a wrapper, from a file or from pasted code."""
    inner = s.values.get("layer")
    if isinstance(inner, Mapping) and isinstance(inner.get("config"), Mapping):
        kind, values = str(inner.get("class_name")), inner["config"]
    elif inner is not None and hasattr(inner, "kind") and hasattr(inner, "values"):
        kind, values = str(inner.kind), inner.values
    else:
        raise s.error("layer", "a layer")
    return ALIASES.get(kind, kind), values


def _merge(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    return net.elementwise(xs, origin, kind.lower())


def _concatenate(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    axis = s.whole("axis", -1)
    rank = net.rank(xs[0])
    if not -rank <= axis < rank:
        raise s.error("axis", f"a dim of {shape_text(net.shape(xs[0]))}")
    return net.add("concat", xs, origin, dims=(axis % rank,))


def _batch_norm(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    axis = s.values.get("axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    if isinstance(axis, bool) or not isinstance(axis, int) or not -net.rank(xs[0]) <= axis < net.rank(xs[0]):
        raise s.error("axis", "a dim of its input")
    channels = net.shape(xs[0])[axis] or 0
    trained = channels * (s.flag("center", True) + s.flag("scale", True))
    return net.elementwise(xs[:1], origin, "batch_norm", params=trained, buffers=2 * channels)


def _norm(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    rank, shape = net.rank(xs[0]), net.shape(xs[0])
    axis = s.values.get("axis", -1)
    axes = [axis] if isinstance(axis, int) else list(axis) if isinstance(axis, list | tuple) else []
    if not axes or any(isinstance(a, bool) or not isinstance(a, int) or not -rank <= a < rank for a in axes):
        raise s.error("axis", "a dim of its input")
    dims = tuple(sorted(a % rank for a in axes))
    groups = 1
    channel = dims[-1]
    each = s.flag("center", True) + s.flag("scale", True)
    params = (product(shape[d] for d in dims) or 0) * each
    if kind == "GroupNormalization":
        groups = s.whole("groups", 32)
        groups = (shape[channel] or 1) if groups == -1 else groups
        dims = tuple(range(1, rank))
    return net.add("norm", xs[:1], origin, params=params, channel_dim=channel, groups=groups, over=dims)


def _activation(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    function = s.activation() or "identity"
    if function == "softmax":
        return net.add("softmax", xs[:1], origin, dims=(net.rank(xs[0]) - 1,))
    return net.elementwise(xs[:1], origin, function)


def _softmax(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    return net.add("softmax", xs[:1], origin, dims=(s.whole("axis", -1) % net.rank(xs[0]),))


def _prelu(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    shared = s.values.get("shared_axes") or ()
    sizes = [size for dim, size in enumerate(net.shape(xs[0])) if dim and dim not in shared]
    params = product(sizes)
    if params is None:
        net.note(f"{origin.where}: its parameters depend on a size that is not known and were not counted.")
    return net.elementwise(xs[:1], origin, "prelu", params=params or 0)


def _flatten(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    shape = net.shape(xs[0])
    return net.reshape(xs[0], origin, (shape[0], product(shape[1:])))


def _reshape(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    target = s.values.get("target_shape", s.values.get("newshape"))
    if not isinstance(target, list | tuple) or any(v is not None and not isinstance(v, int) for v in target):
        raise s.error("target_shape", "a tuple of whole numbers, at most one of them -1")
    return net.reshape(xs[0], origin, (net.shape(xs[0])[0], *fill_reshape(net.shape(xs[0])[1:], tuple(target))))


def fill_reshape(have: Shape, target: Sequence[Size]) -> Shape:
    """`target` with its -1 (or None) replaced by what is left of `have`; None when that is not known."""
    rest = product(v for v in target if v not in (-1, None))
    total = product(have)
    known = [h for h in have if h is not None]
    found: Size = None
    if total is not None and rest:
        found = total // rest
    elif have.count(None) == 1 and rest == product(known):
        found = None
    return tuple(found if v in (-1, None) else v for v in target)


def _permute(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    dims = s.values.get("dims")
    if not isinstance(dims, list | tuple) or sorted(dims) != list(range(1, net.rank(xs[0]))):
        raise s.error("dims", f"an order of 1 to {net.rank(xs[0]) - 1}")
    return net.add("permute", xs[:1], origin, order=(0, *dims))


def _repeat(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    batch, features = net.shape(xs[0])
    wide = net.reshape(xs[0], origin.part("unsqueeze"), (batch, 1, features))
    return net.add("expand", [wide], origin, shape=(batch, s.whole("n"), features))


def _embedding(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    return embedding(net, xs[0], origin, s.whole("input_dim"), s.whole("output_dim"))


def embedding(net: LayerGraph, x: str, origin: Origin, entries: int, width: int) -> str:
    """A row of a table for each number of `x`."""
    shape = net.shape(x)
    wide = net.reshape(x, origin.part("lookup"), (*shape, 1))
    return net.add("expand", [wide], origin, shape=(*shape, width), params=entries * width)


def _attention(net: LayerGraph, kind: str, s: Settings, xs: list[str], origin: Origin) -> str:
    query, value = xs[0], xs[1] if len(xs) > 1 else xs[0]
    key = xs[2] if len(xs) > 2 else value
    if net.rank(query) != 3:
        raise ExplainError(f"{origin.where}: attention over {shape_text(net.shape(query))}; (batch, time, features).")
    features = net.shape(query)[2]
    if kind != "MultiHeadAttention":
        return net.add("attention", [query, key, value], origin, shape=net.shape(query), dims=(1,), channel_dim=2)
    heads, size = s.whole("num_heads"), s.whole("key_dim")
    bias = s.flag("use_bias", True)
    wide = s.whole("value_dim", size) if s.values.get("value_dim") is not None else size
    q = net.linear(query, origin.part("query"), units=heads * size, bias=bias)
    k = net.linear(key, origin.part("key"), units=heads * size, bias=bias)
    v = net.linear(value, origin.part("value"), units=heads * wide, bias=bias)
    shape = (*net.shape(q)[:2], heads * wide)
    y = net.add("attention", [q, k, v], origin, shape=shape, dims=(1,), channel_dim=2, heads=heads, causal=False)
    if features is None:
        raise ExplainError(f"{origin.where}: its number of features is not known; give the shape with --input.")
    return net.linear(y, origin.part("output"), units=features, bias=bias)


LAYERS: dict[str, Family] = {
    **{f"Conv{n}D": _conv for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _conv_transposed for n in (1, 2, 3)},
    **{f"{kind}Conv{n}D": _depthwise for kind in ("Depthwise", "Separable") for n in (1, 2)},
    **{f"{kind}Pool{n}D": _pool for kind in ("Max", "Avg") for n in (1, 2, 3)},
    **{f"Global{kind}Pool{n}D": _global_pool for kind in ("Max", "Avg") for n in (1, 2, 3)},
    **{f"UpSampling{n}D": _upsample for n in (1, 2, 3)},
    **{f"{kind}{n}D": _pad for kind in ("ZeroPadding", "Cropping") for n in (1, 2, 3)},
    "Dense": _dense,
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), _recurrent),
    "Bidirectional": _bidirectional,
    "TimeDistributed": _time_distributed,
    **dict.fromkeys(MERGES, _merge),
    **dict.fromkeys(ELEMENTWISE, _merge),
    **dict.fromkeys(("Concatenate", "Concat"), _concatenate),
    "BatchNormalization": _batch_norm,
    **dict.fromkeys(("LayerNormalization", "GroupNormalization"), _norm),
    "Activation": _activation,
    "Softmax": _softmax,
    "PReLU": _prelu,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    "Embedding": _embedding,
    **dict.fromkeys(("MultiHeadAttention", "Attention", "AdditiveAttention"), _attention),
}
