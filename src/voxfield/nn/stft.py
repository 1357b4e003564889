"""Short-time Fourier transform in torch, aligned with the streaming one of `voxfield.features`."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Stft(nn.Module):
    """Spectrum of a recording and back, with the square root of a Hann window on both sides and half-overlapping
    frames.

    Frame t ends with sample (t + 1) * hop: what came before the recording is zeros, as in a stream, so no frame looks
    further ahead than its own window.
    """

    window: Tensor

    def __init__(self, window_samples: int = 512) -> None:
        super().__init__()
        self.hop = window_samples // 2
        self.register_buffer(
            "window", torch.hann_window(window_samples, dtype=torch.float64).sqrt().float(), persistent=False
        )

    def forward(self, samples: Tensor) -> Tensor:
        """(B, N) -> (B, 2, F, T) real and imaginary; T = ceil(N / hop) + 1, so that the last sample is in two
        frames."""
        frames = -(-samples.shape[-1] // self.hop) + 1
        padded = F.pad(samples, (self.hop, frames * self.hop - samples.shape[-1]))
        spectrum = torch.fft.rfft(padded.unfold(-1, 2 * self.hop, self.hop) * self.window)
        return torch.view_as_real(spectrum).permute(0, 3, 2, 1)

    def inverse(self, spectrum: Tensor, samples: int) -> Tensor:
        """(B, 2, F, T) -> (B, samples), by overlap-add."""
        complex_spectrum = torch.view_as_complex(spectrum.permute(0, 3, 2, 1).contiguous())
        frames = torch.fft.irfft(complex_spectrum, 2 * self.hop) * self.window
        first, second = frames[..., : self.hop], frames[..., self.hop :]
        joined: Tensor = (first + F.pad(second, (0, 0, 1, -1)))[:, 1:].flatten(1)
        return joined[:, :samples]


def spectral_interface(config: Any) -> dict[str, Any]:
    """The card's fields for a network on spectra: a frame ends with its hop, so it looks window - hop samples ahead.

    Args:
        config: anything with `sample_rate_hz`, `window_samples` and `hop_samples`.
    """
    return {
        "interface": "spectrum",
        "sample_rate_hz": config.sample_rate_hz,
        "window_samples": config.window_samples,
        "hop_samples": config.hop_samples,
        "lookahead_samples": config.window_samples - config.hop_samples,
    }
