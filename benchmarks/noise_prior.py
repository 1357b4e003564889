"""Bits that a prior needs for each code of noise it has not seen, beside codes by how often they occur, and by chance.

    python benchmarks/noise_prior.py runs/noise-prior/checkpoint.safetensors > scores.json

The averaged weights of a training checkpoint are scored on pieces of the validation split of the recipe's data. How
often each code occurs is counted on pieces of the training split, plus one for each code. The result is what
`voxfield export --measured` takes.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch

from voxfield.models import architecture
from voxfield.tasks.tokens.recording import weights_of
from voxfield.tasks.work import engine_for
from voxfield.train import checkpoint
from voxfield.train.recipe import from_dict
from voxfield.train.tasks.prior import PriorTask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--pieces", type=int, default=200, help="of the validation split")
    parser.add_argument("--counted", type=int, default=1000, help="pieces of the training split")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    parts, about = checkpoint.load(chosen.checkpoint)
    recipe = from_dict(about["recipe"])
    net = architecture(recipe.architecture)[1](recipe.model).eval()
    checkpoint.restore(net, parts["ema"], str(chosen.checkpoint))
    task, codes, columns = PriorTask(recipe), recipe.model.codes, recipe.model.columns
    counts = np.ones(codes)
    for index in range(chosen.counted):
        counts += np.bincount(task.mixer.mix(0, index)[0][-columns:].ravel(), minlength=codes)
    cost = -np.log2(counts / counts.sum())
    bits, often = [], []
    for index in range(chosen.pieces):
        tokens = task.validation.mix(0, index)
        bits.append(task.score(net, tokens)["bits_per_code"])
        often.append(float(cost[tokens[0][-columns:]].mean()))
    coder = engine_for(recipe.mix.tokenizer, "tokenize")
    found = {
        "bits_per_code": round(float(np.mean(bits)), 3),
        "bits_per_code_by_frequency": round(float(np.mean(often)), 3),
        "bits_per_code_by_chance": round(math.log2(codes), 3),
        "pieces": chosen.pieces,
        "tokenizer": coder.card.name,
        "weights": weights_of(coder),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
