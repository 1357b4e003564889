"""Scores of images against their definitions."""

import numpy as np
import pytest

from voxfield.errors import InputError
from voxfield.metrics.images import psnr_db, ssim


def images(seed=0, channels=3):
    rng = np.random.default_rng(seed)
    image = np.clip(np.cumsum(rng.normal(0, 0.05, (channels, 20, 24)), axis=2) + 0.5, 0, 1).astype(np.float32)
    return image, np.clip(image + rng.normal(0, 0.05, image.shape), 0, 1).astype(np.float32)


def test_psnr():
    image, noisy = images()
    assert psnr_db(noisy, image) == pytest.approx(-10 * np.log10(np.mean((noisy - image) ** 2)), abs=1e-4)
    assert psnr_db(image, image) == np.inf


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_is_the_sum_over_windows(channels):
    """Each window of 11 x 11 by the formula of the paper, one after the other."""
    image, noisy = images(1, channels)
    grey = [one[0] if channels == 1 else 0.299 * one[0] + 0.587 * one[1] + 0.114 * one[2] for one in (image, noisy)]
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(window, window) / np.outer(window, window).sum()
    found = []
    for row in range(10):
        for column in range(14):
            x, y = (one[row : row + 11, column : column + 11].astype(np.float64) for one in grey)
            mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
            spread_x, spread_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
            common = (weights * (x - mean_x) * (y - mean_y)).sum()
            found.append(
                (2 * mean_x * mean_y + 1e-4) * (2 * common + 9e-4)
                / (mean_x**2 + mean_y**2 + 1e-4) / (spread_x + spread_y + 9e-4)
            )  # fmt: skip
    assert ssim(noisy, image) == pytest.approx(np.mean(found), abs=1e-6) and 0.2 < ssim(noisy, image) < 0.99
    assert ssim(image, image) == pytest.approx(1)


def test_images_that_cannot_be_compared():
    image, _ = images()
    with pytest.raises(InputError, match="one shape"):
        psnr_db(image, image[:, :-1])
    with pytest.raises(InputError, match="11 x 11"):
        ssim(image[:, :10], image[:, :10])
