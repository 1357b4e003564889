"""A report as one page of HTML that needs nothing else: tables, words, drawings; no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ...webpage import html_page
from ..clock import Frames, time_first
from ..compare import WhatIf
from ..graph import Graph
from ..phrases import PHRASES
from ..report import Report
from ..wording import Paragraph
from .rows import cost_rows, facts, input_lines, layer_columns, layer_rows, probe_rows
from .svg import cone, costs
from .table import comparison_text, notes

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
        f"<h1>{escape(title)}</h1>"
        + "".join(f"<p>{escape(f'{name} {shown}'.strip())}</p>" for name, shown in input_lines(report, graph, phrases))
    ]
    parts += [_answer(p) for p in paragraphs if p.asked]
    if report.notes:
        parts += ["<ul>", *(f"<li>{escape(note)}</li>" for note in notes(report, language)), "</ul>"]
    parts.append('<div class="facts">')
    for one in facts(report, phrases, frames):
        parts.append(f"<div><h2>{escape(one.title)}</h2>{_facts(one.rows)}</div>")
    parts.append(f"<div><h2>{phrases['costs']}</h2>{_facts(cost_rows(report, phrases))}</div></div>")
    parts.append(f"<p><small>{escape(phrases['convention'])}</small></p>")
    parts += [_answer(p) for p in paragraphs if not p.asked]
    for drawn in dict.fromkeys(drawings(report, graph, language, frames)):
        parts.append(_wide(drawn))
    parts += [_wide(costs(report, graph, language=language)), _layers(report, graph, language)]
    if report.unknown:
        parts.append(f"<p>{phrases['unknown_ops']}: {escape(', '.join(report.unknown))}</p>")
    if report.probes:
        cells = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in probe_rows(report, phrases))
        table = f"<table>{''.join(f'<tr>{one}</tr>' for one in cells)}</table>"
        parts.append(f"<h2>{phrases['verified']}</h2>{_wide(table)}")
    for change in changes:
        parts.append(f"<pre>{escape(comparison_text(change, language))}</pre>")
    return html_page(title, "".join(parts), style=_STYLE, language=language)


def _answer(paragraph: Paragraph) -> str:
    code = f"<pre>{escape(paragraph.code)}</pre>" if paragraph.code else ""
    return f"<h3>{escape(paragraph.question)}</h3><p>{escape(paragraph.answer)}</p>{code}"


def _wide(content: str) -> str:
    """What scrolls sideways where the page is narrower."""
    return f'<div class="wide">{content}</div>'


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def drawings(report: Report, graph: Graph, language: str, frames: Frames | None) -> list[str]:
    """The field growing along each axis; an axis whose facts equal those of another has no drawing of its own."""
    seen: dict[tuple[object, ...], str] = {}
    for field in time_first(report.fields):
        seen.setdefault((field.in_size, field.hop, field.phases, field.local_rf, field.whole_input), field.axis)
    return [cone(report, graph, language=language, axis=axis, frames=frames) for axis in dict.fromkeys(seen.values())]


def _layers(report: Report, graph: Graph, language: str) -> str:
    _, heads, cells, right = layer_columns(layer_rows(report, graph), report, PHRASES[language])

    def row(tag: str, texts: Sequence[str]) -> str:
        made = (f"<{tag}{' class=n' if r else ''}>{escape(t)}</{tag}>" for t, r in zip(texts, right, strict=True))
        return f"<tr>{''.join(made)}</tr>"

    return _wide(f'<table class="layers">{row("th", heads)}{"".join(row("td", one) for one in cells)}</table>')
