"""`voxfield spot`: brief facial expressions in videos."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.answers import Answer, answer_all
from voxfield.cli.inputs import Input
from voxfield.cli.openers import check_alone
from voxfield.cli.options import AsJson, Jobs, Offline, Overwrite, Quiet, Threads, model_for
from voxfield.errors import InputError
from voxfield.files import refuse_existing
from voxfield.pool import AUTO

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
    model: Annotated[str, model_for("spot")] = "mean-spot",
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
    from voxfield.tasks.report.document import PAGE, check_report
    from voxfield.tasks.spotting.peaks import PeakOptions
    from voxfield.tasks.spotting.video import check_face, frames_apart, spotting_engine

    check_face(face)
    frames_apart(lasts, 30.0)
    peaks = PeakOptions(least=least)
    if report is not None:
        check_alone(len(videos), "video")
        check_report(report, PAGE, overwrite=overwrite)
    videos = list(dict.fromkeys(videos))
    tables = _tables(videos, out)
    for table in tables.values():
        refuse_existing(table, overwrite)
    spotting_engine(model, threads=threads)  # a model that cannot be had is said before any video is opened
    work = SpotWork(fps, model, face, lasts, peaks, threads, tables, report, overwrite)
    items = [Input(video, video) for video in videos]
    raise typer.Exit(answer_all(items, work, as_json=as_json, quiet=quiet, jobs=jobs))


@dataclass(frozen=True)
class SpotWork:
    """What is seen in one video, as a table and a page where they are wanted."""

    fps: float | None
    model: str
    face: str
    lasts_s: float
    peaks: "PeakOptions"
    threads: int
    tables: Mapping[Path, Path]
    report: Path | None
    overwrite: bool

    def __call__(self, video: Path) -> Answer:
        from voxfield.tasks.spotting.report import write_page
        from voxfield.tasks.spotting.video import spot, spotting_engine

        engine = spotting_engine(self.model, threads=self.threads)
        found = spot(video, rate_hz=self.fps, model=engine, face=self.face, lasts_s=self.lasts_s, peaks=self.peaks)
        values = found.to_dict()
        if video in self.tables:
            values["output"] = str(found.save(self.tables[video], overwrite=self.overwrite))
        if self.report is not None:
            write_page(self.report, found, title=f"{video.name}: expressions", overwrite=self.overwrite)
            values["report"] = str(self.report)
        return Answer(values, _words(found), found.notes)


def _words(found: "Spotted") -> str:
    """How many expressions there are, and a line for each, for people."""
    count = len(found.expressions)
    lines = [f"{found.duration_s:.1f} s, {count} expression{'' if count == 1 else 's'}"]
    for one in found.expressions:
        span = f"{one.onset_s:8.2f} s to {one.offset_s:8.2f} s"
        lines.append(f"{span}   strongest at {one.apex_s:.2f} s   {one.confidence:.2f}")
    return "\n".join(lines)


def _tables(videos: list[Path], out: Path | None) -> dict[Path, Path]:
    """Where the intervals of each video are written, if they are."""
    if out is None:
        return {}
    if len(videos) == 1 and not out.is_dir() and out.suffix:
        if out.suffix.lower() != ".csv":
            raise InputError(f"the intervals are written as .csv, not '{out.name}'")
        return {videos[0]: out}
    if out.suffix and not out.is_dir():
        raise InputError(f"-o {out} looks like a file, but there are {len(videos)} videos; name a folder")
    tables: dict[Path, Path] = {}
    for video in videos:
        first = tables.setdefault(table := out / f"{video.stem}.csv", video)
        if first != video:
            raise InputError(f"{first} and {video} would both become {table}; run them one by one with -o FILE")
    return {video: table for table, video in tables.items()}
