"""A network from one line of text: `10/5 8/4 4/2 4/2 4/2`, kernel/stride layer by layer.

The full form of one layer, with everything but the kernel optional:

    3*  max  ^  2x3 / 1x2 : 1x4  @64  g8  p1,0x1,1  o1  b
    |   |    |  |     |     |    |    |   |         |   bias
    |   |    |  |     |     |    |    |   |         output padding of a transposed convolution
    |   |    |  |     |     |    |    |   padding per axis, both ends or start,end; also `same`, `causal` (time only)
    |   |    |  |     |     |    |    groups
    |   |    |  |     |     |    filters (output channels); without them costs cannot be given
    |   |    |  kernel / stride : dilation, one number per axis (time x frequency)
    |   |    transposed (`^4/2` or `4/2^`)
    |   pooling: `max` or `avg`
    repeated; several layers as 3*(3:1 3:2 3:4)

Padding is none unless stated, and there is no bias without `b`.
"""

from __future__ import annotations

import re

from ...errors import ExplainError
from ..graph import Axis, Graph, Size, Window
from .layers import LayerGraph, Origin, check_window, positions_filled, same_padding
from .vocabulary import windows_of

NUMBERS = r"-?\d{1,9}(?:x-?\d{1,9})*"
LAYER = re.compile(
    rf"(?:(?P<repeat>\d{{1,5}})\*)?(?P<pool>max|avg)?(?P<up1>\^)?(?P<kernel>{NUMBERS})(?:/(?P<stride>{NUMBERS}))?"
    rf"(?::(?P<dilation>{NUMBERS}))?(?P<up2>\^)?(?P<flags>.*)",
    re.DOTALL,
)
PAIR = r"-?\d{1,9}(?:,-?\d{1,9})?"
FLAG = re.compile(
    rf"@(?P<filters>\d{{1,9}})|g=?(?P<groups>\d{{1,9}})|p=?(?P<padding>{PAIR}(?:x{PAIR})*)|o=?(?P<output>{NUMBERS})"
    r"|(?P<mode>same|causal)|(?P<bias>b)"
)
SEPARATORS = re.compile(r"->|,(?=\s)|[\s|;→，、；]+")
AXES = {1: ("time",), 2: ("time", "freq"), 3: ("depth", "h", "w")}
GROUP = re.compile(r"(?<!\d)(\d{1,4})\*\(([^()]*)\)")
MOST_LAYERS, LONGEST_TEXT = 2_000, 100_000
EXAMPLE = "Write kernel/stride per layer, such as '10/5 8/4 4/2', with ':2' for dilation and '^' for transposed."


def looks_like_layers(text: str) -> bool:
    """True when every word of `text` has the shape of a layer, right or wrong."""
    words = [word for word in SEPARATORS.split(_expanded(text).strip()) if word]
    shape = r"(\d+\*)?(max|avg)?\^?-?\d[^\u4e00-\u9fff]*"
    return bool(words) and all(re.fullmatch(shape, word) for word in words)


def _expanded(text: str) -> str:
    """The text with layers in parentheses written as often as they come; as it is where that would be too many."""
    while match := GROUP.search(text):
        times, layers = int(match[1]), match[2].strip()
        if len(text) + times * len(layers) > LONGEST_TEXT:
            break
        text = f"{text[: match.start()]}{' '.join([layers] * times)}{text[match.end() :]}"
    return text


def read_text(text: str, input_shape: tuple[Size, ...] | None = None) -> Graph:
    """The graph of a network written as text.

    Args:
        text: layers such as `10/5 8/4:2 ^4/2@64`.
        input_shape: (N,), (C, N) or (B, C, N) for one axis, (T, F), (C, T, F) or (B, C, T, F) for two; None leaves the
            length unknown.

    Raises:
        ExplainError: a word that is not a layer, or a size that no layer can have; the word and its place are named.
    """
    layers: list[re.Match[str]] = []
    words = [word for word in SEPARATORS.split(text.strip()) if word]
    for word in SEPARATORS.split(_expanded(text).strip()):
        if not word:
            continue
        match = LAYER.fullmatch(word)
        if match is None:
            raise ExplainError(f"'{word[:40]}' (word {len(layers) + 1}) is not a layer. {EXAMPLE}")
        layers += [match] * int(match["repeat"] or 1)
        if len(layers) > MOST_LAYERS:
            raise ExplainError(f"More than {MOST_LAYERS} layers.")
    if not layers:
        raise ExplainError(f"No layers were given. {EXAMPLE}")
    rank = max(len(m["kernel"].split("x")) for m in layers)
    if rank not in AXES:
        raise ExplainError(f"Kernels of {rank} axes; there are 1, 2 or 3, such as 3, 2x3 or 3x3x3.")
    net = LayerGraph(" ".join(words) if len(words) <= 24 else f"{len(layers)} layers of text")
    axes = tuple(Axis(name, i + 2) for i, name in enumerate(AXES[rank]))
    x = net.input(_input(net, input_shape, rank, any("@" in m["flags"] for m in layers)), axes)
    for i, match in enumerate(layers, 1):
        x = _layer(net, x, match, i, rank)
    return net.finished([x])


def _input(net: LayerGraph, given: tuple[Size, ...] | None, rank: int, filters: bool) -> tuple[Size, ...]:
    """(B, C, one size per axis) from whatever part of it was given."""
    assumed = filters and len(given or ()) <= rank
    if assumed:
        net.note("The number of input channels was not given: 1 was assumed.")
    return positions_filled((1, 1 if assumed else None, *(None,) * rank), given or None, False)


def _layer(net: LayerGraph, x: str, match: re.Match[str], number: int, rank: int) -> str:
    origin = Origin(f"layer{number}", match[0].split("*")[-1])
    where = f"'{match[0][:40]}' (layer {number})"
    flags = _flags(match["flags"], where)
    kernel, stride, dilation = (_per_axis(match[key], rank, 1, where) for key in ("kernel", "stride", "dilation"))
    output = _per_axis(flags.get("output"), rank, 0, where)
    pool = match["pool"]
    if pool and match["stride"] is None:
        stride = kernel
    up = bool(match["up1"] or match["up2"])
    if pool and (up or "filters" in flags or "groups" in flags):
        raise ExplainError(f"{where}: pooling is never transposed and has no filters and no groups.")
    if up and "mode" in flags:
        raise ExplainError(f"{where}: give the padding of a transposed convolution in numbers, such as p1.")
    bare = windows_of(kernel, stride, dilation, extra=output)
    for window in bare:
        check_window(window, where)
    windows = tuple(windows_of(kernel, stride, dilation, _padding(net, flags, bare, net.shape(x)[2:], where), output))
    for window in windows:
        check_window(window, where)
    dims = tuple(range(2, 2 + rank))
    if pool:
        return net.add("pool", [x], origin, windows=windows, dims=dims, function=pool)
    filters = int(flags["filters"]) if "filters" in flags else None
    groups, bias = int(flags.get("groups", 1)), "bias" in flags
    return net.conv(
        x, origin, filters=filters, windows=windows, dims=dims, channel_dim=1, groups=groups, bias=bias, transposed=up
    )


def _flags(text: str, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = FLAG.match(text, at)
        if match is None:
            raise ExplainError(f"{where}: '{text[at : at + 40]}' is not understood. {EXAMPLE}")
        key = str(match.lastgroup)
        if key in found:
            raise ExplainError(f"{where}: '{key}' is given twice.")
        found[key] = match[key]
        at = match.end()
    if "padding" in found and "mode" in found:
        raise ExplainError(f"{where}: either numbers or '{found['mode']}' for the padding, not both.")
    return found


def _per_axis(text: str | None, rank: int, default: int, where: str) -> tuple[int, ...]:
    if text is None:
        return (default,) * rank
    numbers = tuple(int(part) for part in text.split("x"))
    if len(numbers) == 1:
        return numbers * rank
    if len(numbers) != rank:
        raise ExplainError(f"{where}: {len(numbers)} numbers in '{text}', but the network has {rank} axes.")
    return numbers


def _padding(
    net: LayerGraph, flags: dict[str, str], windows: list[Window], sizes: tuple[Size, ...], where: str
) -> list[tuple[int, int]]:
    """(before, after) for each axis, from the flags of a layer; `causal` is along time, the first axis."""
    if flags.get("mode") == "same":
        return [same_padding(net, where, size, window) for size, window in zip(sizes, windows, strict=True)]
    if "mode" in flags:
        return [(windows[0].reach - 1, 0), *[(0, 0)] * (len(windows) - 1)]
    pads = []
    for part in flags.get("padding", "0").split("x"):
        ends = [int(number) for number in part.split(",")]
        pads.append((ends[0], ends[-1]))
    pads = pads * len(windows) if len(pads) == 1 else pads
    if len(pads) != len(windows):
        raise ExplainError(f"{where}: padding for {len(pads)} axes, but the network has {len(windows)}.")
    return pads
