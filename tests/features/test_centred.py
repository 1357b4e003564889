"""The features of SpeechBrain and TaoRuijie, against their definitions written down once more with torch's own STFT."""

import numpy as np
import pytest
import torch

from voxfield.errors import InputError
from voxfield.features import FeatureStream, features_named


def mel(hz):
    return 2595 * np.log10(1 + hz / 700)


def edges_hz(low_hz, high_hz):
    return torch.from_numpy(700 * (10 ** (np.linspace(mel(low_hz), mel(high_hz), 82) / 2595) - 1))


def speechbrain(x):
    """`Fbank(n_mels=80)` and `InputNormalization(norm_type="sentence", std_norm=False)`."""
    stft = torch.stft(x, 400, 160, 400, torch.hamming_window(400).double(), True, "constant", return_complex=True)
    hz = edges_hz(0, 8000)
    slope = (torch.linspace(0, 8000, 201).double() - hz[1:-1, None]) / (hz[1:] - hz[:-1])[:-1, None]
    power = torch.clamp(torch.minimum(slope + 1, 1 - slope), min=0) @ stft.abs() ** 2
    db = 10 * torch.log10(torch.clamp(power, min=1e-10))
    db = torch.maximum(db, db.max() - 80)
    return db - db.mean(1, keepdim=True)


def taoruijie(x):
    """`PreEmphasis`, torchaudio's `MelSpectrogram` and the lines behind them in `ECAPA_TDNN.forward`."""
    x = torch.nn.functional.pad(x[None], (1, 0), mode="reflect")[0]
    x = x[1:] - 0.97 * x[:-1]
    stft = torch.stft(x, 512, 160, 400, torch.hamming_window(400).double(), True, "reflect", return_complex=True)
    hz, bins = edges_hz(20, 7600), torch.linspace(0, 8000, 257).double()
    up = (bins - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    down = (hz[2:, None] - bins) / (hz[2:] - hz[1:-1])[:, None]
    bands = torch.log(torch.clamp(torch.minimum(up, down), min=0) @ stft.abs() ** 2 + 1e-6)
    return bands - bands.mean(1, keepdim=True)


PLAIN = {"speechbrain": speechbrain, "taoruijie": taoruijie}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("count", [401, 16_000, 50_001])
def test_equal_to_the_definition(name, count, speech):
    samples, kind = speech(1, count)[0], features_named(name, 80, 16000)
    samples[9_000:12_000] *= 1e-5  # as good as silence, further below the rest than the range of decibels
    stream = FeatureStream(kind)
    got = kind.finished(np.concatenate([stream.feed(samples), stream.flush()], axis=1))
    wanted = PLAIN[name](torch.from_numpy(samples).double()).numpy()
    assert got.shape == wanted.shape and got.dtype == np.float32
    assert np.abs(got - wanted).max() < 1e-3


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("count", [0, 1, 2, 159, 160, 400, 401, 512, 513, 3333])
def test_blocks_equal_the_whole(name, count, speech):
    kind, rng = features_named(name, 80, 16000), np.random.default_rng(count)
    samples = speech(1, 4000)[0, :count]
    wanted = None
    for pieces in (0, 2, 7, 40):
        stream = FeatureStream(kind)
        cuts = np.sort(rng.integers(0, count + 1, pieces))
        got = np.concatenate([*(stream.feed(part) for part in np.split(samples, cuts)), stream.flush()], axis=1)
        wanted = got if wanted is None else wanted
        assert got.shape == (80, kind.frames(count)) and np.isfinite(got).all()
        assert np.abs(got - wanted).max(initial=0) < 1e-3


def test_another_rate_is_refused():
    with pytest.raises(InputError, match="not of 8000 Hz"):
        features_named("speechbrain", 80, 8000)
