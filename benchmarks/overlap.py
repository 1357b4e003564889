"""Rules that give two speakers where two may speak at once: diarization error rates with and without talk at once.

    python benchmarks/overlap.py MANIFEST.csv
    python benchmarks/overlap.py MANIFEST.csv --seed 5000000          # others, to choose by

The number of speakers is given. `voxfield diarize` asks a separating network; rules without one find more false alarms
than they save, at least where nobody talks at once.
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
from voxfield.protocols import Engine
from voxfield.tasks.diarization.clustering import clustered
from voxfield.tasks.diarization.talk_at_once import TalkAtOnce
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
NETWORK = "separating network"
Turns = list[tuple[float, float, int]]
Rule = Callable[[Conversation, Windows, np.ndarray, Turns], Turns]


def one_at_a_time(_: Conversation, __: Windows, ___: np.ndarray, ____: Turns) -> Turns:
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


def conversations(material: Material, share: float, chosen: argparse.Namespace) -> Iterator[Conversation]:
    """Conversations of each number of speakers and SNR in which so many of the turns begin early."""
    for number in (2, 3, 4):
        for snr_db in (None, 20.0, 10.0):
            style = Style(number, chosen.seconds, overlap=share, snr_db=snr_db)
            for at in range(chosen.count):
                yield conversation(material, style, chosen.seed + 10_000 * number + 100 * round(snr_db or 0) + at)


def gathered(one: Conversation, engine: Engine) -> tuple[Windows, np.ndarray, TalkAtOnce]:
    """Windows of speech, mean directions of as many speakers as there are, and what tells where two speak at once."""
    at_once = TalkAtOnce()
    gathering = SpeechWindows(engine, RATE_HZ, at_once.feed)
    gathering.feed(one.samples)
    windows = gathering.finish()
    number = len({turn.speaker for turn in one.turns})
    return windows, clustered(windows.vectors, number, number)[1], at_once


def score(material: Material, chosen: argparse.Namespace) -> None:
    """Print the error rates of every rule."""
    engine = embedding_engine()
    rules: tuple[Rule, ...] = (one_at_a_time, at_changes, without_dip, close_scores)
    sums = {(name, share): NO_ERRORS for name in (*(rule.__name__ for rule in rules), NETWORK) for share in SHARES}
    for share in SHARES:
        for one in conversations(material, share, chosen):
            windows, centres, at_once = gathered(one, engine)
            scores = windows.vectors @ centres.T
            turns = speaker_turns(windows, scores)
            made = {rule.__name__: [*turns, *rule(one, windows, centres, turns)] for rule in rules}
            made[NETWORK] = speaker_turns(windows, scores, at_once.finish())
            for name, found in made.items():
                sums[name, share] += diarization_errors(
                    one.turns, [Turn(a, b, str(who)) for a, b, who in sorted(found)]
                )
    rows = []
    for (name, share), errors in sums.items():
        parts = (errors.missed_s, errors.false_alarm_s, errors.confusion_s)
        cells = [f"{100 * part / errors.speech_s:.1f}" for part in parts] + [f"{100 * errors.rate:.1f}"]
        rows.append([f"{name.replace('_', ' ')}, {share:g} of the turns", *cells])
    print(table(["", "missed", "false alarm", "confusion", "DER"], rows, markdown=chosen.markdown))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="with paths relative to it")
    parser.add_argument("--count", type=int, default=2, help="conversations of each condition")
    parser.add_argument("--seconds", type=float, default=90.0, help="of each conversation")
    parser.add_argument("--seed", type=int, default=777_000, help="of the first conversation")
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    score(Material.of(chosen.manifest, "valid"), chosen)


if __name__ == "__main__":
    main()
