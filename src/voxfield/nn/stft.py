"""Short-time Fourier transform in torch: the frames, windows and alignment of `voxfield.features`, with gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.features import sqrt_hann, synthesis_window


class Stft(nn.Module):
    """Spectrum of a recording and back, with the square root of a Hann window on both sides.

    Frame t ends with sample (t + 1) * hop: what came before the recording is zeros, as in a stream, so no frame looks
    further ahead than its own window.

    Args:
        window_samples: length of a frame.
        hop_samples: from one frame to the next, at most half a window; half a window if None.
    """

    window: Tensor
    synthesis: Tensor

    def __init__(self, window_samples: int = 512, hop_samples: int | None = None) -> None:
        super().__init__()
        self.size, self.hop = window_samples, hop_samples or window_samples // 2
        windows = {"window": sqrt_hann(self.size), "synthesis": synthesis_window(self.size, self.hop)}
        for name, values in windows.items():
            self.register_buffer(name, torch.tensor(values), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """(B, N) -> (B, 2, F, T) real and imaginary, with enough frames to give every sample back."""
        delay, n = self.size - self.hop, samples.shape[-1]
        frames = -(-(n + delay) // self.hop)
        padded = F.pad(samples, (delay, frames * self.hop - n))
        spectrum = torch.fft.rfft(padded.unfold(-1, self.size, self.hop) * self.window)
        return torch.view_as_real(spectrum).permute(0, 3, 2, 1)

    def inverse(self, spectrum: Tensor, samples: int) -> Tensor:
        """(B, 2, F, T) -> (B, samples), by overlap-add."""
        complex_spectrum = torch.view_as_complex(spectrum.permute(0, 3, 2, 1).contiguous())
        frames = torch.fft.irfft(complex_spectrum, self.size) * self.synthesis
        parts = -(-self.size // self.hop)
        frames = F.pad(frames, (0, parts * self.hop - self.size))
        hops = frames.reshape(*frames.shape[:2], parts, self.hop)
        added = torch.stack([F.pad(hops[:, :, at], (0, 0, at, parts - 1 - at)) for at in range(parts)]).sum(0)
        delay = self.size - self.hop
        return added.flatten(1)[:, delay : delay + samples]
