"""A report as one page of HTML that needs nothing else: tables, words, drawings; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ...webpage import html_page
from ..clock import Frames, time_first
from ..compare import WhatIf
from ..graph import Graph
from ..numbers import plain
from ..phrases import PHRASES
from ..report import Report
from ..words import Paragraph
from .rows import axis_rows, cost_rows, layer_rows, layer_texts, shape_line
from .svg import cone, costs
from .table import RIGHT, comparison_text, head

_STYLE = """
table{font-size:.8rem}.facts{display:flex;flex-wrap:wrap;gap:0 2rem}.wide{margin:1rem 0}
svg{display:block;color:var(--ink)}svg .paper{fill:none}.layers td{white-space:nowrap}
"""


def page(
    report: Report,
    graph: Graph,
    paragraphs: Sequence[Paragraph] = (),
    changes: Sequence[WhatIf] = (),
    *,
    language: str = "en",
    frames: Frames | None = None,
) -> str:
    """The whole page as text."""
    phrases = PHRASES[language]
    title = report.title[:200]
    parts = [
        f"<h1>{escape(title)}</h1><p>{phrases['input']} {escape(shape_line(report.input_shapes, graph, phrases))}, "
        f"{phrases['output']} {escape(shape_line(report.output_shapes, graph, phrases))}</p>"
    ]
    parts += ["<ul>", *(f"<li>{escape(note)}</li>" for note in report.notes), "</ul>"] if report.notes else []
    for paragraph in paragraphs:
        parts.append(f"<h3>{escape(paragraph.question)}</h3><p>{escape(paragraph.answer)}</p>")
    parts.append('<div class="facts">')
    for field in time_first(report.fields):
        rate = "" if field.rate_hz is None else f" @ {plain(field.rate_hz)} Hz"
        parts.append(f"<div><h2>{escape(phrases[field.axis] + rate)}</h2>")
        parts.append(_facts(axis_rows(field, report, phrases, frames)) + "</div>")
    parts.append(f"<div><h2>{phrases['costs']}</h2>{_facts(cost_rows(report, phrases))}</div></div>")
    parts.append(f"<p><small>{escape(phrases['convention'])}</small></p>")
    for axis in dict.fromkeys(field.axis for field in time_first(report.fields)):
        parts.append(_wide(cone(report, graph, language=language, axis=axis, frames=frames)))
    parts += [_wide(costs(report, graph, language=language)), _layers(report, graph, language)]
    if report.unknown:
        parts.append(f"<p>{phrases['unknown_ops']}: {escape(', '.join(report.unknown))}</p>")
    if report.probes:
        parts.append(f"<h2>{phrases['verified']}</h2>{_probes(report, language)}")
    for change in changes:
        parts.append(f"<pre>{escape(comparison_text(change, language))}</pre>")
    return html_page(title, "".join(parts), style=_STYLE, language=language)


def _wide(content: str) -> str:
    """What scrolls sideways where the page is narrower."""
    return f'<div class="wide">{content}</div>'


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def _layers(report: Report, graph: Graph, language: str) -> str:
    phrases = PHRASES[language]
    axes = list(dict.fromkeys(field.axis for field in time_first(report.fields)))
    columns = ["layer", "kind", "kernel", "stride", "dilation", "padding", "shape"]
    columns += [f"{what} {axis}" for axis in axes for what in ("field", "hop")]
    columns += ["params", "macs", "frame", "state"]

    def cell(tag: str, column: str, text: str) -> str:
        number = column in RIGHT or column.startswith(("field", "hop"))
        return f"<{tag}{' class=n' if number else ''}>{escape(text)}</{tag}>"

    heads = "<th>#</th>" + "".join(cell("th", c, head(c, phrases, len(axes) > 1)) for c in columns)
    body = []
    for number, layer in layer_rows(report, graph):
        texts = layer_texts(layer, report, axes)
        body.append(f"<tr><td class=n>{number}</td>" + "".join(cell("td", c, texts[c]) for c in columns) + "</tr>")
    return _wide(f'<table class="layers"><tr>{heads}</tr>{"".join(body)}</table>')


def _probes(report: Report, language: str) -> str:
    phrases = PHRASES[language]
    rows = []
    for probe in report.probes:
        verdict = phrases["undecided" if probe.agrees is None else "agrees" if probe.agrees else "differs"]
        texts = (probe.probe, probe.axis, probe.symbolic, probe.measured, verdict, probe.detail)
        rows.append("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in texts) + "</tr>")
    return _wide(f"<table>{''.join(rows)}</table>")
