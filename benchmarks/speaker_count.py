"""How often `--speakers auto` is right on one voice and on two that are 0 to 5 dB apart, clean and with noise.

    python benchmarks/speaker_count.py recipes/separate/conv-tasnet-small.toml \\
        --set 'data.speech=["MANIFEST.csv"]' --set 'data.noise=["MANIFEST.csv"]'

The recordings are 6 to 10 s long, with pauses of 0.2 to 1.5 s between utterances, and noise is 10 dB below the voices.
With `--fit` they are made of training speakers and noise, and the weights of the decision are printed as well.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from table import table

from voxfield.protocols import Array
from voxfield.tasks import separate, separating_engine
from voxfield.tasks.separation.activity import WEIGHTS, WEIGHTS_ENHANCED
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.mixing import MixConfig, Mixer, active_level
from voxfield.train.data.split import Banks, open_banks
from voxfield.train.recipe import load

RATE_HZ = 16000
SECONDS = (6.0, 10.0)
PAUSE_S = (0.2, 1.5)
APART_DB = 5.0
SNR_DB = 10.0
RUNS: dict[str, int | str] = {"auto": "auto", "two": 2}  # `--speakers`
CASES = [(voices, noisy) for noisy in (False, True) for voices in (1, 2)]


def recordings(banks: Banks, voices: int, noisy: bool, count: int, seed: int) -> Iterator[Array]:
    """Recordings (N,) of one case, always the same ones for a seed."""
    for index in range(count):
        rng = np.random.default_rng((seed, voices, noisy, index))
        samples = int(rng.uniform(*SECONDS) * RATE_HZ)
        speakers = rng.choice(len(banks.speech.groups), voices, replace=False)
        parts = np.stack([talk(banks.speech, int(speaker), samples, rng) for speaker in speakers])
        gains_db = np.array([0, -rng.uniform(0, APART_DB)])[:voices]
        levels = np.array([active_level(part) for part in parts])
        parts = parts * (10 ** (gains_db / 20) / levels)[:, None]
        recording = parts.sum(0)
        if noisy:
            assert banks.noise is not None
            noise = Mixer(MixConfig(samples / RATE_HZ), banks.speech, banks.noise).noise_clip(rng)
            recording = recording + noise * (active_level(recording) / active_level(noise) * 10 ** (-SNR_DB / 20))
        level = min(10 ** (rng.uniform(-35, -15) / 20) / active_level(recording), 0.99 / np.abs(recording).max())
        yield (level * recording).astype(np.float32)


def talk(speech: AudioBank, speaker: int, samples: int, rng: np.random.Generator) -> Array:
    """(samples,) utterances of one speaker in random order, of at most five seconds each, with pauses between them."""
    clips = speech.groups[speaker]
    parts: list[Array] = [np.zeros(int(rng.uniform(0, PAUSE_S[1]) * RATE_HZ), np.float32)]
    while sum(map(len, parts)) < samples:
        clip = clips[int(rng.integers(len(clips)))]
        start = int(rng.integers(max(speech.samples(clip) - 5 * RATE_HZ, 0) + 1))
        pause = np.zeros(int(rng.uniform(*PAUSE_S) * RATE_HZ), np.float32)
        parts += [speech.clip(clip, start, 5 * RATE_HZ), pause]
    return np.concatenate(parts)[:samples]


def fitted(features: np.ndarray, truth: np.ndarray, ridge: float = 1e-3) -> np.ndarray:
    """Weights of a logistic regression on (N, D) features and 1, by Newton's method."""
    mean, scale = features.mean(0), features.std(0)
    table = np.concatenate([(features - mean) / scale, np.ones((len(features), 1))], axis=1)
    penalty = ridge * len(table) * np.diag([1.0] * features.shape[1] + [0.0])
    weights = np.zeros(table.shape[1])
    for _ in range(50):
        odds = 1 / (1 + np.exp(-table @ weights))
        slope = table.T @ (odds - truth) + penalty @ weights
        weights -= np.linalg.solve((table.T * (odds * (1 - odds))) @ table + penalty, slope)
    own = weights[:-1] / scale
    return np.append(own, weights[-1] - own @ mean)


def report(name: str, odds: np.ndarray, cases: np.ndarray) -> None:
    """Print accuracy, confusion and calibration of the odds (N,) that a recording of a case (N, 2) has two voices."""
    two = cases[:, 0] == 2
    print(f"\n{name}")
    rows = []
    for voices, noisy in CASES:
        found = odds[(cases == (voices, noisy)).all(1)] >= 0.5
        right = found.mean() if voices == 2 else 1 - found.mean()
        counts = [str(int((~found).sum())), str(int(found.sum()))]
        rows.append([f"{voices} voice{'s' * (voices > 1)}, {'noisy' if noisy else 'clean'}", f"{right:.1%}", *counts])
    print(table(["recordings of", "right", "found 1", "found 2"], rows))
    confidence, right = np.maximum(odds, 1 - odds), (odds >= 0.5) == two
    rows = []
    for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 0.98), (0.98, 1.01)):
        chosen = (confidence >= low) & (confidence < high)
        if chosen.any():
            bounds = f"{low:.0%} to {min(high, 1):.0%}"
            rows.append([bounds, str(chosen.sum()), f"{confidence[chosen].mean():.1%}", f"{right[chosen].mean():.1%}"])
    print(table(["sure", "recordings", "mean", "right"], rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="whose data are used")
    parser.add_argument("--set", action="append", default=[], help="override a key of the recipe")
    parser.add_argument("--model", default="conv-tasnet-small")
    parser.add_argument("--count", type=int, default=100, help="recordings of each case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fit", action="store_true", help="fit the weights, on the training split")
    parser.add_argument("--kept", type=Path, help="file of the spreads: read if it is there, else written")
    chosen = parser.parse_args()
    if chosen.kept is None or not chosen.kept.exists():
        rows = measured(chosen)
        if chosen.kept is not None:
            chosen.kept.write_text(json.dumps(rows))
    else:
        rows = json.loads(chosen.kept.read_text())
    cases = np.array([row["case"] for row in rows])
    for name, weights in (("auto", WEIGHTS_ENHANCED), ("two", WEIGHTS)):
        spreads = np.array([row[name] for row in rows])
        if chosen.fit:
            weights = tuple(round(float(weight), 2) for weight in fitted(spreads, cases[:, 0] == 2))
            print(f"{name}: weights {weights}")
        report(name, 1 / (1 + np.exp(-(spreads @ weights[:2] + weights[2]))), cases)


def measured(chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Case and spreads of each recording, with `auto` and without."""
    data = replace(load(chosen.recipe, chosen.set).data, rooms=(), simulated_rooms=0)
    engine = separating_engine(chosen.model, 2)
    banks = open_banks(data, RATE_HZ, data.train_split if chosen.fit else data.valid_split)
    return [
        {"case": (voices, noisy)}
        | {
            name: separate(recording, RATE_HZ, model=engine, speakers=speakers).activity.spreads[0]
            for name, speakers in RUNS.items()
        }
        for voices, noisy in CASES
        for recording in recordings(banks, voices, noisy, chosen.count, chosen.seed)
    ]


if __name__ == "__main__":
    main()
