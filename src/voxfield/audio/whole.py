"""Whole recordings in memory, at the rate that is wanted."""

import numpy as np

from voxfield.audio.opener import Given, open_source
from voxfield.audio.resampler import resample
from voxfield.protocols import Array
from voxfield.samples import mixed


def load(given: Given, rate_hz: int | None = None) -> tuple[Array, int]:
    """All samples (C, N) of a recording and their rate; arguments and errors as for `open_source`."""
    with open_source(given, rate_hz) as source:
        return np.concatenate(list(source.blocks()), axis=1), source.rate_hz


def read(given: Given, *, rate_hz: int, mono: bool = False) -> Array:
    """All samples (C, N) of a recording, brought to `rate_hz`; its channels mixed, (1, N), where `mono` is set.

    Raises:
        AudioError: it cannot be read; the message says why.
    """
    samples, own_hz = load(given)
    samples = mixed(samples)[None] if mono else samples
    return resample(samples, own_hz, rate_hz)
