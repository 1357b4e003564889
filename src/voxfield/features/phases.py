"""A sound of given magnitudes whose phases are not known (Griffin & Lim 1984, with the momentum of Perraudin 2013)."""

import numpy as np

from voxfield.features.fourier import istft, stft
from voxfield.protocols import Array

MOMENTUM = 0.99


def griffin_lim(
    magnitudes: Array,
    count_samples: int,
    *,
    window_samples: int = 512,
    hop_samples: int = 256,
    iterations: int = 32,
    phases_of: Array | None = None,
) -> Array:
    """Samples (count_samples,) whose spectrum has nearly these magnitudes.

    Args:
        magnitudes: (F, T) of frames as `stft` makes them.
        count_samples: how many.
        window_samples, hop_samples: of the frames.
        iterations: rounds; none takes the first phases as they are.
        phases_of: (N,) a recording whose phases are the first ones; otherwise random ones, always the same.

    >>> tone = np.sin(np.arange(4096) / 5).astype(np.float32)
    >>> magnitudes = np.hypot(*stft(tone[None])[0])
    >>> rebuilt = griffin_lim(magnitudes, 4096, phases_of=tone, iterations=0)
    >>> bool(np.abs(rebuilt - tone).max() < 1e-5)
    True
    """
    frames = -(-(count_samples + window_samples - hop_samples) // hop_samples)
    wanted = np.zeros((magnitudes.shape[0], frames), np.float32)
    count = min(frames, magnitudes.shape[1])
    wanted[:, :count] = magnitudes[:, :count]

    def sound(spectrum: np.ndarray) -> Array:
        parts = np.stack([spectrum.real, spectrum.imag]).astype(np.float32)
        samples: Array = istft(parts[None], count_samples, window_samples, hop_samples)[0]
        return samples

    def analysed(samples: Array) -> np.ndarray:
        real, imaginary = stft(samples[None], window_samples, hop_samples)[0]
        return np.asarray(real + 1j * imaginary, np.complex64)

    if phases_of is None:
        turns = np.random.default_rng(0).uniform(0, 2 * np.pi, wanted.shape)
        phases = np.exp(1j * turns).astype(np.complex64)
    else:
        given = np.zeros(count_samples, np.float32)
        given[: len(phases_of)] = phases_of[:count_samples]
        phases = _directions(analysed(given))
    before = np.zeros_like(phases)
    for _ in range(iterations):
        found = analysed(sound(wanted * phases))
        phases = _directions(found + MOMENTUM * (found - before))
        before = found
    return sound(wanted * phases)


def _directions(spectrum: np.ndarray) -> np.ndarray:
    """Complex numbers of magnitude 1; 1 where there is nothing."""
    size = np.abs(spectrum)
    return np.where(size > 0, spectrum / np.maximum(size, 1e-20), 1).astype(np.complex64)
