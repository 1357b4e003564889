"""What the commands that turn recordings into recordings share: progress, and what is said of the work."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from voxfield.cli.choices import Choices
from voxfield.cli.jobs import Report

if TYPE_CHECKING:
    from voxfield.audio import Source
    from voxfield.tasks import Work
    from voxfield.tasks.report.comparison import Comparison


def progress_of(source: "Source", report: Report) -> Callable[[int], None]:
    """What a task calls with the samples done so far."""
    return lambda done: report(done, source.count_samples, source.rate_hz)


def finish(
    done: "Work", choices: Choices, comparison: "Comparison | None", title: str, facts: Mapping[str, str]
) -> dict[str, Any]:
    """What the job's JSON line shall say, after its report was written where one was asked for."""
    if choices.report is None or comparison is None:
        return done.to_dict()
    from voxfield.tasks.report.document import facts_of, write_report

    rows = facts_of(done, {"Model": done.model, **facts})
    write_report(choices.report, comparison, title=title, facts=rows, overwrite=choices.overwrite)
    return done.to_dict() | {"report": str(choices.report)}
