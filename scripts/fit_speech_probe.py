"""Fit the probe that tells embeddings of speech from those of noise, and write it as ONNX + card.

    python scripts/fit_speech_probe.py scripts/speech_probe.toml MANIFEST.csv -o ds-tdnn-speech.onnx

Speech: mixtures as in training, down to an SNR of -8 dB, half of them at another speed. Noise: every clip as it is,
others that are changed as in training (speed, events, made noise), and made melodies. Of both, embeddings of the
windows in which the detector finds speech, and that of the whole. The best of a few weight decays on the split `valid`
is taken.
"""

import argparse
import dataclasses
import itertools
import tomllib
from pathlib import Path

import numpy as np

from voxfield.export import export_network
from voxfield.models.linear_probe import LinearProbeConfig
from voxfield.tasks.speakers.embedding import embed, embedding_engine
from voxfield.tasks.speakers.speech_probe import SPEECH
from voxfield.tasks.speakers.speech_windows import SpeechWindows
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.mixing import MixConfig, Mixer
from voxfield.train.data.sources import read_source
from voxfield.train.speech_probe import NOISE, fit, surprise

RATE_HZ = 16000
DECAYS = (1e-6, 1e-5, 1e-4)
COUNTS = {"train": 2000, "valid": 300}  # of mixtures, and of changed clips of noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("manifest")
    parser.add_argument("--model", default="ds-tdnn-small", help="whose embeddings")
    parser.add_argument("--cache", default="runs/cache")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--name", default="ds-tdnn-speech.v1")
    given = parser.parse_args()
    recipe = tomllib.loads(given.recipe.read_text(encoding="utf-8"))
    engine = embedding_engine(given.model)
    size = int(engine.card.interface.output.shape[0])
    config = LinearProbeConfig((NOISE, SPEECH), size, engine.card.name)
    vectors, speech = collected("train", given, recipe, engine)
    seen = collected("valid", given, recipe, engine)
    fitted = [fit(config, vectors, speech, decay) for decay in DECAYS]
    surprises = [surprise(net, *seen) for net in fitted]
    best = int(np.argmin(surprises))
    measured = {
        "embeddings_of_speech": int(speech.sum()),
        "embeddings_of_noise": int((~speech).sum()),
        "weight_decay": DECAYS[best],
        "bits_an_embedding": round(surprises[best] / np.log(2), 3),
    }
    about = {
        "name": given.name,
        "task": "detect-speech",
        "architecture": "linear-probe",
        **recipe["card"],
        "config": dataclasses.asdict(config),
        "interface": fitted[best].interface(),
        "measured": measured,
    }
    print(export_network(fitted[best], given.out, about).to_toml())


def collected(split, given, recipe, engine):
    """((N, D) embeddings, (N,) which of them are of speech) of a split."""
    clips = [c for c in read_source(given.manifest, "noise", split) if c.group not in recipe["with_voices"]]
    noise = AudioBank(clips, RATE_HZ, given.cache)
    speech = AudioBank(read_source(given.manifest, "speech", split), RATE_HZ, given.cache)
    rooms = AudioBank(read_source(given.manifest, "rir"), RATE_HZ, given.cache)
    mix = {key: tuple(value) if isinstance(value, list) else value for key, value in recipe["mix"].items()}
    mixer = Mixer(MixConfig(**mix), speech, noise, rooms, RATE_HZ)
    talk = (mixer.at_speed(mixer.mix(0, index)[0], speed(index)) for index in range(COUNTS[split]))
    changed = (mixer.noise_at_large(np.random.default_rng(index)) for index in range(COUNTS[split]))
    made = (melody(np.random.default_rng((2, split == "train", index))) for index in range(COUNTS[split] // 10))
    of_speech = vectors_of(talk, engine)
    of_noise = vectors_of(itertools.chain(map(noise.clip, range(len(noise))), changed, made), engine)
    return np.concatenate([of_noise, of_speech]), np.arange(len(of_noise) + len(of_speech)) >= len(of_noise)


def speed(index):
    """Of every second mixture, 0.78 to 1.28: voices deeper and higher than those that the embeddings were made on."""
    return float(np.exp(np.random.default_rng((1, index)).uniform(-0.25, 0.25))) if index % 2 else 1.0


def melody(rng):
    """(N,) harmonic notes or one gliding tone, six seconds, that fade or beat."""
    t, count = np.arange(6 * RATE_HZ) / RATE_HZ, int(rng.integers(1, 40))
    place = np.linspace(0, count, len(t), endpoint=False)  # the note, and how far it is
    notes_hz = rng.uniform(70, 500) * 2 ** (rng.integers(-5, 8, count) / 12)
    vibrato = 1 + rng.uniform(0, 0.3) * np.sin(2 * np.pi * rng.uniform(0.1, 6) * t)
    hz = notes_hz[place.astype(int)] * vibrato
    phase, tilt = 2 * np.pi * np.cumsum(hz) / RATE_HZ, rng.uniform(0.3, 2)
    tone = sum(np.sin(k * phase) * k**-tilt for k in range(1, int(min(30, 7500 / hz.max())) + 1))
    fading = np.exp(-(place % 1) * rng.uniform(0, 5))
    beat = 1 + np.sin(2 * np.pi * rng.uniform(0.5, 6) * t)
    tone = tone * fading * beat + rng.uniform(0, 0.1) * rng.standard_normal(len(tone))
    return (0.3 * tone / np.abs(tone).max()).astype(np.float32)


def vectors_of(sounds, engine):
    """(N, D) embeddings of the windows in which speech is found, and of each sound (N,) whole."""
    found = []
    for sound in sounds:
        windows = SpeechWindows(engine, RATE_HZ)
        windows.feed(sound)
        found += [windows.finish().vectors, embed(sound, RATE_HZ, model=engine).vector[None]]
    return np.concatenate(found)


if __name__ == "__main__":
    main()
