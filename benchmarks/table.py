"""A table as aligned text or as Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    """The lines of a table, the first column aligned left and the others right.

    >>> print(table(["network", "MAC/s"], [["crn", "30"]]))
    network  MAC/s
    crn         30
    """
    if markdown:
        rule = ["---", *["---:"] * (len(head) - 1)]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))
    widths = [max(len(cells[at]) for cells in (head, *rows)) for at in range(len(head))]
    lines = [[cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])] for cells in (head, *rows)]
    return "\n".join("  ".join(cells).rstrip() for cells in lines)
