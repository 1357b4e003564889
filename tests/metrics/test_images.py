"""PSNR against its definition."""

import numpy as np
import pytest

from voxfield.errors import InputError
from voxfield.metrics.images import psnr_db


def images(seed=0, channels=3):
    rng = np.random.default_rng(seed)
    image = np.clip(np.cumsum(rng.normal(0, 0.05, (channels, 20, 24)), axis=2) + 0.5, 0, 1).astype(np.float32)
    return image, np.clip(image + rng.normal(0, 0.05, image.shape), 0, 1).astype(np.float32)


def test_psnr():
    image, noisy = images()
    assert psnr_db(noisy, image) == pytest.approx(-10 * np.log10(np.mean((noisy - image) ** 2)), abs=1e-4)
    assert psnr_db(image, image) == np.inf


def test_images_that_cannot_be_compared():
    image, _ = images()
    with pytest.raises(InputError, match="one shape"):
        psnr_db(image, image[:, :-1])
