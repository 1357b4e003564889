"""The short-time Fourier transform and back, block by block with explicit state.

Frame t ends with the hop it belongs to: it covers samples [(t + 1) hop - window, (t + 1) hop), zeros standing in for
what lies before the recording. So a hop of samples makes one frame, and the sound given back is `window - hop`
samples late. The state is the tail that the next block still needs; zeros are the initial state.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxfield.errors import InputError
from voxfield.features.transforms import irfft, rfft
from voxfield.features.windows import analysis_window, synthesis_window
from voxfield.protocols import Array

Spectra = np.ndarray[Any, np.dtype[np.complex64]]


@dataclass(frozen=True)
class Stft:
    """Analysis and synthesis; immutable, any number of streams may share one."""

    window_samples: int
    hop_samples: int
    window: str = "sqrt-hann"  # of the analysis; see `analysis_window`

    @property
    def bins(self) -> int:
        """Frequency bins F of a frame."""
        return self.window_samples // 2 + 1

    @property
    def delay_samples(self) -> int:
        """Samples by which synthesis lags behind analysis."""
        return self.window_samples - self.hop_samples

    def initial_state(self, channels: int = 1) -> Array:
        """Zeros (C, window - hop), for analysis and for synthesis alike."""
        return np.zeros((channels, self.delay_samples), np.float32)

    def analyse(self, samples: Array, state: Array | None = None) -> tuple[Array, Array]:
        """Spectrum of whole hops.

        Args:
            samples: (C, N) with N a multiple of the hop.
            state: (C, window - hop) from the call before; None at the start.

        Returns:
            (C, 2, F, T) float32, real and imaginary, T = N / hop; and the next state.

        Raises:
            InputError: N is not a multiple of the hop.
        """
        spectra, state = self.spectra(samples, state)
        parts = spectra.view(np.float32).reshape(*spectra.shape, 2)
        return np.ascontiguousarray(parts.transpose(0, 3, 2, 1)), state

    def spectra(self, samples: Array, state: Array | None = None) -> tuple[Spectra, Array]:
        """The same as complex64, frame by frame: (C, T, F)."""
        channels, count = samples.shape
        if count % self.hop_samples:
            raise InputError(f"analysis takes whole hops of {self.hop_samples} samples, not {count} samples")
        state = self.initial_state(channels) if state is None else state
        joined = np.concatenate([state, samples], axis=1, dtype=np.float32)
        frames = self._frames(joined) * analysis_window(self.window_samples, self.window)
        spectra = np.empty((*frames.shape[:2], self.bins), np.complex64)
        rfft(frames, spectra)
        return spectra, joined[:, count:]

    def _frames(self, joined: Array) -> Array:
        """(C, T, window) frames of contiguous samples, as a view: frame t begins with sample t * hop."""
        channels, count = joined.shape
        across, along = joined.strides
        shape = (channels, (count - self.delay_samples) // self.hop_samples, self.window_samples)
        return np.ndarray(shape, joined.dtype, joined, 0, (across, along * self.hop_samples, along))

    def synthesise(self, spectrum: Array, state: Array | None = None) -> tuple[Array, Array]:
        """Samples of whole frames, `delay_samples` later than what was analysed.

        Args:
            spectrum: (C, 2, F, T).
            state: (C, window - hop) from the call before; None at the start.

        Returns:
            (C, T * hop) float32 and the next state.
        """
        parts = np.ascontiguousarray(spectrum.transpose(0, 3, 2, 1), np.float32)  # (C, T, F, 2)
        return self.joined(parts.view(np.complex64)[..., 0], state)

    def joined(self, spectra: Spectra, state: Array | None = None) -> tuple[Array, Array]:
        """The same from complex64, frame by frame: (C, T, F)."""
        channels, count, _ = spectra.shape
        state = self.initial_state(channels) if state is None else state
        window, hop = self.window_samples, self.hop_samples
        frames = np.empty((channels, count, window), np.float32)
        irfft(spectra, frames)
        frames *= synthesis_window(window, hop, self.window)
        if count == 1:
            samples = frames[:, 0]
            samples[:, : self.delay_samples] += state
            return samples[:, :hop], samples[:, hop:]
        overlap = np.zeros((channels, -(-window // hop) + count, hop), np.float32)
        overlap.reshape(channels, -1)[:, : self.delay_samples] = state
        for at in range(0, window, hop):
            part = frames[:, :, at : at + hop]
            first = at // hop
            overlap[:, first : first + count, : part.shape[2]] += part
        samples = overlap.reshape(channels, -1)
        return samples[:, : count * hop], samples[:, count * hop : count * hop + self.delay_samples]


def stft(samples: Array, window_samples: int = 512, hop_samples: int = 256) -> Array:
    """Spectrum (C, 2, F, T) of a whole recording (C, N), with enough frames after its end to give all of it back.

    >>> stft(np.ones((1, 1000), np.float32)).shape
    (1, 2, 257, 5)
    """
    transform = Stft(window_samples, hop_samples)
    frames = -(-(samples.shape[1] + transform.delay_samples) // hop_samples)
    padded = np.zeros((samples.shape[0], frames * hop_samples), np.float32)
    padded[:, : samples.shape[1]] = samples
    return transform.analyse(padded)[0]


def istft(spectrum: Array, count_samples: int, window_samples: int = 512, hop_samples: int = 256) -> Array:
    """The recording (C, count_samples) of a spectrum made by `stft`.

    >>> noise = np.random.default_rng(0).standard_normal((2, 1000), np.float32)
    >>> bool(np.abs(istft(stft(noise), 1000) - noise).max() < 1e-5)
    True
    """
    transform = Stft(window_samples, hop_samples)
    late = transform.delay_samples
    return transform.synthesise(spectrum)[0][:, late : late + count_samples]
