"""`voxfield spot`: brief facial expressions in videos."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxfield.cli.answers import Answer, answer_all
from voxfield.cli.choices import Choices, check_one_report
from voxfield.cli.inputs import Input
from voxfield.cli.options import model_for, sharing
from voxfield.errors import InputError
from voxfield.files import refuse_existing
from voxfield.values import plural

if TYPE_CHECKING:
    from voxfield.tasks.spotting.video import Spotted


@sharing(without=("raw", "skip_existing"), report="Write a page with the scores over time.")
def command(
    videos: Annotated[
        list[Path], typer.Argument(help="Video files, or folders of pictures with --fps.", metavar="VIDEO")
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
    *,
    choices: Choices,
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
    from voxfield.tasks.spotting.video import check_face, frames_apart, spotting_engine

    check_face(face)
    frames_apart(lasts, 30.0)
    peaks = PeakOptions(least=least)
    check_one_report(choices, len(videos), "video", page_only=True)
    videos = list(dict.fromkeys(videos))
    tables = _tables(videos, out)
    for table in tables.values():
        refuse_existing(table, choices.overwrite)
    spotting_engine(model, threads=choices.threads)  # a model that cannot be had is said before any video is opened
    options = {"rate_hz": fps, "face": face, "lasts_s": lasts, "peaks": peaks}
    work = partial(_spotted, model=model, options=options, tables=tables, choices=choices)
    raise typer.Exit(answer_all([Input(video, video) for video in videos], work, choices))


def _spotted(
    video: Path, *, model: str, options: Mapping[str, Any], tables: Mapping[Path, Path], choices: Choices
) -> Answer:
    from voxfield.tasks.spotting.report import write_page
    from voxfield.tasks.spotting.video import spot, spotting_engine

    found = spot(video, model=spotting_engine(model, threads=choices.threads), **options)
    values = found.to_dict()
    if video in tables:
        values["output"] = str(found.save(tables[video], overwrite=choices.overwrite))
    if choices.report is not None:
        write_page(choices.report, found, title=f"{video.name}: expressions", overwrite=choices.overwrite)
        values["report"] = str(choices.report)
    return Answer(values, _words(found), found.notes)


def _words(found: "Spotted") -> str:
    """How many expressions there are, and a line for each, for people."""
    lines = [f"{found.duration_s:.1f} s, {plural(len(found.expressions), 'expression')}"]
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
