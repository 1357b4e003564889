"""Where training data comes from: folders, Kaldi's data folders, JSON lines and CSV manifests.

A source is a folder (every audio file below it, or every image; the speaker or label is the name of the file's folder,
or of one above it), a folder of Kaldi (`wav.scp` and `utt2spk`, and `segments` where recordings are cut), a `.jsonl`
manifest (`audio_filepath`, and optionally `speaker`, `label`, `split`, `kind`, `offset`, `duration`), or a `.csv`
manifest (`path`, and optionally the same columns). Paths are relative to the manifest.

Recordings without a `split` are held out for validation by a fixed rule: `without_held_out`.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from voxfield.errors import InputError
from voxfield.files import home_spelt, reason_of, text_of
from voxfield.formats import IMAGES, SOUND_FILES
from voxfield.train.log import say_once


@dataclass(frozen=True)
class Clip:
    """One recording, or a part of one."""

    path: str
    group: str = ""  # speaker of speech, label of noise
    offset_s: float = 0.0
    duration_s: float | None = None
    dynamic_db: float | None = None  # loud frames over quiet frames: how clean a recording of speech is
    split: str = ""  # of a manifest

    def __post_init__(self) -> None:
        duration_s = 1.0 if self.duration_s is None else self.duration_s
        if not (0 <= self.offset_s < math.inf and 0 < duration_s < math.inf):
            raise InputError(
                f"{self.path} cannot be cut at {self.offset_s:g} s for {duration_s:g} s; an offset of 0 or more and a "
                "duration above 0 are needed"
            )


def read_source(source: str | Path, kind: str, split: str = "", level: int = 0) -> list[Clip]:
    """The clips of a folder or manifest, in a fixed order.

    Args:
        source: folder, `.jsonl` or `.csv`.
        kind: rows of a manifest that have a `kind` column must have this one (`speech`, `noise`, `rir`, `image`).
        split: where rows name a split, those of this one; empty takes all.
        level: of the folder that names the speaker or label, 1 right below the source; 0 for the one of the file.

    Raises:
        InputError: nothing there, or a row that cannot be read (named by its line).
    """
    source = home_spelt(source)
    if (source / "wav.scp").exists():
        clips = _of_kaldi(source)
    elif source.is_dir():
        suffixes = IMAGES if kind == "image" else SOUND_FILES
        found = (path for path in source.rglob("*") if path.suffix.lower() in suffixes)
        paths = sorted(path for path in found if not path.name.startswith("._"))  # which hold no sound
        clips = [Clip(str(path), _folder(path, source, level)) for path in paths]
        if not clips:
            raise InputError(
                f"{source} holds no {kind} to train on: files that end in {', '.join(suffixes)} are needed"
            )
    elif source.suffix in (".jsonl", ".csv") and source.exists():
        try:
            text = text_of(source)
            if source.suffix == ".csv":
                clips = _rows(source, list(csv.DictReader(StringIO(text))), dict, "path", kind)
            else:
                lines = [line for line in text.splitlines() if line.strip()]
                clips = _rows(source, lines, json.loads, "audio_filepath", kind)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"cannot read {source}: {reason_of(error)}") from error
    else:
        raise InputError(
            f"no folder, .jsonl or .csv manifest at {source}; set the recipe's [data] to your own recordings"
        )
    if not clips:
        raise InputError(f"{source} holds no {kind}")
    splits = sorted({clip.split for clip in clips if clip.split})
    if split and splits and split not in splits:
        raise InputError(
            f"{source} holds no {kind} of split '{split}', but of {', '.join(splits)}; set data.train_split and "
            "data.valid_split"
        )
    return [clip for clip in clips if clip.split == split] if split and splits else clips


MANY_GROUPS = 30  # of which a tenth still makes mixtures of three


def without_held_out(clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Recordings of no split as (training, validation), each once.

    Of many speakers or labels every tenth one is held out; of fewer, every tenth recording of each one, and at least
    its last one where it has several; where none has several, every tenth recording of all.

    Raises:
        InputError: a single recording, which cannot be both.
    """
    clips = list(dict.fromkeys(clips))
    if len(clips) == 1:
        raise InputError(
            f"{clips[0].path} is all that its source holds, and training needs one file and validation another; add "
            "more, or give a manifest with a 'split' column"
        )
    groups: dict[str, list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault(clip.group, []).append(index)
    if len(groups) >= MANY_GROUPS:
        held_out = {index for group in list(groups.values())[9::10] for index in group}
    else:
        held_out = {index for group in groups.values() if len(group) > 1 for index in group[9::10] or group[-1:]}
    held_out = held_out or set(range(len(clips))[9::10] or [len(clips) - 1])
    return (
        [clip for index, clip in enumerate(clips) if index not in held_out],
        [clip for index, clip in enumerate(clips) if index in held_out],
    )


def _rows(source: Path, rows: Sequence[Any], read: Callable[[Any], Any], column: str, kind: str) -> list[Clip]:
    """The clips of rows, each a mapping once it is `read`."""
    clips = []
    for number, given in enumerate(rows, start=1):
        try:
            row = read(given)
            if not isinstance(row, dict):
                raise ValueError("it is no object")
            if row.get("kind", kind) != kind:
                continue
            if not row.get(column) or not isinstance(row[column], str):
                raise ValueError(f"no '{column}'")
            duration, dynamic = row.get("duration"), row.get("dynamic_db")
            clips.append(
                Clip(
                    path=str(source.parent / row[column]),
                    group=str(row.get("speaker") or row.get("label") or ""),
                    offset_s=float(row.get("offset") or 0),
                    duration_s=float(duration) if duration else None,
                    dynamic_db=float(dynamic) if dynamic else None,
                    split=str(row.get("split") or ""),
                )
            )
        except (ValueError, TypeError, RecursionError) as error:
            raise InputError(f"{source}, row {number}: {error}") from error
    return clips


def _folder(path: Path, source: Path, level: int) -> str:
    """Name of the folder of a level below the source, or of the file's own."""
    above = path.relative_to(source).parts[:-1]
    if not 0 <= level <= len(above):
        raise InputError(f"{path} lies {len(above)} folders below {source}; its speaker was to be folder {level}")
    return above[level - 1] if level else path.parent.name


def _of_kaldi(folder: Path) -> list[Clip]:
    """The utterances of a data folder of Kaldi, in the order of `utt2spk`. Commands in `wav.scp` are not run."""
    recordings = _table(folder / "wav.scp")
    segments = _table(folder / "segments") if (folder / "segments").exists() else {}
    speakers, cut = _table(folder / "utt2spk"), segments or recordings
    if nobodys := [utterance for utterance in cut if utterance not in speakers]:
        say_once(
            f"{folder}: {len(nobodys)} of {len(cut)} utterances, such as {nobodys[0]}, have no speaker in utt2spk and "
            "are left out"
        )
    clips = []
    for utterance, speaker in speakers.items():
        name, offset_s, duration_s = utterance, 0.0, None
        if segments:
            try:
                name, start, end = segments[utterance].split()
                offset_s, duration_s = float(start), float(end) - float(start)
            except (KeyError, ValueError) as error:
                raise InputError(f"{folder}/segments has no recording, start and end of {utterance}") from error
        path = recordings.get(name, "")
        if not path or path.endswith("|"):
            wanted = f"no recording {name}" if not path else f"a command for {name}, which is not run: {path}"
            raise InputError(f"{folder}/wav.scp has {wanted}; give the path of a sound file")
        clips.append(Clip(str(folder / path) if (folder / path).exists() else path, speaker, offset_s, duration_s))
    return clips


def _table(path: Path) -> dict[str, str]:
    """Lines of a name and what follows it."""
    try:
        lines = text_of(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {reason_of(error)}") from error
    return {words[0]: words[1].strip() for line in lines if len(words := line.split(maxsplit=1)) == 2}
