"""How well the ten classes of ESC-10 are told from codes, and from log-mel statistics with the same probe.

    python benchmarks/noise_kinds.py data/MANIFEST.csv --cache runs/cache

Probes are fitted on the clips of the split `train`, as they are and as the enhancer leaves them with speech over them
at 0 to 15 dB, and scored on those of `valid`: clean, and what the enhancer left at 0 and 10 dB. A clip is the mean of
its segments of two seconds. Statistics are mean and standard deviation of every log-mel band of a segment.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch

from voxfield.features.log_mel import LogMel
from voxfield.models.code_histogram import CodeHistogram, CodeHistogramConfig
from voxfield.runtime import load_engine
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.sources import read_source
from voxfield.train.noise_kinds import left_over, segments, solve, tokens_of

CORPUS, RATE_HZ = "esc10", 16000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("--tokenizer", default="noise-vqvae")
    parser.add_argument("--enhancer", default="crn-small")
    parser.add_argument("--cache", default="runs/cache")
    given = parser.parse_args()
    with Path(given.manifest).open(encoding="utf-8", newline="") as file:
        wanted = {
            str(Path(given.manifest).parent / row["path"]) for row in csv.DictReader(file) if row["corpus"] == CORPUS
        }
    tokenizer, enhancer = load_engine(given.tokenizer), load_engine(given.enhancer)
    banks = {}
    for split in ("train", "valid"):
        clips = [clip for clip in read_source(given.manifest, "noise", split) if clip.path in wanted]
        speech = read_source(given.manifest, "speech", split)
        banks[split] = AudioBank(clips, RATE_HZ, given.cache), AudioBank(speech, RATE_HZ, given.cache)
    labels = sorted({clip.group for clip in banks["train"][0].clips})
    torch.manual_seed(0)
    sets = {name: _sounds(*banks[split], snr, enhancer) for name, split, snr in CASES}
    made = {name: _features(sounds, tokenizer, labels) for name, sounds in sets.items()}
    print(f"{'features':22} {'numbers':>7} {'weight decay':>12} " + " ".join(f"{name:>7}" for name in TESTED))
    for which, name in ((0, "histograms of codes"), (1, "log-mel statistics")):
        x = torch.cat([made[case][which] for case in ("train", "train, left")])
        y = torch.cat([made[case][2] for case in ("train", "train, left")])
        middle, spread = (x.mean(0), x.std(0) + 1e-6) if which else (0.0, 1.0)
        for decay in DECAYS:
            layer = torch.nn.Linear(x.shape[1], len(labels))
            solve(layer, (x - middle) / spread, y, decay)
            right = [_right(layer, (made[case][which] - middle) / spread, *made[case][2:]) for case in TESTED]
            print(f"{name:22} {x.shape[1]:7} {decay:12g} " + " ".join(f"{100 * share:6.1f}%" for share in right))


CASES = (  # name, split, SNR of speech over it; None for the noise alone
    ("train", "train", None),
    ("train, left", "train", (0.0, 15.0)),
    ("clean", "valid", None),
    ("10 dB", "valid", (10.0, 10.0)),
    ("0 dB", "valid", (0.0, 0.0)),
)
TESTED = ("clean", "10 dB", "0 dB")
DECAYS = (1e-5, 1e-4, 1e-3)


def _sounds(noise, speech, snr_db, enhancer):
    """(Label, samples) of each clip, or of what is left of it."""
    made = []
    for number, clip in enumerate(noise.clips):
        audio = noise.clip(number)
        if snr_db is not None:
            rng = np.random.default_rng(number)
            talk = np.concatenate([speech.clip(int(at)) for at in rng.integers(len(speech), size=2)])
            count = max(len(audio), round(2.1 * RATE_HZ))
            talk, under = (np.resize(sound, count) for sound in (talk, audio))
            audio = left_over(under, talk, rng.uniform(*snr_db), enhancer, RATE_HZ)
        made.append((clip.group, audio))
    return made


def _features(sounds, tokenizer, labels):
    """(Histograms (S, ...), statistics (S, ...), class (S,), clip (S,)) of all segments."""
    probe = CodeHistogram(CodeHistogramConfig(labels=("a", "b"), codes=tokenizer.card.interface.codes))
    pieces = [segments(audio, LogMel(), probe.config.segment_frames) for _, audio in sounds]
    codes = torch.from_numpy(np.concatenate([tokens_of(tokenizer, of_clip) for of_clip in pieces]))
    with torch.no_grad():
        histograms = torch.cat([probe.histogram(part) for part in codes.split(64)])
    bands = torch.from_numpy(np.concatenate(pieces))
    counts = torch.tensor([len(of_clip) for of_clip in pieces])
    classes = torch.tensor([labels.index(label) for label, _ in sounds])
    clips = torch.arange(len(sounds)).repeat_interleave(counts)
    return histograms, torch.cat([bands.mean(2), bands.std(2)], 1), classes.repeat_interleave(counts), clips


@torch.no_grad()
def _right(layer, x, classes, clips):
    """Share of the clips whose mean log-probability is highest for their class."""
    scores = layer(x).log_softmax(1)
    found = [scores[clips == clip].mean(0).argmax() == classes[clips == clip][0] for clip in clips.unique()]
    return float(torch.stack(found).float().mean())


if __name__ == "__main__":
    main()
