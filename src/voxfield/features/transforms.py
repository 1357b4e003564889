"""The Fourier transform of real rows in single precision, into arrays that are there already.

numpy's own functions transform single precision in double, and check and wrap for longer than a frame of 512 samples
takes. So what lies below them is called, where this numpy has it.
"""

from importlib import import_module
from typing import Any

import numpy as np

from voxfield.protocols import Array

_ONE = np.float32(1)


def _below_numpy() -> Any:
    """numpy's loops over rows, or None where they are not there or give other numbers."""
    try:
        loops = import_module("numpy.fft._pocketfft_umath")
        spectrum, back = np.empty(3, np.complex64), np.empty(4, np.float32)
        loops.rfft_n_even(np.array([1, 2, 0, 0], np.float32), _ONE, out=spectrum)
        loops.irfft(spectrum, np.float32(1 / 4), out=back)
    except Exception:  # another numpy; what it raises is its own matter
        return None
    right = np.allclose(spectrum, [3, 1 - 2j, -1], atol=1e-6) and np.allclose(back, [1, 2, 0, 0], atol=1e-6)
    return loops if right else None


_direct = _below_numpy()


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
