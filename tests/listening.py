"""Where one sound is found in another."""

import numpy as np


def place(part: np.ndarray, whole: np.ndarray) -> tuple[int, float]:
    """The sample of (N,) at which a part (M,) fits best, and its correlation there: 1 where it is the same sound.

    >>> place(np.array([1.0, -1.0]), np.array([0.0, 0.5, 2.0, -2.0, 0.0]))
    (2, 1.0)
    """
    size = 1 << (len(whole) + len(part)).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.fft.rfft(part, size).conj(), size)
    sums = np.concatenate([[0.0], np.cumsum(np.square(whole, dtype=np.float64))])
    energies = np.maximum(sums[len(part) :] - sums[: -len(part)], 1e-9) * np.sum(np.square(part, dtype=np.float64))
    fits = products[: len(energies)] / np.sqrt(energies + 1e-12)
    return int(fits.argmax()), round(float(fits.max()), 6)
