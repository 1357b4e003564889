"""A report as text for a terminal: facts per axis, costs, a line per layer, words. Wide characters count double."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from ..clock import Frames, time_first
from ..compare import WhatIf
from ..graph import Graph
from ..numbers import in_bytes, plain, ratio_text, short
from ..phrases import PHRASES
from ..report import Report
from ..words import Paragraph
from .rows import axis_rows, cost_rows, layer_rows, layer_texts, shape_line

RIGHT = {"kernel", "stride", "dilation", "padding", "params", "macs", "frame", "state"}
WIDEST_WORDS = 112
OPENING, CLOSING = "（(“", "，。；：、）？！)”"


def report_text(
    report: Report,
    graph: Graph,
    paragraphs: Sequence[Paragraph] = (),
    *,
    language: str = "en",
    frames: Frames | None = None,
) -> str:
    """The whole report as text, without a newline at the end."""
    phrases = PHRASES[language]
    lines = [report.title, f"{phrases['input']} {shape_line(report.input_shapes, graph, phrases)}"]
    lines[-1] += f"   {phrases['output']} {shape_line(report.output_shapes, graph, phrases)}"
    for field in time_first(report.fields):
        rate = "" if field.rate_hz is None else f" @ {plain(field.rate_hz)} Hz"
        several = f" ({field.input})" if len({f.input for f in report.fields}) > 1 else ""
        lines += ["", f"{phrases[field.axis]}{rate}{several}"]
        lines += pairs(axis_rows(field, report, phrases, frames))
    lines += ["", phrases["costs"], *pairs(cost_rows(report, phrases)), f"  {phrases['convention']}"]
    lines += ["", *layer_table(report, graph, language)]
    if report.unknown:
        lines += ["", f"{phrases['unknown_ops']}: {', '.join(report.unknown)}"]
    if report.probes:
        lines += ["", phrases["verified"]]
        for probe in report.probes:
            verdict = phrases["undecided" if probe.agrees is None else "agrees" if probe.agrees else "differs"]
            detail = f"  {probe.detail}" if probe.detail else ""
            lines.append(f"  {probe.probe:<9} {probe.axis:<5} {probe.symbolic} | {probe.measured}  {verdict}{detail}")
    if report.notes:
        lines += ["", phrases["notes"], *(f"  - {line}" for note in report.notes for line in [note])]
    for paragraph in paragraphs:
        lines += ["", paragraph.question, *wrapped(paragraph.answer)]
    return "\n".join(lines)


def layer_table(report: Report, graph: Graph, language: str) -> list[str]:
    """One line per layer with weights, windows or cost; columns that say nothing are left out."""
    phrases = PHRASES[language]
    axes = list(dict.fromkeys(field.axis for field in time_first(report.fields)))
    rows = [(number, layer_texts(layer, report, axes)) for number, layer in layer_rows(report, graph)]
    columns = ["layer", "kind", "kernel", "stride", "dilation", "padding", "shape"]
    for axis in axes:
        columns += [f"field {axis}", f"hop {axis}"]
    columns += ["params", "macs", "frame", "state"]
    dull = {
        "dilation": {"", "1", "1x1", "1x1x1"},
        "padding": {"", "0", "0x0", "0x0x0"},
        "frame": {"?"},
        "state": {"?"},
        "params": {"?"},
        "macs": {"?"},
    }
    columns = [c for c in columns if any(cells[c] not in dull.get(c, {""}) for _, cells in rows)]
    heads = ["#"] + [head(column, phrases, len(axes) > 1) for column in columns]
    table = [heads] + [[number, *(cells[c] for c in columns)] for number, cells in rows]
    right = [True] + [c in RIGHT or c.startswith(("field", "hop")) for c in columns]
    return aligned(table, right)


def head(column: str, phrases: Mapping[str, str], several: bool) -> str:
    """The heading of a column; with several axes it names its own."""
    what, _, axis = column.partition(" ")
    short_names = {"field": "rf"}
    named = short_names.get(what, phrases[what])
    return f"{named} {phrases[axis]}" if axis and several else named


def comparison_text(change: WhatIf, language: str = "en") -> str:
    """The table before and after some edits, with ratios."""
    phrases = PHRASES[language]
    rows = [["", phrases["before"], phrases["after"], phrases["ratio"]]]
    names = {"rf": "field", "first_output_needs": "first", "out_size": "size", "macs_per_second": "macs_rate"}
    names.update({"weight_bytes": "weights", "activation_peak": "activations"})
    for one in change.changes:
        axis = f" ({phrases[one.axis]})" if one.axis else ""
        cells = []
        for value in (one.before, one.after):
            if value is None:
                cells.append("?")
            elif one.unit == "bytes":
                cells.append(in_bytes(value))
            else:
                cells.append(short(value) if one.unit.startswith("MACs") else plain(value))
        ratio = "" if one.ratio is None else ratio_text(one.ratio)
        rows.append([phrases[names.get(one.figure, one.figure)] + axis, *cells, ratio])
    lines = [f"{phrases['what_if']}: {'; '.join(change.edits)}", *aligned(rows, [False, True, True, True])]
    for one_layer in change.separable:
        if one_layer.ratio is not None:
            told = {"layer": one_layer.layer, "filters": plain(one_layer.filters), "taps": plain(one_layer.taps)}
            told |= {"ratio": ratio_text(one_layer.ratio), "formula": ratio_text(float(one_layer.formula))}
            lines.append(phrases["separable_line"].format(power=one_layer.power, **told))
    return "\n".join(lines)


def pairs(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Two columns, the first padded to the same width."""
    wide = max((width(name) for name, _ in rows), default=0)
    return [f"  {name}{' ' * (wide - width(name))}  {value}" for name, value in rows]


def aligned(table: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Columns of equal width, numbers to the right."""
    wide = [max(width(row[i]) for row in table) for i in range(len(table[0]))]
    lines = []
    for row in table:
        cells = []
        for i, cell in enumerate(row):
            space = " " * (wide[i] - width(cell))
            cells.append(space + cell if right[i] else cell + space)
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def width(text: str) -> int:
    """Columns a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrapped(text: str) -> list[str]:
    """A paragraph in lines of terminal width, broken at spaces or between Chinese characters."""
    lines, line = [], ""
    for piece in pieces(text):
        if width(line) + width(piece.rstrip()) > WIDEST_WORDS and line:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [f"  {one}" for one in [*lines, line.rstrip()] if one]


def pieces(text: str) -> list[str]:
    """The parts between which a line may break: after a space, and around Chinese characters but not before a comma."""
    found: list[str] = []
    piece = ""
    for c in text:
        wide = width(c) == 2 or width(piece[-1:]) == 2
        if piece and (piece[-1] == " " or (wide and c not in CLOSING and piece[-1] not in OPENING)):
            found.append(piece)
            piece = ""
        piece += c
    return [*found, piece] if piece else found
