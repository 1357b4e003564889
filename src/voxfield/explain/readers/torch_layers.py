"""What each torch layer written in pasted code does to a graph: one function per family, found by class name.

This reads source text only (`nn.Conv1d(1, 512, 256, stride=16)`); torch itself is never imported. Arrays are
channels-first: (B, C, N) or (B, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import ExplainError
from ..graph import Window
from ..shapes import Shape, product, shape_text
from .keras_config import Settings
from .keras_layers import embedding
from .layers import LayerGraph, Origin, brief
from .text import same_padding

_CONV = "in_channels out_channels kernel_size stride padding dilation groups bias padding_mode"
_CONV_T = "in_channels out_channels kernel_size stride padding output_padding groups bias dilation"
_RNN = "input_size hidden_size num_layers bias batch_first dropout bidirectional"
_NORM = "num_features eps momentum affine track_running_stats"
_ELEMENTWISE = (
    "ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardswish "
    "Hardsigmoid LogSigmoid Dropout Dropout1d Dropout2d Dropout3d AlphaDropout Identity Threshold"
)
TORCH_ELEMENTWISE = _ELEMENTWISE.split()

TORCH_POSITIONAL: Mapping[str, str] = {
    **{f"Conv{n}d": _CONV for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": _CONV_T for n in (1, 2, 3)},
    **{f"MaxPool{n}d": "kernel_size stride padding dilation return_indices ceil_mode" for n in (1, 2, 3)},
    **{f"AvgPool{n}d": "kernel_size stride padding ceil_mode" for n in (1, 2, 3)},
    **{f"Adaptive{kind}Pool{n}d": "output_size" for kind in ("Avg", "Max") for n in (1, 2, 3)},
    "Linear": "in_features out_features bias",
    **{f"BatchNorm{n}d": _NORM for n in (1, 2, 3)},
    **{f"InstanceNorm{n}d": _NORM for n in (1, 2, 3)},
    "GroupNorm": "num_groups num_channels eps affine",
    "LayerNorm": "normalized_shape eps elementwise_affine bias",
    "LSTM": _RNN,
    "GRU": _RNN,
    "RNN": _RNN.replace("num_layers", "num_layers nonlinearity"),
    **dict.fromkeys(TORCH_ELEMENTWISE, "first second third"),  # rates, slopes and bounds, which decide nothing here
    "PReLU": "num_parameters init",
    "Flatten": "start_dim end_dim",
    "Embedding": "num_embeddings embedding_dim padding_idx",
    "GLU": "dim",
    "Upsample": "size scale_factor mode align_corners",
    "Softmax": "dim",
    "LogSoftmax": "dim",
    **{f"{kind}Pad{n}d": "padding value" for kind in ("Zero", "Constant") for n in (1, 2, 3)},
    **{f"{kind}Pad{n}d": "padding" for kind in ("Reflection", "Replication") for n in (1, 2, 3)},
}

TORCH_WITHOUT_RULE = frozenset(("MultiheadAttention", "TransformerEncoderLayer", "PixelShuffle", "Fold"))

Family = Callable[[LayerGraph, str, Settings, str, Origin], list[str]]


def add_torch_layer(net: LayerGraph, kind: str, values: Mapping[str, Any], x: str, origin: Origin) -> list[str]:
    """Adds the torch layer of class `kind` and returns its outputs (a recurrent one also gives its last states).

    Raises:
        ExplainError: settings or shapes the layer cannot have; the layer and its line are named.
    """
    return TORCH_LAYERS[kind](net, kind, Settings(values, origin), x, origin)


def _rank(net: LayerGraph, kind: str, x: str, origin: Origin) -> int:
    rank = int(kind[-2])
    if net.rank(x) != rank + 2:
        raise ExplainError(
            f"{origin.where}: it takes {rank + 2} dims, (batch, channels, {rank} more); given is "
            f"{shape_text(net.shape(x))}."
        )
    return rank


def _expect(net: LayerGraph, x: str, dim: int, wanted: int, origin: Origin) -> None:
    have = net.shape(x)[dim]
    if have is not None and have != wanted:
        raise ExplainError(
            f"{origin.where}: it takes {wanted} channels, but its input {shape_text(net.shape(x))} has {have}."
        )


def _conv(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    rank, transposed = _rank(net, kind, x, origin), "Transpose" in kind
    _expect(net, x, 1, s.whole("in_channels"), origin)
    kernel, stride = s.sizes("kernel_size", rank), s.sizes("stride", rank, 1)
    dilation = s.sizes("dilation", rank, 1)
    mode = s.values.get("padding", 0)
    if mode == "same" and not transposed:
        # torch puts the odd position at the end, as Keras does, and refuses strides here
        if max(stride) > 1:
            raise ExplainError(f"{origin.where}: torch has no padding='same' for strided convolutions.")
        triples = zip(kernel, dilation, net.shape(x)[2:], strict=True)
        pads = [same_padding(net, origin.where, size, k, 1, d) for k, d, size in triples]
    elif mode == "valid":
        pads = [(0, 0)] * rank
    else:
        pads = [(p, p) for p in s.sizes("padding", rank, 0)]
    extra = s.sizes("output_padding", rank, 0) if transposed else (0,) * rank
    windows = [
        Window(k, step, d, a, b, o) for k, step, d, (a, b), o in zip(kernel, stride, dilation, pads, extra, strict=True)
    ]
    y = net.conv(
        x,
        origin,
        filters=s.whole("out_channels"),
        windows=windows,
        dims=tuple(range(2, rank + 2)),
        channel_dim=1,
        groups=s.whole("groups", 1),
        bias=s.flag("bias", True),
        transposed=transposed,
    )
    return [y]


def _pool(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    rank = _rank(net, kind, x, origin)
    kernel = s.sizes("kernel_size", rank)
    stride = kernel if s.values.get("stride") is None else s.sizes("stride", rank)
    padding, dilation = s.sizes("padding", rank, 0), s.sizes("dilation", rank, 1)
    ceil = s.flag("ceil_mode", False)
    quads = zip(kernel, stride, dilation, padding, strict=True)
    windows = tuple(Window(k, step, d, p, p, 0, ceil) for k, step, d, p in quads)
    return [net.pool(x, origin, windows=windows, dims=tuple(range(2, rank + 2)), function=kind[:3].lower())]


def _adaptive(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    rank = _rank(net, kind, x, origin)
    value = s.values.get("output_size")
    listed = list(value) if isinstance(value, list | tuple) else [value] * rank
    sizes = tuple(net.shape(x)[i + 2] if v is None else v for i, v in enumerate(listed))
    if len(sizes) != rank or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in sizes):
        raise s.error("output_size", f"a whole number from 1, or {rank} of them")
    function = "max" if "Max" in kind else "avg"
    dims = tuple(range(2, rank + 2))
    return [net.add("adaptive_pool", [x], origin, dims=dims, sizes=sizes, function=function)]


def _linear(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    features = s.whole("in_features")
    _expect(net, x, net.rank(x) - 1, features, origin)
    return [net.linear(x, origin, units=s.whole("out_features"), bias=s.flag("bias", True), features=features)]


def _channel_norm(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    """Norms with a scale and a shift for each channel; that of a batch is fixed at work."""
    grouped = kind == "GroupNorm"
    channels = s.whole("num_channels" if grouped else "num_features")
    _expect(net, x, 1, channels, origin)
    params = 2 * channels if s.flag("affine", not kind.startswith("Instance")) else 0
    if kind.startswith("Batch"):
        return [net.elementwise([x], origin, "batch_norm", params=params, buffers=2 * channels)]
    over, groups = tuple(range(1 if grouped else 2, net.rank(x))), s.whole("num_groups") if grouped else 1
    return [net.add("norm", [x], origin, params=params, channel_dim=1, groups=groups, over=over)]


def _layer_norm(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    value = s.values.get("normalized_shape")
    sizes = list(value) if isinstance(value, list | tuple) else [value]
    if not sizes or any(isinstance(v, bool) or not isinstance(v, int) for v in sizes) or len(sizes) >= net.rank(x):
        raise s.error("normalized_shape", "the sizes of the last dims")
    dims = tuple(range(net.rank(x) - len(sizes), net.rank(x)))
    for dim, size in zip(dims, sizes, strict=True):
        _expect(net, x, dim, int(size or 0), origin)
    params = (product(sizes) or 0) * 2 if s.flag("elementwise_affine", True) else 0
    return [net.add("norm", [x], origin, params=params, channel_dim=dims[-1], over=dims)]


def _recurrent(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    if net.rank(x) != 3:
        raise ExplainError(f"{origin.where}: it takes 3 dims, not {shape_text(net.shape(x))}.")
    _expect(net, x, 2, s.whole("input_size"), origin)
    y = net.rnn(
        x,
        origin,
        cell=kind.lower(),
        hidden=s.whole("hidden_size"),
        dim=1 if s.flag("batch_first", False) else 0,
        channel_dim=2,
        biases=2 if s.flag("bias", True) else 0,
        layers=s.whole("num_layers", 1),
        bidirectional=s.flag("bidirectional", False),
    )
    stem = y.removesuffix(":0")
    return [y, f"{stem}:1", *([f"{stem}:2"] if kind == "LSTM" else [])]


def _elementwise(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    params = s.whole("num_parameters", 1) if kind == "PReLU" else 0
    return [net.elementwise([x], origin, kind.lower(), params=params)]


def _softmax(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    return [net.add("softmax", [x], origin, dims=(dim_of(net, x, s.whole("dim", 1), origin),))]


def _glu(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    return [glu(net, x, s.whole("dim", -1), origin)]


def glu(net: LayerGraph, x: str, dim: int, origin: Origin) -> str:
    """Half of the channels, gated by the other half."""
    dim = dim_of(net, x, dim, origin)
    size = net.shape(x)[dim]
    if size is None or size % 2:
        raise ExplainError(
            f"{origin.where}: it halves dim {dim} of {shape_text(net.shape(x))}; an even size is needed."
        )
    halves = [
        net.add("slice", [x], origin.part(part), dims=(dim,), start=(a,), stop=(a + size // 2,), step=(1,))
        for part, a in (("value", 0), ("gate", size // 2))
    ]
    return net.elementwise(halves, origin, "multiply")


def _embedding(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    return [embedding(net, x, origin, s.whole("num_embeddings"), s.whole("embedding_dim"))]


def _flatten(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    return [flatten(net, x, s.whole("start_dim", 1), s.whole("end_dim", -1), origin)]


def flatten(net: LayerGraph, x: str, start: int, end: int, origin: Origin) -> str:
    """`x` with the dims from start to end (both included) merged into one."""
    first, last = dim_of(net, x, start, origin), dim_of(net, x, end, origin)
    shape = net.shape(x)
    return net.reshape(x, origin, (*shape[:first], product(shape[first : last + 1]), *shape[last + 1 :]))


def dim_of(net: LayerGraph, x: str, dim: object, origin: Origin) -> int:
    """A dim counted from either end as one counted from the front."""
    rank = net.rank(x)
    if isinstance(dim, bool) or not isinstance(dim, int) or not -rank <= dim < rank:
        raise ExplainError(f"{origin.where}: dim {brief(dim)} of an array of shape {shape_text(net.shape(x))}.")
    return dim % rank


def _upsample(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    rank = net.rank(x) - 2
    factor = s.values.get("scale_factor")
    if isinstance(factor, float) and factor.is_integer():
        factor = int(factor)
    scale = Settings({"scale_factor": factor}, origin).sizes("scale_factor", rank)
    modes = {"nearest": "nearest", "linear": "linear", "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
    mode = modes[s.word("mode", "nearest", *modes)]
    return [net.upsample(x, origin, dims=tuple(range(2, rank + 2)), scale=scale, mode=mode)]


def _pad(net: LayerGraph, kind: str, s: Settings, x: str, origin: Origin) -> list[str]:
    rank = _rank(net, kind, x, origin)
    value = s.values.get("padding")
    ends = list(value) if isinstance(value, list | tuple) else [value] * (2 * rank)
    mode = {"Zero": "constant", "Cons": "constant", "Refl": "reflect", "Repl": "edge"}[kind[:4]]
    return [pad_from_the_end(net, x, ends, mode, origin)]


def pad_from_the_end(net: LayerGraph, x: str, ends: Sequence[Any], mode: str, origin: Origin) -> str:
    """torch's flat padding: (before, after) of the last dim, then of the one before it, and so on."""
    if len(ends) % 2 or len(ends) > 2 * net.rank(x) or any(isinstance(e, bool) or not isinstance(e, int) for e in ends):
        raise ExplainError(
            f"{origin.where}: padding {brief(tuple(ends))}; needed are pairs of whole numbers, last dim first."
        )
    pairs = [(ends[i], ends[i + 1]) for i in range(0, len(ends), 2)]
    kept = [(net.rank(x) - 1 - i, pair) for i, pair in enumerate(pairs) if pair != (0, 0)]
    if not kept:
        return x
    kept.reverse()
    return net.pad(x, origin, dims=[dim for dim, _ in kept], pairs=[pair for _, pair in kept], mode=mode)


def first_input(kind: str, values: Mapping[str, Any], origin: Origin) -> Shape | None:
    """The input shape that a layer by itself asks for, sizes along time and space open; None when it does not say."""
    s = Settings(values, origin)
    if kind.startswith(("Conv",)):
        return (1, s.whole("in_channels"), *(None,) * int(kind[-2]))
    if kind == "Embedding":
        return (1, None)
    if kind == "Linear":
        return (1, s.whole("in_features"))
    if kind in {"LSTM", "GRU", "RNN"}:
        shape: Shape = (1, None, s.whole("input_size"))
        return shape if s.flag("batch_first", False) else (None, 1, s.whole("input_size"))
    return None


TORCH_LAYERS: dict[str, Family] = {
    **{f"{kind}{n}d": _conv for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)},
    **{f"{kind}Pool{n}d": _pool for kind in ("Max", "Avg") for n in (1, 2, 3)},
    **{f"Adaptive{kind}Pool{n}d": _adaptive for kind in ("Max", "Avg") for n in (1, 2, 3)},
    "Linear": _linear,
    **{f"{kind}Norm{n}d": _channel_norm for kind in ("Batch", "Instance") for n in (1, 2, 3)},
    "GroupNorm": _channel_norm,
    "LayerNorm": _layer_norm,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    **dict.fromkeys(("PReLU", *TORCH_ELEMENTWISE), _elementwise),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Flatten": _flatten,
    "Embedding": _embedding,
    "GLU": _glu,
    "Upsample": _upsample,
    **{f"{kind}Pad{n}d": _pad for kind in ("Zero", "Constant", "Reflection", "Replication") for n in (1, 2, 3)},
}
