"""The input of pasted code: the one it declares, the one that is given, or the one that its first layer asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph import Axis, Shape
from ..shapes import shape_text
from .code_values import Chain, Layer, Missing, Tensor, at, flat_layers, unreadable
from .keras import fill_input
from .layer_call import LayerCall
from .layer_kinds import ALIASES
from .layers import is_whole, positions_filled

if TYPE_CHECKING:
    from .code_calls import CodeCalls

PART = (56, 56, 64)  # assumed for a block from the middle of a network of pictures: that of a ResNet's first stage
FRAMES, BINS = 100, 161  # assumed for a pasted Keras Conv2D without an input: one second of hops of 10 ms, 161 bins
ASSUMED = (1, FRAMES, BINS, 1)


def chain_input(calls: CodeCalls, chain: Chain, line: int) -> Tensor:
    """What a Sequential starts from when it is not called on anything."""
    first = chain.layers[0] if chain.layers else None
    if isinstance(first, Chain):
        return chain_input(calls, first, line)
    if isinstance(first, Tensor):
        return first
    if isinstance(first, Missing):
        raise unreadable(first, line)
    return assumed_input(calls, flat_layers(chain.layers), line)


def assumed_input(calls: CodeCalls, hints: Sequence[Any], line: int, dims: int | None = None) -> Tensor:
    """The input that the first telling layer asks for, or the one given; what was assumed is said aloud.

    Args:
        dims: how many the code itself says it has; -1 for no channels, -2 for (batch, samples).
    """
    if dims == -2:
        return calls.new_input(positions_filled((1, None), calls.given, False), line, keras=False)
    layers = [layer for layer in flat_layers(hints) if isinstance(layer, Layer)]
    keras = calls.framework == "keras"
    for layer in layers:
        asked = asked_by(calls, layer)
        if asked is None or (layer.kind == "Linear" and calls.given and len(calls.given) > len(asked)):
            continue
        if dims == -1 and len(asked) > 2 and asked[1] == 1:
            asked = (asked[0], *asked[2:])
        elif dims is not None and 2 <= len(asked) != dims > 2 and not keras:
            asked = (1, asked[1], *(None,) * (dims - 2))
        shape = positions_filled(asked, calls.given, keras)
        if layer.kind == "Embedding":
            return Tensor(calls.net.input(shape, (Axis("time", 1),)))
        assumed = asked in {ASSUMED, (1, 1, FRAMES, BINS)}
        if calls.given is None and layer.framework == "keras" and assumed:
            calls.net.note(f"No input was given: {FRAMES} frames of {BINS} bins and 1 channel were assumed.")
        elif calls.given is None and layer.framework == "keras" and not layer.values.get("input_shape"):
            calls.net.note(f"No input was given: {shape_text(shape)} was assumed, channels last.")
        return calls.new_input(shape, line, keras=keras)
    if calls.given is not None:
        whole = calls.given if len(calls.given) > (3 if keras else 2) else (1, *calls.given)
        return calls.new_input(tuple(whole), line, keras=keras)
    raise at(
        line,
        "the shape of the network's input is not in the code. Give it with --input, such as --input 1,16000 "
        "(channels, samples) for torch or --input 100,161,1 (frames, bins, channels) for Keras.",
    )


def asked_by(calls: CodeCalls, layer: Layer) -> Shape | None:
    """The input that a layer asks for, or that is usual for its kind; None where it says nothing."""
    values = layer.settled()
    if layer.framework == "torch":
        return LayerCall(calls.net, layer.kind, values, (), layer.origin, torch=True).asked()
    shape = values.get("batch_input_shape") or values.get("batch_shape")
    if isinstance(shape, list | tuple):
        return (1, *shape[1:])
    shape = values.get("input_shape") or values.get("shape")
    if isinstance(shape, list | tuple):
        return (1, *shape)
    kind = ALIASES.get(layer.kind, layer.kind)
    if kind in {"LSTM", "GRU", "SimpleRNN"} and isinstance(wide := values.get("input_dim"), int):
        return (1, None, wide)
    if re.search("Pool(?:ing)?2D$", kind) and calls.given is not None and len(calls.given) == 2:
        return (1, None, None, None)
    if re.search("Pool(?:ing)?2D$", kind) and calls.given is None:
        return (1, *PART)
    if kind == "Embedding":
        return (1, None)
    if kind.startswith("Conv") and kind.endswith("Transpose"):  # the way up starts from the channels it makes
        channels = layer.values.get("filters") if isinstance(layer.values.get("filters"), int) else 16
        return (1, None, channels) if "1D" in kind else (1, FRAMES, BINS // 2, channels)
    if kind.endswith("Conv1D"):
        return (1, None, 1)
    single = values.get("kernel_size") in (1, (1, 1), [1, 1])  # one channel would leave it nothing to mix
    if kind.endswith("Conv2D") and (calls.part or single or kind.startswith("Depthwise")) and calls.given is None:
        return (1, *PART)
    first = values.get("data_format") == "channels_first"
    return ((1, 1, FRAMES, BINS) if first else ASSUMED) if kind.endswith("Conv2D") else None


def declared_input(calls: CodeCalls, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    """The input that `Input(...)` of Keras declares."""
    whole = named.get("batch_shape") or named.get("batch_input_shape")
    shape = named.get("shape", named.get("input_shape", args[0] if args else None))
    known = calls.given if not calls.net.inputs else None
    if not isinstance(whole, list | tuple):
        stated = shape if isinstance(shape, list | tuple) else known
        if stated is None:
            raise unreadable(shape, line)
        whole = stated if stated is known and len(stated) > 3 else (named.get("batch_size"), *stated)
    for size in whole[1:]:
        if isinstance(size, Missing) and known is None:  # sizes that are names are taken from --input
            raise unreadable(size, line)
    own = tuple(size if is_whole(size) else None for size in whole)
    return calls.new_input(fill_input(own, known), line, keras=True)
