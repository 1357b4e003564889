"""The probe that tells speech from noise is fitted to embeddings."""

import numpy as np
import torch

from voxfield.models.linear_probe import LinearProbeConfig
from voxfield.tasks.speakers.speech_probe import SPEECH
from voxfield.train.speech_probe import NOISE, fit, surprise


def test_directions_of_two_kinds_are_told_apart_whatever_their_length_and_number():
    rng = np.random.default_rng(0)
    speech = np.arange(600) < 500
    means = np.where(speech[:, None], 1.0, -1.0) * rng.standard_normal(12)
    vectors = ((means + rng.standard_normal((600, 12))) * rng.uniform(0.1, 10, (600, 1))).astype(np.float32)
    net = fit(LinearProbeConfig((NOISE, SPEECH), embedding=12), vectors, speech, 1e-5)
    with torch.no_grad():
        named = net(torch.from_numpy(vectors)).argmax(1).numpy() == 1
    assert (named == speech)[speech].mean() > 0.97 and (named == speech)[~speech].mean() > 0.9
    assert surprise(net, vectors, speech) < 0.2 < np.log(2) < surprise(net, vectors, ~speech)
