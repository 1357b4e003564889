"""A report as text for a terminal: facts per axis, costs, a line per layer, words. Wide characters count double."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ..clock import Frames, time_first
from ..compare import WhatIf, totals
from ..graph import Graph
from ..numbers import in_bytes, plain, ratio_text, short
from ..phrases import PHRASES
from ..report import LayerReport, Report
from ..wording import Paragraph
from ..zh import translated
from .rows import Facts, Phrases, cost_rows, facts, input_lines, layer_columns, layer_rows, layer_texts, probe_rows

WIDTH = 112
OPENING, CLOSING = "（(“", "，。；：、）？！)”"


def report_text(
    report: Report,
    graph: Graph,
    paragraphs: Sequence[Paragraph] = (),
    *,
    language: str = "en",
    frames: Frames | None = None,
    columns: int = WIDTH,
) -> str:
    """The whole report as text, without a newline at the end.

    Args:
        columns: width of the terminal; wider tables are split.
    """
    phrases = PHRASES[language]
    lines = [line.strip() for line in wrapped(report.title, columns)] or [""]
    lines += [line for row in pairs(input_lines(report, graph, phrases)) for line in hung(row, columns)]
    for paragraph in (p for p in paragraphs if p.asked):
        lines += ["", paragraph.question, *wrapped(paragraph.answer, columns)]
        if paragraph.code:
            lines += ["", phrases["code"], "", *paragraph.code.split("\n")]
    if report.notes:
        lines += ["", phrases["notes"]]
        for note in notes(report, language):
            lines += broken(note, min(columns, WIDTH + 2), "  - ", "    ")
    lines += ["", *fact_table(facts(report, phrases, frames), columns)]
    lines += ["", phrases["costs"], *(line for row in pairs(cost_rows(report, phrases)) for line in hung(row, columns))]
    lines += wrapped(phrases["convention"], columns)
    lines += ["", *layer_table(report, graph, language, columns)]
    if report.unknown:
        lines += ["", f"{phrases['unknown_ops']}: {', '.join(report.unknown)}"]
    if report.probes:
        lines += ["", phrases["verified"]]
        for probe, axis, symbolic, measured, verdict, detail in probe_rows(report, phrases):
            lines.append(f"  {probe:<9} {axis:<5} {symbolic} | {measured}  {verdict}  {detail}".rstrip())
    for paragraph in (p for p in paragraphs if not p.asked):
        lines += ["", paragraph.question, *wrapped(paragraph.answer, columns)]
    return "\n".join(lines)


def notes(report: Report, language: str) -> list[str]:
    """The notes in a language, each once."""
    return list(dict.fromkeys(translated(note, language) for note in report.notes))


def fact_table(found: Sequence[Facts], columns: int) -> list[str]:
    """One column for each group of axes; one block below the other where that is too wide."""
    names = list(dict.fromkeys(name for one in found for name, _ in one.rows))
    cells = [dict(one.rows) for one in found]
    table = [["", *(one.title for one in found)]] + [[n, *(c.get(n, "") for c in cells)] for n in names]
    lines = aligned(table, [False] * (len(found) + 1)) if found else []
    if all(width(line) <= columns for line in lines):
        return lines
    blocks = [[one.title, *(line for row in pairs(one.rows) for line in hung(row, columns)), ""] for one in found]
    return [line for block in blocks for line in block][:-1]


def layer_table(report: Report, graph: Graph, language: str, columns: int = WIDTH) -> list[str]:
    """One line per layer with weights, windows or cost; in several tables where one is too wide."""
    _, heads, cells, right = layer_columns(layer_rows(report, graph), report, PHRASES[language])
    if len(heads) < 2:
        return []
    table = [heads, *([row[0], cut(row[1], columns // 3), *row[2:]] for row in cells)]
    wide = [max(width(row[i]) for row in table) + 2 for i in range(len(heads))]
    groups: list[list[int]] = [[]]
    for i in range(2, len(heads)):
        if groups[-1] and sum(wide[:2]) + sum(wide[j] for j in groups[-1]) + wide[i] > columns:
            groups.append([])
        groups[-1].append(i)
    lines: list[str] = []
    for group in groups:
        part = [[row[j] for j in (0, 1, *group)] for row in table]
        lines += [*([""] if lines else []), *aligned(part, [right[j] for j in (0, 1, *group)])]
    return lines


def cut(text: str, most: int) -> str:
    """A long name without its middle."""
    return text if len(text) <= most else f"{text[: most // 2 - 1]}..{text[-(most - most // 2 - 1) :]}"


def hung(line: str, columns: int) -> list[str]:
    """A row of two columns in as many lines as it needs, the further ones under its second column."""
    if width(line) <= columns:
        return [line]
    start = len(line) - len(line.lstrip())
    gap = line.find("  ", start)
    indent = 4 if gap < 0 else width(line[:gap]) + len(line[gap:]) - len(line[gap:].lstrip())
    return broken(line.strip(), columns, " " * start, " " * indent)


def broken(text: str, columns: int, lead: str = "", indent: str = "") -> list[str]:
    """A text in lines, the first behind `lead`, the others behind `indent`."""
    lines, now = [], lead
    for piece in pieces(text):
        if width(now + piece.rstrip()) > columns and now.strip():
            lines.append(now.rstrip())
            now = indent
        now += piece
    return [*lines, now.rstrip()]


def comparison_text(change: WhatIf, language: str = "en") -> str:
    """The table before and after some edits, with ratios."""
    phrases = PHRASES[language]
    heads = change.names or (phrases["before"], phrases["after"])
    rows = [["", *(cut(head, 28) for head in heads), phrases["ratio"]]]
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
    title = phrases["against"] if change.names else f"{phrases['what_if']}: {'; '.join(change.edits)}"
    lines = [title, *aligned(rows, [False, True, True, True])]
    for one_layer in change.separable:
        if one_layer.ratio is not None:
            shown = {"layer": one_layer.layer, "filters": plain(one_layer.filters), "taps": plain(one_layer.taps)}
            shown |= {"ratio": ratio_text(one_layer.ratio), "formula": ratio_text(float(one_layer.formula))}
            lines.append(phrases["separable_line"].format(power=one_layer.power, **shown))
    return "\n".join([*lines, *row_table(change, phrases)])


def row_table(change: WhatIf, phrases: Phrases) -> list[str]:
    """The layers of two networks side by side, each block that was put in on one line."""
    axis = next((field.axis for field in time_first(change.after.fields)), "")

    def cells(layers: Sequence[LayerReport], report: Report) -> list[str]:
        if not layers:
            return ["", "", ""]
        costs = totals(layers)
        whole = any(field.whole_input for field in layers[-1].fields)  # statistics over all of it included
        seen = "all" if whole else layer_texts(layers[-1], report, [axis])[f"field {axis}"]
        return [plain(costs["params"] or 0), "?" if costs["macs"] is None else short(costs["macs"]), seen]

    heads = [phrases["params"], phrases["macs"], "rf"]
    table = [["", phrases["before"], "", "", phrases["after"], "", ""], [phrases["layer"], *heads, *heads]]
    for row in change.rows:
        name = cut(row.name, 22) if row.before else f"+ {row.name.rpartition('.')[2]}"
        table.append([name, *cells(row.before, change.before), *cells(row.after, change.after)])
    return ["", *aligned(table, [False, *[True] * 6])] if change.rows else []


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


def wrapped(text: str, columns: int = WIDTH) -> list[str]:
    """A paragraph in lines of terminal width, broken at spaces or between Chinese characters."""
    return [f"  {line}" for line in broken(text, min(columns, WIDTH) - 2) if line]


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
