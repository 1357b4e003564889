"""The operators of a CBAM block (Woo et al. 2018), attention over channels by a shared MLP and then over places, and of
the residual block that carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import ExplainError
from .graph import Graph, Op, Window
from .shapes import Shape

REDUCTION, TAPS, RESIDUAL_TAPS, ITEM_BYTES = 16, 7, 3, 4
SOURCE = "CBAM"
Made = tuple[Op, tuple[Shape, ...], Shape]


def block_of(name: str, source: str) -> str | None:
    """The block that an operator is part of, as in `pool1.cbam_block`; None for those of the network itself."""
    return name.rpartition(".")[0] if source == SOURCE else None


def gates(graph: Graph) -> tuple[list[str], list[str]]:
    """The multiplications of a picture by one weight for each channel, and by one for each place; CBAM has both."""
    channels: list[str] = []
    places: list[str] = []
    for op in graph.ops:
        shapes = [graph.shape(name) for name in op.inputs]
        if not str(op.attr("function")).startswith("mul") or [len(shape) for shape in shapes] != [4, 4]:
            continue
        shared = sum(one != other and 1 in (one, other) for one, other in zip(*shapes, strict=True))
        if shared in {1, 2}:
            (places if shared == 1 else channels).append(op.name)
    return channels, places


@dataclass
class _Parts:
    """The operators made so far on tensors of these shapes; `channel_dim` and `dims` are the same in all of them."""

    name: str
    shapes: dict[str, Shape]
    channel_dim: int
    dims: tuple[int, ...]
    made: list[Made] = field(default_factory=list)

    def add(self, part: str, kind: str, inputs: list[str], out: Shape, **fields: Any) -> str:
        """One operator of shape `out`; the answer is its output."""
        output = f"{self.name}.{part}:0"
        statistics = fields.get("params", 0) if fields.get("attrs", {}).get("function") == "batch_norm" else 0
        size = (fields.get("params", 0) + statistics) * ITEM_BYTES
        op = Op(kind, f"{self.name}.{part}", tuple(inputs), (output,), weight_bytes=size, source=SOURCE, **fields)
        self.made.append((op, tuple(self.shapes[t] for t in inputs), out))
        self.shapes[output] = out
        return output

    def function(self, part: str, inputs: list[str], out: Shape, function: str, params: int = 0) -> str:
        """A function of each value by itself, or of several arrays value by value."""
        return self.add(part, "elementwise", inputs, out, params=params, attrs={"function": function})

    def convolution(self, part: str, source: str, out: Shape, taps: int) -> str:
        """A convolution of `taps` along each of the dims, without bias, that keeps the sizes."""
        channels, filters = self.shapes[source][self.channel_dim] or 0, out[self.channel_dim] or 0
        values = channels * filters * taps ** len(self.dims)
        windows = (Window(taps, pad_start=taps // 2, pad_end=taps // 2),) * len(self.dims)
        where = {"windows": windows, "dims": self.dims, "channel_dim": self.channel_dim}
        return self.add(part, "conv", [source], out, weight_values=values, params=values, **where)

    def with_channels(self, shape: Shape, channels: int) -> Shape:
        """`shape` with another number of channels."""
        return tuple(channels if d == self.channel_dim else s for d, s in enumerate(shape))


def channels_of(shape: Shape, channel_dim: int, name: str) -> int:
    """The number of channels that a block is built for.

    Raises:
        ExplainError: it is not known.
    """
    channels = shape[channel_dim]
    if channels is None:
        raise ExplainError(f"{name}: its channels are not known. Give the whole input shape with --input.")
    return channels


def cbam(source: str, shape: Shape, channel_dim: int, dims: tuple[int, ...], name: str) -> list[Made]:
    """(operator, input shapes, output shape) of every part of the block, in order.

    Args:
        source: the tensor it works on, of this `shape`, with channels at `channel_dim` and places along `dims`.

    Raises:
        ExplainError: the number of channels is not known.
    """
    channels = channels_of(shape, channel_dim, name)
    hidden = max(1, channels // REDUCTION)
    parts = _Parts(name, {source: shape}, channel_dim, dims)
    squeezed = tuple(1 if d in dims else s for d, s in enumerate(shape))
    narrow, flat = parts.with_channels(squeezed, hidden), parts.with_channels(shape, 1)
    wide, over = channels * hidden, {"dims": (channel_dim,)}
    gates = []
    for pool, owns in (("avg", True), ("max", False)):  # both pass through one MLP, which is counted once
        x = parts.add(
            f"{pool}_pool", "reduce", [source], squeezed, dims=dims, attrs={"keepdim": True, "function": pool}
        )
        for part, out, biases in ((f"{pool}_mlp1", narrow, hidden), (f"{pool}_mlp2", squeezed, channels)):
            x = parts.add(part, "linear", [x], out, weight_values=wide, params=(wide + biases) * owns, **over)
        gates.append(x)
    gate = parts.function("channel_gate", gates, squeezed, "sigmoid")
    x = parts.function("channels_gated", [source, gate], shape, "multiply")
    best, mean = (
        parts.add(f"channel_{kind}", "reduce", [x], flat, attrs={"keepdim": True, "function": kind}, **over)
        for kind in ("max", "mean")
    )
    pair = parts.add("pair", "concat", [best, mean], parts.with_channels(shape, 2), **over)
    gate = parts.convolution("spatial", pair, flat, TAPS)
    gate = parts.function("spatial_norm", [gate], flat, "batch_norm", 2)
    parts.function("places_gated", [x, gate], shape, "multiply")
    return parts.made


def residual(source: str, shape: Shape, channel_dim: int, dims: tuple[int, ...], name: str) -> list[Made]:
    """The same for relu(x + cbam(norm(conv(relu(norm(conv(x))))))), whose output has the shape of its input."""
    channels = channels_of(shape, channel_dim, name)
    parts = _Parts(name, {source: shape}, channel_dim, dims)
    x = parts.convolution("conv1", source, shape, RESIDUAL_TAPS)
    x = parts.function("norm1", [x], shape, "batch_norm", 2 * channels)
    x = parts.function("relu1", [x], shape, "relu")
    x = parts.convolution("conv2", x, shape, RESIDUAL_TAPS)
    x = parts.function("norm2", [x], shape, "batch_norm", 2 * channels)
    attention = cbam(x, shape, channel_dim, dims, name)
    parts.made += attention
    end = attention[-1][0].outputs[0]
    parts.shapes[end] = shape
    x = parts.function("sum", [source, end], shape, "add")
    parts.function("relu2", [x], shape, "relu")
    return parts.made
