"""Who speaks when as one page that stands alone: timeline, player, spectrogram, and how long each speaker spoke."""

from collections import Counter
from html import escape
from pathlib import Path

from voxfield.audio import Resampler
from voxfield.protocols import Array
from voxfield.tasks.diarization.recording import Diarized
from voxfield.tasks.report import player, plots
from voxfield.tasks.report.comparison import Track
from voxfield.tasks.report.document import facts_table, save_page, table
from voxfield.tasks.report.picture import brightest, shade
from voxfield.webpage import html_page

RATE_HZ = 16000
PLAYED_S = 600.0
MOST_TURNS = 1000  # in the table
_LANE_PX = 34
_STYLE = """
.plot{grid-template-columns:1.4rem 5.6rem 1fr}.timeline .title{visibility:hidden}
@media(max-width:520px){.plot{grid-template-columns:1.4rem 3.6rem 1fr}}
.turns{max-height:24rem;overflow:auto}
"""


class Listened:
    """A watcher that keeps what the page needs of a recording: ten minutes to play, and a picture of all of it."""

    def __init__(self, rate_hz: int) -> None:
        self.track = Track("Recording", RATE_HZ, 1, round(PLAYED_S * RATE_HZ))
        self._resampler = Resampler(rate_hz, RATE_HZ)

    def before(self, samples: Array) -> None:
        """Take (1, N)."""
        self.track.feed(self._resampler.feed(samples))

    def after(self, made: Array) -> None:
        """Nothing is made of the recording that could be heard."""


def write_page(
    path: Path, made: Diarized, heard: Listened, *, title: str, facts: dict[str, str], overwrite: bool = False
) -> None:
    """Write the page.

    Args:
        title: what was diarized, such as the name of the recording.
        facts: what else to say, shown as a table in this order.

    Raises:
        InputError, OutputError: see `save_page`.
    """
    save_page(path, page(made, heard, title=title, facts=facts), overwrite=overwrite)


def page(made: Diarized, heard: Listened, *, title: str, facts: dict[str, str]) -> str:
    """The page as text; it loads nothing from anywhere. Title and facts are plain text."""
    duration_s = max(made.duration_s, 1e-3)
    lanes = [
        (name, [(turn.start_s, turn.end_s) for turn in made.turns if turn.speaker == name]) for name in made.speakers
    ]
    pictured = heard.track.picture.power()
    spectrogram = plots.spectrogram(shade(pictured, brightest(pictured)), "the recording", duration_s, RATE_HZ / 2)
    facts = {"Duration": f"{made.duration_s:.2f} s"} | facts
    body = f"""<h1>{escape(title)}</h1>
{player.controls(["Recording"], [0.0], min(duration_s, PLAYED_S), duration_s)}
<figure id="timeline"><figcaption>Who speaks when</figcaption>
{plots.timeline(lanes, duration_s) if lanes else "<p>Nobody was found to speak.</p>"}</figure>
<figure class="track"><figcaption>Recording</figcaption>
{player.sound(heard.track.excerpt(), RATE_HZ, "the recording")}
{spectrogram}</figure>
<h2>Speakers</h2>
{_speakers(made)}
<h2>Turns</h2>
{_turns(made)}
<h2>Details</h2>
{facts_table(facts)}"""
    style = plots.STYLE + player.STYLE + _STYLE + f".timeline{{--high:{_LANE_PX * max(1, len(lanes))}px}}"
    return html_page(title, body, style=style, script=player.SCRIPT)


def _speakers(made: Diarized) -> str:
    seconds = {name: made.speech_s(name) for name in made.speakers}
    whole_s, turns = max(sum(seconds.values()), 1e-9), Counter(turn.speaker for turn in made.turns)
    rows = [(name, f"{s:.1f} s", f"{100 * s / whole_s:.0f} %", f"{turns[name]}") for name, s in seconds.items()]
    return f'<div class="wide">{table(("Speaker", "Speech", "Share", "Turns"), rows)}</div>'


def _turns(made: Diarized) -> str:
    rows = [(f"{turn.start_s:.2f} s", f"{turn.end_s:.2f} s", turn.speaker) for turn in made.turns[:MOST_TURNS]]
    more = f"<p>The first {MOST_TURNS} of {len(made.turns)}.</p>" if len(made.turns) > MOST_TURNS else ""
    return f'<div class="turns" tabindex="0">{table(("From", "To", "Speaker"), rows, words=(2,))}</div>{more}'
