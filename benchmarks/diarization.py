"""Diarization error rates on conversations built of single utterances, speech detection, speed and peak memory.

    python benchmarks/diarization.py MANIFEST.csv                     # error rates, on speakers of the split `valid`
    python benchmarks/diarization.py MANIFEST.csv --speakers 1 2 --seconds 8
    python benchmarks/diarization.py MANIFEST.csv --detection         # of speech, beside the level alone
    python benchmarks/diarization.py MANIFEST.csv --noise             # clips of noise taken for speech
    python benchmarks/diarization.py MANIFEST.csv --hour              # one hour: seconds and peak memory

How conversations are made is in conversations.py; they are the same at every call. Speaker numbers are found (auto)
unless it says `given`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import soundfile as sf
from conversations import RATE_HZ, Conversation, Material, Style, conversation
from table import table

import voxfield as vf
from voxfield.audio import load, open_source
from voxfield.errors import InputError
from voxfield.metrics.diarization import NO_ERRORS, DiarizationErrors, diarization_errors
from voxfield.tasks.book.enrolment import examined
from voxfield.tasks.speakers.embedding import embedding_engine
from voxfield.tasks.speakers.speech_detector import SpeechDetector, joined, runs
from voxfield.tasks.speakers.speech_meter import SpeechMeter, levels_of
from voxfield.tasks.speakers.speech_windows import SpeechWindows, of_speech
from voxfield.train.data.sources import read_source

SNRS_DB = (None, 20.0, 10.0)
PROBE_SNRS_DB = (10.0, 5.0, 0.0, -5.0)
COLLAR_S = 0.25
LEVEL_PAUSE_S = 0.3  # of the level alone; it is also that of the truth


def conversations(
    material: Material, number: int, snr_db: float | None, count: int, seconds: float
) -> list[Conversation]:
    """The conversations of one condition."""
    noise = 0 if snr_db is None else round(snr_db)
    style = Style(speakers=number, seconds=seconds, snr_db=snr_db)
    return [conversation(material, style, 10_000 * number + 100 * noise + index) for index in range(count)]


def error_rates(material: Material, chosen: argparse.Namespace) -> None:
    """Print a row a condition, and all together."""
    total = [NO_ERRORS] * 4
    rows = []
    engine = vf.load_engine(chosen.model) if chosen.model else None
    for number in chosen.speakers:
        for snr_db in SNRS_DB:
            sums, right = [NO_ERRORS] * 4, 0
            for one in conversations(material, number, snr_db, chosen.count, chosen.seconds):
                heard = len({turn.speaker for turn in one.turns})  # in a short conversation not all of them
                auto = vf.diarize(one.samples, RATE_HZ, model=engine)
                given = vf.diarize(one.samples, RATE_HZ, model=engine, speakers=heard)
                pairs = [(made, collar) for made in (auto, given) for collar in (0.0, COLLAR_S)]
                errors = [diarization_errors(one.turns, made.turns, collar_s=collar) for made, collar in pairs]
                sums = [a + b for a, b in zip(sums, errors, strict=True)]
                right += len(auto.speakers) == heard
            total = [a + b for a, b in zip(total, sums, strict=True)]
            noise = "none" if snr_db is None else f"{snr_db:g} dB"
            rows.append([f"{number}, {noise}", *cells(sums), f"{right}/{chosen.count}"])
    rows.append(["all", *cells(total), ""])
    head = ["speakers, SNR", "missed", "false alarm", "confusion", "DER", f"DER, collar {COLLAR_S}", "DER, given",
            "given, collar", "number right"]  # fmt: skip
    print(table(head, rows, markdown=chosen.markdown))


def cells(sums: list[DiarizationErrors]) -> list[str]:
    """Shares of the first, and all rates, in percent."""
    first = sums[0]
    shares = [value / first.speech_s for value in (first.missed_s, first.false_alarm_s, first.confusion_s)]
    return [f"{100 * share:.1f}" for share in (*shares, *(errors.rate for errors in sums))]


def detection(material: Material, chosen: argparse.Namespace) -> None:
    """Print the errors of speech detection: missed and false frames relative to those of speech."""
    rows = []
    for snr_db in SNRS_DB:
        errors = np.zeros((2, 2))
        for number in chosen.speakers:
            for one in conversations(material, number, snr_db, chosen.count, chosen.seconds):
                truth = np.zeros(len(one.samples) // 160, bool)
                for turn in one.turns:
                    truth[round(100 * turn.start_s) : round(100 * turn.end_s)] = True
                for way, found in enumerate(
                    (by_enhancer(one.samples, truth.shape), by_level(one.samples, truth.shape))
                ):
                    errors[way] += np.array([(truth & ~found).sum(), (found & ~truth).sum()]) / truth.sum()
        errors *= 100 / (len(chosen.speakers) * chosen.count)
        noise = "none" if snr_db is None else f"{snr_db:g} dB"
        for name, (missed, false) in zip(("enhancer's estimate", "level alone"), errors, strict=True):
            rows.append([f"{name}, SNR {noise}", f"{missed:.1f}", f"{false:.1f}", f"{missed + false:.1f}"])
    print(table(["speech detection", "missed", "false alarm", "error"], rows, markdown=chosen.markdown))


def noise(_: Material, chosen: argparse.Namespace) -> None:
    """Print how much of noise and of speech is taken for speech: by the detector, and by the probe as well."""
    engine, rng = embedding_engine(chosen.model), np.random.default_rng(0)
    clips = {
        kind: [load(clip.path)[0].mean(axis=0) for clip in read_source(chosen.manifest, kind, chosen.split)]
        for kind in ("noise", "speech")
    }
    sounds = {"noise": clips["noise"], "speech": clips["speech"]}
    for snr_db in PROBE_SNRS_DB:
        over = [clips["noise"][index] for index in rng.integers(len(clips["noise"]), size=len(clips["speech"]))]
        sounds[f"speech, SNR {snr_db:g} dB"] = list(map(partial(mixed, snr_db=snr_db), clips["speech"], over))
    rows = []
    for name, recordings in sounds.items():
        found = np.zeros((len(recordings), 3))  # seconds by the detector and by the probe, and whether it is enrolled
        for index, samples in enumerate(recordings):
            windows = SpeechWindows(engine, RATE_HZ)
            windows.feed(samples)
            made = windows.finish()
            found[index, :2] = [0.01 * np.diff(part.regions).sum() for part in (made, of_speech(made, engine))]
            with suppress(InputError):
                examined(open_source(samples, RATE_HZ), engine)
                found[index, 2] = 1
        counts = [str(int((found[:, way] > 0).sum())) for way in range(3)]
        rows.append(
            [
                name,
                str(len(found)),
                counts[0],
                counts[1],
                f"{found[:, 0].sum():.0f}",
                f"{found[:, 1].sum():.0f}",
                counts[2],
            ]
        )
    head = ["", "clips", "with speech, detector", "and probe", "seconds, detector", "and probe", "enrolled"]
    print(table(head, rows, markdown=chosen.markdown))


def mixed(speech: np.ndarray, over: np.ndarray, snr_db: float) -> np.ndarray:
    """(N,) speech (N,) with noise, repeated where it is short, over all of it."""
    over = np.resize(over, len(speech))
    gain = np.sqrt(np.square(speech).mean() / max(np.square(over).mean(), 1e-12)) * 10 ** (-snr_db / 20)
    both = speech + gain * over
    return np.asarray(0.5 * both / np.abs(both).max(), np.float32)


def by_enhancer(samples: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Frames of 10 ms in which `SpeechDetector` finds speech."""
    detector, found = SpeechDetector(), np.zeros(shape, bool)
    for start, end in [*detector.feed(samples), *detector.flush()]:
        found[start:end] = True
    return found


def by_level(samples: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The same for the levels of `SpeechMeter` with its rule, in frames of 10 ms."""
    meter = SpeechMeter(RATE_HZ)
    meter.feed(samples)
    levels = np.repeat(levels_of(np.concatenate(meter._frames, axis=1)), 2)[: shape[0]]
    quiet, loud = np.percentile(levels, [10, 95])
    found = np.zeros(shape, bool)
    for start, end in joined(runs(levels >= max(loud - 30, quiet + 0.3 * (loud - quiet))), round(100 * LEVEL_PAUSE_S)):
        found[start:end] = True
    return found


def hour(material: Material, chosen: argparse.Namespace) -> None:
    """Print what `voxfield diarize` takes for one hour with four speakers."""
    if chosen.write is not None:
        one = conversation(material, Style(speakers=4, seconds=3600.0, snr_db=20.0), 1)
        sf.write(chosen.write, one.samples[: 3600 * RATE_HZ], RATE_HZ)
        return
    with tempfile.TemporaryDirectory() as folder:
        # in a process of its own: on Linux a child's peak starts at what its parent held when it was forked
        subprocess.run([sys.executable, *sys.argv, "--write", f"{folder}/hour.wav"], check=True)
        words = [sys.executable, "-m", "voxfield", "diarize", f"{folder}/hour.wav", "-o", f"{folder}/hour.rttm", "-q"]
        began_s = time.perf_counter()
        child = subprocess.Popen([*words, *(["--model", chosen.model] if chosen.model else [])])
        _, status, used = os.wait4(child.pid, 0)
        took_s = time.perf_counter() - began_s
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(child.returncode)
    cells = [f"{took_s:.1f}", f"{used.ru_utime + used.ru_stime:.1f}", f"{used.ru_maxrss / 1024:.0f}"]
    print(table(["one hour", "s", "processor s", "peak MB"], [["voxfield diarize", *cells]], markdown=chosen.markdown))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="with paths relative to it")
    parser.add_argument("--model", help="speaker model; the published one if not given")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--count", type=int, default=5, help="conversations of each condition")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each conversation")
    parser.add_argument("--speakers", type=int, nargs="+", default=(2, 3, 4), help="in a conversation")
    parser.add_argument("--detection", action="store_true")
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--hour", action="store_true")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)  # the hour, and nothing else
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    material = Material.of(chosen.manifest, chosen.split)
    work = detection if chosen.detection else noise if chosen.noise else hour if chosen.hour else error_rates
    work(material, chosen)


if __name__ == "__main__":
    main()
