"""Numbers of any real type as samples: one scale for arrays, files and streams."""

import numpy as np

from voxfield.errors import AudioError
from voxfield.protocols import Array


def to_float(samples: np.ndarray) -> Array:
    """An array of any real type as float32; integers are scaled so that their full range is 1.

    >>> to_float(np.array([16384, -32768], np.int16)).tolist()
    [0.5, -1.0]

    Raises:
        AudioError: booleans, complex numbers or objects.
    """
    if samples.dtype == np.uint8:
        return np.asarray((samples - 128.0) / 128, np.float32)
    if np.issubdtype(samples.dtype, np.signedinteger):
        full = float(np.iinfo(samples.dtype).max) + 1
        return np.asarray(samples / full, np.float32)
    if np.issubdtype(samples.dtype, np.floating):
        with np.errstate(over="ignore"):
            return samples.astype(np.float32, copy=False)
    raise AudioError(f"an array of {samples.dtype} holds no samples; give floats, or integers of 8, 16 or 32 bits")
