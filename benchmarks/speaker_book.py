"""How well the speaker book names speakers, turns away strangers and noise, and notices two voices in an enrolment.

    python benchmarks/speaker_book.py data/MANIFEST.csv --model speakers.onnx

Every other speaker of the split is enrolled, with 1, 3 and 5 recordings; five more of each, and five of each stranger,
are identified with the threshold on the model's card, or with --threshold. Enrolments of one voice, and of two who take
turns, are joined of recordings: 8, 15 and 25 s, of which the second has a half, a third or a fifth. Recordings of noise
and music in the manifest are offered as enrolments, and those of speech as well.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

import voxfield as vf
from voxfield.audio import open_source, read
from voxfield.protocols import Engine
from voxfield.tasks.book.enrolment import examined
from voxfield.tasks.book.one_voice import two_voices
from voxfield.tasks.speakers.calibration import Calibration
from voxfield.tasks.speakers.speech_detector import FRAME_S
from voxfield.tasks.speakers.speech_windows import WINDOW_FRAMES, SpeechWindows

RATE_HZ = 16000
TURN_S = 3.0
TESTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help=".csv with path, kind, corpus, speaker, split")
    parser.add_argument("--model", required=True)
    parser.add_argument("--split", default="valid")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--joined", type=int, default=100, help="enrolments of one voice, and as many of two")
    arguments = parser.parse_args()
    speakers = recordings_of(arguments.manifest, arguments.split)
    engine = vf.load_engine(arguments.model)
    tests = {speaker: [vf.embed(path, model=engine) for path in paths[:TESTS]] for speaker, paths in speakers.items()}
    with tempfile.TemporaryDirectory() as folder:
        book, enrolled = vf.SpeakerBook(Path(folder, "a.book"), model=engine), list(speakers)[::2]
        for count in (1, 3, 5):
            for speaker in enrolled:
                enroll(book, speaker, speakers[speaker][TESTS:], count)
            print(f"{count} recordings a speaker: {named(book, enrolled, tests, arguments.threshold)}")
    for kind in ("speech", "noise"):
        offered = some(arguments.manifest, kind, arguments.joined)
        refused = [not good_enough(path, engine) for path in offered]
        print(f"{kind}: {100 * np.mean(refused):.0f} % of {len(refused)} recordings are refused")
    if (calibration := Calibration.of(engine.card)) is None:
        print("two voices in an enrolment are noticed with a calibration on the card only, and this model has none")
        return
    rng = np.random.default_rng(0)
    for seconds in (8, 15, 25):
        found = {}
        for share in (0.0, 0.5, 0.35, 0.2):
            warned = [
                has_two(joined(speakers, seconds, share, rng), engine, calibration)
                for _ in range(-(-arguments.joined // (3 if share == 0 else 9)))
            ]
            found[share] = f"{100 * np.mean(warned):.0f} % of {len(warned)}"
        print(f"{seconds} s: warned of one voice in {found.pop(0.0)}; of two in", end=" ")
        print(", ".join(f"{rate} (share {share:g})" for share, rate in found.items()))


def recordings_of(manifest: Path, split: str) -> dict[str, list[Path]]:
    """Recordings of each speaker of a split who has ten or more."""
    found = defaultdict(list)
    with manifest.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["kind"], row["split"]) == ("speech", split):
                found[row["speaker"]].append(manifest.parent / row["path"])
    return {speaker: paths for speaker, paths in sorted(found.items()) if len(paths) >= 2 * TESTS}


def some(manifest: Path, kind: str, count: int) -> list[Path]:
    """Recordings of a kind of two seconds or more, drawn from all splits: nothing here was trained to refuse."""
    with manifest.open(encoding="utf-8", newline="") as file:
        paths = [
            manifest.parent / row["path"]
            for row in csv.DictReader(file)
            if row["kind"] == kind and float(row["seconds"]) >= 2
        ]
    return [paths[at] for at in np.random.default_rng(0).permutation(len(paths))[:count]]


def good_enough(path: Path, engine: Engine) -> bool:
    """Whether a recording may be enrolled."""
    with open_source(path) as source:
        try:
            examined(source, engine)
        except vf.VoxfieldError:
            return False
    return True


def enroll(book: vf.SpeakerBook, speaker: str, paths: list[Path], count: int) -> None:
    """Enrol a speaker until there are so many samples."""
    for path in paths:
        try:
            if not book.path.exists() or sum(sample.name == speaker for sample in book.samples()) < count:
                book.enroll(speaker, path)
        except vf.VoxfieldError:  # too little speech in it
            continue


def named(
    book: vf.SpeakerBook, enrolled: list[str], tests: dict[str, list[vf.Embedded]], threshold: float | None
) -> str:
    """What became of the recordings of enrolled speakers, and of strangers."""
    answers = [
        (speaker, book.identify_vector(made.vector, threshold=threshold, speech=made.speech).name)
        for speaker, recordings in tests.items()
        for made in recordings
    ]
    own = [(speaker, name) for speaker, name in answers if speaker in enrolled]
    strangers = [name for speaker, name in answers if speaker not in enrolled]
    right = np.mean([name == speaker for speaker, name in own])
    wrong = np.mean([name not in (None, speaker) for speaker, name in own])
    return (
        f"of {len(own)} recordings of {len(enrolled)} speakers {100 * right:.1f} % get their name and "
        f"{100 * wrong:.1f} % another; of {len(strangers)} of strangers "
        f"{100 * np.mean([name is not None for name in strangers]):.1f} % get one"
    )


def joined(speakers: dict[str, list[Path]], seconds: float, share: float, rng: np.random.Generator) -> np.ndarray:
    """(N,) of one speaker, or of two who take turns, of whom the second has a share."""
    names = rng.choice(len(speakers), 2, replace=False)
    first, second = (speech_of(list(speakers.values())[at], rng) for at in names)
    until = round(share * seconds * RATE_HZ)
    parts = [first[: round(seconds * RATE_HZ) - until], second[:until]]
    turns = [np.array_split(part, max(1, round(len(part) / TURN_S / RATE_HZ))) for part in parts]
    longest = max(len(pieces) for pieces in turns)
    return np.concatenate([pieces[at] for at in range(longest) for pieces in turns if at < len(pieces)])


def speech_of(paths: list[Path], rng: np.random.Generator) -> np.ndarray:
    """(N,) of half a minute of a speaker's recordings."""
    order, made, length = rng.permutation(len(paths)), [], 0
    for at in order:
        made.append(read(paths[at], rate_hz=RATE_HZ, mono=True)[0])
        length += len(made[-1])
        if length > 30 * RATE_HZ:
            break
    return np.concatenate(made)


def has_two(samples: np.ndarray, engine: Engine, calibration: Calibration) -> bool:
    windows = SpeechWindows(engine, RATE_HZ)
    windows.feed(samples)
    return two_voices(windows.finish().vectors, FRAME_S * WINDOW_FRAMES, calibration)


if __name__ == "__main__":
    main()
