"""Fits the probe that tells embeddings of speech from those of noise: one linear layer."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from voxfield.models.linear_probe import LinearProbe, LinearProbeConfig
from voxfield.protocols import Array
from voxfield.train.noise_kinds import solve

NOISE = "noise"


def fit(config: LinearProbeConfig, vectors: Array, speech: np.ndarray, decay: float) -> LinearProbe:
    """The probe of embeddings (N, D) of sounds that are speech (N,) or not."""
    net = LinearProbe(config)
    solve(net.scores, F.normalize(torch.from_numpy(vectors)), torch.from_numpy(speech).long(), decay)
    return net.eval()


@torch.no_grad()
def surprise(net: LinearProbe, vectors: Array, speech: np.ndarray) -> float:
    """Mean surprise at embeddings (N, D), in nats; those of speech weigh as much as those of noise."""
    missed = -net(torch.from_numpy(vectors)).gather(1, torch.from_numpy(speech).long()[:, None])[:, 0]
    return float(missed[speech].mean() + missed[~speech].mean()) / 2
