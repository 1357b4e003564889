"""`voxfield separate`: one recording in, one file a voice out."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from voxfield.cli.inputs import PIPE, Job, expand, plan
from voxfield.cli.jobs import Report, run_jobs
from voxfield.cli.openers import check_choices, open_input, open_output
from voxfield.cli.options import AsJson, Offline, Overwrite, Quiet, Raw, SkipExisting, Threads
from voxfield.errors import InputError

_FIRST = "speaker1"
_VOICE = re.compile(r"_speaker\d+$")


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(help="Files, folders, patterns, @list of them, or - for standard input.", metavar="INPUT..."),
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Folder, or - for standard output (a channel a voice).", metavar="DIR"),
    ] = None,
    speakers: Annotated[
        str | None, typer.Option(help="How many voices, or auto; two if not said.", metavar="N|auto")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name from `voxfield models`, or an .onnx file.")] = None,
    noise: Annotated[
        str, typer.Option(help="What belongs to no voice: drop it, or keep it, shared out.", metavar="drop|keep")
    ] = "drop",
    raw: Raw = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page to hear and see the voices.", metavar="FILE.html")
    ] = None,
    overwrite: Overwrite = False,
    skip_existing: SkipExisting = False,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Separate the voices of people who talk at once.

    The voices are called NAME_speaker1, NAME_speaker2 ... and keep the recording's rate, channels, length and format.

    Examples:

      voxfield separate two_voices.wav -o out/

      voxfield separate meetings/ -o voices/ --speakers auto --json
    """
    from voxfield.tasks.report import check_report
    from voxfield.tasks.separation import check_noise, separate_into, separating_engine
    from voxfield.tasks.voices_report import VoicesReport

    check_noise(noise)
    if out is not None and out != "-" and Path(out).suffix and not Path(out).is_dir():
        raise InputError(f"-o {out} looks like a file, but each voice becomes one; name a folder")
    jobs = _jobs(inputs, out)
    check_choices(jobs, as_json=as_json, overwrite=overwrite, skip_existing=skip_existing, raw=raw)
    if report is not None:
        if len(jobs) > 1:
            raise InputError(f"--report shows one recording, not {len(jobs)}")
        if report.suffix.lower() != ".html":
            raise InputError(f"a report of voices is an .html page, not '{report.name}'")
        check_report(report, overwrite=overwrite)
    wanted = _number(speakers)
    engine = separating_engine(model, wanted, threads=threads)

    def work(job: Job, progress: Report) -> Mapping[str, Any]:
        with open_input(job.input, raw) as source, ExitStack() as stack:
            total = source.count_samples
            shown = (lambda done: progress(done / total)) if total else None
            piped, sources = job.output == PIPE, engine.card.interface.sources
            paths = [PIPE] if piped else _paths(job.output, sources)
            channels = source.channels * (sources if piped else 1)  # a pipe takes the voices as channels
            sinks = []
            for path in paths:  # each is entered before the next is opened, so that none is left half-written
                sinks.append(open_output(path, source, channels=channels, overwrite=overwrite))
                stack.enter_context(sinks[-1])
            page = VoicesReport(source.rate_hz, source.channels, sources) if report is not None else None
            made = separate_into(source, sinks, engine, speakers=wanted, noise=noise, progress=shown, watcher=page)
            done = made.to_dict()
            if page is not None and report is not None:
                facts = {
                    "Model": made.model,
                    "Voices": f"{done['speakers']} of {sources} ({100 * done['confidence']:.0f} % sure)",
                    "Levels": ", ".join(f"{level:.1f} dB" for level in done["levels_db"]) + " under the loudest",
                    "Time": f"{made.seconds:.2f} s",
                    "Notes": "; ".join(made.notes) or "none",
                }
                page.write(report, title=f"{job.input.name} separated", facts=facts, overwrite=overwrite)
                done["report"] = str(report)
            return done if piped else done | {"outputs": [str(path) for path in paths if path.exists()]}

    code = run_jobs(jobs, work, as_json=as_json, quiet=quiet, overwrite=overwrite, skip_existing=skip_existing)
    raise typer.Exit(code)


def _number(speakers: str | None) -> int | str | None:
    """What `--speakers` says."""
    if speakers is None or speakers == "auto":
        return speakers
    if not speakers.isdigit():
        raise InputError(f"--speakers takes a whole number or auto, not '{speakers}'")
    return int(speakers)


def _jobs(inputs: list[str], out: str | None) -> list[Job]:
    """A job an input whose output is the first voice's file; voices of an earlier run are passed over."""
    found = expand(inputs, _FIRST, out)
    there = {item.path for item in found}
    originals = [
        item
        for item in found
        if _VOICE.sub("", item.path.stem) == item.path.stem
        or item.path.with_stem(_VOICE.sub("", item.path.stem)) not in there
    ]
    return plan(originals, out, _FIRST)


def _paths(first: Path, sources: int) -> list[Path]:
    stem = first.stem.removesuffix(_FIRST)
    return [first.with_name(f"{stem}speaker{number}{first.suffix}") for number in range(1, sources + 1)]
