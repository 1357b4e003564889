"""`voxfield evaluate` of a separating model: folders of mixtures and of the voices they are made of."""

import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def evaluate_voices(mixed: Path, voices: Path, model: str, measures: str, limit: int, as_json: bool) -> None:
    """Print the scores of a separating model.

    Args:
        mixed: folder of mixtures, such as `mix_clean`.
        voices: the folder that holds `s1`, `s2` ...
        model: name or .onnx file.
        measures: comma-separated, of `si_sdr`, `sdr`, `pesq`, `stoi`, `swaps`; those that are installed if empty.
        limit: score only the first so many; 0 for all.
        as_json: one JSON object instead of a list for people.
    """
    from voxfield.audio import read
    from voxfield.tasks.evaluate_separation import MEASURES, evaluate_separation, mixtures
    from voxfield.tasks.separate import separate, separating_engine

    engine = separating_engine(model)
    rate_hz = engine.card.interface.sample_rate_hz
    needs = {"sdr": "fast_bss_eval", "pesq": "pesq", "stoi": "pystoi"}
    there = [name for name in MEASURES if name not in needs or find_spec(needs[name])]
    chosen = measures.split(",") if measures else there
    if not measures and len(there) < len(MEASURES):
        absent = ", ".join(name for name in MEASURES if name not in there)
        print(f"not installed, so not measured: {absent}; see pip install 'voxfield[metrics,pesq]'", file=sys.stderr)

    def recordings() -> Iterator[tuple[str, Any, Any]]:
        import numpy as np

        for number, (name, path, parts) in enumerate(mixtures(mixed, voices, engine.card.interface.sources), start=1):
            if limit and number > limit:
                return
            print(f"\r{number} {name}", end="", file=sys.stderr, flush=True)
            sounds = [read(one, rate_hz=rate_hz, mono=True)[0] for one in (path, *parts)]
            n = min(len(sound) for sound in sounds)
            yield name, sounds[0][:n], np.stack([sound[:n] for sound in sounds[1:]])

    def process(mixture: Any) -> Any:
        return separate(mixture, rate_hz, model=engine).voices[:, 0]

    table = evaluate_separation(recordings(), process, rate_hz, chosen).to_dict()
    print(file=sys.stderr)
    if as_json:
        print(json.dumps({"model": engine.card.name, **table}))
        return
    for name, value in table.items():
        print(f"{name:20} {value}")
