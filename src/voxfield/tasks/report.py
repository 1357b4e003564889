"""The comparison as one page that stands alone: players, spectrograms, levels, and what was removed."""

import base64
import io
import secrets
from html import escape
from pathlib import Path

import numpy as np
import soundfile as sf

from voxfield.audio import resample
from voxfield.errors import InputError, OutputError
from voxfield.protocols import Array
from voxfield.tasks.comparison import Comparison, Levels
from voxfield.tasks.picture import Pixels, brightest, png, shade, stacked

SUFFIXES = (".html", ".png")
_PLAYED_HZ = 48000  # what every browser plays; higher rates are brought down for the player only
_WIDTH, _HEIGHT = 1000, 160  # of the level curves


def check_report(path: Path, *, overwrite: bool = False) -> None:
    """Return when a report can be written there.

    Raises:
        InputError: a suffix other than .html and .png.
        OutputError: the file exists already.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"a report is an .html page or a .png picture, not '{path.name}'")
    if path.exists() and not overwrite:
        raise OutputError(f"the report {path} exists already; allow it to be replaced with --overwrite")


def write_report(
    path: Path, comparison: Comparison, *, title: str, facts: dict[str, str], overwrite: bool = False
) -> None:
    """Write the page, or for .png the two spectrograms alone, before above after.

    Args:
        title: what was compared, such as the name of the recording.
        facts: what else to say, shown as a table in this order.

    Raises:
        InputError, OutputError: see `check_report`, or it cannot be written.
    """
    check_report(path, overwrite=overwrite)
    if path.suffix.lower() == ".png":
        content = png(stacked(_shaded(comparison)))
    else:
        content = page(comparison, title=title, facts=facts).encode(errors="replace")
    part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"the report {path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def page(comparison: Comparison, *, title: str, facts: dict[str, str]) -> str:
    """The page as text; it loads nothing from anywhere."""
    before, after, removed = comparison.levels()
    duration_s = comparison.count_samples / comparison.rate_hz
    told = {
        "Noise level in pauses": f"{before.noise_db:.1f} → {after.noise_db:.1f} dBFS",
        "Estimated noise removed": f"{max(0.0, before.noise_db - after.noise_db):.1f} dB",
        "Speech level": f"{before.speech_db:.1f} → {after.speech_db:.1f} dBFS",
        "Peak": f"{before.peak_db:.1f} → {after.peak_db:.1f} dBFS",
        "Level of what was removed": f"{removed.speech_db:.1f} dBFS in its loudest twentieth",
        "Duration": f"{duration_s:.2f} s at {comparison.rate_hz} Hz",
        **facts,
    }
    rows = "\n".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in told.items())
    pictures = [_data("image/png", png(pixels)) for pixels in _shaded(comparison)]
    players = [_data("audio/mpeg", _mp3(side, comparison.rate_hz)) for side in comparison.excerpts()]
    shown_s = min(duration_s, comparison.excerpt_samples / comparison.rate_hz)
    excerpt = "" if shown_s >= duration_s else f" (the first {shown_s:.0f} seconds)"
    top_khz = comparison.rate_hz / 2000
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; media-src data:; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p><button id="play">Play</button> <button id="switch">Listen to: before</button>{excerpt}</p>
<div class="pair">
<figure><figcaption>Before</figcaption><audio id="before" controls src="{players[0]}"></audio></figure>
<figure><figcaption>After</figcaption><audio id="after" controls src="{players[1]}"></audio></figure>
</div>
<figure><figcaption>Before: 0 to {duration_s:.1f} s, 0 to {top_khz:g} kHz</figcaption>
<img alt="spectrogram before" src="{pictures[0]}"></figure>
<figure><figcaption>After: the same scale, 70 dB from bright to dark</figcaption>
<img alt="spectrogram after" src="{pictures[1]}"></figure>
<figure><figcaption>Level: <b class="a">before</b>, <b class="b">after</b>, <b class="c">what was removed</b>;
a line every 20 dB from 0 to -100 dBFS</figcaption>{_curves(before, after, removed)}</figure>
<table>{rows}</table>
<script>{_SCRIPT}</script></body></html>
"""


def _shaded(comparison: Comparison) -> list[Pixels]:
    """Both spectrograms on the scale of the first."""
    before, after = comparison.pictures()
    scale = brightest(before)
    return [shade(power, scale) for power in (before, after)]


def _curves(before: Levels, after: Levels, removed: Levels) -> str:
    lines = "".join(
        f'<line x1="0" x2="{_WIDTH}" y1="{y:g}" y2="{y:g}"/>' for y in (_HEIGHT * at / 5 for at in range(6))
    )
    curves = "".join(
        f'<polyline class="{name}" points="{_points(levels.frames_db)}"/>'
        for name, levels in (("c", removed), ("a", before), ("b", after))
    )
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none">{lines}{curves}</svg>'


def _points(frames_db: tuple[float, ...]) -> str:
    """A curve of at most 1000 points, each the loudest of its frames."""
    count = len(frames_db)
    edges = [at * count // min(count, 1000) for at in range(min(count, 1000))] if count else []
    loudest = [max(frames_db[start:end]) for start, end in zip(edges, [*edges[1:], count], strict=True)]
    step = _WIDTH / max(1, len(loudest) - 1)
    return " ".join(
        f"{at * step:.1f},{_HEIGHT * min(max(-level, 0), 100) / 100:.1f}" for at, level in enumerate(loudest)
    )


def _mp3(samples: Array, rate_hz: int) -> bytes:
    """Compressed for the player; at most two channels and 48 kHz."""
    heard = samples if samples.shape[0] <= 2 else samples.mean(axis=0, keepdims=True)
    played_hz = next((rate for rate in (8000, 16000, 32000, 44100, _PLAYED_HZ) if rate >= rate_hz), _PLAYED_HZ)
    played = resample(heard, rate_hz, played_hz)
    played = played if played.shape[1] else np.zeros((heard.shape[0], 1), np.float32)  # a single sample at 192 kHz
    file = io.BytesIO()
    sf.write(file, played.T, played_hz, format="MP3")
    return file.getvalue()


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:1040px;margin:2em auto;padding:0 1em;color:#222;background:#fff}
figure{margin:1em 0}figcaption{margin-bottom:.3em}audio{width:100%}img{width:100%;height:256px;display:block}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1em}
svg{width:100%;height:160px}line{stroke:#ddd}polyline{fill:none;stroke-width:1.5}
svg .a{stroke:#888}svg .b{stroke:#0a62a8}svg .c{stroke:#e3a08f}b.a{color:#777}b.b{color:#0a62a8}b.c{color:#c0603f}
table{border-collapse:collapse}th{text-align:left;padding-right:2em;font-weight:normal;color:#555}
button{font:inherit;padding:.2em .8em}
"""
_SCRIPT = """
const before = document.getElementById("before"), after = document.getElementById("after");
const play = document.getElementById("play"), change = document.getElementById("switch");
let second = false;
function hear() {
  before.muted = second; after.muted = !second;
  change.textContent = "Listen to: " + (second ? "after" : "before");
}
play.onclick = () => {
  if (before.paused) { after.currentTime = before.currentTime; hear(); before.play(); after.play(); }
  else { before.pause(); after.pause(); }
};
change.onclick = () => { second = !second; hear(); };
for (const player of [before, after]) {
  player.onplay = () => { play.textContent = "Pause"; };
  player.onpause = () => { play.textContent = "Play"; before.muted = after.muted = false; };
}
"""
