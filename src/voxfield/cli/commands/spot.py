"""`voxfield spot`: brief facial expressions in videos."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from voxfield.cli.completion import spotters
from voxfield.cli.options import AsJson, Offline, Overwrite, Quiet, Threads
from voxfield.cli.printable import visible
from voxfield.errors import InputError, OutputError, VoxfieldError


def command(
    videos: Annotated[
        list[Path], typer.Argument(help="Video files, or folders of pictures with --fps.", metavar="VIDEO...")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Table of the intervals, .csv; a folder for several videos.", metavar="PATH"),
    ] = None,
    face: Annotated[
        str, typer.Option(help="Where the face is: found, the whole frame, or a place.", metavar="auto|whole|X,Y,W,H")
    ] = "auto",
    lasts: Annotated[
        float, typer.Option(help="Seconds that an expression lasts, about: 0.4 for micro-expressions.", metavar="S")
    ] = 0.4,
    least: Annotated[float, typer.Option(help="Lowest score of an expression, 0 to 1.", metavar="SCORE")] = 0.4,
    fps: Annotated[float | None, typer.Option(help="Frames a second of a folder of pictures.", metavar="HZ")] = None,
    model: Annotated[
        str, typer.Option(help="Name from `voxfield models`, or an .onnx file.", autocompletion=spotters)
    ] = "mean-spot",
    report: Annotated[
        Path | None, typer.Option(help="Write a page with the scores over time.", metavar="FILE.html")
    ] = None,
    overwrite: Overwrite = False,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Spot brief facial expressions in videos: when a face moves for a moment, and where the moment lies.

    The largest face is followed, and optical flow between frames is scored by MEAN_Spot. The bundled weights were
    trained on a drawn face: they know small movements, not people. A video that cannot be read is named, and the exit
    code is 1. Needs the extra [video].

    Examples:

      voxfield spot interview.mp4 -o interview.csv --report interview.html

      voxfield spot cropped/s15/15_0101/ --fps 30 --face whole --json
    """
    from voxfield.tasks.spotting.peaks import PeakOptions
    from voxfield.tasks.spotting.report import check_page
    from voxfield.tasks.spotting.video import check_face, frames_apart, spotting_engine

    check_face(face)
    frames_apart(lasts, 30.0)
    peaks = PeakOptions(least=least)
    if report is not None:
        if len(videos) > 1:
            raise InputError(f"--report shows one video, not {len(videos)}")
        check_page(report)
        if report.exists() and not overwrite:
            raise OutputError(f"{report} exists already; allow it to be replaced with --overwrite")
    tables = _tables(videos, out)
    for table in tables:
        if table is not None and table.exists() and not overwrite:
            raise OutputError(f"{table} exists already; allow it to be replaced with --overwrite")
    engine = spotting_engine(model, threads=threads)
    options = {"rate_hz": fps, "model": engine, "face": face, "lasts_s": lasts, "peaks": peaks}
    done = [
        _spotted(video, table, report, options, overwrite=overwrite, as_json=as_json, quiet=quiet)
        for video, table in zip(videos, tables, strict=True)
    ]
    if not all(done) and len(done) > 1:
        _say(f"{done.count(False)} of {len(done)} failed")
    raise typer.Exit(int(not all(done)))


def _tables(videos: list[Path], out: Path | None) -> list[Path | None]:
    if out is None:
        return [None] * len(videos)
    if len(videos) == 1 and not out.is_dir() and out.suffix:
        if out.suffix.lower() != ".csv":
            raise InputError(f"the intervals are written as .csv, not '{out.name}'")
        return [out]
    if out.suffix and not out.is_dir():
        raise InputError(f"-o {out} looks like a file, but there are {len(videos)} videos; name a folder")
    return [out / f"{video.stem}.csv" for video in videos]


def _spotted(
    video: Path,
    table: Path | None,
    report: Path | None,
    options: dict[str, Any],
    *,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Whether one video could be worked on; what was seen, or why not, is said."""
    from voxfield.tasks.spotting.report import write_page
    from voxfield.tasks.spotting.video import spot

    line: dict[str, object] = {"input": str(video)}
    try:
        found = spot(video, **options)
        if table is not None:
            line["output"] = str(found.save(table, overwrite=overwrite))
        if report is not None:
            write_page(report, found, title=f"{video.name}: expressions", overwrite=overwrite)
            line["report"] = str(report)
    except VoxfieldError as error:
        reason = str(error).removeprefix(f"{video} ")
        if as_json:
            print(json.dumps(line | {"status": "failed", "error": reason}), flush=True)
        _say(f"voxfield: {video}: {reason}")
        return False
    if as_json:
        print(json.dumps(line | {"status": "done", **found.to_dict()}), flush=True)
    elif not quiet:
        for one in found.expressions:
            span = f"{one.onset_s:8.2f} s to {one.offset_s:8.2f} s"
            print(f"{span}   strongest at {one.apex_s:.2f} s   {one.confidence:.2f}")
    if not quiet:
        count = len(found.expressions)
        _say(f"{video}  {found.duration_s:.1f} s, {count} expression{'' if count == 1 else 's'}")
        for note in found.notes:
            _say(f"  note: {note}")
    return True


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)
