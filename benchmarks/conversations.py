"""Builds conversations of which it is known who speaks when, out of single utterances: deterministic for a seed.

The truth comes from the level of each clean utterance before anything is mixed: frames of 10 ms within 30 dB of its
loud ones, where pauses below 0.3 s are part of the speech.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf

from voxfield.metrics.diarization import Turn
from voxfield.protocols import Array

RATE_HZ = 16000
_FRAME_SAMPLES = 160
_RANGE_DB = 30.0
_PAUSE_S = 0.3  # NIST's: shorter pauses do not end a turn
_NOT_NOISE = ("music", "ringtone", "notification")


@dataclass(frozen=True)
class Material:
    """What conversations are made of: utterances by speaker, and noise clips by label."""

    speech: dict[str, list[Path]]
    noise: dict[str, list[Path]]

    @classmethod
    def of(cls, manifest: Path, split: str, least_s: float = 30.0) -> Material:
        """The speakers with so much speech, and the noise but music, of one split of a MANIFEST.csv."""
        speech: dict[str, list[Path]] = {}
        noise: dict[str, list[Path]] = {}
        seconds: dict[str, float] = {}
        with manifest.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["split"] != split:
                    continue
                if row["kind"] == "speech":
                    speech.setdefault(row["speaker"], []).append(manifest.parent / row["path"])
                    seconds[row["speaker"]] = seconds.get(row["speaker"], 0) + float(row["seconds"])
                elif row["kind"] == "noise" and row["label"] not in _NOT_NOISE:
                    noise.setdefault(row["label"], []).append(manifest.parent / row["path"])
        return cls({name: paths for name, paths in sorted(speech.items()) if seconds[name] >= least_s}, noise)


@dataclass(frozen=True)
class Style:
    """How people talk to one another.

    Attributes:
        overlap: share of the turns that begin before the last one has ended, by 0.2 to 1.5 s.
        gap_s: mean of the pauses before the others, on top of 0.1 s.
        turn_s: shortest and longest aim for a turn, which is made of whole utterances.
        level_db: by how much speakers differ in level, either way.
        snr_db: of the noise behind all; None for none.
    """

    speakers: int = 2
    seconds: float = 120.0
    overlap: float = 0.2
    gap_s: float = 0.5
    turn_s: tuple[float, float] = (1.5, 8.0)
    level_db: float = 3.0
    snr_db: float | None = None


@dataclass(frozen=True)
class Conversation:
    """Samples (N,) at 16 kHz and the turns in them."""

    samples: Array
    turns: tuple[Turn, ...] = field(repr=False)


def conversation(material: Material, style: Style, seed: int) -> Conversation:
    """One conversation; nobody speaks twice in a row, unless alone."""
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.choice(list(material.speech), style.speakers, replace=False)]
    gains = {name: 10 ** ((-26 + rng.uniform(-style.level_db, style.level_db)) / 20) for name in names}
    waiting = {name: list(rng.permutation(len(material.speech[name]))) for name in names}
    samples = np.zeros(round((style.seconds + 30) * RATE_HZ), np.float32)
    turns: list[Turn] = []
    end = round(rng.uniform(0.2, 1.0) * RATE_HZ)
    last = ""
    while end < style.seconds * RATE_HZ:
        name = str(rng.choice([other for other in names if other != last] or names))
        wanted_s, parts = rng.uniform(*style.turn_s), list[Array]()
        while not parts or sum(map(len, parts)) < wanted_s * RATE_HZ:
            if not waiting[name]:
                waiting[name] = list(rng.permutation(len(material.speech[name])))
            parts.append(_utterance(material.speech[name][waiting[name].pop()]))
        talk = np.concatenate(parts)
        overlaps = bool(turns) and len(names) > 1 and rng.random() < style.overlap
        shift_s = (
            -min(rng.uniform(0.2, 1.5), 0.5 * len(talk) / RATE_HZ) if overlaps else 0.1 + rng.exponential(style.gap_s)
        )
        start = max(0, end + round(shift_s * RATE_HZ))
        talk = talk[: len(samples) - start]
        speaking = spoken(talk)
        loud = np.sqrt(
            np.mean(np.concatenate([talk[round(a * RATE_HZ) : round(b * RATE_HZ)] for a, b in speaking]) ** 2)
        )
        samples[start : start + len(talk)] += gains[name] / max(float(loud), 1e-6) * talk
        turns += [Turn(start / RATE_HZ + a, start / RATE_HZ + b, name) for a, b in speaking]
        end, last = max(end, start + len(talk)), name
    samples = samples[: end + round(0.5 * RATE_HZ)]
    if style.snr_db is not None:
        samples = samples + _noise(material, samples, style.snr_db, rng)
    return Conversation((samples * min(1.0, 0.99 / float(np.abs(samples).max()))).astype(np.float32), tuple(turns))


def spoken(samples: Array) -> list[tuple[float, float]]:
    """Where a clean recording (N,) holds speech, in seconds."""
    count = max(1, len(samples) // _FRAME_SAMPLES)
    padded = np.zeros(count * _FRAME_SAMPLES) + 0.0
    padded[: min(len(samples), len(padded))] = samples[: len(padded)]
    levels = 10 * np.log10(np.square(padded.reshape(count, -1)).mean(axis=1) + 1e-12)
    at = np.flatnonzero(levels >= np.percentile(levels, 95) - _RANGE_DB)
    breaks = np.flatnonzero(np.diff(at) * _FRAME_SAMPLES > _PAUSE_S * RATE_HZ)
    starts, ends = at[np.concatenate([[0], breaks + 1])], at[np.concatenate([breaks, [len(at) - 1]])] + 1
    hop_s = _FRAME_SAMPLES / RATE_HZ
    return [(float(a * hop_s), float(b * hop_s)) for a, b in zip(starts, ends, strict=True)]


def _utterance(path: Path) -> Array:
    """A file from its first speech to its last."""
    samples = sf.read(path, dtype="float32")[0]
    edges = spoken(samples)
    return np.asarray(samples[round(edges[0][0] * RATE_HZ) : round(edges[-1][1] * RATE_HZ)])


def _noise(material: Material, samples: Array, snr_db: float, rng: np.random.Generator) -> Array:
    """One noise clip after another of one label, at so many dB below what is loud in the samples."""
    clips: Sequence[Path] = material.noise[str(rng.choice(sorted(material.noise)))]
    parts: list[Array] = []
    while sum(map(len, parts)) < len(samples):
        parts.append(sf.read(clips[int(rng.integers(len(clips)))], dtype="float32")[0])
    noise = np.concatenate(parts)[: len(samples)]
    speech = float(np.mean(np.square(samples[np.abs(samples) > 0.01 * np.abs(samples).max()])))
    return np.asarray(noise * np.sqrt(speech / max(float(np.square(noise).mean()), 1e-12)) * 10 ** (-snr_db / 20))
