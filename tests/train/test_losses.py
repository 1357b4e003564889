"""Losses: zero (or best) for the target, worse for worse estimates, with gradients that stay finite."""

import pytest
import torch

from voxfield.metrics.enhancement import si_sdr_db as measured_si_sdr_db
from voxfield.nn.stft import Stft
from voxfield.train.losses.enhancement import LoudnessDifference, Unintelligibility, compressed_spectrum_loss, si_sdr_db

STFT = Stft()


def spectra(loss):
    """A loss of powers as a loss of samples."""
    return lambda estimate, target: loss(STFT(estimate).square().sum(1), STFT(target).square().sum(1))


LOSSES = {
    "spectrum": lambda estimate, target: compressed_spectrum_loss(STFT(estimate), STFT(target)),
    "si_sdr": lambda estimate, target: -si_sdr_db(estimate, target),
    "loudness": spectra(LoudnessDifference()),
    "intelligibility": spectra(Unintelligibility()),
}


@pytest.fixture(scope="module")
def speech(made_up_speech):
    samples = torch.from_numpy(made_up_speech)[None]
    return samples / samples.std()


@pytest.mark.parametrize("name", LOSSES)
def test_less_noise_is_less_loss(name, speech):
    noise = torch.randn(speech.shape, generator=torch.Generator().manual_seed(0))
    values = [float(LOSSES[name](speech + gain * noise, speech)) for gain in (0, 0.05, 0.3, 1)]
    assert values == sorted(values)
    assert values[0] <= {"si_sdr": -39.9}.get(name, 0.02)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("estimate", ["silent", "target", "noise"])
def test_gradients_are_finite(name, estimate, speech):
    x = {"silent": torch.zeros_like(speech), "target": speech, "noise": torch.randn_like(speech)}[estimate]
    x = x.clone().requires_grad_()
    LOSSES[name](x, speech).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_si_sdr_agrees_with_the_measure(speech):
    estimate = 3 * speech + 0.4 * torch.randn_like(speech)
    expected = measured_si_sdr_db(estimate[0].numpy(), speech[0].numpy())
    assert float(si_sdr_db(estimate, speech, 100)) == pytest.approx(expected, abs=1e-3)


def test_loudness_minds_what_was_added_more_than_what_is_missing(speech):
    loss = LOSSES["loudness"]
    hum = 0.2 * torch.sin(torch.arange(speech.shape[1]) * 0.9)[None]
    assert float(loss(speech + hum, speech)) > float(loss(speech, speech + hum))
