"""What the dims of an input are: batch, channels, time, frequency, height or width, as the first layers use them."""

from __future__ import annotations

from dataclasses import replace

from .analysis import propagate
from .graph import LAYOUT_LETTERS, Axis, Graph, Op, Shape, Size, axes_of
from .phrases import NAMES
from .shapes import shape_text

BINS = frozenset({2**n + 1 for n in range(7, 13)} | {161, 201, 241, 321, 401, 481, 601, 641, 801, 961})
LETTERS = {axis: letter for letter, axis in LAYOUT_LETTERS.items() if letter != "N"}


def settled_dims(graph: Graph, layout: str | None = None) -> Graph:
    """The graph with the axes of its inputs as its first layers use them, and a note where that is a guess.

    Args:
        layout: the letters given for the dims of the main input; nothing is guessed about it then.
    """
    axes, notes = dict(graph.axes), list(graph.notes)
    for name in graph.inputs:
        shape = graph.shape(name)
        if graph.tensors[name].role != "input" or (layout is not None and name == graph.main_input) or len(shape) < 2:
            continue
        first = next((op for op in graph.ops if name in op.inputs), None)
        matrix = len(shape) == 2 and first is not None and first.kind == "linear"  # (batch, features): none is a place
        usual = () if matrix else axes_of(len(shape))
        found = _named(_places(graph, name), shape) or usual
        axes[name] = found
        picture = (
            len(shape) == 4 and shape[2] == shape[3] and (shape[1] == 3 or (shape[1] == 1 and shape[2] is not None))
        )
        if found != usual or (len(shape) == 4 and not picture):
            letters = letters_of(len(shape), found)
            notes.append(
                f"The dims of the input {shape_text(shape)} were taken for {letters}, by its first layer and their "
                "sizes; --layout says otherwise (B batch, C channels, T time, F frequency, H height, W width)."
            )
    return replace(graph, axes=axes, notes=tuple(dict.fromkeys(notes)))


def rearranged(graph: Graph) -> Shape | None:
    """The shape of the main input with its open sizes along the dims that the first layer moves along, as where the
    code turns its input before that layer; None where they stand there already."""
    name = graph.main_input
    shape, places = graph.shape(name), _places(graph, name)
    known = [size for size in shape[1:] if size is not None]
    turned = places and len(shape) > 2 and len(places) + len(known) + 1 == len(shape)
    if not turned or any(shape[dim] is None for dim in places) or 0 in places:
        return None
    rest = iter(known)
    return (shape[0], *(None if dim in places else next(rest) for dim in range(1, len(shape))))


def lasting(graph: Graph, seconds: float, rate_hz: float | None) -> Shape | None:
    """The shape of the main input that lasts so long; None where its length along time is known, or its rate is not."""
    shape, axes = graph.shape(graph.main_input), graph.axes[graph.main_input]
    length = round(seconds * (rate_hz or 0))
    if not 0 < length < 10**9 or [axis.name for axis in axes] != ["time"] or shape[axes[0].dim] is not None:
        return None
    return tuple(length if dim == axes[0].dim else size for dim, size in enumerate(shape))


def letters_of(rank: int, axes: tuple[Axis, ...]) -> str:
    """A layout in letters: BCFT; the first dim that no axis runs along is the batch."""
    named = {axis.dim: LETTERS.get(axis.name, "C") for axis in axes}
    batch = next((dim for dim in range(rank) if dim not in named), None)
    return "".join(named.get(dim, "B" if dim == batch else "C") for dim in range(rank))


def _places(graph: Graph, name: str) -> list[int]:
    """The dims of an input along which its first layer moves; those that it combines are channels."""
    reached = {name}
    before: list[Op] = []
    for op in graph.ops:
        before.append(op)
        if not reached.intersection(op.inputs):
            continue
        reached.update(op.outputs)
        if op.kind in NAMES["looking"] and op.inputs[0] in reached:
            break
    else:
        return []
    first, sub = before[-1], replace(graph, ops=tuple(before))
    shape, inside = graph.shape(name), graph.shape(first.inputs[0])
    if first.kind == "norm":
        along = set(range(len(inside))) - set(first.attr("over"))
    elif first.kind == "linear":
        along = set(range(len(inside))) - set(first.dims)
    else:
        along = set(first.dims)
    combined = set(first.dims) if first.kind == "linear" else {first.channel_dim}
    places, channels = [], set[int]()
    for dim in range(len(shape)):
        field = propagate(sub, name, Axis("time", dim)).get(first.inputs[0])
        moving = {d for part in field.parts for d in part.moving} if field else set()
        if moving & along and (dim or shape[0] != 1):
            places.append(dim)
        elif moving & combined:
            channels.add(dim)
    if first.kind == "linear":  # a batch of one, wherever it stands
        places = [dim for dim in places if shape[dim] != 1] or places
    if not places and channels:  # squeezed out on the way: what is neither the batch nor combined
        places = [dim for dim in range(1, len(shape)) if dim not in channels]
    return places if first.kind != "norm" or len(places) == 1 else []


def _named(places: list[int], shape: tuple[Size, ...]) -> tuple[Axis, ...]:
    """Names for the dims that a layer moves along, by their number and their sizes; empty for the usual ones."""
    rank = len(shape)
    bins = [dim for dim in range(1, rank) if shape[dim] in BINS]
    if rank == 4 and len(bins) == 1:
        channel = next((d for d in (3, 1) if d != bins[0] and shape[d] == 2), None)
        if channel is None:
            channel = next((d for d in (1, 3) if d not in bins and (not places or d not in places)), None)
        if channel is None:
            return ()
        time = next(d for d in (1, 2, 3) if d not in (channel, bins[0]))
        return tuple(sorted((Axis("time", time), Axis("freq", bins[0])), key=lambda axis: axis.dim))
    if rank == 2:
        return ()
    if len(places) == 1 and rank == 3:
        return (Axis("time", places[0]),)
    if len(places) == 2 and rank == 3 and 0 not in places:
        return (Axis("time", 1), Axis("freq", 2))
    return ()


def keras_axes(shape: Shape) -> tuple[Axis, ...]:
    """The axes of a channels-last input: time; time and frequency, or height and width of a picture.

    An input of two axes is taken for a picture when both have the same size or it has three channels.
    """
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
