"""The operators of a CBAM block (Woo et al. 2018), attention over channels by a shared MLP and then over places, and of
the residual block that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ExplainError
from .graph import Graph, Op, Shape, Window
from .readers.layers import LayerGraph, Origin

REDUCTION, TAPS, RESIDUAL_TAPS = 16, 7, 3
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


@dataclass(frozen=True)
class _Block:
    """A block in the making; `channel_dim` and the `dims` of places are the same in all of its tensors."""

    net: LayerGraph
    name: str
    channels: int
    channel_dim: int
    dims: tuple[int, ...]

    def origin(self, part: str) -> Origin:
        return Origin(f"{self.name}.{part}", SOURCE)

    def add(self, part: str, kind: str, inputs: list[str], **fields: Any) -> str:
        return self.net.add(kind, inputs, self.origin(part), **fields)

    def function(self, part: str, inputs: list[str], function: str, params: int = 0) -> str:
        """A function of each value by itself, or of several arrays value by value."""
        statistics = params if function == "batch_norm" else 0
        return self.net.elementwise(inputs, self.origin(part), function, params=params, buffers=statistics)

    def convolution(self, part: str, x: str, filters: int, taps: int) -> str:
        """A convolution of `taps` along each of the dims, without bias, that keeps the sizes."""
        windows = (Window(taps, pad_start=taps // 2, pad_end=taps // 2),) * len(self.dims)
        origin, dims, channel = self.origin(part), self.dims, self.channel_dim
        return self.net.conv(x, origin, filters=filters, windows=windows, dims=dims, channel_dim=channel, bias=False)

    def attended(self, source: str) -> str:
        """CBAM: a gate per channel, then one per place."""
        channels, over = self.channels, (self.channel_dim,)
        hidden = max(1, channels // REDUCTION)
        gates = []
        for pool, owns in (("avg", True), ("max", False)):  # both pass through one MLP, which is counted once
            x = self.add(f"{pool}_pool", "reduce", [source], dims=self.dims, keepdim=True, function=pool)
            for part, units in ((f"{pool}_mlp1", hidden), (f"{pool}_mlp2", channels)):
                wide = channels * hidden
                owned = {"params": (wide + units) * owns, "weight_values": wide}
                x = self.add(part, "linear", [x], channels=units, dims=over, **owned)
            gates.append(x)
        gate = self.function("channel_gate", gates, "sigmoid")
        x = self.function("channels_gated", [source, gate], "multiply")
        pair = [
            self.add(f"channel_{kind}", "reduce", [x], dims=over, keepdim=True, function=kind)
            for kind in ("max", "mean")
        ]
        gate = self.convolution("spatial", self.add("pair", "concat", pair, dims=over), 1, TAPS)
        gate = self.function("spatial_norm", [gate], "batch_norm", 2)
        return self.function("places_gated", [x, gate], "multiply")


def cbam(source: str, shape: Shape, channel_dim: int, dims: tuple[int, ...], name: str, residual: bool) -> list[Made]:
    """(operator, input shapes, output shape) of every part of a block, in order.

    Args:
        source: the tensor it works on, of this `shape`, with channels at `channel_dim` and places along `dims`.
        residual: relu(x + cbam(norm(conv(relu(norm(conv(x))))))), whose output has the shape of its input.

    Raises:
        ExplainError: the number of channels is not known.
    """
    channels = shape[channel_dim]
    if channels is None:
        raise ExplainError(f"{name}: its channels are not known. Give the whole input shape with --input.")
    net = LayerGraph(name)
    block = _Block(net, name, channels, channel_dim, dims)
    x = source = net.input(shape, (), source)
    if residual:
        for number in (1, 2):
            x = block.convolution(f"conv{number}", x, channels, RESIDUAL_TAPS)
            x = block.function(f"norm{number}", [x], "batch_norm", 2 * channels)
            x = block.function("relu1", [x], "relu") if number == 1 else x
    x = block.attended(x)
    if residual:
        block.function("relu2", [block.function("sum", [source, x], "add")], "relu")
    return [(op, tuple(net.shape(t) for t in op.inputs), net.shape(op.outputs[0])) for op in net.ops]
