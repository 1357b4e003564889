"""The expressions of a video as one page that stands alone: scores over time, and the intervals."""

from html import escape
from pathlib import Path

from voxfield.tasks.report import plots
from voxfield.tasks.report.document import facts_table, notes_of, save_page, table
from voxfield.tasks.spotting.peaks import smoothed
from voxfield.tasks.spotting.video import Spotted
from voxfield.webpage import html_page


def write_page(path: Path, made: Spotted, *, title: str, overwrite: bool = False) -> None:
    """Write the page.

    Raises:
        InputError, OutputError: see `save_page`.
    """
    save_page(path, page(made, title=title), overwrite=overwrite)


def page(made: Spotted, *, title: str) -> str:
    """The page as text; it loads nothing from anywhere. The title is plain text."""
    duration_s = max(made.duration_s, 1e-3)
    spans = [(one.onset_s, one.offset_s) for one in made.expressions]
    scores = smoothed(made.scores, made.apart)
    rows = [[f"{value:.2f}" for value in one] for one in made.expressions]
    listed = table(("Onset, s", "Apex, s", "Offset, s", "Confidence"), rows, words=())
    facts = {"Duration": f"{made.duration_s:.2f} s at {made.rate_hz:.4g} frames a second", "Model": made.model}
    body = f"""<h1>{escape(title)}</h1>
<figure><figcaption>Score of each moment, smoothed; the intervals are shaded, the line is the lowest score of one
</figcaption>
{plots.score_curve(scores.tolist(), spans, made.least, duration_s)}</figure>
<h2>Expressions</h2>
{f'<div class="wide">{listed}</div>' if rows else "<p>None was found.</p>"}
<h2>Details</h2>
{facts_table(facts | notes_of(made.notes))}"""
    return html_page(title, body, style=plots.STYLE)
