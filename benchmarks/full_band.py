"""What becomes of the band above 8 kHz of noisy recordings at 48 kHz: the rule as it is beside others.

SPEECH and NOISE are folders of recordings that reach above 16 kHz. Of every eight mixtures of 5 s, four have recorded
noise and two have steady noise that is made, each at -5 to 20 dB; one has speech that ends at 7.5 kHz, one is clean.
Pieces of speech that the network itself changes by more than 1 dB where they are clean (laughter, bad recordings) are
left out: nothing above can be better than what is below.

- untouched, muted: the band above as it was, or none of it
- one gain: that of the network between 6 and 8 kHz for all that is above
- voxfield: `voxfield.tasks.band_gain`
- ideal: each bin scaled by the share of speech in it, which nobody knows

SI-SDR and the distance of log spectra (bins 40 dB below the mean speech count as that) are of one band of output and
speech; pauses are frames where speech is 30 dB below its loudest there, and speech those within 10 dB of it.

    python benchmarks/full_band.py SPEECH NOISE
    python benchmarks/full_band.py SPEECH NOISE --fit        # prints WEIGHTS of band_gain
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from table import table

from voxfield.audio import read, resample
from voxfield.features import istft, stft
from voxfield.tasks import enhance
from voxfield.tasks.band_gain import BandGain

RATE_HZ, LOW_HZ, PIECE_S = 48000, 16000, 5
WINDOW, HOP = 1536, 768
BANDS_HZ = ((8000, 12000), (12000, 16000), (16000, 20000))
KINDS = ("recorded", "recorded", "steady", "speech to 7.5 kHz", "clean", "recorded", "steady", "recorded")
SYSTEMS = ("untouched", "muted", "one gain", "voxfield", "ideal")
MEASURES = ("SI-SDR, dB", "log-spectral distance, dB", "pauses, dB", "speech, dB")
Sound = np.ndarray


def recordings(folder: Path) -> list[Sound]:
    """(N,) of every recording in a folder."""
    return [read(path, rate_hz=RATE_HZ, mono=True)[0] for path in sorted(folder.iterdir()) if path.is_file()]


def piece(found: list[Sound], rng: np.random.Generator) -> Sound:
    """Five seconds of any recording, over and over where it is shorter."""
    whole, count = found[rng.integers(len(found))], PIECE_S * RATE_HZ
    whole = np.tile(whole, -(-count // len(whole)))
    start = rng.integers(len(whole) - count + 1)
    return whole[start : start + count].copy()


def steady(rng: np.random.Generator) -> Sound:
    """Noise that never changes, falling by 0 to 6 dB an octave, some of it behind a low-pass."""
    hz = np.fft.rfftfreq(PIECE_S * RATE_HZ, 1 / RATE_HZ)
    gains = np.maximum(hz, 100) ** -rng.uniform(0, 1) * (hz > 1)
    if rng.random() < 0.3:
        gains /= 1 + (hz / rng.uniform(6000, 16000)) ** 4
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(PIECE_S * RATE_HZ)) * gains)


def band(samples: Sound, low_hz: float, high_hz: float) -> Sound:
    """The part of (N,) between two frequencies."""
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    return np.fft.irfft(np.fft.rfft(samples) * ((hz >= low_hz) & (hz < high_hz)), len(samples))


def below(samples: Sound, model: str) -> tuple[Sound, Sound]:
    """(1, M) at the network's rate, before and after it."""
    low = resample(samples[None].astype(np.float32), RATE_HZ, LOW_HZ)
    return low, enhance(low, LOW_HZ, model=model).samples


def passes(speech: Sound, model: str) -> bool:
    """Whether the network leaves this speech as it is, from 1 to 8 kHz and from 4 to 8 kHz."""
    spectra = [np.square(np.abs(np.fft.rfft(part[0])[1000 * PIECE_S :])) for part in below(speech, model)]
    before, after = (np.array([spectrum.sum(), spectrum[3000 * PIECE_S :].sum()]) for spectrum in spectra)
    return bool(before[0] > 1e-3 and (np.abs(decibels(after, before)) < (1, 2)).all())


def mixtures(
    speech: list[Sound], noise: list[Sound], model: str, count: int, seed: int
) -> Iterator[tuple[str, Sound, Sound]]:
    """Kind, speech and noise of each mixture."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        clean = piece(speech, rng)
        for _ in range(20):
            if passes(clean, model):
                break
            clean = piece(speech, rng)
        other = piece(noise, rng) if kind != "steady" else steady(rng)
        if kind == "speech to 7.5 kHz":
            clean = band(clean, 0, 7500)
        wanted = 0 if kind == "clean" else 10 ** (-rng.uniform(-5, 20) / 20)
        other = other * wanted * np.sqrt(np.square(clean).mean() / (np.square(other).mean() + 1e-12))
        gain = 10 ** (rng.uniform(-12, 8) / 20)
        yield kind, (gain * clean).astype(np.float32), (gain * other).astype(np.float32)


def one_gain(mixture: Sound, low: Sound, out: Sound) -> Sound:
    """The band above, scaled by the ratio of the mean magnitudes between 6 and 8 kHz, smoothed by a half."""
    before, after = (np.hypot(*stft(part)[0][:, 192:]).sum(0) for part in (low, out))
    gains = np.where(before > 1e-6, np.minimum(after / np.maximum(before, 1e-6), 1), 1)
    for at in range(1, len(gains)):
        gains[at] = (gains[at] + gains[at - 1]) / 2
    return mixture * np.interp(np.arange(len(mixture)) * LOW_HZ / RATE_HZ / 256, np.arange(len(gains)), gains)


def ideal(speech: Sound, noise: Sound) -> Sound:
    """Each bin scaled by the root of the share of speech in its power."""
    powers = [np.square(stft(part[None], WINDOW, HOP)).sum(1, keepdims=True) for part in (speech, noise)]
    mask = np.sqrt(powers[0] / (powers[0] + powers[1] + 1e-12))
    return istft(mask * stft((speech + noise)[None], WINDOW, HOP), len(speech), WINDOW, HOP)[0]


def decibels(power: Sound, reference: Sound) -> Sound:
    """Ratio of powers."""
    return 10 * np.log10((power + 1e-12) / (reference + 1e-12))


def measured(output: Sound, mixture: Sound, speech: Sound) -> list[float]:
    """`MEASURES` of one band; NaN where they say nothing."""
    share = float(output @ speech) / (float(speech @ speech) + 1e-12)
    si_sdr = decibels(np.square(share * speech).sum(), np.square(output - share * speech).sum())
    powers = [np.square(stft(part[None].astype(np.float32), WINDOW, HOP)[0]).sum(0) for part in (output, speech)]
    logs = [10 * np.log10(power + 1e-4 * powers[1].mean(1, keepdims=True).max() + 1e-12) for power in powers]
    inside = powers[1].mean(1) > 1e-3 * powers[1].mean(1).max()
    distance = np.sqrt(np.square(logs[0] - logs[1])[inside].mean(0)).mean()
    before = np.square(stft(mixture[None].astype(np.float32), WINDOW, HOP)[0]).sum(0).sum(0)
    after, wanted = powers[0].sum(0), powers[1].sum(0)
    loud = np.percentile(wanted, 95)
    silent = loud < 1e-6  # no speech in this band
    pause, active = wanted <= 1e-3 * loud if not silent else wanted >= 0, wanted >= 0.1 * loud
    noise_db = decibels(after[pause].sum(), before[pause].sum()) if before[pause].sum() > 1e-9 else np.nan
    return [float(si_sdr), float(distance), float(noise_db), float(decibels(after[active].sum(), wanted[active].sum()))]


def mean(rows: list[Sound]) -> Sound:
    """Means without what says nothing."""
    stacked = np.stack(rows)
    count = np.isfinite(stacked).sum(0)
    return np.where(count > 0, np.nansum(stacked, axis=0) / np.maximum(count, 1), np.nan)


def compare(found: Iterator[tuple[str, Sound, Sound]], model: str) -> dict[str, dict[str, Sound]]:
    """For each kind and system the means over mixtures, (bands, measures)."""
    results: dict[str, dict[str, list[Sound]]] = defaultdict(lambda: defaultdict(list))
    for kind, speech, noise in found:
        mixture = speech + noise
        outputs = {
            "untouched": mixture,
            "muted": np.zeros_like(mixture),
            "one gain": one_gain(mixture, *below(mixture, model)),
            "voxfield": enhance(mixture, RATE_HZ, model=model).samples[0],
            "ideal": ideal(speech, noise),
        }
        for system, output in outputs.items():
            rows = [measured(*(band(part, *edges) for part in (output, mixture, speech))) for edges in BANDS_HZ]
            results[kind][system].append(np.array(rows))
    return {kind: {name: mean(rows) for name, rows in of.items()} for kind, of in results.items()}


def rows_of(results: dict[str, dict[str, Sound]]) -> tuple[list[str], list[list[str]]]:
    """Head and cells of the printed table."""
    said = {"clean": (1, 3), "speech to 7.5 kHz": (2,)}
    cells = []
    for kind, of in sorted(results.items(), key=lambda item: KINDS.index(item[0])):
        for at in said.get(kind, range(len(MEASURES))):
            for number, (low, high) in enumerate(BANDS_HZ):
                values = [f"{of[name][number, at] + 0:.1f}" for name in SYSTEMS]
                hidden = [
                    "" if name == "muted" and MEASURES[at] != MEASURES[1] else value
                    for name, value in zip(SYSTEMS, values, strict=True)
                ]
                cells.append([kind, MEASURES[at], f"{low // 1000} to {high // 1000}", *hidden])
    return ["noise", "measure", "kHz", *SYSTEMS], cells


class Witness(BandGain):
    """Keeps the evidence that gains are made of."""

    rows: np.ndarray

    def evidence(self, spectra: Sound, seen: Sound) -> tuple[Sound, Sound]:
        """As it is."""
        odds, noises = super().evidence(spectra, seen)
        shape = noises.shape[2:]  # (T, bands) of the one output
        block = np.stack(
            [
                np.ones(shape),
                np.broadcast_to(odds[0][:, None], shape),
                *noises[:, 0],
                np.broadcast_to(self._heights, shape),
            ]
        )
        self.rows = np.concatenate([self.rows, block], axis=1) if hasattr(self, "rows") else block
        return odds, noises


def high(samples: Sound) -> Sound:
    """(1, N) of what a network cannot see of (N,)."""
    low = resample(samples[None], RATE_HZ, LOW_HZ)
    return samples[None] - resample(low, LOW_HZ, RATE_HZ)[:, : len(samples)]


def fit(found: Iterator[tuple[str, Sound, Sound]], model: str, steps: int = 300) -> Sound:
    """Weights whose gains come nearest to the ideal ones, by the root of both; quiet moments count less."""
    rows, ideals, counts = [], [], []
    for kind, speech, noise in found:
        low, out = below(speech + noise, model)
        witness = Witness([0], 1, LOW_HZ, RATE_HZ, linked=False, noise=True)
        witness.feed_full((speech + noise)[None])
        witness.feed(low, out)
        witness.flush()
        clean = high(speech)
        frames = witness.rows.shape[1]
        powers = (np.square(stft(part, WINDOW, HOP)[0]).sum(0).T[:frames] for part in (clean, clean + high(noise)))
        wanted, there = (np.add.reduceat(power, witness.starts, axis=1) for power in powers)
        quiet = kind == "speech to 7.5 kHz"
        loud = np.percentile(there, 90) if quiet else np.percentile(wanted, 95)
        counts.append(
            (np.minimum(there / (loud + 1e-9), 10) ** 0.3 * (there > 1e-7) * (8 if kind == "clean" else 1)).ravel()
        )
        ideals.append(np.clip(wanted / (there + 1e-12), 0, 1).ravel() ** 0.25)
        rows.append(witness.rows[:, : len(there)].reshape(len(witness.rows), -1))
    x, ideal_roots, count = np.concatenate(rows, axis=1), np.concatenate(ideals), np.concatenate(counts)
    weights, mean, square = np.zeros(len(x)), np.zeros(len(x)), np.zeros(len(x))
    rng = np.random.default_rng(0)
    for step in range(1, steps + 1):  # Adam
        some = rng.integers(0, x.shape[1], 8192)
        gain = 1 / (1 + np.exp(-weights @ x[:, some]))
        slope = count[some] * (np.sqrt(gain) - ideal_roots[some]) * np.sqrt(gain) * (1 - gain)
        gradient = (x[:, some] * slope).mean(1)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * np.square(gradient)
        rate = 0.05 if step < 0.6 * steps else 0.01
        weights -= rate * mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path, help="folder of speech at 44.1 kHz or more")
    parser.add_argument("noise", type=Path, help="folder of noise at 44.1 kHz or more")
    parser.add_argument("--model", default="crn-small", help="name or .onnx file")
    parser.add_argument("--mixtures", type=int, default=80)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit", action="store_true", help="fit the weights instead")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    sounds = [recordings(folder) for folder in (arguments.speech, arguments.noise)]
    found = mixtures(*sounds, arguments.model, arguments.mixtures, arguments.seed)
    if arguments.fit:
        print("WEIGHTS =", tuple(round(float(weight), 2) for weight in fit(found, arguments.model)))
        return
    results = compare(found, arguments.model)
    if arguments.json:
        print(json.dumps({kind: {name: rows.tolist() for name, rows in of.items()} for kind, of in results.items()}))
    else:
        print(table(*rows_of(results), markdown=arguments.markdown))


if __name__ == "__main__":
    main()
