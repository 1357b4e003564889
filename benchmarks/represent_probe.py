"""What frozen features know of a speaker, by a linear probe against log-mels: sex, age group and identity.

    python benchmarks/represent_probe.py data/MANIFEST.csv --model wav2vec-small     # needs "voxfield[bench]"

Every recording of the validation speakers becomes one vector, the mean and the standard deviation over time of each
feature; on top of it a linear classifier by ridge regression, whose regularisation is chosen within the training part.
No weight of the network changes, and none of these speakers was in its training.

`identity`, `sex` and `age` are of unseen recordings of speakers whose other recordings, four in five, were in the
training part; `sex, new speakers` and `age, new speakers` leave out one speaker after the other. Age is of those for
whom it is known, under 16 or not. Accuracies are balanced: the mean over classes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the problems are small

import numpy as np
import soundfile
from sklearn.linear_model import RidgeClassifierCV
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from table import table

import voxfield as vf
from voxfield.features import fbank

FOLDS, LEAST_RECORDINGS, GROWN_UP = 5, 10, 16


def recordings(manifest: Path, split: str) -> list[dict[str, str]]:
    """Rows of speech by speakers who have enough of it."""
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "speech" and row["split"] == split]
    counts = Counter(row["speaker"] for row in rows)
    return [row for row in rows if counts[row["speaker"]] >= LEAST_RECORDINGS]


def statistics(frames: np.ndarray) -> np.ndarray:
    """(2 C,) mean and standard deviation over time of (C, T)."""
    return np.concatenate([frames.mean(1), frames.std(1)])


def vectors(rows: Sequence[dict[str, str]], folder: Path, model: str) -> dict[str, np.ndarray]:
    """(recordings, features) for log-mels and for each layer of the network."""
    engine = vf.load_engine(model)
    names = [layer.name for layer in engine.card.interface.layers]
    found: dict[str, list[np.ndarray]] = {"log-mel": [], **{name: [] for name in names}}
    for row in rows:
        samples, rate_hz = soundfile.read(folder / row["path"], dtype="float32")
        found["log-mel"].append(statistics(fbank(samples)))
        for name in names:
            found[name].append(statistics(vf.represent(samples, rate_hz, model=engine, layer=name).features))
    made = {name: np.stack(parts) for name, parts in found.items()}
    return made | {" and ".join(names): np.concatenate([made[name] for name in names], axis=1)}


def accuracy(x: np.ndarray, labels: np.ndarray, parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Balanced accuracy over the held-out parts taken together."""
    guessed = np.empty_like(labels)
    for train, held_out in parts:
        probe = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(-1, 5, 13), class_weight="balanced"))
        guessed[held_out] = probe.fit(x[train], labels[train]).predict(x[held_out])
    return float(balanced_accuracy_score(labels, guessed))


def measured(rows: Sequence[dict[str, str]], features: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Accuracy by question and by feature."""
    speakers, sexes = (np.array([row[key] for row in rows]) for key in ("speaker", "gender"))
    ages = [re.search(r"age (\d+)", row["label"]) for row in rows]
    known = np.array([age is not None for age in ages])
    young = np.array([age is not None and int(age[1]) < GROWN_UP for age in ages])
    everyone = np.ones(len(rows), bool)
    questions = {
        "identity": (everyone, speakers, False),
        "sex": (everyone, sexes, False),
        "age": (known, young, False),
        "sex, new speakers": (everyone, sexes, True),
        "age, new speakers": (known, young, True),
    }
    found = {}
    for question, (chosen, labels, new_speakers) in questions.items():
        of_whom, labels = speakers[chosen], labels[chosen]
        if new_speakers:
            parts = list(LeaveOneGroupOut().split(labels, groups=of_whom))
        else:
            parts = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(labels, of_whom))
        found[question] = {name: accuracy(x[chosen], labels, parts) for name, x in features.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--model", default="wav2vec-small", help="name or .onnx file")
    parser.add_argument("--split", default="valid")
    parser.add_argument("--vectors", type=Path, help="an .npz to keep the vectors in, or to take them from")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = recordings(chosen.manifest, chosen.split)
    if chosen.vectors is not None and chosen.vectors.exists():
        with np.load(chosen.vectors) as file:
            made = dict(file)
    else:
        made = vectors(rows, chosen.manifest.parent, chosen.model)
        if chosen.vectors is not None:
            np.savez(chosen.vectors, **made)
    found = measured(rows, made)
    if chosen.json:
        print(json.dumps({"recordings": len(rows), "accuracy": found}))
        return
    names = list(next(iter(found.values())))
    lines = [[question, *(f"{100 * row[name]:.1f} %" for name in names)] for question, row in found.items()]
    print(table([f"{len(rows)} recordings", *names], lines, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
