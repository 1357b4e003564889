"""One bar over all files: how many, how many hours of audio, how much faster than real time, and the time left."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from voxfield.cli.printable import visible


class Bar:
    """Progress that nobody sees."""

    def show(self, name: str, done: int, total: int | None, rate_hz: int) -> None:
        """So many samples of a file are done."""

    def passed(self, name: str, audio_s: float, count: int = 1) -> None:
        """Files are over, the last of this name; they held so much audio."""


class _TerminalBar(Bar):
    def __init__(self, count: int | None, progress: Any) -> None:
        self._count, self._passed, self._progress = count, 0, progress
        self._task = progress.add_task("", total=None if count is None else float(count))
        self._audio_s, self._began_s = 0.0, time.monotonic()

    def show(self, name: str, done: int, total: int | None, rate_hz: int) -> None:
        share = min(done / total, 1.0) if total else 0.0
        self._update(name, self._passed + 1, done / rate_hz, share)

    def passed(self, name: str, audio_s: float, count: int = 1) -> None:
        self._passed += count
        self._audio_s += audio_s
        self._update(name, self._passed, 0.0, 0.0)

    def _update(self, name: str, number: int, under_way_s: float, share: float) -> None:
        audio_s = self._audio_s + under_way_s
        speed = audio_s / max(time.monotonic() - self._began_s, 1e-3)
        of = "" if self._count is None else f"/{self._count}"
        words = f"{number}{of} {visible(name)[-32:]}  {spoken(audio_s)} of audio, {speed:.0f}x real time"
        self._progress.update(self._task, description=words, completed=self._passed + share)


def spoken(seconds: float) -> str:
    """A duration for people.

    >>> spoken(42), spoken(600), spoken(90000)
    ('42 s', '10.0 min', '25.0 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def progress_bar(count: Callable[[], int | None], hidden: bool) -> Iterator[Bar]:
    """A bar on a terminal, and nothing elsewhere; without a count there is no time left to show."""
    if hidden or sys.stderr is None or not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as progress:
        yield _TerminalBar(count(), progress)
