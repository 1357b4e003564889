"""`voxfield noise`: what noise is in a recording, when, and how loud."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.completion import enhancers
from voxfield.cli.inputs import Input, Job, expand
from voxfield.cli.openers import check_choices, open_input
from voxfield.cli.options import AsJson, Inputs, Offline, Overwrite, Quiet, Raw, Threads
from voxfield.cli.printable import visible
from voxfield.errors import InputError, VoxfieldError

if TYPE_CHECKING:
    from voxfield.protocols import Engine
    from voxfield.tasks.noises.kinds import NoiseKinds
    from voxfield.tasks.noises.timeline import Noise


def command(
    inputs: Inputs,
    model: Annotated[
        str, typer.Option(help="The enhancer that takes the speech away.", autocompletion=enhancers)
    ] = "crn-small",
    tokenizer: Annotated[str, typer.Option(help="Network of tokens: name or .onnx file.")] = "noise-vqvae",
    kinds: Annotated[str, typer.Option(help="Probe that names their codes: name or .onnx file.")] = "noise-kinds",
    raw: Raw = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page with a timeline and spectrograms (.png: only these).", metavar="FILE.html"),
    ] = None,
    overwrite: Overwrite = False,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say what noise is in recordings, and when: its kind, its level in dBFS, and the speech above it (SNR).

    A noise that is like none that is known is called unknown. A recording that cannot be read is named, and the exit
    code is 1.

    Examples:

      voxfield noise meeting.wav

      voxfield noise street.flac --report street.html

      voxfield noise recordings/ --json
    """
    from voxfield.tasks.noises.kinds import NoiseKinds
    from voxfield.tasks.report.document import check_report
    from voxfield.tasks.work import engine_for

    items = expand(inputs, "noise")
    jobs = [Job(item.path, Path("unused")) for item in items]
    check_choices(jobs, as_json=as_json, overwrite=False, skip_existing=False, raw=raw)
    if report is not None:
        if len(items) > 1:
            raise InputError(f"--report shows one recording, not {len(items)}")
        check_report(report, overwrite=overwrite)
    engine = engine_for(model, "enhance", threads=threads)
    named = NoiseKinds(tokenizer, kinds, threads=threads)
    failed = 0
    for item in items:
        try:
            _say_noise(item, raw, engine, named, report, overwrite=overwrite, as_json=as_json, quiet=quiet)
        except VoxfieldError as error:
            failed += 1
            reason = str(error).removeprefix(f"{item.path} ")
            if as_json:
                print(json.dumps({"input": str(item.path), "status": "failed", "error": reason}), flush=True)
            _say(f"voxfield: {item.path}: {reason}")
    if failed and len(items) > 1:
        _say(f"{failed} of {len(items)} failed")
    raise typer.Exit(int(failed > 0))


def _say_noise(
    item: Input,
    raw: str | None,
    engine: "Engine",
    kinds: "NoiseKinds",
    report: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    from voxfield.tasks.noises.report import noise_comparison, write_noise_report
    from voxfield.tasks.noises.timeline import noise_of

    if item.problem:
        raise VoxfieldError(item.problem)
    with open_input(item.path, raw) as source:
        comparison = None if report is None else noise_comparison(source.rate_hz, source.channels)
        found, work = noise_of(source, engine, kinds, watcher=comparison)
    line = {"input": str(item.path), "status": "done", **work.to_dict()}
    if report is not None and comparison is not None:
        title = f"Noise in {item.path.name}"
        write_noise_report(report, comparison, found, work, title=title, overwrite=overwrite)
        line["report"] = str(report)
    if as_json:
        print(json.dumps(line), flush=True)
    else:
        for text in _lines(str(item.path), found):
            print(visible(text))
    if not quiet:
        for note in found.notes:
            _say(f"  note: {note}")


def _lines(name: str, found: "Noise") -> list[str]:
    """A line for each stretch, for people."""
    lines = [name]
    for stretch in found.stretches:
        ratio = "no speech" if stretch.snr_db is None else f"SNR {stretch.snr_db:.0f} dB"
        sure = "" if stretch.kind in ("quiet", "unknown") else f" ({100 * stretch.share:.0f} %)"
        times = f"{stretch.start_s:7.1f} to {stretch.end_s:.1f} s"
        lines.append(f"{times:22} {stretch.kind + sure:26} {stretch.level_dbfs:6.1f} dBFS  {ratio}")
    return lines


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)
