"""From a graph to a report: fields, sizes and costs. Pure functions; nothing is run and nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from math import ceil, floor
from operator import or_
from typing import Any

from ..errors import ExplainError
from .costing import costs, counted, written_bytes
from .field import Beyond, Copies, Field, Part, Span, entry, hull, united
from .graph import Axis, Graph, Op, Placed, Shape, Size, product
from .joins import RatesDifferError
from .moves import Place
from .phrases import EN, NAMES
from .report import AxisField, Cause, Figure, LayerReport, Phase, Report, Status, unavailable
from .rules import IRREGULAR, RULES, fields_after, rule_for
from .shapes import shape_text

Source = tuple[str, Axis]
MOST_POSITIONS = 10**15  # that one step may move over


def analyse(graph: Graph) -> Report:
    """The report on a graph.

    Args:
        graph: as a reader made it; sizes may be unknown (None), and what depends on them is then unavailable.

    Raises:
        ExplainError: branches that advance at different rates meet; the operator and both branches are named.
    """
    fields = {source: propagate(graph, *source) for source in sources(graph)}
    for (name, axis), tensors in fields.items():
        if axis.name == "time" and name == graph.main_input:
            carry(graph, tensors)
    time = time_dims(graph, fields)
    known: dict[Any, AxisField] = {}
    layers = tuple(layer_report(graph, placed, fields, time, known) for placed in graph.placed)
    output = graph.outputs[0]
    found = tuple(axis_field(graph, source, output, tensors) for source, tensors in fields.items())
    unknown = tuple(f"{op.name} ({op.source or op.kind})" for op in graph.ops if op.kind not in RULES)
    return Report(
        title=graph.title,
        input_shapes=tuple((name, graph.shape(name)) for name in graph.inputs),
        output_shapes=tuple((name, graph.shape(name)) for name in graph.outputs),
        fields=found,
        layers=layers,
        costs=costs(graph, layers, found),
        unknown=unknown,
        notes=tuple(dict.fromkeys((*graph.notes, *other_outputs(graph), *out_of_order(found)))),
    )


def out_of_order(fields: Sequence[AxisField]) -> list[str]:
    """Why nothing is said of axes that every operator has a rule for, but that no dim of the output runs along."""
    return [
        f"Field and hop along the {EN[field.axis]} axis are not known, because {field.missing[0]} lays stretches of it "
        "one after the other out of order: its outputs do not advance by even steps."
        for field in fields
        if field.uneven
    ]


def other_outputs(graph: Graph) -> list[str]:
    """What is said when there are outputs beside the one that is explained; those that only carry state are not."""
    kept = {after for _, after in graph.loops}
    others = [name for name in graph.outputs[1:] if name not in kept and name != graph.outputs[0]]
    if not others:
        return []
    listed = ", ".join(f"{name} {shape_text(graph.shape(name))}" for name in others[:6])
    first = f"{graph.outputs[0]} {shape_text(graph.shape(graph.outputs[0]))}"
    more = " ..." if len(others) > 6 else ""
    return [
        f"There are {len(others) + 1} outputs; these figures are of the first, {first}. The others: {listed}{more}."
    ]


def sources(graph: Graph) -> list[Source]:
    """Every axis of every input that is followed, those of the main input first."""
    names = [name for name in graph.inputs if graph.tensors[name].role == "input"]
    return [(name, axis) for name in names for axis in graph.axes.get(name, ())]


def propagate(graph: Graph, name: str, axis: Axis) -> dict[str, Field]:
    """The field of every tensor along one axis of one input.

    Raises:
        ExplainError: branches that advance at different rates meet.
    """
    steps = tuple((1, 1) if dim == axis.dim else (1, 0) for dim in range(len(graph.shape(name))))
    known: dict[str, Field] = {name: Field((Part(steps, ((0, 0),)),))}
    nothing = Field()
    for placed in graph.placed:
        op, ins = placed.op, [known.get(tensor, nothing) for tensor in placed.op.inputs]
        if all(not field.parts and not field.missing for field in ins):
            continue
        try:
            outs = fields_after(Place(op, placed.ins, placed.outs, axis.name), ins)
        except RatesDifferError as error:
            raise ExplainError(rates_message(graph, op, axis, error)) from error
        known.update(zip(op.outputs, outs, strict=True))
    return known


def recurrences(graph: Graph) -> list[str]:
    """State inputs that are worked into themselves at every step; a buffer that only moves along is not one."""
    found = []
    for name, after in graph.loops:
        moved, worked = {name}, set[str]()
        for op in graph.ops:
            if worked.intersection(op.inputs) or (moved.intersection(op.inputs) and op.kind not in NAMES["moves"]):
                worked.update(op.outputs)
            if moved.intersection(op.inputs) and op.kind in NAMES["moves"]:
                moved.update(op.outputs)
        if after in worked and after not in moved and not shifts(graph, name, after):
            found.append(name)
    return found


def shifts(graph: Graph, state: str, after: str) -> bool:
    """True when along some dim each element of the next state only takes up elements further on (or only before it), as
    the tail of an overlap-add does: after a few steps nothing of it is left."""
    shape = graph.shape(state)
    for dim, size in enumerate(shape):
        if size is None or size < 2 or graph.shape(after) != shape:
            continue
        field = propagate(graph, state, Axis("state", dim)).get(after, Field())
        rows = [(row, part.steps[dim]) for part in field.parts for row in part.row(dim)]
        seen = [(i, span) for row, step in rows for i in range(size) if (span := entry(row, step, i)) is not None]
        if all(span[0] > i for i, span in seen) or all(span[1] < i for i, span in seen):
            return not field.missing
    return False


def carry(graph: Graph, tensors: dict[str, Field]) -> None:
    """Adds to the fields along time what recurrent states bring in: a past without end."""
    for name in recurrences(graph):
        cause = Cause(name, "state", "recurrence over time", False)
        reached = {name}
        for op in graph.ops:
            if not reached.intersection(op.inputs):
                continue
            reached.update(op.outputs)
            for out in op.outputs:
                if out in tensors and not any(part.because("past") for part in tensors[out].parts):
                    sizes = graph.shape(out)
                    tensors[out] = tensors[out].map(lambda part: part.flagged(sizes, "past", cause))  # noqa: B023


def rates_message(graph: Graph, op: Op, axis: Axis, error: RatesDifferError) -> str:
    """Which operator joins which branches, and how fast each of them moves."""
    made = {tensor: f"'{one.name}'" for one in graph.ops for tensor in one.outputs}
    first, second = (made.get(op.inputs[i], f"the input '{op.inputs[i]}'") for i in (error.first, error.second))
    line = f" (line {op.line})" if op.line else ""
    return (
        f"'{op.name}'{line} joins branches at different rates along {axis.name}: {first} moves {error.rates[0]} input "
        f"positions per element and {second} moves {error.rates[1]}. Bring both to one rate, by the same product of "
        "strides or by upsampling, before they meet."
    )


def time_dims(graph: Graph, fields: Mapping[Source, Mapping[str, Field]]) -> dict[str, frozenset[int]]:
    """For every tensor the dims along which time of any input moves."""
    found: dict[str, frozenset[int]] = {}
    for (_, axis), tensors in fields.items():
        if axis.name != "time":
            continue
        for name, field in tensors.items():
            dims = {part.leading(graph.shape(name)) for part in field.parts} - {None}
            found[name] = found.get(name, frozenset()) | {dim for dim in dims if dim is not None}
    return found


def axis_field(graph: Graph, source: Source, tensor: str, tensors: Mapping[str, Field]) -> AxisField:
    """What one tensor sees along one axis of one input."""
    name, axis = source
    field = tensors.get(tensor, Field())
    in_size, shape = graph.shape(name)[axis.dim], graph.shape(tensor)
    hop, out_size, tail = None, None, None
    phases: tuple[Phase, ...] = ()
    lead = leader(field)
    dim = lead.leading(shape) if lead else None
    alike = [p for p in field.parts if lead and dim is not None and p.rates[dim] == lead.rates[dim]]
    beside = [p for p in field.parts if p not in alike and not p.stopped and any(p.table)]
    if dim is not None:
        hop, phases = alike[0].hops[dim], along(alike, dim, shape)
        out_size = shape[dim]
        tail = dropped_tail(phases, hop, in_size, out_size)
    if dim is None or not phases:
        hop, phases = squeezed_out(field, in_size) or (hop, phases)
    whole = ordered(graph, field.parts, "whole")
    reach = hull(part.reach for part in field.parts)
    missing = field.missing
    status = Status.EXACT if not missing else Status.UNAVAILABLE if field.lost else Status.PARTIAL
    torn = bool(whole) and all(cause.why.startswith(IRREGULAR) for cause in whole)
    uneven = bool(beside) and dim is None and not phases and not whole and not missing
    if beside and (uneven or dim is not None):
        op = unsettled(graph, tensors, tensor)
        if uneven:
            status, missing = Status.UNAVAILABLE, frozenset({op.name})
        else:
            cause = Cause(op.name, op.kind, f"{IRREGULAR} {axis.name}", False)
            whole = (*whole, cause)
            reach = hull((reach, *(part.fixed(shape, cause).reach for part in beside)))
    if torn:  # a bound, and no figure
        status, missing, uneven = Status.UNAVAILABLE, frozenset(cause.operator for cause in whole), True
        whole, reach, hop, phases, tail = (), None, None, (), None
    copies = reduce(or_, (part.copies for part in field.parts), Copies())
    if hop is not None and abs(hop) > MOST_POSITIONS:
        raise ExplainError(f"The strides along {axis.name} multiply to more than {MOST_POSITIONS} positions.")
    return in_order(
        AxisField(
            axis=axis.name,
            input=name,
            in_size=in_size,
            out_size=out_size,
            hop=hop,
            phases=phases,
            whole_input=whole,
            unbounded_past=ordered(graph, field.parts, "past"),
            unbounded_future=ordered(graph, field.parts, "future"),
            reach=clipped(reach, in_size),
            rate_hz=axis.rate_hz,
            mirrored=tuple(min(max(copies.needs, n), in_size or n) for n in copies.before or (copies.needs,)),
            turned=copies.first or copies.last,
            tail_dropped=0 if whole and tail is not None else tail,
            status=status,
            missing=tuple(sorted(missing)),
            uneven=uneven,
        ),
        copies.by,
    )


def in_order(field: AxisField, copied: frozenset[str]) -> AxisField:
    """The field, or that nothing is known where over a quarter of the outputs show copies laid beside the input."""
    if not copied or not field.hop or not field.phases or None in (field.in_size, field.out_size):
        return field
    hop, size, total = field.hop, field.in_size or 0, field.out_size or 0
    lows = [p.start - p.index * hop for p in field.phases if p.start is not None]
    highs = [p.end - p.index * hop for p in field.phases if p.end is not None]
    if not lows:
        return field
    ends = sorted((-max(highs) / hop, (size - 1 - min(lows)) / hop))
    inside = min(total - 1, floor(ends[1])) - max(0, ceil(ends[0])) + 1
    if 4 * inside >= 3 * total:
        return field
    return replace(field, hop=None, phases=(), status=Status.UNAVAILABLE, missing=tuple(sorted(copied)), uneven=True)


def leader(field: Field) -> Part | None:
    """The part that says along which dim an axis moves: of those that move, the one that does along most dims."""
    return max((part for part in field.parts if part.moving), key=lambda part: len(part.moving), default=None)


def out_dim(graph: Graph, name: str, axis: Axis) -> int | None:
    """The dim of the first output along which an axis still moves."""
    lead = leader(propagate(graph, name, axis)[graph.outputs[0]])
    return lead.leading(graph.shape(graph.outputs[0])) if lead else None


def unsettled(graph: Graph, tensors: Mapping[str, Field], tensor: str) -> Op:
    """The operator behind which an axis has no one dim that it moves along any more, on the way to a tensor."""

    def regular(field: Field) -> bool:
        steps = {part.rates for part in field.parts if not part.stopped and any(part.table)}
        return len(steps) < 2 and not any(part.steps and not part.moving for part in field.parts if not part.stopped)

    before = graph.ops[[tensor in op.outputs for op in graph.ops].index(True)]
    for op in reversed(graph.ops):
        if tensor in op.outputs:
            before = op
            rough = [name for name in op.inputs if name in tensors and not regular(tensors[name])]
            if not rough:
                break
            tensor = rough[0]
    return before


def along(parts: Sequence[Part], dim: int, shape: Sequence[Size]) -> tuple[Phase, ...]:
    """The field of each output phase along one dim, over all channels and other places."""
    nobody = Cause("", "", "", True)
    lines = []
    for part in parts:
        for other in part.moving:
            if other != dim:
                part = part.contracted(other, shape, nobody)
        spans = [hull(row[i] for row in part.row(dim)) for i in range(part.steps[dim][0])]
        lines.append(Part((part.steps[dim],), tuple(spans)))
    (line,) = united(lines)
    return tuple(Phase(i, *(span or (None, None))) for i, span in enumerate(line.shortened(0).table))


def squeezed_out(field: Field, in_size: Size) -> tuple[Fraction, tuple[Phase, ...]] | None:
    """The hop and field of a tensor whose axis had one element and was squeezed out; None when it was combined."""
    parts = [part for part in field.parts if part.pace is not None]
    span = clipped(hull(span for part in parts for span in part.table), in_size)
    if not parts or span is None or any(part.because("whole") for part in field.parts):
        return None
    return max(part.pace for part in parts if part.pace is not None), (Phase(0, *span),)


def dropped_tail(phases: Sequence[Phase], hop: Fraction, in_size: Size, out_size: Size) -> int | None:
    """Input positions at the end that no output sees."""
    if in_size is None or not out_size or hop <= 0:
        return None
    period = len(phases)
    turn = period * hop.numerator // hop.denominator  # input positions after which the phases repeat
    outputs = range(max(0, out_size - 2 * period), out_size)
    ends = [end + n // period * turn for n in outputs if (end := phases[n % period].end) is not None]
    return max(0, in_size - 1 - max(ends)) if ends else in_size


def clipped(reach: Span, size: Size) -> Span:
    """A stretch without the positions that are only padding."""
    if reach is None or size is None:
        return reach
    return max(0, reach[0]), min(size - 1, reach[1])


def ordered(graph: Graph, parts: Sequence[Part], beyond: Beyond) -> tuple[Cause, ...]:
    """The causes of one kind in the order in which their operators run."""
    every = frozenset[Cause]().union(*(part.because(beyond) for part in parts))
    if not every:
        return ()
    places = {op.name: i for i, op in enumerate(graph.ops)}
    return tuple(sorted(every, key=lambda cause: (places.get(cause.operator, -1), cause.why)))


def layer_report(
    graph: Graph,
    placed: Placed,
    fields: Mapping[Source, Mapping[str, Field]],
    time: Mapping[str, frozenset[int]],
    known: dict[Any, AxisField],
) -> LayerReport:
    """One operator's share of the report; `known` holds the fields worked out so far, which many operators share."""
    op, ins, outs = placed.op, placed.ins, placed.outs
    rule = rule_for(op)
    dims = frozenset[int]().union(*(time.get(t, frozenset()) for t in (*op.inputs[:1], *op.outputs[:1])))
    clock = any(axis.name == "time" for _, axis in fields)
    macs = rule.macs(op, ins, outs, dims)
    state = rule.state(op, ins, outs, dims) if clock else None

    def seen_along(source: Source, tensors: Mapping[str, Field]) -> AxisField:
        out = op.outputs[0]
        field = tensors.get(out)
        alike = (id(field.parts), field.missing) if field else None
        key = (source, alike, outs[0], out in graph.outputs)
        if key not in known:
            known[key] = axis_field(graph, source, out, tensors)
        return known[key]

    seen = tuple(seen_along(source, tensors) for source, tensors in fields.items())
    own = ("name", "kind", "source", "windows", "dims", "groups", "params", "weight_bytes", "line")
    return LayerReport(
        **{key: getattr(op, key) for key in own},
        in_shapes=ins,
        out_shape=outs[0],
        macs=counted(macs, "MACs", "sizes or channels not known" if op.kind in RULES else "no rule for this operator"),
        state=counted(state, "values", "sizes or channels not known" if clock else "no time axis"),
        activation=counted(written_bytes(graph, op), "bytes", "sizes not known"),
        values_per_frame=frame_values(outs[0], time.get(op.outputs[0], frozenset()), clock),
        fields=seen,
        tail_dropped=tuple(unread(op, ins, i) for i in range(len(op.windows))),
    )


def frame_values(shape: Shape, time: frozenset[int], clock: bool) -> Figure:
    """Values per position of the time axis."""
    if not clock or not time:
        return unavailable("values", "no time axis")
    total = product(size for dim, size in enumerate(shape) if dim not in time)
    return counted(total, "values", "channels not known")


def unread(op: Op, ins: tuple[Shape, ...], index: int) -> int | None:
    """Last positions of an operator's padded input that its window never reaches."""
    window, size = op.windows[index], ins[0][op.dims[index]] if ins else None
    if op.kind not in {"conv", "pool", "unfold"} or size is None or window.ceil:
        return None if size is None or op.kind in {"conv", "pool", "unfold"} else 0
    return (size + window.pad_start + window.pad_end - window.reach) % window.stride
