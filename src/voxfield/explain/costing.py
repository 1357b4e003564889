"""What a network costs: the sums over its operators, and what is missing from each of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from .graph import Graph, Op
from .report import AxisField, Costs, Figure, LayerReport, Status, unavailable

WEIGHTED = frozenset({"conv", "conv_transpose", "linear", "rnn"})
VIEWS = frozenset({"reshape", "permute", "expand", "identity", "select", "slice", "constant"})


def costs(graph: Graph, layers: Sequence[LayerReport], fields: Sequence[AxisField]) -> Costs:
    """The sums over all operators, with what is missing from each of them."""
    macs = summed([(layer.name, layer.macs) for layer in layers], "MACs")
    seconds = next((f.in_size / f.rate_hz for f in fields if f.axis == "time" and f.in_size and f.rate_hz), None)
    by_kind: dict[str, int] = {}
    for layer in layers:
        if layer.macs.value:
            by_kind[layer.kind] = by_kind.get(layer.kind, 0) + int(layer.macs.value)
    open_ops = [
        op.name
        for op in graph.ops
        if op.kind == "unknown" or op.attr("uncounted", False) or (op.kind in WEIGHTED and op.weight_values is None)
    ]
    state = state_figure(graph, layers, fields)
    moved = summed([(op.name, counted(traffic(graph, op), "bytes", "")) for op in graph.ops], "bytes")
    return Costs(
        params=listed(sum(op.params for op in graph.ops), "parameters", open_ops)
        if graph.own_params is None
        else Figure(graph.own_params, "parameters"),
        weight_bytes=listed(sum(op.weight_bytes for op in graph.ops), "bytes", open_ops),
        macs=macs,
        macs_per_second=per_second(macs, seconds),
        macs_by_kind=tuple(sorted(by_kind.items())),
        activation_peak=counted(peak_bytes(graph), "bytes", "sizes not known"),
        activation_total=summed([(layer.name, layer.activation) for layer in layers], "bytes"),
        state=state,
        state_bytes=Figure(None if state.value is None else state.value * 4, "bytes", state.status, state.missing),
        intensity=ratio(macs, moved),
    )


def listed(value: int, unit: str, missing: Sequence[str]) -> Figure:
    """A sum that leaves some operators out: partial, or unavailable when nothing is in it."""
    if not missing:
        return Figure(value, unit)
    return Figure(value, unit, Status.PARTIAL, tuple(missing)) if value else unavailable(unit, *missing)


def summed(figures: Sequence[tuple[str, Figure]], unit: str) -> Figure:
    """The sum of per-operator figures; operators without one are listed."""
    missing = [name for name, figure in figures if figure.value is None]
    return listed(sum(int(figure.value) for _, figure in figures if figure.value is not None), unit, missing)


def per_second(macs: Figure, seconds: float | None) -> Figure:
    """A count for the given input, per second of it."""
    if macs.value is None:
        return unavailable("MACs/s", *macs.missing)
    if seconds is None:
        return unavailable("MACs/s", "the rate of the time axis is not known")
    return Figure(float(macs.value) / seconds, "MACs/s", macs.status, macs.missing)


def state_figure(graph: Graph, layers: Sequence[LayerReport], fields: Sequence[AxisField]) -> Figure:
    """Values a stream keeps: its state inputs where it has them, otherwise what the operators would have to keep.

    Partial where operators need the whole input, which no state can give.
    """
    states = [graph.tensors[name].values for name in graph.inputs if graph.tensors[name].role == "state"]
    if states:
        known = [values for values in states if values is not None]
        return Figure(sum(known), "values") if len(known) == len(states) else unavailable("values", "sizes not known")
    clocks = [field for field in fields if field.axis == "time"]
    if not clocks:
        return unavailable("values", "no time axis")
    total = summed([(layer.name, layer.state) for layer in layers], "values")
    blocked = [cause.operator for f in clocks for cause in (*f.whole_input, *f.unbounded_future)]
    blocked += [name for f in clocks if f.status is Status.UNAVAILABLE for name in f.missing]
    blocked += ["what needs the end of the input" for f in clocks if not f.streams and not blocked]
    missing = tuple(dict.fromkeys((*total.missing, *blocked)))
    if total.value is None or not missing:
        return total
    return Figure(total.value, "values", Status.PARTIAL, missing)


def traffic(graph: Graph, op: Op) -> int | None:
    """Bytes an operator reads and writes: its weights, its inputs and its outputs."""
    if op.kind in VIEWS:
        return 0
    moved = tensor_bytes(graph, (*op.inputs, *op.outputs))
    return None if moved is None else moved + op.weight_bytes


def peak_bytes(graph: Graph) -> int | None:
    """Most bytes of activations alive at once when the operators run in order; views share their source's memory."""
    base, end = {name: name for name in graph.inputs}, len(graph.ops)
    born, last = dict.fromkeys(graph.inputs, 0), dict.fromkeys(graph.inputs, end)
    for step, op in enumerate(graph.ops):
        last.update((base.get(name, name), step) for name in op.inputs)
        for name in op.outputs:
            base[name] = base.get(op.inputs[0], op.inputs[0]) if op.kind in VIEWS and op.inputs else name
            if base[name] == name:
                born[name] = step
    last.update((base.get(name, name), end) for name in graph.outputs)
    change = [0] * (end + 2)
    for name, step in born.items():
        size = tensor_bytes(graph, [name])
        if size is None:
            return None
        change[step] += size
        change[last.get(name, step) + 1] -= size
    return max(accumulate(change))


def ratio(macs: Figure, moved: Figure) -> Figure:
    """Multiply-accumulates per byte moved."""
    if macs.value is None or not moved.value:
        return unavailable("MACs/byte", *(macs.missing or moved.missing))
    return Figure(float(macs.value) / float(moved.value), "MACs/byte", macs.status, macs.missing)


@lru_cache(maxsize=4096)
def counted(value: int | None, unit: str, why: str) -> Figure:
    """An exact figure, or an unavailable one with the reason."""
    return unavailable(unit, why) if value is None else Figure(value, unit)


def written_bytes(graph: Graph, op: Op) -> int | None:
    """Bytes of an operator's outputs; nothing for operators that only look at their input in another way."""
    if op.kind in VIEWS:
        return 0
    return tensor_bytes(graph, op.outputs)


def tensor_bytes(graph: Graph, names: Sequence[str]) -> int | None:
    """Bytes of some tensors together, or None when a size is not known."""
    total = 0
    for name in names:
        values = graph.tensors[name].values
        if values is None:
            return None
        total += values * graph.tensors[name].item_bytes
    return total
