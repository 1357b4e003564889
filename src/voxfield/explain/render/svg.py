"""Two drawings of a report, as SVG text: the receptive field growing layer by layer, and the cost per layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from ..clock import Frames, span_ms, unit_of
from ..graph import Graph
from ..numbers import plain, short, singular
from ..phrases import PHRASES
from ..report import AxisField, LayerReport, Report
from .rows import layer_rows

WIDTH, ROW, LABEL, GAP, TOP, FIGURES = 820, 22, 200, 8, 46, 190  # FIGURES: space for the figures on the right
MOST_ROWS, MANY_ROWS = 80, 24
PAST, AHEAD, MACS, PARAMS, INK, FAINT = "#3b6ea8", "#d9822b", "#3b6ea8", "#9db8d6", "#1d2733", "#c9d2dc"


def cone(
    report: Report, graph: Graph, *, language: str = "en", axis: str | None = None, frames: Frames | None = None
) -> str:
    """The input positions that output 0 of every layer sees along one axis; what lies after it in another colour.

    Args:
        axis: the axis to draw; time when there is one.
    """
    phrases = PHRASES[language]
    name = axis or next(
        (f.axis for f in report.fields if f.axis == "time"), report.fields[0].axis if report.fields else ""
    )
    rows = [(n, layer, found) for n, layer in layer_rows(report, graph) if (found := _field(layer, name)) is not None]
    if len(rows) > MANY_ROWS:  # layers that see what the one before them saw say nothing new
        rows = [row for i, row in enumerate(rows) if not i or _span(row[2]) != _span(rows[i - 1][2])]
    rows, left_out = rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS)
    spans = [_span(field) for _, _, field in rows]
    low = min([span[0] for span in spans if span] + [0])
    high = max([span[1] for span in spans if span] + [0])
    scale = (WIDTH - LABEL - FIGURES) / max(1, high - low + 1)

    def x(position: float) -> float:
        return LABEL + (position - low) * scale

    parts = _open(len(rows), f"{phrases['field']} ({phrases.get(name, name)})")
    shape = "".join(f"{x(s[0]):.1f},{TOP + i * ROW + ROW / 2:.1f} " for i, s in enumerate(spans) if s) + "".join(
        f"{x(s[1] + 1):.1f},{TOP + i * ROW + ROW / 2:.1f} " for i, s in reversed(list(enumerate(spans))) if s
    )
    if shape:
        parts.append(f'<polygon points="{shape.strip()}" fill="{PAST}" opacity="0.10"/>')
    for i, ((number, layer, field), span) in enumerate(zip(rows, spans, strict=True)):
        y = TOP + i * ROW
        parts.append(_text(12, y + 15, f"{number}  {layer.name}"[:30]))
        if span is None:
            parts.append(_bar(LABEL, y, WIDTH - LABEL - FIGURES, FAINT))
        else:
            hop = float(field.hop or 1)
            split = min(max(span[0], round(hop)), span[1] + 1)  # up to its own hop it is the present block
            parts.append(_bar(x(span[0]), y, max(1.5, (split - span[0]) * scale), PAST))
            if split <= span[1]:
                parts.append(_bar(x(split), y, max(1.5, (span[1] + 1 - split) * scale), AHEAD))
        parts.append(_text(WIDTH - FIGURES + 10, y + 15, _told(field, report, phrases, frames)))
    base = TOP + len(rows) * ROW + 6
    parts.append(
        f'<line x1="{x(0):.1f}" y1="{TOP - 6}" x2="{x(0):.1f}" y2="{base}" stroke="currentColor" '
        'stroke-dasharray="3 3"/>'
    )
    ends = f"{plain(low)} .. {plain(high)}"
    parts.append(_text(LABEL, base + 18, ends + (f"   (+{left_out})" if left_out else "")))
    parts.append(_legend(base + 18, [(PAST, phrases["seen"]), (AHEAD, phrases["ahead"])]))
    return "".join([*parts, "</svg>"])


def costs(report: Report, graph: Graph, *, language: str = "en") -> str:
    """Multiply-accumulates and parameters of every layer, each as a share of the largest."""
    phrases = PHRASES[language]
    rows = [(n, layer) for n, layer in layer_rows(report, graph) if layer.macs.value or layer.params]
    rows, left_out = rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS)
    most = max([float(layer.macs.value or 0) for _, layer in rows] + [1.0])
    largest = max([layer.params for _, layer in rows] + [1])
    space = WIDTH - LABEL - FIGURES
    parts = _open(len(rows), f"{phrases['macs']}, {phrases['params']}")
    for i, (number, layer) in enumerate(rows):
        y = TOP + i * ROW
        parts.append(_text(12, y + 15, f"{number}  {layer.name}"[:30]))
        value = layer.macs.value
        if value is not None:
            parts.append(_bar(LABEL, y, max(1.0, float(value) / most * space) if value else 0.0, MACS, 9))
        parts.append(_bar(LABEL, y + 9, max(1.0, layer.params / largest * space) if layer.params else 0.0, PARAMS, 6))
        shown = f"{'?' if value is None else short(value)} | {short(layer.params)}"
        parts.append(_text(WIDTH - FIGURES + 10, y + 15, shown))
    base = TOP + len(rows) * ROW + 6
    if left_out:
        parts.append(_text(LABEL, base + 18, f"+{left_out}"))
    parts.append(_legend(base + 18, [(MACS, phrases["macs"]), (PARAMS, phrases["params"])]))
    return "".join([*parts, "</svg>"])


def _field(layer: LayerReport, axis: str) -> AxisField | None:
    return next((field for field in layer.fields if field.axis == axis), None)


def _span(field: AxisField) -> tuple[int, int] | None:
    """First and last position that output 0 sees along its local path."""
    seen = [p for p in field.phases if p.start is not None and p.end is not None]
    if not seen or field.hop is None:
        return None
    first = seen[0]
    return (first.start or 0, first.end or 0)


def _told(field: AxisField, report: Report, phrases: Mapping[str, str], frames: Frames | None) -> str:
    if field.rf is None:
        return phrases["whole" if field.whole_input or field.unbounded_future else "unbounded"]
    ms = span_ms(field, field.rf, frames)
    return singular(f"{plain(field.rf)} {phrases[unit_of(field, report)]}") + (
        "" if ms is None else f", {plain(ms)} ms"
    )


def _open(rows: int, title: str) -> list[str]:
    """The head of a drawing of so many rows, and its title."""
    height = TOP + (rows + 1) * ROW + 34
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="12" color="{INK}" fill="currentColor">'
        f"<title>{escape(title)}</title>",
        '<rect class="paper" width="100%" height="100%" fill="#ffffff"/>',
        _text(12, 24, title, size=15, weight="bold"),
    ]


def _text(x: float, y: float, text: str, size: int = 12, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}">{escape(text)}</text>'


def _bar(x: float, y: float, width: float, colour: str, height: float = ROW - GAP) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y + GAP / 2:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" rx="1.5"/>'
    )


def _legend(y: float, entries: Sequence[tuple[str, str]]) -> str:
    parts, x = [], WIDTH - 330
    for colour, text in entries:
        parts.append(
            f'<rect x="{x}" y="{y - 10:.1f}" width="12" height="12" fill="{colour}"/>' + _text(x + 18, y, text)
        )
        x += 165
    return "".join(parts)
