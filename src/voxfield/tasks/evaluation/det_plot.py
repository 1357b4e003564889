"""Errors of both kinds over all thresholds (DET), on axes where normal scores make straight lines, as an .svg."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import NormalDist

import numpy as np

from voxfield.files import written_whole
from voxfield.metrics.verification import equal_errors, error_rates

RATES = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)  # ticks of both axes
LOW, HIGH = 0.0005, 0.5
SIDE, LEFT, TOP, LINE = 400, 64, 16, 18
COLOURS = ("#0a62a8", "#c0561a", "#2f7d4f", "#8a4fa3", "#b8433a", "#6b7683")  # on white and on black


def draw_det(out: Path, curves: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """Write the drawing; a file there is replaced.

    Args:
        out: the .svg.
        curves: of each its name, scores (N,), and truth (N,) as for `equal_errors`.

    Raises:
        OutputError: it cannot be written.
    """
    x, y, high = LEFT + SIDE / 2, TOP + SIDE / 2, TOP + SIDE + 52 + LINE * len(curves)
    ticks = "".join(_ticks(rate) for rate in RATES)
    lines = "".join(_curve(number, *curve) for number, curve in enumerate(curves))
    with written_whole(out) as partial:
        partial.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + SIDE + 24} {high}" font-family="sans-serif" '
            f'font-size="12" fill="currentColor"><title>Detection error trade-off</title>{ticks}'
            f'<rect x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="currentColor"/>{lines}'
            f'<text x="{x}" y="{TOP + SIDE + 36}" text-anchor="middle">false accepts (%)</text>'
            f'<text transform="translate(14 {y}) rotate(-90)" text-anchor="middle">misses (%)</text></svg>\n',
            encoding="utf-8",
        )


def place(rate: float) -> float:
    """Where a rate lies on an axis, 0 to 1: in standard deviations of a normal distribution.

    >>> place(0.0005), place(0.5), place(0.9)
    (0.0, 1.0, 1.0)
    """
    low, at, high = (NormalDist().inv_cdf(min(max(value, LOW), HIGH)) for value in (LOW, rate, HIGH))
    return (at - low) / (high - low)


def _ticks(rate: float) -> str:
    x, y, word = LEFT + SIDE * place(rate), TOP + SIDE * (1 - place(rate)), f"{100 * rate:g}"
    grid = 'stroke="currentColor" stroke-opacity=".15"'
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{TOP + SIDE}" {grid}/>'
        f'<line x1="{LEFT}" x2="{LEFT + SIDE}" y1="{y:.1f}" y2="{y:.1f}" {grid}/>'
        f'<text x="{x:.1f}" y="{TOP + SIDE + 16}" text-anchor="middle">{word}</text>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{word}</text>'
    )


def _curve(number: int, name: str, scores: np.ndarray, targets: np.ndarray) -> str:
    missed, accepted, _ = error_rates(scores, targets)
    at = np.array(
        [[LEFT + SIDE * place(a), TOP + SIDE * (1 - place(m))] for m, a in zip(missed, accepted, strict=True)]
    )
    at = at.round(1)
    along = np.diff(at, axis=0) != 0  # a corner is where the steps before and after do not go the same way
    corners = np.concatenate([[True], (along[1:] != along[:-1]).any(1), [True]])
    points = " ".join(f"{x:g},{y:g}" for x, y in at[corners])
    colour, dashes = COLOURS[number % len(COLOURS)], "" if number < len(COLOURS) else ' stroke-dasharray="5 3"'
    y = TOP + SIDE + 52 + LINE * number
    words = f"{escape(name)}: EER {100 * equal_errors(scores, targets).rate:.1f} %"
    return (
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.5"{dashes} points="{points}"/>'
        f'<line x1="{LEFT}" x2="{LEFT + 24}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"{dashes}/>'
        f'<text x="{LEFT + 32}" y="{y + 4}">{words}</text>'
    )
