"""What the bar says while files are worked on."""

from rich.console import Console
from rich.progress import Progress

from voxfield.cli.bar import _TerminalBar, progress_bar, spoken


def test_files_hours_and_speed_of_all_that_is_done():
    progress = Progress(console=Console(force_terminal=False))
    bar = _TerminalBar(5, progress)
    bar.passed("a.wav", 7200.0)
    bar.passed("b.wav", 3600.0, 2)
    bar.show("c.wav", 16000 * 1800, 16000 * 3600, 16000)
    (task,) = progress.tasks
    assert task.description.startswith("4/5 c.wav  3.5 h of audio, ") and task.description.endswith("x real time")
    assert (task.completed, task.total) == (3.5, 5.0)


def test_nothing_is_counted_where_nobody_looks():
    with progress_bar(lambda: 1 / 0, hidden=False) as bar:  # standard error is no terminal here
        bar.passed("a.wav", 1.0)


def test_durations_in_words():
    assert [spoken(seconds) for seconds in (3, 89, 91, 5399, 5401)] == ["3 s", "89 s", "1.5 min", "90.0 min", "1.5 h"]
