"""Numbers of any real type as samples: one scale for arrays, files and streams."""

import math

import numpy as np

from voxfield.errors import AudioError, InputError
from voxfield.protocols import Array

QUIET_DB = -120.0
CANCELLED = 1e-3  # of the power of the channels, below which their mean holds little but what differs between them


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


def mixed(block: Array) -> Array:
    """The channels (C, N) as one, (N,): their mean, or the first where they cancel one another.

    >>> mixed(np.array([[0.5, -0.5], [-0.5, 0.5]], np.float32))
    array([ 0.5, -0.5], dtype=float32)
    """
    mean: Array = block.mean(axis=0)
    one: Array = block[0] if cancel(float(np.vdot(mean, mean)), float(np.vdot(block, block)) / len(block)) else mean
    return one


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
    if isinstance(given, np.ndarray) and given.dtype == np.float32 and given.ndim == 2 and len(given) == channels:
        return given
    try:
        samples = to_float(np.asarray(given))
    except ValueError as error:  # rows of different lengths, or an AudioError
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
