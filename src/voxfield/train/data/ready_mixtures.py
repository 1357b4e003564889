"""Mixtures that lie ready in folders, as in LibriMix and WSJ0-2mix: a folder of mixtures beside `s1`, `s2` ..."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voxfield.errors import InputError
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.sources import Clip

SUFFIXES = {".wav", ".flac"}
_TRIMMED_S = 0.1  # so much may be missing at the end of a file; beyond, it is another one


class ReadyMixtures:
    """Cuts of ready mixtures. `mix(epoch, index) -> (mixture (1, N), voices (S, N))`, float32, the same at every call.

    Args:
        roots: folders that hold `split/folder`, `split/s1` ... with files of the same names in each.
        split: such as `train-100` of LibriMix or `tr` of WSJ0-2mix; empty where the roots hold the folders themselves.
        folder: of the mixtures, such as `mix_clean` or `mix`.
        sources: S.
        duration_s: of a cut; shorter mixtures are filled up with silence.
        cache: where decoded audio is kept.

    Raises:
        InputError: a folder is missing, or a mixture lacks a voice, or one of its length.
    """

    def __init__(
        self,
        roots: Sequence[str | Path],
        split: str,
        folder: str,
        sources: int,
        sample_rate_hz: int,
        duration_s: float,
        cache: str | Path,
        seed: int = 0,
    ) -> None:
        self.samples, self.seed = round(duration_s * sample_rate_hz), seed
        parts = [folder, *(f"s{number}" for number in range(1, sources + 1))]
        names = [(root, path.name) for root in map(Path, roots) for path in _recordings(root / split / folder)]
        self.count = len(names)
        banks = []
        for part in parts:
            paths = [root / split / part / name for root, name in names]
            if absent := [path for path in paths if not path.is_file()]:
                raise InputError(f"{absent[0]} is missing: each mixture needs a file of its name in {', '.join(parts)}")
            banks.append(AudioBank([Clip(str(path)) for path in paths], sample_rate_hz, cache))
        self.banks = banks
        for number, mixture in enumerate(banks[0].clips):
            for bank in banks[1:]:
                if abs(bank.samples(number) - banks[0].samples(number)) > sample_rate_hz * _TRIMMED_S:
                    lengths_s = [one.samples(number) / sample_rate_hz for one in (bank, banks[0])]
                    raise InputError(
                        f"{bank.clips[number].path} lasts {lengths_s[0]:.2f} s and its mixture {mixture.path} "
                        f"{lengths_s[1]:.2f} s; a voice must be as long as its mixture"
                    )

    def mix(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, epoch, index))
        chosen = int(rng.integers(self.count))
        sounds = [bank.clip(chosen) for bank in self.banks]
        n = min(len(sound) for sound in sounds)
        start = int(rng.integers(max(n - self.samples, 0) + 1))
        cut = np.zeros((len(sounds), self.samples), np.float32)
        for row, sound in zip(cut, sounds, strict=True):
            piece = sound[start : min(n, start + self.samples)]
            row[: len(piece)] = piece
        return cut[:1], cut[1:]


def _recordings(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; set data.speech to the folder that holds it, and mix.folder to its name"
        )
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(f"{folder} holds no recordings ({', '.join(sorted(SUFFIXES))})")
    return paths
