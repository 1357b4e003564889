"""Write lists of trials of the speakers of a manifest, always the same ones for the same data.

    python benchmarks/make_trials.py trials data/MANIFEST.csv
    voxfield evaluate trials/all --model speakers.onnx
    voxfield evaluate trials/test --calibrate trials/fit --model speakers.onnx --json > scores.json

A list holds the trials of one corpus and one duration of the test recording: whole recordings; pieces of 1, 2 and 5 s
of those that are not enrolled, joined where they are shorter, which are written beside the lists; and, where there is
noise, those of 5 s again with noise at an SNR of 0 to 15 dB. Each recording enrolled is tried against the tests of its
speaker and of all others of the same gender and corpus; speakers with few recordings are impostors only. `fit` and
`test` hold the trials among one half of the speakers and among the other, `all` those among all of them.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from voxfield.train.data.mixing import active_level

SECONDS = (1, 2, 5)
NOISY_SECONDS = 5
SNR_DB = (0, 15)
SUFFIXES = ("", *(f"-{seconds}s" for seconds in SECONDS), f"-{NOISY_SECONDS}s-noisy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("manifest", type=Path, help=".csv with path, kind, corpus, speaker, gender, split")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--enrolled", type=int, default=5, help="recordings enrolled of each speaker")
    parser.add_argument("--tests", type=int, default=8, help="test recordings of each speaker and duration, at most")
    arguments = parser.parse_args()
    with arguments.manifest.open(encoding="utf-8", newline="") as file:
        every = [row for row in csv.DictReader(file) if row["split"] == arguments.split]
    rows = [row for row in every if row["kind"] == "speech"]
    noises = [arguments.manifest.parent / row["path"] for row in every if row["kind"] == "noise"]
    if not rows:
        parser.error(f"{arguments.manifest} holds no speech of split '{arguments.split}'")
    for corpus in sorted({corpus_of(row) for row in rows}):
        speakers = speakers_of([row for row in rows if corpus_of(row) == corpus], arguments.manifest.parent)
        tests = {
            speaker: test_recordings(
                arguments.out / "recordings", speaker, paths[arguments.enrolled :] or paths, noises, arguments.tests
            )
            for speaker, (_, paths) in speakers.items()
        }
        for half in ("all", "fit", "test"):
            write_lists(arguments.out / half, corpus, half_of(speakers, half), tests, arguments.enrolled)


Speakers = dict[str, tuple[str, list[Path]]]  # name -> (gender, recordings)


def corpus_of(row: Mapping[str, str]) -> str:
    """Name of the corpus without its part: `librispeech` of `librispeech_test_other`."""
    return row["corpus"].split("_")[0]


def speakers_of(rows: Sequence[Mapping[str, str]], folder: Path) -> Speakers:
    """Gender and recordings of each speaker, all in order of their names."""
    found: Speakers = {}
    for row in sorted(rows, key=lambda row: (row["speaker"], row["path"])):
        found.setdefault(row["speaker"], (row["gender"], []))[1].append(folder / row["path"])
    return found


def half_of(speakers: Speakers, half: str) -> Speakers:
    """All speakers, or every second one of each gender."""
    chosen = list(speakers)
    if half != "all":
        first = ("fit", "test").index(half)
        genders = sorted({gender for gender, _ in speakers.values()})
        chosen = [
            name for gender in genders for name in [name for name in speakers if speakers[name][0] == gender][first::2]
        ]
    return {name: speakers[name] for name in chosen}


def test_recordings(
    folder: Path, speaker: str, paths: Sequence[Path], noises: Sequence[Path], most: int
) -> dict[str, list[Path]]:
    """Test recordings by the end of their list's name: whole ones, and written pieces of each duration."""
    found = {suffix: list[Path]() for suffix in SUFFIXES} | {"": list(paths[:most])}
    read = [soundfile.read(path, dtype="float32") for path in paths]
    rate_hz, joined = read[0][1], np.concatenate([samples for samples, _ in read])
    for seconds in SECONDS:
        pieces = min(most, len(joined) // (seconds * rate_hz))
        for number in range(pieces):
            start = number * (len(joined) // pieces)
            piece = joined[start : start + seconds * rate_hz]
            found[f"-{seconds}s"].append(write(folder / f"{speaker}-{seconds}s-{number}.flac", piece, rate_hz))
            if seconds == NOISY_SECONDS and noises:
                rng = np.random.default_rng([number, *speaker.encode()])
                noisy = behind_noise(rng, piece, noises[int(rng.integers(len(noises)))])
                name = f"{speaker}-{seconds}s-noisy-{number}.flac"
                found[f"-{seconds}s-noisy"].append(write(folder / name, noisy, rate_hz))
    return found


def behind_noise(rng: np.random.Generator, speech: np.ndarray, path: Path) -> np.ndarray:
    """Speech with a part of a noise, repeated where it is short, at a random SNR on active frames."""
    noise, _ = soundfile.read(path, dtype="float32")
    noise = np.resize(np.roll(noise, -int(rng.integers(len(noise)))), len(speech))
    gain = active_level(speech) / max(active_level(noise), 1e-6) * 10 ** (-rng.uniform(*SNR_DB) / 20)
    mixed = speech + gain * noise
    return np.asarray(mixed * min(1.0, 0.99 / float(np.abs(mixed).max())), np.float32)


def write(path: Path, samples: np.ndarray, rate_hz: int) -> Path:
    """The path, after it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz)
    return path


def write_lists(
    folder: Path, corpus: str, speakers: Speakers, tests: Mapping[str, Mapping[str, list[Path]]], enrolled: int
) -> None:
    """One list for each duration; none where trials of one speaker or of two are missing."""
    for suffix in SUFFIXES:
        lines = [
            f"{int(one == other)} {_beside(enrol, folder)} {_beside(test, folder)}\n"
            for one, (gender, paths) in speakers.items()
            for other, (other_gender, _) in speakers.items()
            if gender == other_gender and len(paths) > enrolled
            for enrol in paths[:enrolled]
            for test in tests[other].get(suffix, ())
        ]
        if {line[0] for line in lines} == {"0", "1"}:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{corpus}{suffix}.txt").write_text("".join(lines), encoding="utf-8")
            print(f"{folder / corpus}{suffix}.txt: {sum(line[0] == '1' for line in lines)} of {len(lines)} are targets")


def _beside(path: Path, folder: Path) -> str:
    name = os.path.relpath(path, folder)
    return f'"{name}"' if " " in name else name


if __name__ == "__main__":
    main()
