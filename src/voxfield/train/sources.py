"""Where training audio comes from: folders, JSON lines and CSV manifests, decoded once into one memory map.

A source is a folder (every audio file below it; the speaker or label is the name of the file's folder), a `.jsonl`
manifest (`audio_filepath`, and optionally `speaker`, `label`, `split`, `kind`, `offset`, `duration`), or a `.csv`
manifest (`path`, and optionally the same columns). Paths are relative to the manifest.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voxfield.errors import InputError
from voxfield.formats import SOUND_FILES as SUFFIXES


@dataclass(frozen=True)
class Clip:
    """One recording, or a part of one."""

    path: str
    group: str = ""  # speaker of speech, label of noise
    offset_s: float = 0.0
    duration_s: float | None = None
    dynamic_db: float | None = None  # loud frames over quiet frames: how clean a recording of speech is


def read_source(source: str | Path, kind: str, split: str = "") -> list[Clip]:
    """The clips of a folder or manifest, in a fixed order.

    Args:
        source: folder, `.jsonl` or `.csv`.
        kind: rows of a manifest that have a `kind` column must have this one (`speech`, `noise`, `rir`).
        split: rows that have a `split` column must have this one; empty takes all.

    Raises:
        InputError: nothing there, or a row that cannot be read (named by its line).
    """
    source = Path(source)
    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        clips = [Clip(str(path), path.parent.name) for path in paths]
    elif source.suffix == ".jsonl" and source.exists():
        rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
        clips = _rows(source, rows, "audio_filepath", kind, split)
    elif source.suffix == ".csv" and source.exists():
        with source.open(encoding="utf-8", newline="") as file:
            clips = _rows(source, list(csv.DictReader(file)), "path", kind, split)
    else:
        raise InputError(
            f"no folder, .jsonl or .csv manifest at {source}; set the recipe's [data] to your own recordings"
        )
    if not clips:
        raise InputError(f"{source} holds no {kind}{f' of split {split!r}' if split else ''}")
    return clips


def _rows(source: Path, rows: list[dict], column: str, kind: str, split: str) -> list[Clip]:
    clips = []
    for number, row in enumerate(rows, start=1):
        if row.get("kind", kind) != kind or (split and row.get("split", split) != split):
            continue
        if not row.get(column):
            raise InputError(f"{source}, row {number}: no '{column}'")
        duration, dynamic = row.get("duration"), row.get("dynamic_db")
        clips.append(
            Clip(
                path=str(source.parent / row[column]),
                group=str(row.get("speaker") or row.get("label") or ""),
                offset_s=float(row.get("offset") or 0),
                duration_s=float(duration) if duration else None,
                dynamic_db=float(dynamic) if dynamic else None,
            )
        )
    return clips


class AudioBank:
    """Recordings decoded once to 16-bit mono at one rate, in one memory map that processes share.

    Args:
        clips: what to hold; files that cannot be read are an error naming the file.
        sample_rate_hz: rate to resample to.
        cache: folder for the decoded samples; made anew when a file's path, size or time changed.
    """

    def __init__(self, clips: Sequence[Clip], sample_rate_hz: int, cache: str | Path) -> None:
        self.clips = list(clips)
        stamps = [(asdict(clip), Path(clip.path).stat().st_size, Path(clip.path).stat().st_mtime_ns) for clip in clips]
        key = hashlib.sha256(json.dumps([sample_rate_hz, stamps]).encode()).hexdigest()[:16]
        folder = Path(cache)
        folder.mkdir(parents=True, exist_ok=True)
        samples_file, ends_file = folder / f"{key}.samples", folder / f"{key}.ends.npy"
        if not ends_file.exists():
            self._decode(sample_rate_hz, samples_file, ends_file)
        self.ends = np.load(ends_file)
        self.samples = np.memmap(samples_file, np.int16, "r")
        groups: dict[str, list[int]] = {}
        for index, clip in enumerate(self.clips):
            groups.setdefault(clip.group, []).append(index)
        self.groups = list(groups.values())  # indices of the clips of each speaker or label

    def _decode(self, sample_rate_hz: int, samples_file: Path, ends_file: Path) -> None:
        ends, total = [], 0
        partial = samples_file.with_suffix(".tmp")
        with partial.open("wb") as out:
            for clip in self.clips:
                try:
                    with soundfile.SoundFile(clip.path) as file:
                        file.seek(round(clip.offset_s * file.samplerate))
                        frames = -1 if clip.duration_s is None else round(clip.duration_s * file.samplerate)
                        audio, rate = file.read(frames, dtype="float32", always_2d=True)[:, 0], file.samplerate
                except soundfile.LibsndfileError as error:
                    raise InputError(f"cannot read {clip.path}: {error}") from error
                if rate != sample_rate_hz:
                    audio = soxr.resample(audio, rate, sample_rate_hz)
                out.write(np.round(np.clip(audio, -1, 1) * 32767).astype(np.int16).tobytes())
                total += len(audio)
                ends.append(total)
        partial.rename(samples_file)
        np.save(ends_file, np.array(ends, np.int64))

    def __len__(self) -> int:
        return len(self.clips)

    def clip(self, index: int) -> np.ndarray:
        """(N,) float32 samples of one clip, in -1..1."""
        start = 0 if index == 0 else self.ends[index - 1]
        return self.samples[start : self.ends[index]].astype(np.float32) / 32768
