"""Fit the probe that names noise on the codes of a tokenizer, and write it as ONNX + card.

    python scripts/fit_noise_kinds.py scripts/noise_kinds.toml MANIFEST.csv --tokenizer noise-vqvae.onnx \\
        -o noise-kinds.onnx --name noise-kinds.v1

Every clip of noise of the split `train` is tokenised as it is, and its first ten seconds as the enhancer leaves them
with speech over them at 0 to 15 dB; these are kept in the cache. A label gives at most 130 seconds. On clips of the
split `valid`, made in the same way, the probe is made as sure as it is right, and the best of three weight decays is
taken; recordings that the recipe names under `without` are left out, as they are heard in examples/.
"""

import argparse
import dataclasses
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np

from voxfield.export import export_network
from voxfield.features.log_mel import LogMel
from voxfield.models.code_histogram import CodeHistogramConfig
from voxfield.runtime import load_engine
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.sources import read_source
from voxfield.train.noise_kinds import calibrate, fit, kind_of, left_over, segments, tokens_of

MOST_S, LEFT_S = 130.0, 10.0  # of a label; of a clip with speech over it
DECAYS = (1e-4, 3e-4, 1e-3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("manifest")
    parser.add_argument("--tokenizer", default="noise-vqvae")
    parser.add_argument("--enhancer", default="crn-small")
    parser.add_argument("--cache", default="runs/cache")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--name", default="noise-kinds.v1")
    given = parser.parse_args()
    recipe = tomllib.loads(given.recipe.read_text(encoding="utf-8"))
    tokenizer, enhancer = load_engine(given.tokenizer), load_engine(given.enhancer)
    face = tokenizer.card.interface
    features = LogMel.of(face.sample_rate_hz, int(face.input.shape[0]), face.window_samples, face.hop_samples)
    config = CodeHistogramConfig(
        labels=(*recipe["kinds"], "other"),
        bands=features.bands,
        levels=int(tokenizer.card.config["levels"]),
        codes=face.codes,
        tokenizer=str(tokenizer.card.measured["weights"]),
    )
    tokens, kinds, clips = collected("train", given, recipe, (features, tokenizer, enhancer), config.segment_frames)
    seen = collected("valid", given, recipe, (features, tokenizer, enhancer), config.segment_frames)
    fitted = [fit(config, tokens, kinds, decay) for decay in DECAYS]
    surprises = [calibrate(net, *seen[:2]) for net in fitted]
    net = fitted[int(np.argmin(surprises))]
    measured = {
        "segments": len(kinds),
        "clips": clips,
        "weight_decay": DECAYS[int(np.argmin(surprises))],
        "bits_a_segment": round(min(surprises) / np.log(2), 3),
        "bits_by_chance": round(np.log2(len(config.labels)), 3),
    }
    about = {
        "name": given.name,
        "task": "name-noise",
        "architecture": "code-histogram",
        **recipe["card"],
        "config": dataclasses.asdict(net.config),
        "interface": net.interface(),
        "measured": measured,
    }
    print(export_network(net, given.out, about, half=True).to_toml())


def collected(split, given, recipe, networks, segment_frames):
    """(Tokens (S, C, T), kind of each, clips in all) of a split: every clip as it is, and as the enhancer leaves it."""
    features, tokenizer, enhancer = networks
    rate_hz = features.sample_rate_hz
    noise = AudioBank(read_source(given.manifest, "noise", split), rate_hz, given.cache)
    speech = AudioBank(read_source(given.manifest, "speech", split), rate_hz, given.cache)
    tokens, kinds, clips, used = [], [], 0, Counter()
    for number, clip in enumerate(noise.clips):
        if used[clip.group] >= MOST_S or any(part in clip.path for part in recipe["without"]):
            continue
        audio = noise.clip(number)
        used[clip.group] += len(audio) / rate_hz
        stored = Path(given.cache) / f"left-{enhancer.card.name}-{split}" / f"{number}.npy"
        if not stored.exists():
            rng = np.random.default_rng(number)
            talk = np.concatenate([speech.clip(int(at)) for at in rng.integers(len(speech), size=2)])
            seconds = min(max(len(audio) / rate_hz, 2.1), LEFT_S)
            talk, under = (np.resize(sound, round(seconds * rate_hz)) for sound in (talk, audio))
            stored.parent.mkdir(parents=True, exist_ok=True)
            np.save(stored, left_over(under, talk, rng.uniform(0, 15), enhancer, rate_hz))
        for sound in (audio, np.load(stored)):
            made = tokens_of(tokenizer, segments(sound, features, segment_frames))
            tokens.append(made)
            kinds += [kind_of(clip.group, recipe["kinds"])] * len(made)
        clips += 1
    return np.concatenate(tokens), kinds, clips


if __name__ == "__main__":
    main()
