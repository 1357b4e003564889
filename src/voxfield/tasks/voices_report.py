"""The comparison of a recording with its speakers, under the names that `separate` uses."""

from pathlib import Path

from voxfield.tasks.comparison import Comparison
from voxfield.tasks.report import write_report


class VoicesReport(Comparison):
    """A `Comparison` whose results are called Speaker 1, Speaker 2 ..., and which writes itself."""

    def __init__(self, rate_hz: int, channels: int, sources: int, excerpt_s: float = 60.0) -> None:
        speakers = [f"Speaker {number}" for number in range(1, sources + 1)]
        super().__init__(rate_hz, channels, excerpt_s, recording="Recording", results=speakers)

    def write(self, path: Path, *, title: str, facts: dict[str, str], overwrite: bool = False) -> None:
        """See `write_report`."""
        write_report(path, self, title=title, facts=facts, overwrite=overwrite)
