"""What the commands that turn recordings into recordings share: checking the choices, and working through the files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxfield.cli.inputs import Job
from voxfield.cli.jobs import Report, Work, processes_of, run_jobs
from voxfield.cli.openers import check_alone, check_choices

if TYPE_CHECKING:
    from voxfield.audio import Source
    from voxfield.tasks import Work as Done
    from voxfield.tasks.report.comparison import Comparison


@dataclass(frozen=True)
class Choices:
    """What a user may choose for every such command."""

    raw: str | None
    report: Path | None
    overwrite: bool
    skip_existing: bool
    as_json: bool
    quiet: bool
    jobs: str


def check(jobs: Sequence[Job], choices: Choices) -> None:
    """Return when the choices can go together and their outputs can be written.

    Raises:
        InputError, OutputError: they cannot; the message says which and why.
    """
    check_choices(
        jobs,
        as_json=choices.as_json,
        overwrite=choices.overwrite,
        skip_existing=choices.skip_existing,
        raw=choices.raw,
    )
    if choices.report is not None:
        from voxfield.tasks.report.document import check_report

        check_alone(len(jobs), "recording")
        check_report(choices.report, overwrite=choices.overwrite)


def work_through(jobs: Sequence[Job], work: Work, choices: Choices) -> int:
    """The exit code after all jobs were tried; `work` is pickled where several processes share them."""
    return run_jobs(
        jobs,
        work,
        as_json=choices.as_json,
        quiet=choices.quiet,
        overwrite=choices.overwrite,
        skip_existing=choices.skip_existing,
        processes=processes_of(choices.jobs, jobs),
    )


def progress_of(source: "Source", report: Report) -> Callable[[int], None]:
    """What a task calls with the samples done so far."""
    return partial(_pass_on, source, report)


def _pass_on(source: "Source", report: Report, done: int) -> None:
    report(done, source.count_samples, source.rate_hz)


def finish(
    done: "Done", choices: Choices, comparison: "Comparison | None", title: str, facts: Mapping[str, str]
) -> dict[str, Any]:
    """What the job's JSON line shall say, after its report was written where one was asked for."""
    if choices.report is None or comparison is None:
        return done.to_dict()
    from voxfield.tasks.report.document import write_report

    rows = work_rows(done, facts)
    write_report(choices.report, comparison, title=title, facts=rows, overwrite=choices.overwrite)
    return done.to_dict() | {"report": str(choices.report)}


def work_rows(done: "Done", facts: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a report says of the work: the model, other facts, the time, and each note."""
    rows = {"Model": done.model, **(facts or {})}
    rows["Work"] = f"{done.seconds:.2f} s (real-time factor {done.real_time_factor:.4f})"
    return rows | {"Note" if at == 0 else f"Note {at + 1}": note for at, note in enumerate(done.notes)}
