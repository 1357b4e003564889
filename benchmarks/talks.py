"""Two people who talk over one another for minutes, separated: gain in SI-SDR, and how often the voices change places.

    python benchmarks/talks.py data/MANIFEST.csv --markdown

Sentences of each speaker in random order, with pauses of up to three seconds. *Not tracked* is what the network gives
and chunks that are joined; *half seconds* takes the better order of the two in each half second of that, which only
those know who have the voices. At last: minutes of one speaker alone, and how many of them tracking touches.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from long_separation import RATE_HZ, talk
from table import table

from voxfield.metrics.separation import best_order, count_swaps, separation_scores
from voxfield.protocols import Array
from voxfield.tasks.separation.overlap_add import OverlapAdd
from voxfield.tasks.separation.separator import Separator
from voxfield.tasks.separation.speaker_tracker import SpeakerTracker
from voxfield.tasks.work import engine_for

PAIRS = (  # of the validation split: a woman and a man, two women, two men
    "so9613:so9624", "so3049:so5414", "ls2414:ls533", "so2089:so2380", "so0594:so1061", "so0026:so0036",
    "ls3080:ls533", "so1092:so1203", "so1336:so2236", "so0005:so0048",
)  # fmt: skip
WHOLE, AS_IT_COMES = "conv-tasnet-small", "crn-separate"
LEAST_SENTENCES = 10  # of a speaker who is heard alone


def given(machine: OverlapAdd | Separator | SpeakerTracker, sound: Array) -> Array:
    return np.concatenate([machine.feed(sound), machine.flush()], axis=-1)


def in_better_order(estimates: Array, voices: Array, width: int) -> Array:
    """Each stretch of so many samples in the order that is nearer to the voices."""
    made = estimates.copy()
    for start in range(0, voices.shape[1], width):
        part, wanted = made[:, start : start + width], voices[:, start : start + width]
        if np.square(part - wanted).sum() > np.square(part[::-1] - wanted).sum():
            part[:] = part[::-1].copy()
    return made


def scored(estimates: Array, voices: Array) -> tuple[float, int]:
    """(Gain in dB, changes of places)."""
    gain = separation_scores(estimates, voices, voices.sum(0), with_sdr=False)["si_sdr_gain_db"]
    return gain, count_swaps(estimates[list(best_order(estimates, voices))], voices, RATE_HZ)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--pairs", nargs="+", default=PAIRS, metavar="SPEAKER:SPEAKER")
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    said: dict[str, list[Path]] = {}
    gender: dict[str, str] = {}
    for row in csv.DictReader(chosen.manifest.read_text(encoding="utf-8").splitlines()):
        if row["kind"] == "speech" and row["split"] == "valid":
            said.setdefault(row["speaker"], []).append(chosen.manifest.parent / row["path"])
            gender[row["speaker"]] = row["gender"]
    whole = engine_for(WHOLE, "separate")
    rows, gains = [], []
    for pair in chosen.pairs:
        rng, speakers = np.random.default_rng(0), pair.split(":")
        voices = np.stack([talk(said[one], round(chosen.minutes * 60 * RATE_HZ), rng) for one in speakers])
        untracked = given(OverlapAdd(whole), voices.sum(0))
        results = [
            scored(untracked, voices),
            scored(in_better_order(untracked, voices, RATE_HZ // 2), voices),
            scored(given(SpeakerTracker(2, RATE_HZ), untracked), voices),
            scored(given(Separator(AS_IT_COMES, RATE_HZ), voices.sum(0))[:, 0], voices),
        ]
        gains.append([gain for gain, _ in results])
        who = f"{pair.replace(':', ', ')} ({' and '.join(gender[one] for one in speakers)})"
        rows.append([who, *(f"{gain:.1f}, {swaps}" for gain, swaps in results)])
    rows.append(["mean gain", *(f"{gain:.1f}" for gain in np.mean(gains, axis=0))])
    head = ["speakers", f"{WHOLE}, not tracked", "half seconds", WHOLE, AS_IT_COMES]
    print(table(head, rows, markdown=chosen.markdown))
    alone = [paths for paths in said.values() if len(paths) >= LEAST_SENTENCES]
    touched = 0
    for paths in alone:
        outputs = given(OverlapAdd(whole), talk(paths, 60 * RATE_HZ, np.random.default_rng(3)))
        touched += not np.array_equal(given(SpeakerTracker(2, RATE_HZ), outputs), outputs)
    print(f"\none speaker for a minute: {touched} of {len(alone)} touched by tracking")


if __name__ == "__main__":
    main()
