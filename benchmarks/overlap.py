"""Rules that give two speakers where two may speak at once: diarization error rates with and without talk at once.

    python benchmarks/overlap.py MANIFEST.csv

The number of speakers is given. None of the rules is part of `voxfield diarize`: what they find costs more false alarms
than it saves, but for those at changes without a dip, which cost more where nobody talks at once.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from conversations import RATE_HZ, Conversation, Material, Style, conversation
from table import table

from voxfield.metrics.diarization import NO_ERRORS, Turn, diarization_errors
from voxfield.tasks.diarization.clustering import clustered
from voxfield.tasks.diarization.turns import speaker_turns
from voxfield.tasks.speakers.embedding import embedding_engine
from voxfield.tasks.speakers.speech_detector import runs
from voxfield.tasks.speakers.speech_windows import SpeechWindows, Windows

SHARES = (0.4, 0.0)  # of the turns that begin before the last one has ended
SIDE_S = 0.3  # to either side of a change, in which both are given
AROUND_S = 0.4  # a change, in which a dip is looked for
DIP_DB = 12.0
LONGEST_DIP = 10  # frames of 10 ms
MARGIN, LEAST = 0.05, 0.5  # cosines: of the best over the second, and of the second at least
Turns = list[tuple[float, float, int]]
Rule = Callable[[Conversation, Windows, np.ndarray, Turns], Turns]


def as_it_is(_: Conversation, __: Windows, ___: np.ndarray, ____: Turns) -> Turns:
    """Nothing more."""
    return []


def at_changes(_: Conversation, __: Windows, ___: np.ndarray, turns: Turns) -> Turns:
    """Both speakers at every change without a pause."""
    return [turn for _, both in changes(turns) for turn in both]


def without_dip(one: Conversation, _: Windows, __: np.ndarray, turns: Turns) -> Turns:
    """Both speakers at the changes around which the level never falls for long."""
    frames = one.samples[: len(one.samples) // 160 * 160].reshape(-1, 160)
    levels = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-10)
    found: Turns = []
    for time_s, both in changes(turns):
        around = levels[max(int(100 * (time_s - AROUND_S)), 0) : int(100 * (time_s + AROUND_S))]
        dips = runs(around < np.percentile(around, 90) - DIP_DB)
        found += [] if any(end - start >= LONGEST_DIP for start, end in dips) else both
    return found


def close_scores(_: Conversation, windows: Windows, centres: np.ndarray, turns: Turns) -> Turns:
    """The second speaker, too, in windows that are about as much like two speakers."""
    found: Turns = []
    for (start, end), scores in zip(windows.spans / 100, windows.vectors @ centres.T, strict=True):
        second, first = np.argsort(scores)[-2:]
        if scores[first] - scores[second] < MARGIN and scores[second] > LEAST:
            middle, side = (start + end) / 2, 0.25
            found += [
                (max(begin, middle - side), min(stop, middle + side), int(first if speaker == second else second))
                for begin, stop, speaker in turns
                if begin < middle + side and stop > middle - side
            ]
    return found


def changes(turns: Turns) -> Iterator[tuple[float, Turns]]:
    """Time of each change without a pause, and what both speakers get there."""
    for (begin, stop, one), (start, end, other) in itertools.pairwise(turns):
        if one != other and start - stop < 0.02:
            yield stop, [(stop, min(stop + SIDE_S, end), one), (max(start - SIDE_S, begin), start, other)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="with paths relative to it")
    parser.add_argument("--count", type=int, default=2, help="conversations of each condition")
    parser.add_argument("--seconds", type=float, default=90.0, help="of each conversation")
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    material, engine = Material.of(chosen.manifest, "valid"), embedding_engine()
    rules: tuple[Rule, ...] = (as_it_is, at_changes, without_dip, close_scores)
    sums = {(rule, share): NO_ERRORS for rule in rules for share in SHARES}
    for share in SHARES:
        for number in (2, 3, 4):
            for snr_db in (None, 20.0, 10.0):
                for at in range(chosen.count):
                    style = Style(number, chosen.seconds, overlap=share, snr_db=snr_db)
                    one = conversation(material, style, 777_000 + 10_000 * number + 100 * round(snr_db or 0) + at)
                    gathering = SpeechWindows(engine, RATE_HZ)
                    gathering.feed(one.samples)
                    windows = gathering.finish()
                    _, centres = clustered(windows.vectors, number, number)
                    turns = speaker_turns(windows, windows.vectors @ centres.T)
                    for rule in rules:
                        made = sorted([*turns, *rule(one, windows, centres, turns)])
                        errors = diarization_errors(one.turns, [Turn(a, b, str(who)) for a, b, who in made])
                        sums[rule, share] += errors
    rows = []
    for (rule, share), errors in sums.items():
        parts = (errors.missed_s, errors.false_alarm_s, errors.confusion_s)
        cells = [f"{100 * part / errors.speech_s:.1f}" for part in parts] + [f"{100 * errors.rate:.1f}"]
        rows.append([f"{rule.__name__.replace('_', ' ')}, {share:g} of the turns", *cells])
    print(table(["", "missed", "false alarm", "confusion", "DER"], rows, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
