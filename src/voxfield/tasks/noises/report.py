"""The noise of a recording as a page: what was there when, how loud, and what speech and noise look and sound like."""

from pathlib import Path

from voxfield.tasks.noises.timeline import Noise, Stretch
from voxfield.tasks.report import plots
from voxfield.tasks.report.comparison import Comparison
from voxfield.tasks.report.document import facts_of, table, write_report
from voxfield.tasks.work import Work

TRACKS = ("Speech", "Noise")
_MOST_ROWS = 200


def noise_comparison(rate_hz: int, channels: int) -> Comparison:
    """What watches a recording on its way for `write_noise_report`."""
    return Comparison(rate_hz, channels, results=TRACKS)


def write_noise_report(
    path: Path, comparison: Comparison, noise: Noise, work: Work, *, title: str, overwrite: bool = False
) -> None:
    """Write the page, or for .png the spectrograms of recording, speech and noise.

    Raises:
        InputError, OutputError: see `voxfield.tasks.report.document.check_report`.
    """
    facts = facts_of(work, {"Models": ", ".join(noise.models)})
    write_report(path, comparison, title=title, facts=facts, more=_section(noise, work.audio_s), overwrite=overwrite)


def _section(noise: Noise, duration_s: float) -> str:
    stretches = noise.stretches
    if not stretches:
        return ""
    kinds = dict.fromkeys(stretch.kind for stretch in stretches)
    lanes = [(kind, [(each.start_s, each.end_s) for each in stretches if each.kind == kind]) for kind in kinds]
    listed = table(
        ("Time (s)", "Noise", "Share", "Level (dBFS)", "SNR (dB)"), map(_row, stretches[:_MOST_ROWS]), words=(0, 1)
    )
    more = len(stretches) - _MOST_ROWS
    rest = f"<p><small>{more} more stretches are not listed.</small></p>" if more > 0 else ""
    return f"""<h2>What noise was there when</h2>
{plots.timeline(lanes, max(duration_s, 1e-9))}
<div class="wide">{listed}</div>{rest}
"""


def _row(stretch: Stretch) -> list[str]:
    times, ratio = f"{stretch.start_s:.1f} to {stretch.end_s:.1f}", stretch.snr_db
    level, snr = f"{stretch.level_dbfs:z.1f}", "no speech" if ratio is None else f"{ratio:z.1f}"
    return [times, stretch.kind, f"{100 * stretch.share:.0f} %", plots.signed(level), plots.signed(snr)]
