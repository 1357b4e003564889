"""Plots for a page, with axes: spectrograms and level curves. Figures shrink with the page, their words do not."""

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np

from voxfield.tasks.report.picture import RANGE_DB, Pixels, palette, png
from voxfield.webpage import data_url

FLOOR_DB = 100  # the level curves go from here below full scale up to it
_CLOCK_STEPS_S = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_POINTS = 1000  # of a curve, at most
Ticks = Sequence[tuple[float, str]]  # share of the axis, from its beginning, and what it says

STYLE = """
.plot{display:grid;grid-template-columns:1.4rem 2.2rem 1fr;grid-template-rows:var(--high,200px) 1.3rem auto;
font-size:.8rem;margin-right:.6rem}
.plot .title{grid-row:1;writing-mode:vertical-rl;transform:rotate(180deg);text-align:center}
.plot .below{grid-row:3;grid-column:3;text-align:center}
.plot .title,.plot .below{color:var(--soft);line-height:1.3}
.plot svg{width:100%;height:100%;overflow:visible;display:block}
.plot .y{grid-row:1;grid-column:2}.plot .area{grid-row:1;grid-column:3}.plot .x{grid-row:2;grid-column:3}
.plot text,.scale text{fill:var(--soft);font-variant-numeric:tabular-nums}
.plot .y text{text-anchor:end;dominant-baseline:central}.plot .x text{text-anchor:middle}
.plot .tick{stroke:var(--soft)}.plot .grid{stroke:var(--line)}
.plot .frame{fill:none;stroke:var(--line)}
.plot .playhead{stroke:#fff;stroke-width:1.5;mix-blend-mode:difference}
.levels{--high:180px}
.timeline{--high:130px}
.curve{fill:none;stroke-width:1.5;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.removed{stroke-dasharray:4 3}
.span{fill:var(--c1);opacity:.18}
.key{display:inline-flex;align-items:center;gap:.4em;margin-right:1.2em}
.key svg{width:1.6em;height:1em}
.scale{display:block;width:min(24rem,100% - 5rem);height:2.4rem;margin:.3rem 0 0 3.6rem;font-size:.8rem;
overflow:visible}
.scale text{text-anchor:middle}
:root{--c0:#6b7683;--c1:#0a62a8;--c2:#c0561a;--c3:#2f7d4f;--c4:#8a4fa3;--cr:#b8433a}
@media(prefers-color-scheme:dark){:root{--c0:#9ba8b6;--c1:#6db3f0;--c2:#f0985a;--c3:#6fc792;--c4:#c79be0;--cr:#ef8a80}}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1)}.c2{stroke:var(--c2)}.c3{stroke:var(--c3)}.c4{stroke:var(--c4)}
.removed{stroke:var(--cr)}
.bar.c0{fill:var(--c0)}.bar.c1{fill:var(--c1)}.bar.c2{fill:var(--c2)}.bar.c3{fill:var(--c3)}.bar.c4{fill:var(--c4)}
.bar{stroke:none}
@media(max-width:520px){.plot{--high:150px;margin-right:.2rem}.odd{display:none}}
"""


def spectrogram(pixels: Pixels, name: str, duration_s: float, top_hz: float) -> str:
    """A spectrogram with its axes.

    Args:
        pixels: (rows, columns) from `picture.shade`, the highest frequency on top.
        name: what it is of; plain text.
        duration_s, top_hz: what its right and its upper edge stand for.
    """
    image = (
        f'<image width="100%" height="100%" preserveAspectRatio="none" href="{data_url("image/png", png(pixels))}"/>'
    )
    said = f"Spectrogram of {name}, 0 to {duration_s:.2f} s, 0 to {top_hz / 1000:g} kHz"
    return _plot(image, said, duration_s, "Frequency (kHz)", _even_ticks(top_hz / 1000, 5))


def level_curves(curves: Sequence[tuple[str, str, Sequence[float]]], duration_s: float) -> str:
    """Levels over time from -100 dBFS to full scale, with their axes and a key.

    Args:
        curves: of each curve its name, its class of colour (`c0` to `c4`, `removed`), and its levels in dBFS; the first
            is drawn on top.
        duration_s: what the right edge stands for.
    """
    grid = "".join(f'<line class="grid" x2="100%" y1="{y}%" y2="{y}%"/>' for y in range(20, 100, 20))
    lines = "".join(
        f'<polyline class="curve {kind}" points="{_points(levels)}"/>' for _, kind, levels in reversed(curves)
    )
    inner = f'{grid}<svg viewBox="0 0 {_POINTS} {FLOOR_DB}" preserveAspectRatio="none">{lines}</svg>'
    keys = "".join(
        f'<span class="key"><svg aria-hidden="true"><line class="curve {kind}" x2="100%" y1="50%" y2="50%"/></svg>'
        f"{escape(name)}</span>"
        for name, kind, _ in curves
    )
    said = f"Level over time of {', '.join(name for name, _, _ in curves)}"
    ticks = [(1 - below / FLOOR_DB, signed(f"{-below}")) for below in range(0, FLOOR_DB + 1, 20)]
    return f'<p>{keys}</p><div class="levels">{_plot(inner, said, duration_s, "Level (dBFS)", ticks)}</div>'


def score_curve(scores: Sequence[float], spans: Sequence[tuple[float, float]], least: float, duration_s: float) -> str:
    """Scores from 0 to 1 over time with their axes; the spans that were found are shaded, and `least` is a line.

    Args:
        scores: at even times from 0 to `duration_s`; what lies beyond 0 to 1 is drawn at the edge.
        spans: from and to, in seconds.
        least: the score that a span needs.
    """
    shaded = "".join(
        f'<rect class="span" x="{100 * begin / duration_s:.3f}%" width="{100 * (end - begin) / duration_s:.3f}%" '
        f'height="100%"><title>{begin:.2f} s to {end:.2f} s</title></rect>'
        for begin, end in spans
    )
    line = f'<line class="grid" x2="100%" y1="{100 - 100 * least:.1f}%" y2="{100 - 100 * least:.1f}%"/>'
    values = [FLOOR_DB * (min(1.0, max(0.0, score)) - 1) for score in scores]
    curve = f'<polyline class="curve c1" points="{_points(values)}"/>'
    inner = f'{shaded}{line}<svg viewBox="0 0 {_POINTS} {FLOOR_DB}" preserveAspectRatio="none">{curve}</svg>'
    said = f"Score over time, 0 to {duration_s:.2f} s, with {len(spans)} intervals"
    ticks = [(share / 5, f"{share / 5:g}") for share in range(6)]
    return f'<div class="levels">{_plot(inner, said, duration_s, "Score", ticks)}</div>'


def timeline(lanes: Sequence[tuple[str, Sequence[tuple[float, float]]]], duration_s: float) -> str:
    """Who or what is there from when to when: a lane each, with bars along a time axis.

    Args:
        lanes: of each its name, in plain text, and (start, end) of its bars in seconds; from top to bottom.
        duration_s: what the right edge stands for.
    """
    high = 100 / max(1, len(lanes))
    bars = "".join(
        f'<rect class="bar {lane_colour(at)}" x="{100 * start_s / duration_s:.3f}%" y="{(at + 0.15) * high:.2f}%" '
        f'width="{100 * (end_s - start_s) / duration_s:.3f}%" height="{0.7 * high:.2f}%">'
        f"<title>{escape(name)}, {start_s:.2f} to {end_s:.2f} s</title></rect>"
        for at, (name, spans) in enumerate(lanes)
        for start_s, end_s in spans
    )
    names = [(1 - (at + 0.5) / len(lanes), escape(_shortened(name))) for at, (name, _) in enumerate(lanes)]
    said = f"Timeline of {', '.join(name for name, _ in lanes)}"
    return f'<div class="timeline">{_plot(bars, said, duration_s, "", names)}</div>'


def lane_colour(number: int) -> str:
    """Class of the colour of a lane, from 0 on."""
    return f"c{(number + 1) % 5}"


def _shortened(name: str, most: int = 14) -> str:
    return name if len(name) <= most else name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def colour_scale() -> str:
    """The colours of a spectrogram with their levels in dB, as a drawing."""
    colours = np.frombuffer(palette(), np.uint8).reshape(-1, 3)
    stops = "".join(
        f'<stop offset="{place / 255:.3f}" stop-color="rgb({red},{green},{blue})"/>'
        for place, (red, green, blue) in enumerate(colours.tolist())
        if place % 17 == 0
    )
    marks = "".join(
        f'<text x="{100 * (1 - below / RANGE_DB):.2f}%" y="2.3em">{signed(f"{-below}")}</text>'
        for below in range(0, round(RANGE_DB) + 1, 10)
    )
    return (
        f'<svg class="scale" role="img" aria-label="Colour scale, {-RANGE_DB:g} to 0 dB"><defs>'
        f'<linearGradient id="scale">{stops}</linearGradient></defs>'
        f'<rect width="100%" height="14" fill="url(#scale)"/>{marks}</svg>'
    )


def _plot(inner: str, said: str, duration_s: float, vertical: str, levels: Ticks) -> str:
    """Axes around what fills the area from corner to corner: time to the right, `levels` upwards."""
    horizontal, times = _time_axis(duration_s)
    up = "".join(
        f'<text x="88%" y="{100 * (1 - at):.2f}%">{word}</text>'
        f'<line class="tick" x1="94%" x2="100%" y1="{100 * (1 - at):.2f}%" y2="{100 * (1 - at):.2f}%"/>'
        for at, word in levels
    )
    right = "".join(
        f'<g{" class=odd" if number % 2 else ""}><line class="tick" x1="{100 * at:.2f}%" x2="{100 * at:.2f}%" y2="4"/>'
        f'<text x="{100 * at:.2f}%" y="1.35em">{word}</text></g>'
        for number, (at, word) in enumerate(times)
    )
    return (
        f'<div class="plot"><span class="title" aria-hidden="true">{vertical}</span>'
        f'<svg class="y" aria-hidden="true">{up}</svg>'
        f'<svg class="area" role="img" aria-label="{escape(said)}">{inner}'
        '<rect class="frame" width="100%" height="100%"/><line class="playhead" y2="100%" visibility="hidden"/></svg>'
        f'<svg class="x" aria-hidden="true">{right}</svg>'
        f'<span class="below" aria-hidden="true">{horizontal}</span></div>'
    )


def _even_ticks(end: float, most: int) -> Ticks:
    """Ticks from 0 to `end` at steps of 1, 2 or 5 times a power of ten; at most `most` steps.

    >>> [word for _, word in _even_ticks(22.05, 5)]
    ['0', '5', '10', '15', '20']
    """
    if end <= 0:
        return [(0.0, "0")]
    size = 10.0 ** math.floor(math.log10(end / most))
    step = next(size * factor for factor in (1, 2, 5, 10) if end / (size * factor) <= most + 1e-9)
    return [(number * step / end, f"{number * step:.6g}") for number in range(math.floor(end / step + 1e-9) + 1)]


def _time_axis(duration_s: float) -> tuple[str, Ticks]:
    """Title and ticks of a time axis: seconds, and from two minutes on hours, minutes and seconds."""
    if duration_s < 120:
        return "Time (s)", _even_ticks(duration_s, 10)
    step = next((step for step in _CLOCK_STEPS_S if duration_s / step <= 10), _CLOCK_STEPS_S[-1])
    times = range(0, math.floor(duration_s) + 1, step)
    hours = duration_s >= 3600
    words = [(f"{time // 3600}:" if hours else "") + clock(time % 3600 if hours else time, hours) for time in times]
    title = "Time (h:min:s)" if hours else "Time (min:s)"
    return title, [(time / duration_s, word) for time, word in zip(times, words, strict=True)]


def clock(time_s: int, padded: bool = False) -> str:
    """Minutes and seconds of a time.

    >>> clock(605)
    '10:05'
    """
    return f"{time_s // 60:0{2 if padded else 1}d}:{time_s % 60:02d}"


def signed(number: str) -> str:
    """A number in words with a minus sign instead of a hyphen."""
    return number.replace("-", "\N{MINUS SIGN}")


def _points(frames_db: Sequence[float]) -> str:
    """A curve of at most 1000 points, each the loudest of its frames."""
    parts = min(len(frames_db), _POINTS)
    edges = [at * len(frames_db) // max(1, parts) for at in range(parts + 1)]
    loudest = [max(frames_db[start:end]) for start, end in pairwise(edges)]
    step = _POINTS / max(1, len(loudest) - 1)
    return " ".join(f"{at * step:.1f},{min(max(-level, 0), FLOOR_DB):.1f}" for at, level in enumerate(loudest))
