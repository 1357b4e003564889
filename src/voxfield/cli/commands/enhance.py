"""`voxfield enhance`: recordings in, enhanced recordings out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from voxfield.cli.inputs import Job, expand, plan
from voxfield.cli.jobs import Report, run_jobs
from voxfield.cli.openers import check_choices, open_input, open_output
from voxfield.cli.options import AsJson, Offline, Overwrite, Quiet, Raw, SkipExisting, Threads
from voxfield.errors import InputError


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Files, folders, patterns, @list of them, or - for standard input.", metavar="INPUT..."),
    ],
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="File, folder, or - for standard output.", metavar="OUT")
    ] = None,
    model: Annotated[str, typer.Option(help="Name from `voxfield models`, or an .onnx file.")] = "crn-small",
    limit_db: Annotated[
        float | None, typer.Option("--limit-db", help="Take away at most this many dB.", metavar="N")
    ] = None,
    mix: Annotated[float, typer.Option(help="1 enhanced, 0 as recorded, or between.", metavar="X")] = 1.0,
    mono: Annotated[bool, typer.Option("--mono", help="Mix the channels down to one first.")] = False,
    channels: Annotated[
        str,
        typer.Option(
            help="One gain for all channels, which keeps every sound in its place, or each by itself.",
            metavar="together|independent",
        ),
    ] = "together",
    raw: Raw = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page that compares before and after (.png: only its picture).", metavar="FILE.html"),
    ] = None,
    overwrite: Overwrite = False,
    skip_existing: SkipExisting = False,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Take noise out of recordings; reverberation stays.

    Rate, channels, length and sample format are kept; the result is called NAME_enhance beside NAME.

    Examples:

      voxfield enhance noisy.wav

      voxfield enhance recordings/ -o clean/ --skip-existing

      voxfield enhance meeting.flac -o clean.wav --limit-db 20

      arecord -f S16_LE -r 16000 -t raw | voxfield enhance - --raw 16000 | aplay -f S16_LE -r 16000 -t raw
    """
    from voxfield.tasks import EnhanceOptions, engine_for, enhance_into
    from voxfield.tasks.comparison import Comparison

    jobs = plan(expand(inputs, "enhance", out), out, "enhance")
    check_choices(jobs, as_json=as_json, overwrite=overwrite, skip_existing=skip_existing, raw=raw)
    if report is not None:
        if len(jobs) > 1:
            raise InputError(f"--report compares one recording, not {len(jobs)}")
        from voxfield.tasks.report import check_report

        check_report(report, overwrite=overwrite)
    options = EnhanceOptions(limit_db, mix, mono, channels)
    engine = engine_for(model, "enhance", threads=threads)

    def work(job: Job, progress: Report) -> Mapping[str, Any]:
        with open_input(job.input, raw) as source:
            total = source.count_samples
            kept = 1 if mono else source.channels
            comparison = Comparison(source.rate_hz, kept) if report is not None else None
            with open_output(job.output, source, channels=kept, overwrite=overwrite) as sink:
                shown = (lambda done: progress(done / total)) if total else None
                done = enhance_into(source, sink, engine, options, progress=shown, watcher=comparison)
        if report is None or comparison is None:
            return done.to_dict()
        from voxfield.tasks.report import write_report

        facts = {"Model": done.model, "Work": f"{done.seconds:.2f} s (real-time factor {done.real_time_factor:.4f})"}
        facts |= {"Note" if at == 0 else f"Note {at + 1}": note for at, note in enumerate(done.notes)}
        write_report(report, comparison, title=f"{job.input.name} enhanced", facts=facts, overwrite=overwrite)
        return done.to_dict() | {"report": str(report)}

    code = run_jobs(jobs, work, as_json=as_json, quiet=quiet, overwrite=overwrite, skip_existing=skip_existing)
    raise typer.Exit(code)
