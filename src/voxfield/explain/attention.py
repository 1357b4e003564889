"""The operators of a CBAM block (Woo et al. 2018), attention over channels by a shared MLP and then over places, and of
the residual block that carries it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ExplainError
from .graph import Graph, Placed, Shape
from .readers.layers import LayerGraph, Origin
from .readers.vocabulary import windows_of

REDUCTION, TAPS, RESIDUAL_TAPS = 16, 7, 3
SOURCE = "CBAM"


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


def cbam(
    source: str, shape: Shape, channel_dim: int, dims: tuple[int, ...], name: str, residual: bool
) -> Sequence[Placed]:
    """The parts of a block in order: a gate per channel, then one per place.

    Args:
        source: the tensor it works on, of this `shape`, with channels at `channel_dim` and places along `dims`.
        residual: relu(x + cbam(norm(conv(relu(norm(conv(x))))))), whose output has the shape of its input.

    Raises:
        ExplainError: the number of channels is not known.
    """
    channels, over = shape[channel_dim], (channel_dim,)
    if channels is None:
        raise ExplainError(f"{name}: its channels are not known. Give the whole input shape with --input.")
    net, hidden = LayerGraph(name), max(1, channels // REDUCTION)

    def add(part: str, kind: str, *inputs: str, **fields: Any) -> str:
        return net.add(kind, inputs, Origin(f"{name}.{part}", SOURCE), **fields)

    def function(part: str, called: str, *inputs: str, params: int = 0) -> str:
        """A function of each value by itself, or of several arrays value by value."""
        statistics = params if called == "batch_norm" else 0
        return add(part, "elementwise", *inputs, function=called, params=params, buffers=statistics)

    def convolution(part: str, x: str, filters: int, taps: int) -> str:
        """A convolution of `taps` along each of the dims, without bias, that keeps the sizes."""
        windows, origin = windows_of((taps,) * len(dims), pads=taps // 2), Origin(f"{name}.{part}", SOURCE)
        return net.conv(x, origin, filters=filters, windows=windows, dims=dims, channel_dim=channel_dim, bias=False)

    x = source = net.input(shape, (), source)
    if residual:
        x = function("norm1", "batch_norm", convolution("conv1", x, channels, RESIDUAL_TAPS), params=2 * channels)
        x = convolution("conv2", function("relu1", "relu", x), channels, RESIDUAL_TAPS)
        x = function("norm2", "batch_norm", x, params=2 * channels)
    gates = []
    for pool, owns in (("avg", True), ("max", False)):  # both pass through one MLP, which is counted once
        gate, wide = add(f"{pool}_pool", "reduce", x, dims=dims, keepdim=True, function=pool), channels * hidden
        for part, units in ((f"{pool}_mlp1", hidden), (f"{pool}_mlp2", channels)):
            owned = {"params": (wide + units) * owns, "weight_values": wide}
            gate = add(part, "linear", gate, channels=units, dims=over, **owned)
        gates.append(gate)
    x = function("channels_gated", "multiply", x, function("channel_gate", "sigmoid", *gates))
    pair = [add(f"channel_{kind}", "reduce", x, dims=over, keepdim=True, function=kind) for kind in ("max", "mean")]
    gate = convolution("spatial", add("pair", "concat", *pair, dims=over), 1, TAPS)
    x = function("places_gated", "multiply", x, function("spatial_norm", "batch_norm", gate, params=2))
    if residual:
        function("relu2", "relu", function("sum", "add", source, x))
    return net.graph([]).placed
