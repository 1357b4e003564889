"""Whole recordings in memory, at the rate that is wanted."""

import numpy as np

from voxfield.audio.opener import Given, open_source
from voxfield.audio.resampler import resample
from voxfield.protocols import Array


def load(given: Given, rate_hz: int | None = None, *, mono: bool = False) -> tuple[Array, int]:
    """All samples (C, N) of a recording and their rate; where `mono` is set, (1, N) of all channels mixed.

    Other arguments, and errors, are those of `open_source`.
    """
    with open_source(given, rate_hz) as source:
        return np.concatenate(list(source.blocks(mono=mono)), axis=1), source.rate_hz


def read(given: Given, own_hz: int | None = None, *, rate_hz: int, mono: bool = False) -> Array:
    """All samples of a recording, brought to `rate_hz`; other arguments, and errors, as for `load`."""
    samples, from_hz = load(given, own_hz, mono=mono)
    return resample(samples, from_hz, rate_hz)
