"""Writes the mixtures that a recipe's validation draws, as folders that `voxfield evaluate` reads.

python benchmarks/make_mixtures.py recipes/separate/conv-tasnet-small.toml -o mixtures --set 'data.speech=["my.csv"]'
voxfield evaluate mixtures/mix mixtures --model conv-tasnet-small
"""

import argparse
from pathlib import Path

import soundfile as sf

from voxfield.train.data.voices import VoicesConfig
from voxfield.train.recipe import load
from voxfield.train.tasks.separate import make_mixer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--noise", type=float, default=0.0, help="share of the mixtures with noise behind the voices")
    parser.add_argument("--room", type=float, default=0.0, help="share of the mixtures in a room")
    parser.add_argument("--set", action="append", default=[], help="override a key of the recipe")
    chosen = parser.parse_args()
    recipe = load(chosen.recipe, chosen.set)
    rate_hz, sources = recipe.model.sample_rate_hz, recipe.model.sources
    mix = VoicesConfig(sources, chosen.seconds, noise=chosen.noise, room=chosen.room, speed=(1.0, 1.0))
    mixer = make_mixer(recipe.data, mix, rate_hz, 2000, recipe.data.valid_split)
    folders = [chosen.out / name for name in ("mix", *(f"s{number}" for number in range(1, sources + 1)))]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for index in range(chosen.count):
        mixture, voices = mixer.mix(0, index)
        for folder, sound in zip(folders, [mixture[0], *voices], strict=True):
            sf.write(folder / f"{index:04d}.wav", sound, rate_hz, "FLOAT")


if __name__ == "__main__":
    main()
