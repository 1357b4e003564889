"""A report as one page of HTML that needs nothing else: tables, words, drawings; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

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

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;max-width:1000px;margin:2em auto;padding:0 1em}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}h3{font-size:1em;margin-bottom:.2em}
table{border-collapse:collapse;font-size:13px}th,td{padding:.2em .7em;border-bottom:1px solid #dfe5ec;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.facts{display:flex;flex-wrap:wrap;gap:2em}
.wide{overflow-x:auto}svg{max-width:100%;height:auto}pre{background:#f4f6f9;padding:1em;overflow-x:auto}
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
    title = escape(report.title[:200])
    parts = [
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{phrases['input']} {escape(shape_line(report.input_shapes, graph, phrases))}, "
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
        parts.append(cone(report, graph, language=language, axis=axis, frames=frames))
    parts += [costs(report, graph, language=language), _layers(report, graph, language)]
    if report.unknown:
        parts.append(f"<p>{phrases['unknown_ops']}: {escape(', '.join(report.unknown))}</p>")
    if report.probes:
        parts.append(f"<h2>{phrases['verified']}</h2>{_probes(report, language)}")
    for change in changes:
        parts.append(f"<pre>{escape(comparison_text(change, language))}</pre>")
    return "".join([*parts, "</body></html>\n"])


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
    return f'<div class="wide"><table><tr>{heads}</tr>{"".join(body)}</table></div>'


def _probes(report: Report, language: str) -> str:
    phrases = PHRASES[language]
    rows = []
    for probe in report.probes:
        verdict = phrases["undecided" if probe.agrees is None else "agrees" if probe.agrees else "differs"]
        texts = (probe.probe, probe.axis, probe.symbolic, probe.measured, verdict, probe.detail)
        rows.append("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in texts) + "</tr>")
    return f"<table>{''.join(rows)}</table>"
