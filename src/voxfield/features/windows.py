"""Windows whose overlap gives the signal back."""

from collections.abc import Callable
from functools import cache

import numpy as np

from voxfield.errors import InputError
from voxfield.protocols import Array


@cache
def sqrt_hann(window_samples: int) -> Array:
    """Square root of the periodic Hann window, (window_samples,) float32; used twice, it adds up to 1 at half a window.

    >>> window = sqrt_hann(8)
    >>> (window[:4] ** 2 + window[4:] ** 2).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    phase = 2 * np.pi * np.arange(window_samples) / window_samples
    return frozen(np.sqrt(0.5 - 0.5 * np.cos(phase)))


ANALYSIS: dict[str, Callable[[int], np.ndarray]] = {
    "sqrt-hann": sqrt_hann,
    "hamming": np.hamming,  # symmetric: 0.08 at both ends
    "periodic-hamming": lambda window_samples: np.hamming(window_samples + 1)[:-1],  # 0.08 at its beginning alone
    "hann": np.hanning,  # symmetric: 0 at both ends
    "povey": lambda window_samples: np.hanning(window_samples) ** 0.85,  # Kaldi's own
}


@cache
def analysis_window(window_samples: int, kind: str = "sqrt-hann") -> Array:
    """What a frame is multiplied with before its spectrum is taken: one of `ANALYSIS`, (window_samples,) float32.

    Raises:
        InputError: no such window.

    >>> (100 * analysis_window(5, "hamming")).round().tolist()
    [8.0, 54.0, 100.0, 54.0, 8.0]
    """
    if kind not in ANALYSIS:
        raise InputError(f"there is no window '{kind}'; choose one of {', '.join(ANALYSIS)}")
    return frozen(ANALYSIS[kind](window_samples))


@cache
def synthesis_window(window_samples: int, hop_samples: int, kind: str = "sqrt-hann") -> Array:
    """What to multiply with before overlapping so that frames analysed every hop add up to the signal itself.

    Returns:
        (window_samples,) float32; of `sqrt-hann` the same window again where it is two hops, of `hamming` the inverse
        of what the overlapping windows add up to.

    Raises:
        InputError: the hop leaves samples that no frame sees.
    """
    analysis = analysis_window(window_samples, kind).astype(np.float64)
    window = np.ones(window_samples) if kind == "hamming" else analysis
    squares = np.zeros(-(-window_samples // hop_samples) * hop_samples)
    squares[:window_samples] = window * analysis
    seen = squares.reshape(-1, hop_samples).sum(axis=0)
    if seen.min() < 1e-3:
        raise InputError(
            f"a hop of {hop_samples} samples leaves samples unseen by a window of {window_samples}; "
            f"the hop may be at most half of the window"
        )
    return frozen(window / np.resize(seen, window_samples))


def frozen(values: np.ndarray) -> Array:
    """As float32 that nobody can change: the cache hands out the same array every time."""
    made = values.astype(np.float32)
    made.flags.writeable = False
    return made
