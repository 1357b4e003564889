"""The log-mel filter bank equals kaldi-native-fbank's and torchaudio's, in numpy and in torch, whole and in blocks.

`kaldi_fbank.npz` holds two waves and what kaldi-native-fbank 1.22.5 and torchaudio 2.11 made of them (the beginning of
the longer one, where its end would be mirrored).
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from voxfield.errors import InputError
from voxfield.features import Fbank, FeatureStream, fbank, features_named, mel_matrix, minus_mean
from voxfield.nn.fbank import FilterBank

WANTED = np.load(Path(__file__).with_name("kaldi_fbank.npz"))
CONFIGS = {
    "wespeaker_hamming80": Fbank(),
    "povey80": Fbank(window="povey"),
    "hamming80_nosnip": Fbank(snip_edges=False),
    "povey80_nosnip": Fbank(window="povey", snip_edges=False),
    "sherpa_povey80_nosnip_high-400": Fbank(window="povey", snip_edges=False, high_hz=-400.0),
    "hamming40_8k": Fbank(8000, 40, window_samples=200, hop_samples=80),
    "hanning23": Fbank(bands=23, window="hann"),
}
CASES = [name for name in WANTED.files if not name.startswith("wave")]


@pytest.mark.parametrize("name", CASES)
def test_equals_kaldi_and_torchaudio(name):
    _, wave, kind = name.split(".")
    wanted = WANTED[name]
    got = fbank(WANTED[f"wave.{wave}"], CONFIGS[kind])
    frames = wanted.shape[1]
    assert got.dtype == np.float32 and 0 <= got.shape[1] - frames <= 2 * (wave == "0")
    assert np.abs(got[:, :frames] - wanted).max() < 1e-3


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("count", [0, 1, 79, 80, 199, 399, 400, 401, 560, 3333])
def test_blocks_equal_the_whole(kind, count):
    config, rng = CONFIGS[kind], np.random.default_rng(count)
    samples = (0.1 * rng.standard_normal(count)).astype(np.float32)
    whole = fbank(samples, config)
    assert whole.shape == (config.bands, config.frames(count)) and np.isfinite(whole).all()
    for pieces in (2, 7, 40):
        stream = FeatureStream(config)
        cuts = np.sort(rng.integers(0, count + 1, pieces))
        parts = [stream.feed(part) for part in np.split(samples, cuts)]
        assert np.abs(np.concatenate([*parts, stream.flush()], axis=1) - whole).max(initial=0) < 1e-4


@pytest.mark.parametrize("config", [Fbank(), Fbank(window="povey"), Fbank(8000, 40, "hamming", 200, 80, 50.0, -300.0)])
def test_numpy_equals_torch(config):
    samples = 0.1 * torch.randn(2, 9000, generator=torch.Generator().manual_seed(0))
    layer = FilterBank(config)
    bands = layer(samples)
    assert np.array_equal(layer.matrix.numpy(), config.matrix)
    for row, wanted in zip(samples, bands, strict=True):
        assert np.abs(fbank(row.numpy(), config) - wanted.numpy()).max() < 1e-3


def test_the_torch_layer_has_finite_gradients_on_silence():
    samples = torch.zeros(1, 2000, requires_grad=True)
    FilterBank()(samples).sum().backward()
    assert torch.isfinite(samples.grad).all()


def test_silence_and_full_scale_give_numbers():
    assert np.allclose(fbank(np.zeros(800, np.float32)), np.log(np.finfo(np.float32).eps))
    assert np.isfinite(fbank(np.full(800, 1e6, np.float32))).all()


def test_the_mean_of_each_band_goes():
    features = fbank(WANTED["wave.0"])
    assert np.abs(minus_mean(features).mean(axis=1)).max() < 1e-4
    assert minus_mean(features[:, :0]).shape == (80, 0)


def test_every_band_has_weight_and_the_matrix_is_nobodys_to_change():
    matrix = mel_matrix(80, 512, 16000, 20.0, 0.0)
    assert (matrix.sum(axis=1) > 0).all() and matrix.max() <= 1
    with pytest.raises(ValueError, match="read-only"):
        matrix[0] = 0


@pytest.mark.parametrize(("low_hz", "high_hz"), [(20.0, 9000.0), (5000.0, 4000.0), (-1.0, 0.0), (20.0, -7990.0)])
def test_impossible_bands_are_refused(low_hz, high_hz):
    with pytest.raises(InputError, match="mel bands"):
        fbank(np.zeros(800, np.float32), Fbank(low_hz=low_hz, high_hz=high_hz))


def test_a_hop_beyond_the_window_is_refused():
    with pytest.raises(InputError, match="a hop of 500"):
        Fbank(hop_samples=500)


def test_features_are_found_by_name():
    assert features_named("kaldi-povey", 40, 8000) == Fbank(8000, 40, "povey", 200, 80)
    with pytest.raises(InputError, match="kaldi-hamming, kaldi-povey, speechbrain, taoruijie"):
        features_named("plp", 13, 16000)
