"""A comparison as one page that stands alone: player, spectrograms, levels; or as a picture."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from voxfield.errors import InputError
from voxfield.files import refuse_existing, written_whole
from voxfield.samples import QUIET_DB
from voxfield.tasks.report import player, plots
from voxfield.tasks.report.comparison import Comparison, Levels, matching_gains_db
from voxfield.tasks.report.picture import Pixels, brightest, png, shade, stacked
from voxfield.tasks.work import Work
from voxfield.webpage import html_page

PAGE = (".html",)
PAGE_OR_PICTURE = (".html", ".png")


def check_report(path: Path, suffixes: Sequence[str] = PAGE_OR_PICTURE, *, overwrite: bool = False) -> None:
    """Return when a report can be written there.

    Raises:
        InputError: another suffix.
        OutputError: the file exists already.
    """
    if path.suffix.lower() not in suffixes:
        picture = " or a .png picture" if ".png" in suffixes else ""
        raise InputError(f"this report is an .html page{picture}, not '{path.name}'")
    refuse_existing(path, overwrite)


def write_report(
    path: Path, comparison: Comparison, *, title: str, facts: dict[str, str], more: str = "", overwrite: bool = False
) -> None:
    """Write the page, or for .png the spectrograms alone, one above another, the recording first.

    Args:
        title: what was compared, such as the name of the recording.
        facts: what else to say, shown as a table in this order.
        more: markup that the page shows behind the spectrograms.

    Raises:
        InputError, OutputError: see `check_report`, or it cannot be written.
    """
    if path.suffix.lower() == ".png":
        check_report(path, overwrite=overwrite)
        with written_whole(path, overwrite=overwrite) as part:
            part.write_bytes(png(stacked(_shaded(comparison))))
        return
    save_page(path, page(comparison, title=title, facts=facts, more=more), PAGE_OR_PICTURE, overwrite=overwrite)


def save_page(path: Path, content: str, suffixes: Sequence[str] = PAGE, *, overwrite: bool = False) -> None:
    """Write a page.

    Raises:
        InputError, OutputError: see `check_report`, or it cannot be written.
    """
    check_report(path, suffixes, overwrite=overwrite)
    with written_whole(path, overwrite=overwrite) as part:
        part.write_text(content, encoding="utf-8", errors="replace")


def facts_of(work: Work, facts: Mapping[str, str]) -> dict[str, str]:
    """What a report says of the work: these facts, the time that it took, and each note."""
    spent = {"Work": f"{work.seconds:.2f} s (real-time factor {work.real_time_factor:.4f})"}
    return {**facts, **spent, **notes_of(work.notes)}


def notes_of(notes: Sequence[str]) -> dict[str, str]:
    """A row for each note."""
    return {"Note" if at == 0 else f"Note {at + 1}": note for at, note in enumerate(notes)}


def facts_table(facts: Mapping[str, str]) -> str:
    """Facts, in plain text, as a table."""
    rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in facts.items())
    return f'<table class="facts">{rows}</table>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], words: Collection[int] = (0,)) -> str:
    """Rows of plain text under their heads as a table; but for the columns at `words`, all hold numbers."""

    def row(tag: str, cells: Sequence[str]) -> str:
        kinds = ("" if at in words else " class=n" for at in range(len(cells)))
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))

    body = "".join(f"<tr>{row('td', cells)}</tr>" for cells in rows)
    return f"<table><tr>{row('th', heads)}</tr>{body}</table>"


def page(comparison: Comparison, *, title: str, facts: dict[str, str], more: str = "") -> str:
    """The page as text; it loads nothing from anywhere. Title and facts are plain text, `more` is markup."""
    rate_hz, tracks = comparison.rate_hz, comparison.tracks
    duration_s = comparison.count_samples / rate_hz
    played_s = min(duration_s, comparison.excerpt_samples / rate_hz)
    names, levels = [track.name for track in tracks], [track.meter.levels() for track in tracks]
    gains_db = matching_gains_db(levels)
    figures = [
        f'<figure class="track"><figcaption><kbd>{player.letter(number)}</kbd> {escape(track.name)}</figcaption>\n'
        f"{player.sound(track.excerpt(), rate_hz, track.name)}\n"
        f"{plots.spectrogram(pixels, track.name, duration_s, rate_hz / 2)}</figure>"
        for number, (track, pixels) in enumerate(zip(tracks, _shaded(comparison), strict=True))
    ]
    curves = [
        (name, f"c{number % 5}", level.frames_db)
        for number, (name, level) in enumerate(zip(names, levels, strict=True))
    ]
    rows = list(zip(names, levels, strict=True))
    if comparison.removed is not None:
        removed = comparison.removed.levels()
        curves.append(("Removed", "removed", removed.frames_db))
        rows.append(("Removed", removed))
        facts = {"Noise reduction": f"{max(0.0, levels[0].noise_db - levels[1].noise_db):.1f} dB in pauses"} | facts
    facts = {"Duration": f"{duration_s:.2f} s at {rate_hz} Hz"} | facts
    body = f"""<h1>{escape(title)}</h1>
{player.controls(names, gains_db, played_s, duration_s)}
{"".join(figures)}
<small>Colour: level in dB, one scale for all; 0 dB is exceeded by 0.5 % of the points of the first.</small>
{plots.colour_scale()}
{more}<h2>Level over time</h2>
{plots.level_curves(curves, duration_s)}
<h2>Levels</h2>
{_levels_table(rows)}
<p><small>Of frames of 100 ms that are not digital silence, speech is the 95th percentile and pauses are the 10th:
estimates, which hold where speech has pauses.</small></p>
<h2>Details</h2>
{facts_table(facts)}"""
    return html_page(title, body, style=plots.STYLE + player.STYLE + _STYLE, script=player.SCRIPT)


def _shaded(comparison: Comparison) -> list[Pixels]:
    """All spectrograms on the scale of the first."""
    powers = [track.picture.power() for track in comparison.tracks]
    scale = brightest(powers[0])
    return [shade(power, scale) for power in powers]


def _levels_table(rows: Sequence[tuple[str, Levels]]) -> str:
    heads = "".join(f"<th class=n>{head}</th>" for head in ("Speech", "Pauses", "Peak"))
    body = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td class=n>{_dbfs(level)}</td>" for level in (levels.speech_db, levels.noise_db, levels.peak_db))
        + "</tr>"
        for name, levels in rows
    )
    return f'<div class="wide"><table><tr><th>dBFS</th>{heads}</tr>{body}</table></div>'


def _dbfs(level: float) -> str:
    return "silent" if level <= QUIET_DB else plots.signed(f"{level:z.1f}")


_STYLE = """
@media(max-width:520px){.facts th,.facts td{display:block;padding-left:0}
.facts th{border:0;padding-bottom:0}.facts td{padding-top:0}}
"""
