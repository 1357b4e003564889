"""The rows that every rendering shows: facts per axis, costs of the whole, one line per layer; all as short texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..clock import Frames, span_ms, time_first, unit_of
from ..graph import Graph
from ..numbers import in_bytes, plain, short, singular
from ..phrases import PHRASES
from ..report import AxisField, Figure, LayerReport, Report, Status
from ..shapes import shape_text
from ..whatif import COUNTED, layers_of
from ..zh import translated

Phrases = Mapping[str, str]
Row = tuple[str, str]


@dataclass(frozen=True)
class Facts:
    """The facts of one axis, or of several that are equal in all of them."""

    title: str
    rows: tuple[Row, ...]


def facts(report: Report, phrases: Phrases, frames: Frames | None) -> list[Facts]:
    """The facts of every axis, those of time first; axes and inputs whose facts are equal share one entry."""
    grouped: dict[tuple[tuple[Row, ...], str], list[AxisField]] = {}
    for field in time_first(report.fields):
        rows = tuple(axis_rows(field, report, phrases, frames))
        rate = "" if field.rate_hz is None else f" @ {plain(field.rate_hz)} Hz"
        grouped.setdefault((rows, rate), []).append(field)
    several = len({f.input for f in report.fields}) > 1
    found = []
    for (rows, rate), fields in grouped.items():
        axes = list(dict.fromkeys(phrases[f.axis] for f in fields))
        names = list(dict.fromkeys(f.input for f in fields))
        about = f" ({few(names[:4], len(names) > 4)})" if several else ""
        found.append(Facts(phrases["comma"].join(axes) + rate + about, rows))
    return found


def input_lines(report: Report, graph: Graph, phrases: Phrases) -> list[Row]:
    """(input or output, its shape and what each dim was taken for); several inputs that are alike share a line."""
    states = {name for name, tensor in graph.tensors.items() if tensor.role == "state"}
    lines: dict[str, int] = {}
    for name, shape in report.input_shapes:
        if name not in states:
            stated = f"{shape_text(shape)} = {phrases['comma'].join(dim_names(graph, name, phrases))}"
            lines[stated] = lines.get(stated, 0) + 1
    rows = [(phrases["input"], stated if count == 1 else f"{count} x {stated}") for stated, count in lines.items()]
    if states:
        rows.append(("", f"+ {len(states)} {phrases['states']}"))
    outputs = [shape for name, shape in report.output_shapes if name not in states]
    if len(outputs) == len(report.output_shapes):
        outputs = outputs[: max(1, len(outputs) - len(states))]  # the states come after the result
    left = len(report.output_shapes) - len(outputs)
    shown = ", ".join(map(shape_text, outputs)) + (f" + {left} {phrases['states']}" if left else "")
    return [*rows, (phrases["output"], shown)]


def dim_names(graph: Graph, name: str, phrases: Phrases) -> list[str]:
    """What each dim of an input was taken for."""
    axes = {axis.dim: phrases[axis.name] for axis in graph.axes.get(name, ())}
    rest = [dim for dim in range(len(graph.shape(name))) if dim not in axes]
    others = dict.fromkeys(rest, phrases["channels"])
    if rest and (rest[0] == 0 or len(rest) > 1):  # where time comes first, the batch is behind it
        others[rest[0]] = phrases["batch"]
    return [axes.get(dim) or others[dim] for dim in range(len(graph.shape(name)))]


def axis_rows(field: AxisField, report: Report, phrases: Phrases, frames: Frames | None) -> list[Row]:
    """(what, how much) for one axis: field, hop, look-ahead, latency, sizes."""
    unit = phrases[unit_of(field, report)]

    def positions(value: int | Fraction | None, missing: str, window: Frames | None = None) -> str:
        if value is None:
            return missing
        stated, ms = singular(f"{plain(value)} {unit}"), span_ms(field, value, window)
        return stated if ms is None else f"{stated} = {plain(ms)} ms"

    rows: list[Row] = []
    whole = bool(field.whole_input or field.unbounded_future)
    missing = phrases["whole"] if whole else phrases["unbounded"] if field.unbounded_past else phrases["unknown"]
    causes = [c.operator for c in (*field.whole_input, *field.unbounded_past, *field.unbounded_future)]
    named = f" ({few(dict.fromkeys(causes[:4]), len(causes) > 4)})" if causes else ""
    rows.append((phrases["field"], positions(field.rf, missing + named, frames)))
    if field.rf is not None and field.rf_min != field.rf:
        rows[-1] = (phrases["field"], f"{positions(field.rf_min, '', frames)} .. {rows[-1][1]}")
    if field.rf is None and field.local_rf is not None:
        rows.append((phrases["local"], positions(field.local_rf, "", frames)))
    if field.rf is not None and causes:
        rows.append((phrases["statistics"], phrases["whole" if whole else "unbounded"] + named))
    rows.append((phrases["hop"], positions(field.hop, phrases["unknown"])))
    if field.phases and len(field.phases) <= 8:
        spans = ", ".join(f"{p.start} .. {p.end}" if p.start is not None else "-" for p in field.phases)
        rows.append((phrases["interval"], spans))
    wait = phrases["whole"] if whole or field.starts_at_the_end else phrases["unknown"]
    rows.append((phrases["ahead"], positions(field.ahead, wait)))
    rows.append((phrases["past"], positions(field.past, missing)))
    rows.append((phrases["first"], positions(field.first_output_needs, wait, frames)))
    if field.axis == "time":
        stated = positions(field.latency, wait, frames)
        if field.latency is not None and field.lookahead:
            stated += f" ({phrases['block']} {plain(field.block or 0)} + {plain(field.lookahead)})"
        rows.append((phrases["latency"], stated))
    if field.alignment is not None:
        rows.append((phrases["centre"], plain(field.alignment)))
    if field.in_size is not None and field.out_size is not None:
        tail = f", {phrases['tail']} {field.tail_dropped}" if field.tail_dropped else ""
        rows.append((phrases["size"], f"{plain(field.in_size)} -> {plain(field.out_size)}{tail}"))
    if field.status is not Status.EXACT:
        key = "partial" if field.status is Status.PARTIAL else "unavailable"
        rows.append((phrases["trust"], f"{phrases[key]} {', '.join(field.missing)}"))
    return rows


def few(names: Iterable[str], more: bool) -> str:
    """Some names in a row, with dots behind them where there are more."""
    return ", ".join(names) + (" ..." if more else "")


def cost_rows(report: Report, phrases: Phrases) -> list[Row]:
    """(what, how much) for the whole network."""
    costs = report.costs
    if costs.params.value is None and costs.macs.value is None and costs.params.missing:
        names = few(costs.params.missing[:6], len(costs.params.missing) > 6)
        return [(phrases["unavailable"], phrases["no_channels"].format(names=names))]
    rows = [
        (phrases["params"], figure(costs.params, phrases)),
        (phrases["weights"], figure(costs.weight_bytes, phrases)),
        (phrases["macs"], figure(costs.macs, phrases)),
    ]
    if any(field.axis == "time" for field in report.fields):
        if costs.macs_per_second.value is not None:
            rows.append((phrases["macs_rate"], figure(costs.macs_per_second, phrases)))
        state, size = figure(costs.state, phrases), costs.state_bytes.value
        rows.append((phrases["state"], state if size is None else f"{state} ({in_bytes(size)})"))
    rows.append((phrases["activations"], figure(costs.activation_peak, phrases)))
    rows.append((phrases["intensity"], figure(costs.intensity, phrases)))
    return rows


def figure(found: Figure, phrases: Phrases) -> str:
    """A figure with its trust: never a silent zero."""
    language = "zh" if phrases is PHRASES["zh"] else "en"
    missing = few([translated(one, language) for one in found.missing[:4]], len(found.missing) > 4)
    if found.value is None:
        return phrases["unavailable"] + (f" ({missing})" if missing else "")
    if found.unit == "bytes":
        stated = in_bytes(found.value)
    elif found.unit in {"MACs", "MACs/s"}:
        whole = plain(int(found.value))
        stated = whole if found.value < 1e6 else f"{short(found.value)} ({whole})"
    else:
        stated = plain(found.value)
    return stated if found.status is Status.EXACT else f"{stated}, {phrases['partial']} {missing}"


def probe_rows(report: Report, phrases: Phrases) -> list[tuple[str, ...]]:
    """(probe, axis, answer, measurement, verdict, detail) of every measurement."""
    verdicts = {None: phrases["undecided"], True: phrases["agrees"], False: phrases["differs"]}
    return [(p.probe, p.axis, p.symbolic, p.measured, verdicts[p.agrees], p.detail) for p in report.probes]


def layer_rows(report: Report, graph: Graph) -> list[tuple[str, LayerReport]]:
    """(number, layer) for the operators worth a row; those that people count as layers carry their number."""
    numbers = {op.name: str(i) for i, op in enumerate(layers_of(graph), 1)}
    shown = {layer.name for layer in report.table} | {op.name for op in graph.ops if op.kind in COUNTED}
    shown |= {text.rsplit(" (", 1)[0] for text in report.unknown}
    total = float(report.costs.params.value or 0)

    def slight(layer: LayerReport) -> bool:
        """A PReLU or a batch norm, whose parameters are next to nothing beside those of the layers."""
        return layer.kind == "elementwise" and layer.params < total / 100

    return [(numbers.get(one.name, ""), one) for one in report.layers if one.name in shown and not slight(one)]


def layer_columns(
    rows: Sequence[tuple[str, LayerReport]], report: Report, phrases: Phrases
) -> tuple[list[str], list[str], list[list[str]], list[bool]]:
    """(columns, headings, cells, which are numbers) of the table of layers; columns that say nothing are left out, and
    axes that are alike everywhere share theirs."""
    axes = list(dict.fromkeys(field.axis for field in time_first(report.fields)))
    texts = [(number, layer_texts(layer, report, axes)) for number, layer in rows]
    alike = len(axes) > 1 and all(
        cells[f"{what} {axis}"] == cells[f"{what} {axes[0]}"] for _, cells in texts for axis in axes for what in LOOKS
    )
    shown = axes[:1] if alike else axes
    columns = ["layer", "kind", "kernel", "stride", "dilation", "padding", "shape"]
    columns += [f"{what} {axis}" for axis in shown for what in LOOKS] + ["params", "macs", "frame", "state"]
    columns = [c for c in columns if any(cells[c] not in DULL.get(c, {""}) for _, cells in texts)]
    heads = ["#", *(head(column, phrases, len(shown) > 1) for column in columns)]
    right = [True] + [c in RIGHT or c.startswith(LOOKS) for c in columns]
    return columns, heads, [[number, *(cells[c] for c in columns)] for number, cells in texts], right


def head(column: str, phrases: Phrases, several: bool) -> str:
    """The heading of a column; with several axes it names its own."""
    what, _, axis = column.partition(" ")
    named = "rf" if what == "field" else phrases[what]
    return f"{named} {phrases[axis]}" if axis and several else named


LOOKS = ("field", "hop")
RIGHT = {"kernel", "stride", "dilation", "padding", "params", "macs", "frame", "state"}
DULL = {
    "dilation": {"", "1", "1x1", "1x1x1"},
    "padding": {"", "0", "0x0", "0x0x0"},
    "frame": {"?"},
    "state": {"?", "0"},
    "params": {"?"},
    "macs": {"?"},
}


def layer_texts(layer: LayerReport, report: Report, axes: Sequence[str]) -> dict[str, str]:
    """Every cell of a layer's row by column."""
    windows, open_weights = layer.windows, layer.name in report.costs.params.missing
    pads = [str(w.pad_start) if w.pad_start == w.pad_end else f"{w.pad_start},{w.pad_end}" for w in windows]
    cells = {
        "layer": layer.name,
        "kind": layer.kind + (f" g{layer.groups}" if layer.groups > 1 else ""),
        **{key: "x".join(str(getattr(w, key)) for w in windows) for key in ("kernel", "stride", "dilation")},
        "padding": "x".join(pads),
        "shape": shape_text(layer.out_shape),
        "params": "?" if open_weights else plain(layer.params),
        "macs": "?" if layer.macs.value is None else short(layer.macs.value),
        "frame": "?" if layer.values_per_frame.value is None else plain(layer.values_per_frame.value),
        "state": "?" if layer.state.value is None else plain(layer.state.value),
    }
    for axis in axes:
        along = [f for f in layer.fields if f.axis == axis]  # one an input, of which the layer may read but one
        moving = [f for f in along if f.hop is not None]
        field = next(iter(moving or [f for f in along if field_text(f) != "?"] or along), None)
        cells[f"field {axis}"] = field_text(field)
        cells[f"hop {axis}"] = "" if field is None or field.hop is None else plain(field.hop)
    return cells


def field_text(field: AxisField | None) -> str:
    """The receptive field of a layer in one word."""
    if field is None:
        return ""
    if field.rf is not None:
        return plain(field.rf)
    if field.whole_input or field.unbounded_future:
        return "all"
    return "past" if field.unbounded_past else "?"
