"""Write pairs of noisy and clean speech, NOISY/0001.wav beside CLEAN/0001.wav, always the same ones for the same data.

The mixtures are those of training (`voxfield.train.data.mixing`): rooms, equalisers, babble, -45 to -5 dBFS; but
of the validation split, with recorded noise as it is, and without items that cannot be scored (silence, noise alone,
speech alone, clipping, band limits).

    python benchmarks/make_pairs.py pairs --data data/MANIFEST.csv
    python benchmarks/make_pairs.py pairs --speech my/speech --noise my/noise --rooms my/rooms --pairs 200
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import soundfile

from voxfield.train.recipe import DataConfig
from voxfield.train.tasks.enhance import VALIDATION, make_mixer

SAMPLE_RATE_HZ = 16000
SEED = 2000  # of no training run and no validation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write noisy/ and clean/ into")
    parser.add_argument("--data", help="manifest (.csv, .jsonl) of speech, noise and rooms alike")
    parser.add_argument("--speech", nargs="*", default=[], help="folders or manifests, in place of --data")
    parser.add_argument("--noise", nargs="*", default=[])
    parser.add_argument("--rooms", nargs="*", default=[], help="impulse responses; none are needed")
    parser.add_argument("--split", default="valid", help="of manifests that have that column")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--snr", type=float, nargs=2, default=[-5.0, 20.0], metavar=("LOW", "HIGH"), help="in dB")
    parser.add_argument("--roll-off", type=float, default=0.0, help="share of the pairs behind a low-pass near 8 kHz")
    parser.add_argument("--cache", default="runs/cache", help="folder for decoded audio")
    arguments = parser.parse_args()
    speech, noise, rooms = (
        tuple(getattr(arguments, name) or ([arguments.data] if arguments.data else []))
        for name in ("speech", "noise", "rooms")
    )
    if not speech or not noise:
        parser.error("give --data, or --speech and --noise")

    data = DataConfig(speech, noise, rooms, valid_split=arguments.split, cache=arguments.cache)
    mix = replace(VALIDATION, duration_s=arguments.seconds, snr_db=tuple(arguments.snr), roll_off=arguments.roll_off)
    mixer = make_mixer(data, mix, SAMPLE_RATE_HZ, SEED, arguments.split)
    for folder in ("noisy", "clean"):
        (arguments.out / folder).mkdir(parents=True, exist_ok=True)
    for index in range(arguments.pairs):
        for folder, samples in zip(("noisy", "clean"), mixer.mix(0, index), strict=True):
            path = arguments.out / folder / f"{index + 1:04d}.wav"
            soundfile.write(path, samples, SAMPLE_RATE_HZ, subtype="PCM_24")
    print(f"{arguments.pairs} pairs of {arguments.seconds:g} s in {arguments.out}")


if __name__ == "__main__":
    main()
