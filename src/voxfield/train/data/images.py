"""Images to train on, and square cuts of them.

An image is read once and kept in the cache in 8 bits, scaled down to a longer side of at most `LARGEST_PX`: photographs
from a camera hold little at the scale of their own pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from voxfield.errors import RecipeError
from voxfield.files import written_whole
from voxfield.images import picture
from voxfield.protocols import Array
from voxfield.train.data.banks import stamp
from voxfield.train.data.sources import Clip

LARGEST_PX = 1600


@dataclass(frozen=True)
class CutConfig:
    """How images are cut; probabilities are per cut."""

    cut_px: int = 64
    largest_scale: float = 2.5  # so many pixels of an image become one at most
    mirrored: float = 0.5
    recoloured: float = 0.5  # each colour and the contrast in other proportions
    grey: float = 0.05

    def __post_init__(self) -> None:
        if self.cut_px < 1 or self.largest_scale < 1:
            raise RecipeError("[mix] cut_px and largest_scale must be 1 or more")

    @property
    def duration_s(self) -> float:
        """An image has none."""
        return 0.0


class ImageBank:
    """Images by number, each (3, H, W) 8-bit.

    Args:
        clips: their files.
        cache: folder of the images as they are used; what is missing there is made now.

    Raises:
        InputError: a file is missing or cannot be read; it is named.
    """

    def __init__(self, clips: Sequence[Clip], cache: str | Path) -> None:
        self.names = [clip.path for clip in clips]
        self._images = [_kept(Path(name), Path(cache)) for name in self.names]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._images[index]


class Cuts:
    """`mix(epoch, index)` -> (cut (C, cut_px, cut_px) from -1 to 1,)."""

    def __init__(self, config: CutConfig, bank: ImageBank, channels: int, seed: int) -> None:
        self.config, self.bank, self.channels, self.seed = config, bank, channels, seed

    def mix(self, epoch: int, index: int) -> tuple[Array]:
        """The cut of a number; images take turns in an order of their own in every epoch."""
        config, rng = self.config, np.random.default_rng((self.seed, epoch, index))
        turn, place = divmod(index, len(self.bank))
        order = np.random.default_rng((self.seed, epoch, turn, 0)).permutation(len(self.bank))
        image = self.bank[int(order[place])]
        shorter = min(image.shape[1:])
        scale = math.exp(rng.uniform(0, math.log(max(1.0, min(config.largest_scale, shorter / config.cut_px)))))
        side = min(round(scale * config.cut_px), shorter)
        row, column = (int(rng.integers(size - side + 1)) for size in image.shape[1:])
        cut = resized(image[:, row : row + side, column : column + side], (config.cut_px, config.cut_px)) / 255
        if rng.random() < config.mirrored:
            cut = cut[:, :, ::-1]
        if rng.random() < config.recoloured:
            cut = (rng.uniform(0.6, 1, (3, 1, 1)) * cut ** rng.uniform(0.7, 1.5)).astype(np.float32)
        if self.channels == 1 or rng.random() < config.grey:
            cut = cut.mean(axis=0, keepdims=True).repeat(self.channels, axis=0)
        return (np.ascontiguousarray(2 * cut - 1, np.float32),)


def resized(image: NDArray[np.uint8] | Array, shape: tuple[int, int]) -> Array:
    """(C, H, W) values in another size, each the mean of what it covers."""
    x = torch.from_numpy(np.array(image, np.float32))[None]
    if x.shape[2:] != shape:
        x = F.interpolate(x, shape, mode="bilinear", antialias=True)
    values: Array = x[0].clamp(0, 255).numpy()
    return values


def _kept(path: Path, cache: Path) -> NDArray[np.uint8]:
    kept = cache / f"image-{stamp(path, LARGEST_PX)}.npy"
    if not kept.exists():
        values: Array = 255 * picture.read(path).values
        shrink = max(1.0, max(values.shape[1:]) / LARGEST_PX)
        size = max(1, round(values.shape[1] / shrink)), max(1, round(values.shape[2] / shrink))
        image = np.round(resized(values, size)).astype(np.uint8).repeat(3 // len(values), axis=0)
        with written_whole(kept) as partial, partial.open("wb") as file:
            np.save(file, image, allow_pickle=False)
    stored: NDArray[np.uint8] = np.load(kept, mmap_mode="r", allow_pickle=False)
    return stored
