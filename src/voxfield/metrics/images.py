"""How near an image is to another."""

from __future__ import annotations

import math

import numpy as np

from voxfield.errors import InputError
from voxfield.protocols import Array


def psnr_db(image: Array, reference: Array) -> float:
    """1 over the mean square of the difference of two images (C, H, W) from 0 to 1, in dB; infinite where they are one.

    Raises:
        InputError: their shapes differ.

    >>> round(psnr_db(np.full((3, 4, 4), 0.6, np.float32), np.full((3, 4, 4), 0.5, np.float32)), 3)
    20.0
    """
    if image.shape != reference.shape:
        raise InputError(f"images to compare have one shape (C, H, W), not {image.shape} and {reference.shape}")
    error = float(np.square(np.asarray(image, np.float64) - reference).mean())
    return -10 * math.log10(error) if error else math.inf
