"""What each layer of Keras and torch does to a graph: one function per family, found by class name in `LAYERS`.

A layer of torch is read as the Keras layer that it is another name of; `LayerCall` translates its settings. Only source
text is read: neither framework is imported. Facts that decide the answer: arrays are channels-last in Keras and
channels-first in torch; `padding="same"` with a stride pads less before than after, and with an even kernel the odd
position comes at the END, which is look-ahead along time; `Conv2DTranspose` with `same` is the full output cut to
size * stride, again at the end first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ..counts import GATES, recurrent_weights
from ..graph import Size, Window, product
from ..phrases import table
from ..shapes import shape_text
from .build import spread
from .code_values import number_of
from .layer_call import LayerCall
from .layers import LayerGraph, Origin, check_width, check_window, fill_reshape, is_whole, same_padding
from .vocabulary import windows_of

Family = Callable[[LayerCall], str]
WIDE = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
EDGES = {"Zero": "constant", "Cons": "constant", "Refl": "reflect", "Repl": "edge"}
MERGED = {"sum": "add", "ave": "mean", "mul": "multiply"}


@dataclass(frozen=True)
class LayerKind:
    """How a class of layers is read: the names of its arguments in order, and the function that adds it to a graph."""

    arguments: tuple[str, ...]
    family: Family


def add_layer(
    net: LayerGraph, framework: str, kind: str, values: Mapping[str, Any], xs: Sequence[str], origin: Origin
) -> str:
    """Adds a layer of class `kind` and returns its first output; a class without a rule becomes an unknown operator.

    Raises:
        ExplainError: settings or shapes the layer cannot have; the layer and its line are named.
    """
    kind = ALIASES.get(kind, kind)
    call = LayerCall(net, kind, values, xs, origin, framework == "torch")
    if not xs:
        raise call.fail("the layer has no input.")
    found = LAYERS[framework].get(kind)
    if found is None:
        net.note(f"{origin.where}: the layer {kind} is not known; its output was taken to have its input's shape.")
        return net.add("unknown", xs, origin, shape=call.shape)
    if len(xs) > 1 and found.family not in OF_SEVERAL and not all(map(net.fixed, xs[1:])):
        raise call.fail("it is given a state, or another tensor beside its input, which is not followed.")
    return found.family(call)


# convolutions and pools


def sliding(c: LayerCall, dims: Sequence[int], kernel: Sequence[int], stride: int | Sequence[int] = 1) -> list[Window]:
    """One window per axis; its padding is a word, or in torch numbers too."""
    rank, transposed = len(dims), "Transpose" in c.kind
    strides, dilation = c.sizes("strides", rank, stride), c.sizes("dilation_rate", rank, 1)
    numbers = c.torch and (transposed or not isinstance(c.get("padding"), str))
    ends = c.sizes("padding", rank, 0) if numbers else 0
    mode = "" if numbers else c.word("padding", "valid", "valid", "same", *([] if c.torch else ["causal"]))
    if c.torch and mode == "same" and max(strides) > 1:
        raise c.fail("torch has no padding='same' for strided convolutions.")
    extra = c.sizes("output_padding", rank, 0) if transposed else 0
    windows = windows_of(kernel, strides, dilation, ends, extra, c.flag("ceil_mode", False))
    for i, window in enumerate(windows):
        check_window(window, c.origin.where)
        before, after = window.pad_start, window.pad_end
        if mode == "causal":
            before = window.reach - 1
        elif mode == "same":
            before, after = same_padding(c.net, c.origin.where, c.shape[dims[i]], window)
        windows[i] = replace(window, pad_start=before, pad_end=after)
    return windows


def cropped_windows(c: LayerCall, kernel: Sequence[int]) -> list[Window]:
    """Those of a transposed convolution of Keras, which crops its full output to a multiple of the stride."""
    rank, same = len(kernel), c.word("padding", "valid", "valid", "same") == "same"
    extra = c.sizes("output_padding", rank) if c.get("output_padding") is not None else None
    windows = windows_of(kernel, c.sizes("strides", rank, 1), c.sizes("dilation_rate", rank, 1))
    for i, w in enumerate(windows):
        if extra is not None:
            cut = (2 * (w.reach // 2) if same else 0) - extra[i]
        else:
            cut = w.reach - w.stride if same else min(0, w.reach - w.stride)
        before = max(0, cut) // 2
        windows[i] = replace(w, pad_start=before, pad_end=max(0, cut) - before, output_padding=max(0, -cut))
        check_window(windows[i], c.origin.where)
    return windows


def convolved(
    c: LayerCall, x: str, windows: Sequence[Window], *, filters: int | None = None, groups: int = 1, part: str = ""
) -> str:
    """A convolution with its bias and its activation; as many filters as its settings say, where none are given."""
    dims, channel = c.places()
    y = c.net.conv(
        x,
        c.origin.part(part) if part else c.origin,
        filters=c.whole("filters") if filters is None else filters,
        windows=windows,
        dims=dims,
        channel_dim=channel,
        groups=groups,
        bias=part != "depthwise" and c.flag("use_bias", True),
        transposed="Transpose" in c.kind,
        normed=c.get("weight_norm"),
    )
    return y if part == "depthwise" else c.activated(y, channel)


def conv(c: LayerCall) -> str:
    dims, channel = c.places()
    if c.torch:
        c.expect("in_channels", channel)
    kernel = c.sizes("kernel_size", len(dims))
    cropped = "Transpose" in c.kind and not c.torch
    windows = cropped_windows(c, kernel) if cropped else sliding(c, dims, kernel)
    x, mode = c.x, str(c.get("padding_mode", "zeros"))
    pads = [(w.pad_start, w.pad_end) for w in windows]
    if mode != "zeros" and any(map(any, pads)):  # copies of the input, which are an operator of their own
        x = c.net.pad(x, c.origin.part("pad"), dims=dims, pairs=pads, mode=mode)
        windows = [replace(w, pad_start=0, pad_end=0) for w in windows]
    return convolved(c, x, windows, groups=c.whole("groups", 1))


def depthwise(c: LayerCall) -> str:
    dims, channel = c.places()
    windows = sliding(c, dims, c.sizes("kernel_size", len(dims)))
    channels = c.shape[channel]
    if channels is None:
        raise c.fail("its number of input channels is not known; give the shape with --input.")
    filters, mixed = channels * c.whole("depth_multiplier", 1), c.kind.startswith("Separable")
    part = "depthwise" if mixed else ""
    y = convolved(c, c.x, windows, filters=filters, groups=channels, part=part)
    return convolved(c, y, (Window(),) * len(dims), part="pointwise") if mixed else y


def pool(c: LayerCall) -> str:
    dims, _ = c.places()
    kernel = c.sizes("pool_size", len(dims), None if c.torch else 2)
    return c.add("pool", windows=tuple(sliding(c, dims, kernel, kernel)), dims=dims, function=c.kind[:3].lower())


def adaptive_pool(c: LayerCall) -> str:
    dims, _ = c.places()
    value = c.get("output_size")
    listed = list(value) if isinstance(value, list | tuple) else [value] * len(dims)
    sizes = tuple(c.shape[i + 2] if v is None else v for i, v in enumerate(listed))
    if len(sizes) != len(dims) or any(v is None or not is_whole(v) or v < 1 for v in sizes):
        raise c.error("output_size", f"a whole number from 1, or {len(dims)} of them")
    return c.add("adaptive_pool", dims=dims, sizes=sizes, function="max" if "Max" in c.kind else "avg")


def global_pool(c: LayerCall) -> str:
    function = "max" if "Max" in c.kind else "mean"
    return c.add("reduce", dims=c.places()[0], keepdim=c.flag("keepdims", False), function=function)


def upsample(c: LayerCall) -> str:
    dims, _ = c.places()
    mode = WIDE[c.word("interpolation", "nearest", *WIDE)]
    sized = c.torch and c.values.get("size") is not None  # what it makes, not how many times as much
    wanted = spread(c.values["size"] if sized else c.get("size", None if c.torch else 2), len(dims))
    have = [c.shape[dim] if sized else 1 for dim in dims]
    if sized and (None in have or None in wanted):
        raise c.fail("its factor depends on a size that is not known. Give the whole input shape with --input.")
    if len(wanted) != len(dims) or not all(number_of(one) and one > 0 for one in wanted):
        raise c.error("size", f"a number above 0, or {len(dims)} of them")
    scale = tuple(Fraction(one).limit_denominator(10_000) / (n or 1) for one, n in zip(wanted, have, strict=True))
    return c.add("upsample", dims=dims, scale=scale, mode=mode, align_corners=bool(c.values.get("align_corners")))


def pixel_shuffle(c: LayerCall) -> str:
    """Channels laid out as positions: as many fewer of them, and each position seen from several places."""
    factor, channels = c.whole("upscale_factor"), c.shape[1] or 0
    if c.rank != 4 or factor < 1 or channels % factor**2:
        raise c.fail(
            f"it lays {factor} x {factor} channels out as a square, which {shape_text(c.shape)} does not have."
        )
    (y,) = c.slices(c.x, 1, channels // factor**2, "fewer")
    return c.add("upsample", x=y, dims=(2, 3), scale=(Fraction(factor),) * 2, mode="nearest", align_corners=False)


def spectrum(c: LayerCall) -> str:
    """(B, N) -> (B, F, T): frames cut out of samples and transformed; mel bands where it has them."""
    size = c.whole("n_fft", 400)
    length = size if c.get("win_length") is None else c.whole("win_length")
    usual = size // 4 if c.kind == "STFT" else length // 2
    hop, last, y = usual if c.get("hop_length") is None else c.whole("hop_length"), c.rank - 1, c.x
    if min(hop, length, size - length + 1) < 1:
        raise c.fail(f"windows of {length} samples every {hop} in transforms of {size}.")
    if not c.flag("onesided", True):
        raise c.error("onesided", "True")
    if c.flag("center", True):
        mode = str(c.get("pad_mode", "reflect"))
        y = c.net.pad(y, c.origin.part("pad"), dims=[last], pairs=[(size // 2, size // 2)], mode=mode)
    *lead, samples = c.net.shape(y)
    frames = None if samples is None else (samples - size) // hop + 1
    window = Window(length, hop, pad_start=-((size - length) // 2))
    y = c.add("unfold", "frames", y, shape=(*lead, frames, length), dims=(last,), windows=(window,))
    y = c.add("fft", "fft", y, shape=(*lead, frames, size // 2 + 1), dims=(last + 1,))
    if c.kind.startswith(("Mel", "MFCC")):
        bands = c.whole("n_mels", 128)
        y = c.add("linear", "bands", y, channels=bands, dims=(last + 1,), weight_values=(size // 2 + 1) * bands)
    return c.add("permute", "", y, order=(*range(last), last + 1, last))


def pad(c: LayerCall) -> str:
    dims, _ = c.places()
    if c.torch:
        value = c.get("padding")
        ends = value if isinstance(value, list | tuple) else [value] * (2 * len(dims))
        return c.net.pad_from_the_end(c.x, c.origin, ends, EDGES[c.kind[:4]])
    crop = c.kind.startswith("Cropping")
    pairs = c.pairs("cropping" if crop else "padding", len(dims))
    pairs = tuple((-before, -after) for before, after in pairs) if crop else pairs
    return c.net.pad(c.x, c.origin, dims=dims, pairs=pairs, mode="constant")


# layers along the features, and along time


def dense(c: LayerCall) -> str:
    features = c.expect("in_features", c.rank - 1) if c.torch else None
    bias, normed = c.flag("use_bias", True), c.get("weight_norm")
    y = c.net.linear(c.x, c.origin, units=c.whole("units"), bias=bias, normed=normed, features=features)
    return c.activated(y, c.rank - 1)


def recurrent(c: LayerCall, merge: str | None = None) -> str:
    if c.rank != 3:
        raise c.fail(f"it takes three dims, batch, time and features, not {shape_text(c.shape)}.")
    features = c.expect("input_size", 2) if c.torch else c.shape[2]
    backwards = merge is None and c.flag("go_backwards", False)
    x = c.add("flip", "backwards", dims=(1,)) if backwards else c.x
    cell, hidden = c.kind.lower().removeprefix("simple"), c.whole("units")
    vectors = 2 if c.torch or (cell == "gru" and c.flag("reset_after", True)) else 1
    dim = 0 if c.torch and not c.flag("batch_first", False) else 1
    biases, layers = vectors if c.flag("use_bias", True) else 0, c.whole("num_layers", 1)
    both = merge is not None or c.flag("bidirectional", False)
    check_width(hidden, "units", c.origin)
    check_width(layers, "layers", c.origin)
    sides = layers * (2 if both else 1)
    weights = None if features is None else recurrent_weights(cell, features, hidden, layers, 2 if both else 1)
    params = 0 if weights is None else weights + GATES[cell] * hidden * biases * sides
    states = [(sides, c.shape[1 - dim], hidden)] * (2 if cell == "lstm" else 1)
    owned = {"params": params, "weight_values": weights, "more_outputs": states}
    how: dict[str, Any] = {"cell": cell, "hidden": hidden, "layers": layers, "bidirectional": both, **owned}
    y = c.net.add("rnn", [x, *c.xs[1:]], c.origin, dims=(dim,), channel_dim=2, **how)
    join, batch = MERGED.get(merge or ""), c.shape[0]
    if c.torch or (c.flag("return_sequences", False) and join is None):
        return y
    if c.flag("return_sequences", False):
        return c.net.elementwise(c.slices(y, 2, hidden, "forward", "backward"), c.origin.part("merge"), str(join))
    last = c.net.outputs_beside(y)[1]  # (directions, batch, hidden): the state after the last step
    if merge is None:
        return c.net.reshape(last, c.origin.part("last"), (batch, hidden))
    if join is None:
        side = c.add("permute", "order", last, order=(1, 0, 2))
        return c.net.reshape(side, c.origin.part("last"), (batch, 2 * hidden))
    ends = [c.add("select", name, last, dims=(0,), index=i) for i, name in enumerate(("first", "last"))]
    return c.net.elementwise(ends, c.origin.part("merge"), join)


def chomp(c: LayerCall) -> str:
    """The last positions cut off, as TCNs call it; torch has no such layer."""
    c.net.note("Chomp1d is not in the code: that of TCN was taken, which cuts off the last positions.")
    return c.net.pad(c.x, c.origin, dims=[c.rank - 1], pairs=[(0, -c.whole("chomp_size"))], mode="constant")


def cell(c: LayerCall) -> str:
    """One step of a recurrent layer, from no state."""
    if c.rank != 2 or len(c.xs) > 1:
        raise c.fail("only one step of it, from no state, is read; nn.LSTM, nn.GRU and nn.RNN are read over time.")
    batch, features = c.shape
    step = c.net.reshape(c.x, c.origin.part("step"), (batch, 1, features))
    whole = replace(c, kind=c.kind.removesuffix("Cell"), xs=[step], values={**c.values, "batch_first": True})
    return c.net.reshape(recurrent(whole), c.origin.part("last"), (batch, c.whole("units")))


def bidirectional(c: LayerCall) -> str:
    kind, values = wrapped(c)
    if kind not in {"LSTM", "GRU", "SimpleRNN"}:
        raise c.fail(f"Bidirectional around {kind}; needed is LSTM, GRU or SimpleRNN.")
    return recurrent(replace(c, kind=kind, values=values), c.word("merge_mode", "concat", "concat", *MERGED))


def time_distributed(c: LayerCall) -> str:
    """Dense and elementwise layers act on the last dim anyway; others are applied to each step with time as batch."""
    kind, values = wrapped(c)
    shape = c.shape
    known = LAYERS["keras"].get(kind)
    if len(shape) < 4 or (known and known.family in {dense, activation, batch_norm, function_of}):
        return add_layer(c.net, "keras", kind, values, c.xs, c.origin)
    folded = c.net.reshape(c.x, c.origin.part("fold"), (product(shape[:2]), *shape[2:]))
    y = add_layer(c.net, "keras", kind, values, [folded], c.origin)
    return c.net.reshape(y, c.origin.part("unfold"), (*shape[:2], *c.net.shape(y)[1:]))


def wrapped(c: LayerCall) -> tuple[str, Mapping[str, Any]]:
    """(class name, settings) of the layer inside a wrapper, from a file or from pasted code."""
    inner = c.get("layer")
    if isinstance(inner, Mapping) and isinstance(inner.get("config"), Mapping):
        kind, values = str(inner.get("class_name")), inner["config"]
    elif hasattr(inner, "kind") and hasattr(inner, "values"):
        kind, values = str(inner.kind), inner.values
    else:
        raise c.error("layer", "a layer")
    return ALIASES.get(kind, kind), values


def attention(c: LayerCall) -> str:
    """Keras takes query, value and key, and time behind the batch; torch query, key and value, and time in front."""
    query, second, third = (*c.xs, c.xs[-1], c.xs[-1])[:3]
    key, value = (second, third) if c.torch else (third, second)
    if c.rank != 3:
        raise c.fail(f"attention over {shape_text(c.shape)}; (batch, time, features).")
    time = 0 if c.torch and not c.flag("batch_first", False) else 1
    along: dict[str, Any] = {"dims": (time,), "channel_dim": 2, "causal": c.flag("causal", False)}
    if "head" not in c.kind.lower():
        scale = c.flag("use_scale", c.kind.startswith("Add")) * (c.shape[2] or 0 if c.kind.startswith("Add") else 1)
        params = scale + (c.get("score_mode") == "concat")
        return c.net.add("attention", [query, key, value], c.origin, params=params, shape=c.shape, **along)
    heads, bias, features = c.whole("num_heads"), c.flag("use_bias", True), c.shape[2]
    if c.torch:
        features = c.expect("embed_dim", 2)
        if heads < 1 or features % heads:
            raise c.fail(f"{features} features cannot be split into {heads} heads.")
        if odd := next((one for one in ("add_bias_kv", "add_zero_attn") if c.flag(one, False)), None):
            raise c.error(odd, "False")
        for x, name in ((key, "kdim"), (value, "vdim")):
            c.expect("embed_dim" if c.get(name) is None else name, 2, x)
        size = wide = features // heads
    else:
        size = c.whole("key_dim")
        wide = size if c.get("value_dim") is None else c.whole("value_dim")
    if features is None:
        raise c.fail("its number of features is not known; give the shape with --input.")
    q, k, v = (
        c.net.linear(x, c.origin.part(name), units=heads * units, bias=bias)
        for x, name, units in ((query, "query", size), (key, "key", size), (value, "value", wide))
    )
    shape = (*c.net.shape(q)[:2], heads * wide)
    y = c.net.add("attention", [q, k, v], c.origin, shape=shape, heads=heads, **along)
    return c.net.linear(y, c.origin.part("output"), units=features, bias=bias)


def embedding(c: LayerCall) -> str:
    """A row of a table for each number."""
    entries, width = c.whole("input_dim"), c.whole("output_dim")
    wide = c.net.reshape(c.x, c.origin.part("lookup"), (*c.shape, 1))
    return c.add("expand", x=wide, shape=(*c.shape, width), params=entries * width)


# norms and functions of each value


def trained(c: LayerCall) -> int:
    """Values of a norm per channel that are trained: a scale and a shift, unless it says otherwise."""
    if not c.torch:
        return c.flag("center", True) + c.flag("scale", True)
    key = "elementwise_affine" if c.kind == "LayerNorm" else "affine"
    return 2 * c.flag(key, not c.kind.startswith("Instance"))


def batch_norm(c: LayerCall) -> str:
    """Fixed at work: a scale and a shift for each channel."""
    channels = c.expect("num_features", 1) if c.torch else c.shape[c.dims("axis")[-1]] or 0
    return c.elementwise("batch_norm", params=channels * trained(c), buffers=2 * channels)


def norm(c: LayerCall) -> str:
    grouped = c.kind.startswith("Group")
    sizes: Sequence[Size]
    if c.kind == "LayerNorm":
        sizes = spread(c.get("normalized_shape"), 1)
        if not sizes or not all(map(is_whole, sizes)) or len(sizes) >= c.rank:
            raise c.error("normalized_shape", "the sizes of the last dims")
        dims = tuple(range(c.rank - len(sizes), c.rank))
        if sizes != [c.shape[d] or size for d, size in zip(dims, sizes, strict=True)]:
            raise c.fail(f"it takes {sizes[0]} channels, but its input {shape_text(c.shape)} has {c.shape[dims[0]]}.")
    elif c.torch:
        dims = (1,)
        sizes = [c.expect("num_channels" if grouped else "num_features", 1)]
    else:
        dims = c.dims("axis")
        sizes = [c.shape[d] for d in dims]
    groups = c.whole("num_groups" if c.torch else "groups", None if c.torch else 32) if grouped else 1
    groups = (c.shape[dims[-1]] or 1) if groups == -1 else groups
    over = tuple(range(1, c.rank)) if grouped else tuple(range(2, c.rank)) if c.kind.startswith("Inst") else dims
    params = (product(sizes) or 0) * trained(c)
    return c.add("norm", params=params, channel_dim=dims[-1], groups=groups, over=over)


def function_of(c: LayerCall) -> str:
    """A function of each value by itself, or of several inputs value by value: its class is its name."""
    return c.elementwise(c.kind.lower())


def prelu(c: LayerCall) -> str:
    if c.torch:
        return c.elementwise("prelu", params=c.whole("num_parameters", 1))
    shared = c.get("shared_axes") or ()
    params = product(size for dim, size in enumerate(c.shape) if dim and dim not in shared)
    if params is None:
        c.net.note(f"{c.origin.where}: its parameters depend on a size that is not known and were not counted.")
    return c.elementwise("prelu", params=params or 0)


def activation(c: LayerCall) -> str:
    function = c.activation() or "identity"
    return c.add("softmax", dims=(c.rank - 1,)) if function == "softmax" else c.elementwise(function)


def softmax(c: LayerCall) -> str:
    return c.add("softmax", dims=(c.net.dim(c.x, c.get("axis", 1 if c.torch else -1), c.origin),))


def glu(c: LayerCall) -> str:
    """Half of the channels, gated by the other half."""
    dim = c.net.dim(c.x, c.get("axis", -1), c.origin)
    size = c.shape[dim]
    if size is None or size % 2:
        raise c.fail(f"it halves dim {dim} of {shape_text(c.shape)}; an even size is needed.")
    return c.net.elementwise(c.slices(c.x, dim, size // 2, "value", "gate"), c.origin, "multiply")


# shapes


def concatenate(c: LayerCall) -> str:
    return c.net.add("concat", c.xs, c.origin, dims=(c.net.dim(c.x, c.get("axis", -1), c.origin),))


def flatten(c: LayerCall) -> str:
    """The dims from the first to the last (both included) merged into one."""
    first, last = (c.net.dim(c.x, c.get(key, end), c.origin) for key, end in (("start_dim", 1), ("end_dim", -1)))
    shape = c.shape
    return c.net.reshape(c.x, c.origin, (*shape[:first], product(shape[first : last + 1]), *shape[last + 1 :]))


def reshape(c: LayerCall) -> str:
    target = c.get("target_shape", c.get("newshape"))
    if not isinstance(target, list | tuple) or any(v is not None and not isinstance(v, int) for v in target):
        raise c.error("target_shape", "a tuple of whole numbers, at most one of them -1")
    return c.net.reshape(c.x, c.origin, (c.shape[0], *fill_reshape(c.shape[1:], tuple(target))))


def permute(c: LayerCall) -> str:
    dims = c.get("dims")
    if not isinstance(dims, list | tuple) or sorted(dims) != list(range(1, c.rank)):
        raise c.error("dims", f"an order of 1 to {c.rank - 1}")
    return c.add("permute", order=(0, *dims))


def repeat(c: LayerCall) -> str:
    if c.rank != 2:
        raise c.fail(f"it takes (batch, features), not {shape_text(c.shape)}.")
    batch, features = c.shape
    wide = c.net.reshape(c.x, c.origin.part("unsqueeze"), (batch, 1, features))
    return c.add("expand", x=wide, shape=(batch, c.whole("n"), features))


# the tables: class names, their arguments in order, and how they are read


def _spelled(names: str) -> list[str]:
    """Names in a row, those with # once for each number of axes."""
    return [name.replace("#", axes) for name in names.split() for axes in ("123" if "#" in name else "1")]


def _kinds(framework: str) -> dict[str, LayerKind]:
    return {
        name: LayerKind(tuple(arguments.split()), globals()[family])
        for family, rows in _TABLE[framework].items()
        for names, arguments in rows.items()
        for name in _spelled(names)
    }


_TABLE = table("layers")
WEIGHTED = frozenset((conv, depthwise, dense, recurrent, embedding, attention, batch_norm, norm, prelu))
OF_SEVERAL = frozenset((function_of, concatenate, attention))  # families that read more than one tensor
LAYERS = {framework: _kinds(framework) for framework in ("keras", "torch")}
WITHOUT_RULE = {framework: frozenset(names.split()) for framework, names in _TABLE["without_rule"].items()}
ALIASES: dict[str, str] = {
    long: short for pair in _TABLE["long"].items() for long, short in zip(*map(_spelled, pair), strict=True)
}
NEUTRAL = re.compile("|".join(_TABLE["neutral"]["settings"].split()))  # settings that change no figure
KERAS_NAMES = frozenset((*LAYERS["keras"], *ALIASES))
