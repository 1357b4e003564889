"""The torch STFT against the numpy one that users run."""

import numpy as np
import pytest
import torch

from voxfield import features
from voxfield.nn.stft import Stft


@pytest.mark.parametrize("samples", [1, 256, 1000, 5120])
def test_inverse_gives_the_recording_back(samples):
    x = torch.randn(2, samples)
    stft = Stft(512)
    torch.testing.assert_close(stft.inverse(stft(x), samples), x, atol=1e-5, rtol=1e-5)


def test_equals_the_streaming_transform_of_the_light_half():
    x = torch.randn(1, 256 * 9)
    light = features.Stft(512, 256)
    spectrum, _ = light.analyse(x.numpy(), light.initial_state(1))
    ours = Stft(512)(x)[..., : spectrum.shape[-1]].numpy()
    np.testing.assert_allclose(ours, spectrum, atol=1e-4)


@pytest.mark.parametrize("hop", [64, 96, 128, 200, 256])
def test_any_hop_of_up_to_half_a_window(hop):
    x = torch.randn(2, 3000)
    stft = Stft(512, hop)
    spectrum = stft(x)
    torch.testing.assert_close(stft.inverse(spectrum, 3000), x, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(spectrum.numpy(), features.stft(x.numpy(), 512, hop), atol=1e-4)
