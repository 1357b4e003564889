"""The mel scale, and the one matrix of triangles that numpy and torch filter banks share."""

from functools import cache

import numpy as np

from voxfield.errors import InputError
from voxfield.features.windows import frozen
from voxfield.protocols import Array


def hz_to_mel(hz: float | np.ndarray) -> np.ndarray:
    """Mel of a frequency, Kaldi's formula.

    >>> hz_to_mel(1000.0).round(2).item()
    999.99
    """
    return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)


def mel_edges_hz(bands: int, sample_rate_hz: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Where triangles begin, peak and end, (bands + 2,) in Hz, evenly spaced in mel; see `mel_matrix`."""
    nyquist_hz = sample_rate_hz / 2
    top_hz = high_hz if high_hz > 0 else nyquist_hz + high_hz
    if not 0 <= low_hz < top_hz <= nyquist_hz:
        raise InputError(
            f"mel bands from {low_hz:g} to {top_hz:g} Hz cannot be had at {sample_rate_hz} Hz; "
            f"the frequencies must rise, and lie between 0 and {nyquist_hz:g} Hz"
        )
    return 700.0 * np.expm1(np.linspace(hz_to_mel(low_hz), hz_to_mel(top_hz), bands + 2) / 1127.0)


@cache
def mel_matrix(bands: int, fft_samples: int, sample_rate_hz: int, low_hz: float, high_hz: float) -> Array:
    """Weights of power spectrum bins in mel bands: triangles of height 1 that are straight lines on the mel scale.

    Args:
        bands: number of triangles, evenly spaced in mel between the two frequencies.
        fft_samples: length of the transform.
        sample_rate_hz: of the recording.
        low_hz: where the first triangle begins.
        high_hz: where the last one ends; 0 or less means so much below half the sample rate.

    Returns:
        (bands, fft_samples / 2 + 1) float32 that nobody can change; the bin at half the sample rate has no weight.

    Raises:
        InputError: the frequencies do not rise from 0 to half the sample rate.

    >>> mel_matrix(80, 512, 16000, 20.0, 0.0).shape
    (80, 257)
    """
    edges = hz_to_mel(mel_edges_hz(bands, sample_rate_hz, low_hz, high_hz))
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = hz_to_mel(np.arange(fft_samples // 2 + 1) * (sample_rate_hz / fft_samples))[None]
    weights = np.maximum(0.0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)))
    weights[:, -1] = 0.0
    return frozen(weights)


@cache
def hz_matrix(
    bands: int, fft_samples: int, sample_rate_hz: int, low_hz: float, high_hz: float, even: bool = False
) -> Array:
    """As `mel_matrix`, but the triangles have straight sides in Hz; `even` makes both sides as wide as the left."""
    edges = mel_edges_hz(bands, sample_rate_hz, low_hz, high_hz)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = np.linspace(0, sample_rate_hz / 2, fft_samples // 2 + 1)[None]
    width = centre - left if even else right - centre
    return frozen(np.maximum(0.0, np.minimum((bins - left) / (centre - left), (centre - bins) / width + 1)))
