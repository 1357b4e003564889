"""The transform below numpy's wrappers gives numpy's numbers, and those of a row do not depend on the others."""

import numpy as np
import pytest

from voxfield.features import transforms


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("window", [512, 320, 15])
def test_both_ways_give_numpys_numbers(window, direct, monkeypatch):
    if not direct:
        monkeypatch.setattr(transforms, "_direct", None)
    frames = np.random.default_rng(0).standard_normal((2, 3, window)).astype(np.float32)
    spectrum = np.empty((2, 3, window // 2 + 1), np.complex64)
    transforms.rfft(frames, spectrum)
    np.testing.assert_allclose(spectrum, np.fft.rfft(frames.astype(float)), atol=3e-5)
    back, one = np.empty_like(frames), np.empty((1, window), np.float32)
    transforms.irfft(spectrum, back)
    np.testing.assert_allclose(back, frames, atol=1e-6)
    transforms.irfft(spectrum[1, 2:], one)
    assert np.array_equal(one[0], back[1, 2])
