"""Kaldi's log-mel filter bank in torch: the windows and the matrix of `voxfield.features`, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxfield.features import Fbank, analysis_window
from voxfield.features.kaldi import FLOOR, FULL_SCALE, PREEMPHASIS


class FilterBank(nn.Module):
    """Samples (B, N) -> log-mel bands (B, bands, T), on the device of the samples; edges are not mirrored."""

    window: Tensor
    matrix: Tensor

    def __init__(self, config: Fbank | None = None) -> None:
        super().__init__()
        self.config = config or Fbank()
        window = analysis_window(self.config.window_samples, self.config.window)
        self.register_buffer("window", torch.tensor(window), persistent=False)
        self.register_buffer("matrix", torch.tensor(self.config.matrix), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        frames = FULL_SCALE * samples.unfold(-1, self.config.window_samples, self.config.hop_samples)
        frames = frames - frames.mean(-1, keepdim=True)
        before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
        windowed = (frames - PREEMPHASIS * before) * self.window
        spectrum = torch.fft.rfft(windowed, self.config.fft_samples)
        power = torch.view_as_real(spectrum).square().sum(-1)
        bands: Tensor = self.matrix @ power.transpose(1, 2)
        return bands.clamp(min=FLOOR).log()
