"""`voxfield batch`: one task on very many recordings, resumable, on one machine or a Ray cluster."""

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.bar import progress_bar, spoken
from voxfield.cli.jobs import INTERRUPTED, SOME_FAILED, ended_like_an_interrupt, say
from voxfield.cli.options import AsJson, Offline, Overwrite, Quiet
from voxfield.errors import InputError
from voxfield.values import read_tables

if TYPE_CHECKING:
    from voxfield.batch import Job
    from voxfield.batch.report import Tally
    from voxfield.batch.work import Outcome

_SHOWN = 10  # failures that are printed; errors.jsonl has all


def command(
    what: Annotated[
        str, typer.Argument(help="A task (enhance, separate, embed ...) or a JOB.toml.", metavar="TASK|JOB")
    ],
    manifest: Annotated[
        str | None,
        typer.Argument(help="JSON lines, wav.scp, Parquet, or a folder; a path or a URL.", metavar="MANIFEST"),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", "-o", help="Folder or URL of the results.", metavar="OUT")] = None,
    model: Annotated[str | None, typer.Option(help="Name from `voxfield models`, or an .onnx file.")] = None,
    engine: Annotated[str | None, typer.Option(help="Processes of this machine, or Ray.", metavar="local|ray")] = None,
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster; none starts one here.", metavar="ADDRESS")
    ] = None,
    jobs: Annotated[str | None, typer.Option(help="Processes, or actors at most.", metavar="N|auto")] = None,
    state: Annotated[str | None, typer.Option(help="Folder of the ledger; OUT if not given.", metavar="FOLDER")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other key: options.limit_db=20, output.format=flac.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count hours and guess the time; write nothing.")] = False,
    overwrite: Overwrite = False,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Work through very many recordings; the same command again does only what is missing.

    Beside the results lie ledger.sqlite (what became of every row), errors.jsonl (a line a failure) and report.json.
    A row that fails is tried again when its file changes, or with --retry-failed.

    Examples:

      voxfield batch enhance corpus.jsonl -o clean/

      voxfield batch embed wav.scp -o vectors/ --model voxceleb_resnet34.onnx --dry-run

      voxfield batch enhance s3://corpus/noisy.jsonl -o s3://corpus/clean --state job/ --engine ray --address auto
    """
    from voxfield.batch import VERBS, load_job

    table: dict[str, Any] = {"task": what, "jobs": "auto"}
    if what not in VERBS:
        if Path(what).suffix != ".toml":
            raise InputError(f"'{what}' is neither a task ({', '.join(VERBS)}) nor a JOB.toml")
        table = read_tables(Path(what), "the job")
    given = {
        "manifest": manifest, "out": out, "model": model, "engine": engine, "address": address, "state": state,
        "jobs": int(jobs) if jobs is not None and jobs.isdecimal() else jobs,
    }  # fmt: skip
    job = load_job(table | {key: value for key, value in given.items() if value is not None}, set_ or [])
    if dry_run:
        raise typer.Exit(_rehearse(job, retry_failed=retry_failed, overwrite=overwrite, as_json=as_json))
    raise typer.Exit(_run(job, retry_failed=retry_failed, overwrite=overwrite, as_json=as_json, quiet=quiet))


def _rehearse(job: "Job", *, retry_failed: bool, overwrite: bool, as_json: bool) -> int:
    from voxfield.batch import rehearse

    tally, guess = rehearse(job, retry_failed=retry_failed, overwrite=overwrite)
    if as_json:
        facts = {"rows": tally.rows, "already_done": tally.already, "failed": tally.failures, **guess.to_dict()}
        print(json.dumps(facts))
        return 0
    say(f"{tally.rows} rows: {guess.rows} to do, {tally.already} done already, {tally.failures} that fail as they are")
    unknown = f", {guess.unknown} of unknown duration among them" if guess.unknown else ""
    say(f"{spoken(guess.audio_s)} of audio{unknown}")
    if guess.seconds is None:
        say("no time can be guessed: no recording of the sample could be done")
    else:
        say(
            f"about {spoken(guess.seconds)} with {guess.processes} processes: {guess.timed} recordings were timed at "
            f"{guess.speed:.0f}x real time a process"
        )
    return 0


def _run(job: "Job", *, retry_failed: bool, overwrite: bool, as_json: bool, quiet: bool) -> int:
    from voxfield.batch import run_job

    shown = 0

    def failed(path: str, reason: str) -> None:
        nonlocal shown
        shown += 1
        if shown <= _SHOWN:
            say(f"voxfield: {path}: {reason}")
        elif shown == _SHOWN + 1:
            say(f"voxfield: more failures; all of them are in {job.state / 'errors.jsonl'}")

    settled = 0

    def passed(tally: "Tally", outcome: "Outcome") -> None:
        nonlocal settled
        bar.passed(outcome.todo.row.name, outcome.audio_s, tally.settled - settled)
        settled = tally.settled

    try:
        with ended_like_an_interrupt(signal.SIGTERM), progress_bar(job.count_rows, quiet or as_json) as bar:
            report = run_job(
                job,
                retry_failed=retry_failed,
                overwrite=overwrite,
                say=failed,
                watch=passed,
            )
    except KeyboardInterrupt:
        say("voxfield: interrupted; what is done is kept, and the same command goes on with the rest")
        return INTERRUPTED
    if as_json:
        print(json.dumps(report))
    elif not quiet or report["failed"]:
        for line in _words(report, job):
            say(line)
    return SOME_FAILED if report["failed"] else 0


def _words(report: dict[str, Any], job: "Job") -> list[str]:
    also = [
        f"{report[key]} {words}"
        for key, words in (("already_done", "done before"), ("repeated", "named twice"), ("with_notes", "with notes"))
        if report[key]
    ]
    lines = [", ".join([f"{report['done']} of {report['rows']} done", *also]) + f" -> {report['out']}"]
    if report["done"]:
        lines.append(
            f"{spoken(report['hours_of_audio'] * 3600)} of audio in {spoken(report['wall_s'])}: "
            f"{report['files_per_s']:.1f} files a second, {report['hours_of_audio_per_hour']:.0f}x real time, "
            f"{report['hours_of_audio_per_core_hour']:.0f} hours of audio per core-hour"
        )
    if report["failed"]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report["failed_by_kind"].items())
        lines.append(f"{report['failed']} failed ({kinds}); why is in {job.state / 'errors.jsonl'}")
    return lines
