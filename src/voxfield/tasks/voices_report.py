"""A separated recording as one page that stands alone: players and spectrograms of the recording and of each voice."""

import secrets
from html import escape
from pathlib import Path

import numpy as np

from voxfield.audio import SampleQueue
from voxfield.errors import OutputError
from voxfield.protocols import Array
from voxfield.tasks.picture import Spectrogram, brightest, png, shade
from voxfield.tasks.report import _STYLE, _data, _mp3, check_report


class VoicesReport:
    """Takes a recording and its voices block by block; memory grows by some kilobytes a minute.

    Args:
        rate_hz: sample rate of both.
        channels: C of both.
        sources: voices S.
        excerpt_s: how much is kept to be listened to, from the beginning.
    """

    def __init__(self, rate_hz: int, channels: int, sources: int, excerpt_s: float = 60.0) -> None:
        self.rate_hz = rate_hz
        self._waiting = SampleQueue(channels)
        self._room = round(excerpt_s * rate_hz)
        self._excerpts: list[list[Array]] = [[] for _ in range(1 + sources)]
        self._pictures = [Spectrogram(rate_hz) for _ in range(1 + sources)]
        self._count_samples = 0

    def before(self, samples: Array) -> None:
        """Take (C, N) of the recording."""
        self._waiting.push(samples)

    def after(self, voices: Array) -> None:
        """Take (S, C, M) voices; the M samples that they came from were taken before."""
        recording = self._waiting.pop(voices.shape[2])
        room = max(0, self._room - self._count_samples)
        self._count_samples += voices.shape[2]
        for sound, excerpt, picture in zip((recording, *voices), self._excerpts, self._pictures, strict=True):
            if room:
                excerpt.append(sound[:, :room].copy())
            picture.feed(sound.mean(axis=0))

    def write(self, path: Path, *, title: str, facts: dict[str, str], overwrite: bool = False) -> None:
        """Write the page.

        Args:
            title: what was separated, such as the name of the recording.
            facts: what else to say, shown as a table in this order.

        Raises:
            InputError, OutputError: see `voxfield.tasks.report.check_report`, or it cannot be written.
        """
        check_report(path, overwrite=overwrite)
        part = path.with_name(f".{path.name[:80]}.{secrets.token_hex(4)}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(self._page(title, facts), encoding="utf-8", errors="replace")
            part.replace(path)
        except OSError as error:
            raise OutputError(f"the report {path} cannot be written: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)

    def _page(self, title: str, facts: dict[str, str]) -> str:
        duration_s = self._count_samples / self.rate_hz
        scale = brightest(self._pictures[0].power())
        figures = []
        for number, (excerpt, picture) in enumerate(zip(self._excerpts, self._pictures, strict=True)):
            name = f"Speaker {number}" if number else "Recording"
            player = _data("audio/mpeg", _mp3(np.concatenate(excerpt, axis=1), self.rate_hz))
            image = _data("image/png", png(shade(picture.power(), scale)))
            figures.append(
                f'<figure><figcaption>{name}</figcaption><audio controls src="{player}"></audio>\n'
                f'<img alt="spectrogram of {name.lower()}" src="{image}"></figure>'
            )
        rows = "\n".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in facts.items())
        heard_s = min(duration_s, self._room / self.rate_hz)
        return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; media-src data:; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>{duration_s:.1f} s; the players hold the first {heard_s:.0f} s. Spectrograms from 0 to
{self.rate_hz / 2000:g} kHz, all on one scale, 70 dB from bright to dark.</p>
{"".join(figures)}
<table>{rows}</table></body></html>
"""
