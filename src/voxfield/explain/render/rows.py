"""The rows that every rendering shows: facts per axis, costs of the whole, one line per layer; all as short texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from ..clock import Frames, span_ms, unit_of
from ..graph import Graph, Size
from ..numbers import in_bytes, plain, short, singular
from ..report import AxisField, Figure, LayerReport, Report, Status
from ..shapes import shape_text
from ..whatif import COUNTED, layers_of

Phrases = Mapping[str, str]
Row = tuple[str, str]


def axis_rows(field: AxisField, report: Report, phrases: Phrases, frames: Frames | None) -> list[Row]:
    """(what, how much) for one axis: field, hop, look-ahead, latency, sizes."""
    unit = phrases[unit_of(field, report)]

    def positions(value: int | Fraction | None, missing: str, ms: float | None) -> str:
        if value is None:
            return missing
        told = singular(f"{plain(value)} {unit}")
        return told if ms is None else f"{told} = {plain(ms)} ms"

    rows: list[Row] = []
    whole = bool(field.whole_input or field.unbounded_future)
    missing = phrases["whole"] if whole else phrases["unbounded"] if field.unbounded_past else phrases["unknown"]
    causes = [c.operator for c in (*field.whole_input, *field.unbounded_past, *field.unbounded_future)]
    named = missing + (
        f" ({', '.join(dict.fromkeys(causes[:4]))}{' ...' if len(causes) > 4 else ''})" if causes else ""
    )
    rows.append((phrases["field"], positions(field.rf, named, span_ms(field, field.rf, frames))))
    if field.rf is not None and field.rf_min != field.rf:
        low = positions(field.rf_min, "", span_ms(field, field.rf_min, frames))
        rows[-1] = (phrases["field"], f"{low} .. {rows[-1][1]}")
    if field.rf is None and field.local_rf is not None:
        local = positions(field.local_rf, "", span_ms(field, field.local_rf, frames))
        rows.append((phrases["local"], local))
    if field.rf is not None and causes:
        shown = ", ".join(dict.fromkeys(causes[:4])) + (" ..." if len(causes) > 4 else "")
        rows.append((phrases["statistics"], f"{phrases['whole'] if whole else phrases['unbounded']} ({shown})"))
    rows.append((phrases["hop"], positions(field.hop, phrases["unknown"], field.ms(field.hop))))
    if field.phases and len(field.phases) <= 8:
        spans = ", ".join(f"{p.start} .. {p.end}" if p.start is not None else "-" for p in field.phases)
        rows.append((phrases["interval"], spans))
    wait = phrases["whole"] if whole else phrases["unknown"]
    rows.append((phrases["ahead"], positions(field.ahead, wait, field.ms(field.ahead))))
    rows.append((phrases["past"], positions(field.past, missing, field.ms(field.past))))
    rows.append(
        (phrases["first"], positions(field.first_output_needs, wait, span_ms(field, field.first_output_needs, frames)))
    )
    if field.axis == "time":
        told = positions(field.latency, wait, span_ms(field, field.latency, frames))
        if field.latency is not None and field.lookahead:
            told += f" ({phrases['block']} {plain(field.block or 0)} + {plain(field.lookahead)})"
        rows.append((phrases["latency"], told))
    if field.alignment is not None:
        rows.append((phrases["centre"], plain(field.alignment)))
    if field.in_size is not None and field.out_size is not None:
        tail = f", {phrases['tail']} {field.tail_dropped}" if field.tail_dropped else ""
        rows.append((phrases["size"], f"{plain(field.in_size)} -> {plain(field.out_size)}{tail}"))
    if field.status is not Status.EXACT:
        key = "partial" if field.status is Status.PARTIAL else "unavailable"
        rows.append((phrases["trust"], f"{phrases[key]} {', '.join(field.missing)}"))
    return rows


def cost_rows(report: Report, phrases: Phrases) -> list[Row]:
    """(what, how much) for the whole network."""
    costs = report.costs
    if costs.params.value is None and costs.macs.value is None and costs.params.missing:
        names = ", ".join(costs.params.missing[:6]) + (" ..." if len(costs.params.missing) > 6 else "")
        return [(phrases["unavailable"], phrases["no_channels"].format(names=names))]
    rows = [
        (phrases["params"], figure(costs.params, phrases)),
        (phrases["weights"], figure(costs.weight_bytes, phrases)),
        (phrases["macs"], figure(costs.macs, phrases)),
    ]
    if any(field.axis == "time" for field in report.fields):
        rows.append((phrases["macs_rate"], figure(costs.macs_per_second, phrases)))
        rows.append((phrases["state"], state_text(report, phrases)))
    rows.append((phrases["activations"], figure(costs.activation_peak, phrases)))
    rows.append((phrases["intensity"], figure(costs.intensity, phrases)))
    if costs.roofline_rtf.value is not None:
        rows.append((phrases["roofline"], figure(costs.roofline_rtf, phrases)))
    return rows


def state_text(report: Report, phrases: Phrases) -> str:
    """Values and bytes that a stream keeps."""
    told = figure(report.costs.state, phrases)
    size = report.costs.state_bytes.value
    return told if size is None else f"{told} ({in_bytes(size)})"


def figure(found: Figure, phrases: Phrases) -> str:
    """A figure with its trust: never a silent zero."""
    missing = ", ".join(found.missing[:4]) + (" ..." if len(found.missing) > 4 else "")
    if found.value is None:
        return phrases["unavailable"] + (f" ({missing})" if missing else "")
    if found.unit == "bytes":
        told = in_bytes(found.value)
    elif found.unit in {"MACs", "MACs/s"}:
        told = (
            f"{plain(int(found.value))}" if found.value < 1e6 else f"{short(found.value)} ({plain(int(found.value))})"
        )
    elif found.unit == "s/s":
        told = f"{float(found.value):.2g}"
    else:
        told = plain(found.value)
    return told if found.status is Status.EXACT else f"{told}, {phrases['partial']} {missing}"


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


def window_texts(layer: LayerReport) -> tuple[str, str, str, str]:
    """(kernel, stride, dilation, padding) of a layer, one number per axis."""
    if not layer.windows:
        return "", "", "", ""

    def each(values: Sequence[str]) -> str:
        return values[0] if len(set(values)) == 1 and len(values) == 1 else "x".join(values)

    pads = [str(w.pad_start) if w.pad_start == w.pad_end else f"{w.pad_start},{w.pad_end}" for w in layer.windows]
    return (
        each([str(w.kernel) for w in layer.windows]),
        each([str(w.stride) for w in layer.windows]),
        each([str(w.dilation) for w in layer.windows]),
        each(pads),
    )


def layer_texts(layer: LayerReport, report: Report, axes: Sequence[str]) -> dict[str, str]:
    """Every cell of a layer's row by column."""
    kernel, stride, dilation, padding = window_texts(layer)
    open_weights = layer.name in report.costs.params.missing
    cells = {
        "layer": layer.name,
        "kind": layer.kind + (f" g{layer.groups}" if layer.groups > 1 else ""),
        "kernel": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": padding,
        "shape": shape_text(layer.out_shape),
        "params": "?" if open_weights else plain(layer.params),
        "macs": "?" if layer.macs.value is None else short(layer.macs.value),
        "frame": "?" if layer.values_per_frame.value is None else plain(layer.values_per_frame.value),
        "state": "?" if layer.state.value is None else plain(layer.state.value),
    }
    for axis in axes:
        field = next((f for f in layer.fields if f.axis == axis), None)
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


def shape_line(shapes: Sequence[tuple[str, tuple[Size, ...]]], graph: Graph, phrases: Phrases) -> str:
    """Shapes of all inputs or outputs in a row; states of a stream are only counted."""
    states = {name for name, tensor in graph.tensors.items() if tensor.role == "state"}
    plain_ones = [shape for name, shape in shapes if name not in states]
    if states and len(shapes) == len(plain_ones):  # outputs: the states come after the result
        plain_ones = plain_ones[: max(1, len(shapes) - len(states))]
    told = ", ".join(shape_text(shape) for shape in plain_ones)
    left = len(shapes) - len(plain_ones)
    return told + (f" + {left} {phrases['states']}" if left else "")
