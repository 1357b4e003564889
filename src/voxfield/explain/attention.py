"""The operators of a CBAM block (Woo et al. 2018): attention over channels by a shared MLP, then over places."""

from __future__ import annotations

from typing import Any

from ..errors import ExplainError
from .graph import Op, Window
from .shapes import Shape

REDUCTION, TAPS, ITEM_BYTES = 16, 7, 4
Made = tuple[Op, tuple[Shape, ...], Shape]


def cbam(source: str, shape: Shape, channel_dim: int, dims: tuple[int, ...], name: str) -> list[Made]:
    """(operator, input shapes, output shape) of every part of the block, in order.

    Args:
        source: the tensor it works on, of this `shape`, with channels at `channel_dim` and places along `dims`.

    Raises:
        ExplainError: the number of channels is not known.
    """
    channels = shape[channel_dim]
    if channels is None:
        raise ExplainError(f"{name}: its channels are not known. Give the whole input shape with --input.")
    hidden = max(1, channels // REDUCTION)
    made: list[Made] = []
    shapes = {source: shape}

    def add(
        part: str, kind: str, inputs: list[str], out: Shape, weights: int | None = None, params: int = 0, **fields: Any
    ) -> str:
        output = f"{name}.{part}:0"
        op = Op(
            kind,
            f"{name}.{part}",
            tuple(inputs),
            (output,),
            params=params,
            weight_values=weights,
            weight_bytes=params * ITEM_BYTES,
            source="CBAM",
            **fields,
        )
        made.append((op, tuple(shapes[t] for t in inputs), out))
        shapes[output] = out
        return output

    squeezed = tuple(1 if d in dims else s for d, s in enumerate(shape))
    narrow = tuple(hidden if d == channel_dim else s for d, s in enumerate(squeezed))
    flat = tuple(1 if d == channel_dim else s for d, s in enumerate(shape))
    gates = []
    for pool, owns in (("avg", True), ("max", False)):  # both pass through one MLP, which is counted once
        x = add(f"{pool}_pool", "reduce", [source], squeezed, dims=dims, attrs={"keepdim": True, "function": pool})
        wide = channels * hidden
        x = add(f"{pool}_mlp1", "linear", [x], narrow, wide, (wide + hidden) * owns, dims=(channel_dim,))
        gates.append(add(f"{pool}_mlp2", "linear", [x], squeezed, wide, (wide + channels) * owns, dims=(channel_dim,)))
    gate = add("channel_gate", "elementwise", gates, squeezed, attrs={"function": "sigmoid"})
    x = add("channels_gated", "elementwise", [source, gate], shape, attrs={"function": "multiply"})
    best = add("channel_max", "reduce", [x], flat, dims=(channel_dim,), attrs={"keepdim": True, "function": "max"})
    mean = add("channel_mean", "reduce", [x], flat, dims=(channel_dim,), attrs={"keepdim": True, "function": "mean"})
    pair = tuple(2 if d == channel_dim else s for d, s in enumerate(shape))
    y = add("pair", "concat", [best, mean], pair, dims=(channel_dim,))
    windows = (Window(TAPS, pad_start=TAPS // 2, pad_end=TAPS // 2),) * len(dims)
    taps = 2 * TAPS ** len(dims)
    y = add("spatial", "conv", [y], flat, taps, taps, windows=windows, dims=dims, channel_dim=channel_dim)
    y = add("spatial_norm", "elementwise", [y], flat, params=2, attrs={"function": "batch_norm"})
    add("places_gated", "elementwise", [x, y], shape, attrs={"function": "multiply"})
    return made
