"""The Fourier transform of real rows in single precision, into arrays that are there already.

numpy's own functions transform single precision in double, and check and wrap for longer than a frame of 512 samples
takes. So what lies below them is called, where this numpy has it.
"""

from importlib import import_module
from typing import Any

import numpy as np

from voxfield.protocols import Array

_direct: Any
try:
    _direct = import_module("numpy.fft._pocketfft_umath")
except ImportError:  # another numpy
    _direct = None
_ONE = np.float32(1)


def rfft(frames: Array, out: np.ndarray[Any, Any]) -> None:
    """Spectra (..., N / 2 + 1) complex64 of real frames (..., N) float32."""
    if _direct is None:
        out[...] = np.fft.rfft(frames)
    elif frames.shape[-1] % 2:
        _direct.rfft_n_odd(frames, _ONE, out=out)
    else:
        _direct.rfft_n_even(frames, _ONE, out=out)


def irfft(spectra: np.ndarray[Any, Any], out: Array) -> None:
    """Frames (..., N) float32 of spectra (..., N / 2 + 1) complex64."""
    if _direct is None:
        out[...] = np.fft.irfft(spectra, out.shape[-1])
    else:
        _direct.irfft(spectra, np.float32(1 / out.shape[-1]), out=out)
