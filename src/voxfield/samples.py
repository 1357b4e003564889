"""Numbers of any real type as samples: one scale for arrays, files and streams."""

import math

import numpy as np

from voxfield.errors import AudioError, InputError
from voxfield.protocols import Array

QUIET_DB = -120.0
CANCELLED = 1e-3  # of the power of the channels, below which their mean holds little but what differs between them
_HEARD = 1e-2  # of it, above which their mean is taken as it is
_GRID_SAMPLES = 2048  # of a recording, after each of which the past counts less
_FADED = 0.25  # to so much of what it counted for


def to_float(samples: np.ndarray) -> Array:
    """An array of any real type as float32; integers are scaled so that their full range is 1.

    >>> to_float(np.array([16384, -32768], np.int16)).tolist()
    [0.5, -1.0]

    Raises:
        AudioError: booleans, complex numbers, objects, or integers of 64 bits, whose full scale nobody knows.
    """
    if samples.dtype == np.float32:
        return samples
    if samples.dtype == np.uint8:
        return np.asarray((samples - 128.0) / 128, np.float32)
    if np.issubdtype(samples.dtype, np.signedinteger) and samples.dtype.itemsize <= 4:
        full = float(np.iinfo(samples.dtype).max) + 1
        return np.asarray(samples / full, np.float32)
    if np.issubdtype(samples.dtype, np.floating):
        with np.errstate(over="ignore"):
            return samples.astype(np.float32, copy=False)
    if np.issubdtype(samples.dtype, np.integer):
        raise AudioError(
            f"an array of {samples.dtype} does not say which value is full scale; convert it first, for example with "
            "samples.astype(numpy.int16) where it holds 16-bit samples"
        )
    raise AudioError(f"an array of {samples.dtype} holds no samples; give floats, or integers of 8, 16 or 32 bits")


class Downmix:
    """The channels (C, N) of a recording as one, (N,): their mean, or the first where they cancel one another.

    Each sample is decided on the power of the mean and of the channels up to that sample, the last tenths of a second
    above all, and one fades into the other: blocks of any size give the same samples, at once and without clicks.

    >>> Downmix().feed(np.array([[0.5, -0.5], [-0.5, 0.5]], np.float32))
    array([ 0.5, -0.5], dtype=float32)
    """

    def __init__(self) -> None:
        self._powers = np.zeros((2, 1))  # of the mean and of the channels so far, older samples faded
        self._left_samples = _GRID_SAMPLES

    def feed(self, block: Array) -> Array:
        """The next samples (N,), of (C, N)."""
        first: Array = block[0]
        if len(block) == 1:
            return first
        parts: list[Array] = []
        at = 0
        while at < block.shape[1] or not parts:
            parts.append(self._within_grid(block[:, at : at + self._left_samples]))
            at += len(parts[-1])
            self._left_samples -= len(parts[-1])
            if not self._left_samples:
                self._left_samples, self._powers = _GRID_SAMPLES, self._powers * _FADED
        return np.concatenate(parts)

    def _within_grid(self, block: Array) -> Array:
        mean: Array = (_total(block) / len(block)).astype(np.float32, copy=False)
        powers = np.stack([np.square(mean, dtype=np.float64), _total(np.square(block, dtype=np.float64)) / len(block)])
        powers = np.cumsum(np.concatenate([self._powers, powers], axis=1), axis=1)
        self._powers = powers[:, -1:]
        missing = _HEARD * powers[1, 1:] - powers[0, 1:]
        if not (missing > 0).any():
            return mean
        share = np.clip(missing / np.maximum((_HEARD - CANCELLED) * powers[1, 1:], 1e-300), 0, 1).astype(np.float32)
        faded: Array = (1 - share) * mean + share * block[0]
        return faded


def _total(rows: np.ndarray) -> np.ndarray:
    """The sum of (C, N) over C, one after the other: that of NumPy depends on how they lie in memory."""
    total: np.ndarray = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total


def cancel(mean_power: float, power: float) -> bool:
    """Whether channels cancel one another: the power of their mean, and the mean of their powers.

    >>> cancel(1e-6, 0.5), cancel(0.3, 0.5), cancel(0.0, 0.0)
    (True, False, False)
    """
    return mean_power < CANCELLED * power


def block_of(given: object, channels: int) -> Array:
    """What a caller gave, (C, N), or (N,) of one channel, as a block (C, N) on the scale of `to_float`.

    >>> block_of([0.5, -0.5], 1)
    array([[ 0.5, -0.5]], dtype=float32)

    Raises:
        InputError: another shape, or no numbers.
    """
    if type(given) is np.ndarray and given.dtype == np.float32 and given.ndim == 2 and len(given) == channels:
        return given
    try:
        samples = to_float(np.asarray(given))
    except (ValueError, RuntimeError) as error:  # rows of different lengths, a tensor with a gradient, an AudioError
        raise error if isinstance(error, InputError) else InputError(f"these are no samples: {error}") from error
    block = samples[None] if samples.ndim == 1 else samples
    if block.ndim != 2 or block.shape[0] != channels:
        raise InputError(f"({channels}, N) samples are needed, not {samples.shape}")
    return block


def power_db(power: float) -> float:
    """A mean square in dB relative to full scale, at least -120, which is digital silence.

    >>> round(power_db(0.25), 1), power_db(0.0)
    (-6.0, -120.0)
    """
    return max(QUIET_DB, 10 * math.log10(max(power, 1e-30)))


def all_finite(values: Array) -> bool:
    """Whether no value is NaN or infinite.

    >>> all_finite(np.array([1e30, -1.0], np.float32)), all_finite(np.array([0.0, np.nan], np.float32))
    (True, False)
    """
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())  # a product is the faster look
