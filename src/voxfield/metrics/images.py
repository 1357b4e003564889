"""How near an image is to another: peak signal-to-noise ratio, and structural similarity."""

from __future__ import annotations

import math

import numpy as np

from voxfield.errors import InputError
from voxfield.protocols import Array

_DEVIATION_PX, _REACH_PX = 1.5, 5  # of the Gaussian window of SSIM: 11 x 11
_LEAST = (0.01**2, 0.03**2)  # that keep its fractions finite
LUMA = (0.299, 0.587, 0.114)


def psnr_db(image: Array, reference: Array) -> float:
    """1 over the mean square of the difference of two images (C, H, W) from 0 to 1, in dB; infinite where they are one.

    Raises:
        InputError: their shapes differ.

    >>> round(psnr_db(np.full((3, 4, 4), 0.6, np.float32), np.full((3, 4, 4), 0.5, np.float32)), 3)
    20.0
    """
    _refuse_shapes(image, reference)
    error = float(np.square(np.asarray(image, np.float64) - reference).mean())
    return -10 * math.log10(error) if error else math.inf


def ssim(image: Array, reference: Array) -> float:
    """Structural similarity (Wang et al. 2004) of the brightness of two images (C, H, W) from 0 to 1: 1 for the same.

    The mean over all places at which the window of 11 x 11 pixels lies within the image.

    Raises:
        InputError: their shapes differ, or a side has fewer than 11 pixels.
    """
    _refuse_shapes(image, reference)
    side = 2 * _REACH_PX + 1
    if min(image.shape[1:]) < side:
        raise InputError(
            f"the similarity of images needs {side} x {side} pixels, not {image.shape[2]} x {image.shape[1]}"
        )
    x, y = (_brightness(one) for one in (image, reference))
    mean_x, mean_y, square_x, square_y, product = map(_windowed, (x, y, x * x, y * y, x * y))
    spread_x, spread_y, common = square_x - mean_x**2, square_y - mean_y**2, product - mean_x * mean_y
    level = (2 * mean_x * mean_y + _LEAST[0]) / (mean_x**2 + mean_y**2 + _LEAST[0])
    return float((level * (2 * common + _LEAST[1]) / (spread_x + spread_y + _LEAST[1])).mean())


def _brightness(image: Array) -> np.ndarray:
    double = np.asarray(image, np.float64)
    brightness: np.ndarray = np.tensordot(LUMA, double, 1) if len(double) == 3 else double.mean(axis=0)
    return brightness


def _windowed(values: np.ndarray) -> np.ndarray:
    """Means under a Gaussian window at all places where it fits."""
    weights = np.exp(-0.5 * (np.arange(-_REACH_PX, _REACH_PX + 1) / _DEVIATION_PX) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(values, len(weights), axis=axis)
        values = windows @ weights
    return values


def _refuse_shapes(image: Array, reference: Array) -> None:
    if image.shape != reference.shape or image.ndim != 3:
        raise InputError(f"images to compare have one shape (C, H, W), not {image.shape} and {reference.shape}")
