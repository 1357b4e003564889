"""`voxfield spot`: brief facial expressions in videos."""

import json
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.completion import spotters
from voxfield.cli.jobs import jobs_of, say
from voxfield.cli.options import AsJson, Jobs, Offline, Overwrite, Quiet, Threads
from voxfield.errors import InputError, OutputError, VoxfieldError
from voxfield.pool import AUTO, Lost, in_order, processes_for

if TYPE_CHECKING:
    from voxfield.tasks.spotting.peaks import PeakOptions
    from voxfield.tasks.spotting.video import Spotted


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
    jobs: Jobs = AUTO,
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
    videos = list(dict.fromkeys(videos))
    tables = _tables(videos, out)
    for table in tables:
        if table is not None and table.exists() and not overwrite:
            raise OutputError(f"{table} exists already; allow it to be replaced with --overwrite")
    spotting_engine(model, threads=threads)  # a model that cannot be had is said before any video is opened
    work = SpotWork(fps, model, face, lasts, peaks, threads, report, overwrite)
    given, failed = list(zip(videos, tables, strict=True)), 0
    with closing(in_order(partial(_attempt, work), given, processes_for(jobs_of(jobs), len(given)))) as results:
        for (video, table), found in results:
            failed += isinstance(found, str | Lost)
            _say_found(video, table, report, found, as_json=as_json, quiet=quiet)
    if failed and len(given) > 1:
        say(f"{failed} of {len(given)} failed")
    raise typer.Exit(int(failed > 0))


@dataclass(frozen=True)
class SpotWork:
    """What is seen in one video, as a table and a page where they are wanted."""

    fps: float | None
    model: str
    face: str
    lasts_s: float
    peaks: "PeakOptions"
    threads: int
    report: Path | None
    overwrite: bool

    def __call__(self, video: Path, table: Path | None) -> "Spotted":
        from voxfield.tasks.spotting.report import write_page
        from voxfield.tasks.spotting.video import spot, spotting_engine

        engine = spotting_engine(self.model, threads=self.threads)
        found = spot(video, rate_hz=self.fps, model=engine, face=self.face, lasts_s=self.lasts_s, peaks=self.peaks)
        if table is not None:
            found.save(table, overwrite=self.overwrite)
        if self.report is not None:
            write_page(self.report, found, title=f"{video.name}: expressions", overwrite=self.overwrite)
        return found


def _tables(videos: list[Path], out: Path | None) -> list[Path | None]:
    if out is None:
        return [None] * len(videos)
    if len(videos) == 1 and not out.is_dir() and out.suffix:
        if out.suffix.lower() != ".csv":
            raise InputError(f"the intervals are written as .csv, not '{out.name}'")
        return [out]
    if out.suffix and not out.is_dir():
        raise InputError(f"-o {out} looks like a file, but there are {len(videos)} videos; name a folder")
    tables: dict[Path, Path] = {}
    for video in videos:
        first = tables.setdefault(table := out / f"{video.stem}.csv", video)
        if first != video:
            raise InputError(f"{first} and {video} would both become {table}; run them one by one with -o FILE")
    return list(tables)


def _attempt(work: SpotWork, given: tuple[Path, Path | None]) -> "Spotted | str":
    """What was seen, or why nothing was."""
    video, table = given
    try:
        return work(video, table)
    except VoxfieldError as error:
        return str(error).removeprefix(f"{video} ")
    except Exception as error:  # a fault of ours, which must not cost the other videos either
        return f"unexpected {type(error).__name__}: {error}"


def _say_found(
    video: Path, table: Path | None, report: Path | None, found: "Spotted | str | Lost", *, as_json: bool, quiet: bool
) -> None:
    line: dict[str, Any] = {"input": str(video)}
    if isinstance(found, str | Lost):
        reason = found.reason if isinstance(found, Lost) else found
        if as_json:
            print(json.dumps(line | {"status": "failed", "error": reason}), flush=True)
        say(f"voxfield: {video}: {reason}")
        return
    files = {key: str(path) for key, path in (("output", table), ("report", report)) if path is not None}
    if as_json:
        print(json.dumps(line | files | {"status": "done", **found.to_dict()}), flush=True)
    elif not quiet:
        for one in found.expressions:
            span = f"{one.onset_s:8.2f} s to {one.offset_s:8.2f} s"
            print(f"{span}   strongest at {one.apex_s:.2f} s   {one.confidence:.2f}")
    if not quiet:
        sys.stdout.flush()
        count = len(found.expressions)
        say(f"{video}  {found.duration_s:.1f} s, {count} expression{'' if count == 1 else 's'}")
        for note in found.notes:
            say(f"  note: {note}")
