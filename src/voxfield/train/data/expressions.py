"""Videos with known facial expressions: the folders of CAS(ME)^2 and SAMM Long Videos, a table, or made clips.

- CAS(ME)^2: `rawpic` (or `cropped`) with `s15/15_0101disgustingteeth/img001.jpg`, and `code_final.xlsx` beside it.
- SAMM-LV: `SAMM_longvideos` with `006_1/006_1_0001.jpg`, and `SAMM_LongVideos_V2_Release.xlsx` beside it.
- Any other folder: `expressions.csv` with the columns path, subject, onset_s, offset_s and optionally rate_hz (of
  folders of pictures), face and kind; a video without expressions has a row with both times empty.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxfield.errors import InputError, needed
from voxfield.files import home_spelt
from voxfield.metrics.spotting import Interval
from voxfield.video import Video, open_video
from voxfield.video.made_faces import VARIED, MadeClip, Making

TABLE = "expressions.csv"
COLUMNS = ("path", "subject", "onset_s", "offset_s")  # of it
CASME_HZ, SAMM_HZ = 30.0, 200.0


@dataclass(frozen=True)
class Labelled:
    """A video, who is in it, and when something happens there.

    Attributes:
        path: a file or a folder of pictures; for a made clip its number.
        subject: whoever must not be in training and test at once.
        intervals: onsets and offsets in seconds.
        rate_hz: of a folder of pictures.
        face: as for `voxfield.tasks.spotting.video.spot`.
    """

    path: str
    subject: str
    intervals: tuple[Interval, ...]
    rate_hz: float | None = None
    face: str = "auto"

    def open(self) -> Video:
        """The video, to be read once."""
        return open_video(self.path, self.rate_hz)


@dataclass(frozen=True)
class Made(Labelled):
    """A made clip."""

    making: Making = VARIED

    def open(self) -> Video:
        return MadeClip(int(self.path), self.making)


def made(count: int, first: int, making: Making) -> list[Labelled]:
    """Made clips number `first` and on, each of a subject of its own."""
    clips: list[Labelled] = []
    for seed in range(first, first + count):
        happens = MadeClip(seed, making).expressions
        times = tuple((one.onset_s, one.offset_s) for one in happens)
        clips.append(Made(str(seed), f"made {seed}", times, making=making))
    return clips


def read_videos(folder: str | Path, kind: str = "") -> list[Labelled]:
    """The videos of a folder in one of the layouts above.

    Args:
        kind: `micro` or `macro` takes only such expressions; empty takes all.

    Raises:
        InputError: another layout, or a table that cannot be read.
        MissingExtraError: the layout has an Excel table, and openpyxl is not installed.
    """
    folder = home_spelt(folder)
    if (table := folder / TABLE).is_file():
        found = list(_table(table, kind))
    elif (table := folder / "code_final.xlsx").is_file():
        found = list(_casme(folder, table, kind))
    elif (table := folder / "SAMM_LongVideos_V2_Release.xlsx").is_file():
        found = list(_samm(folder, table, kind))
    else:
        raise InputError(
            f"{folder} holds none of {TABLE}, code_final.xlsx (CAS(ME)^2) and SAMM_LongVideos_V2_Release.xlsx (SAMM-LV)"
        )
    if not found:
        raise InputError(f"{folder} holds no videos that {table.name} is about")
    return found


def _table(table: Path, kind: str) -> Iterator[Labelled]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot read {table}: {error}") from error
    if absent := [name for name in COLUMNS if name not in columns]:
        raise InputError(f"{table} has no column '{absent[0]}'; {', '.join(COLUMNS)} are needed")
    by_video: dict[str, list[dict[str, str]]] = {}
    for number, row in enumerate(rows, 2):
        if not row.get("path") or not row.get("subject"):
            raise InputError(f"{table}, line {number}: 'path' and 'subject' are needed")
        by_video.setdefault(row["path"], []).append(row)
    for path, its in by_video.items():
        taken = [row for row in its if row.get("onset_s") and _is(row.get("kind") or "", kind)]
        try:
            times = tuple(sorted((float(row["onset_s"]), float(row["offset_s"])) for row in taken))
            rate_hz = float(its[0]["rate_hz"]) if its[0].get("rate_hz") else None
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{table}: the times of {path} must be numbers of seconds") from error
        if wrong := [(onset, offset) for onset, offset in times if not 0 <= onset < offset]:
            raise InputError(f"{table}: {path} has an expression from {wrong[0][0]:g} to {wrong[0][1]:g} s")
        yield Labelled(str(table.parent / path), its[0]["subject"], times, rate_hz, its[0].get("face") or "auto")


def _casme(folder: Path, table: Path, kind: str) -> Iterator[Labelled]:
    sheets = _sheets(table)
    if len(sheets) < 3:
        raise InputError(f"{table} has {len(sheets)} sheets; CAS(ME)^2's has three: expressions, subjects, names")
    subjects = {_number(row[2]): str(row[1]) for row in sheets[1] if len(row) > 2 and _number(row[2]) is not None}
    codes = {str(row[1]).strip(): str(row[0]).zfill(4) for row in sheets[2] if len(row) > 1 and row[1] is not None}
    times: dict[tuple[str, str], list[Interval]] = {}
    for row in sheets[0]:
        subject = subjects.get(_number(row[0])) if row else None
        if subject is None or len(row) < 8:
            continue
        code = codes.get(str(row[1]).rpartition("_")[0])
        onset, apex, offset = (_number(value) or 0 for value in row[2:5])
        end = offset or apex  # 0 stands for one that is not known
        if code is not None and end > onset and _is(str(row[7]), kind):
            times.setdefault((subject, code), []).append(((onset - 1) / CASME_HZ, end / CASME_HZ))
    for root in _first(folder, "cropped", "rawpic_crop", "rawpic"):
        for video in sorted(path for path in root.glob("s*/*_*") if path.is_dir()):
            code = video.name.partition("_")[2][:4]
            its = tuple(sorted(times.get((video.parent.name, code), ())))
            yield Labelled(str(video), video.parent.name, its, CASME_HZ, "auto" if root.name == "rawpic" else "whole")


def _samm(folder: Path, table: Path, kind: str) -> Iterator[Labelled]:
    times: dict[str, list[Interval]] = {}
    for row in _sheets(table)[0]:
        name = re.fullmatch(r"(\d{3}_\d+)_\d+", str(row[1]).strip()) if len(row) > 7 else None
        if name is None or not _is(str(row[7]), kind):
            continue
        onset, apex, offset = (_number(value) or 0 for value in row[3:6])
        if (end := max(offset, apex)) > onset:
            times.setdefault(name[1], []).append(((onset - 1) / SAMM_HZ, end / SAMM_HZ))
    for root in _first(folder, "SAMM_longvideos_crop", "SAMM_longvideos"):
        for video in sorted(path for path in root.glob("*_*") if path.is_dir()):
            its = tuple(sorted(times.get(video.name, ())))
            face = "whole" if root.name.endswith("crop") else "auto"
            yield Labelled(str(video), video.name.partition("_")[0], its, SAMM_HZ, face)


def _first(folder: Path, *names: str) -> Iterator[Path]:
    """The first of these folders that is there."""
    found = [folder / name for name in names if (folder / name).is_dir()]
    if not found:
        raise InputError(f"{folder} holds no folder {' or '.join(names)}")
    yield found[0]


def _sheets(table: Path) -> list[list[Sequence[Any]]]:
    """Rows of every sheet of an Excel table."""
    openpyxl = needed("openpyxl", "video", f"reading {table}")
    try:
        book = openpyxl.load_workbook(table, read_only=True, data_only=True)
        return [[tuple(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets]
    except Exception as error:  # openpyxl raises whatever the broken part of the archive raises
        raise InputError(f"{table} is not an Excel table that can be read: {error}") from error


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _is(stated: str, kind: str) -> bool:
    return not kind or stated.strip().lower().startswith(kind)
