"""Losses of enhancement, each a plain function of (estimate, target) in samples or magnitudes, one value an item.

`LoudnessDifference` follows the ideas of ITU-T P.862 (loudness on a Bark scale, masking, more weight on what was added
than on what is missing) and `Unintelligibility` those of ESTOI (Jensen & Taal 2016), in forms that have gradients.
They stand for the measures; they are not the measures, which are in `voxfield.metrics`.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-8


def si_sdr_db(estimate: Tensor, target: Tensor, ceiling_db: float = 40.0) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, (..., N) -> (...), softly bounded by `ceiling_db`."""
    estimate = estimate - estimate.mean(-1, keepdim=True)
    target = target - target.mean(-1, keepdim=True)
    scale = (estimate * target).sum(-1, keepdim=True) / (target.square().sum(-1, keepdim=True) + EPS)
    wanted = (scale * target).square().sum(-1)
    error = (estimate - scale * target).square().sum(-1)
    return _bounded_db(wanted, error, ceiling_db)


def snr_db(estimate: Tensor, target: Tensor, ceiling_db: float = 40.0) -> Tensor:
    """Signal-to-noise ratio in dB, (..., N) -> (...), softly bounded by `ceiling_db`; a wrong level counts as noise."""
    wanted, error = target.square().sum(-1), (estimate - target).square().sum(-1)
    return _bounded_db(wanted, error, ceiling_db)


def _bounded_db(wanted: Tensor, error: Tensor, ceiling_db: float) -> Tensor:
    """Ratio of two powers in dB, softly bounded above."""
    return 10 * torch.log10((wanted + EPS) / (error + 10 ** (-ceiling_db / 10) * wanted + EPS))


def compressed_spectrum_loss(
    estimate: Tensor, target: Tensor, exponent: float = 0.3, complex_part: float = 0.3
) -> Tensor:
    """Mean squared difference of compressed spectra, (B, 2, F, T) -> (B,): magnitudes and, by `complex_part`, with
    phases."""
    magnitude = (estimate.square().sum(1) + 1e-9).sqrt()
    wanted = (target.square().sum(1) + 1e-9).sqrt()
    compressed, wanted_compressed = magnitude.pow(exponent), wanted.pow(exponent)
    by_magnitude = (compressed - wanted_compressed).square()
    with_phase = (
        (estimate * (compressed / magnitude)[:, None] - target * (wanted_compressed / wanted)[:, None]).square().sum(1)
    )
    return ((1 - complex_part) * by_magnitude + complex_part * with_phase).mean((1, 2))


class LoudnessDifference(nn.Module):
    """How much louder or quieter the estimate sounds than the target, band by band: (B, F, T) powers -> (B,).

    Both spectra are of signals whose target has a mean square of 1. About 0.1 * symmetric + 0.03 * asymmetric
    disturbance of P.862, so a difference of 1 is about one point of the raw score.
    """

    matrix: Tensor
    quiet: Tensor
    widths: Tensor

    def __init__(self, sample_rate_hz: int = 16000, window_samples: int = 512, bands: int = 49) -> None:
        super().__init__()
        hz = np.arange(window_samples // 2 + 1) * sample_rate_hz / window_samples
        bark = 6 * np.arcsinh(hz / 600)
        owner = np.minimum((bark / bark[-1] * bands).astype(int), bands - 1)
        owner = np.unique(owner, return_inverse=True)[1]  # a band narrower than a bin is none
        matrix = np.zeros((owner.max() + 1, len(hz)))
        matrix[owner, np.arange(len(hz))] = 1
        matrix[0, 0] = 0  # 0 Hz is inaudible
        centre_khz = np.maximum((matrix @ hz) / np.maximum(matrix.sum(1), 1), 40) / 1000
        quiet_db = 3.64 * centre_khz**-0.8 - 6.5 * np.exp(-0.6 * (centre_khz - 3.3) ** 2) + 1e-3 * centre_khz**4
        widths = np.array([np.ptp(bark[owner == i]) for i in range(len(matrix))]) + bark[-1] / bands
        self.register_buffer("matrix", torch.tensor(matrix, dtype=torch.float32), persistent=False)
        self.register_buffer(
            "quiet", torch.tensor(10 ** (quiet_db / 10), dtype=torch.float32)[:, None], persistent=False
        )
        self.register_buffer("widths", torch.tensor(widths, dtype=torch.float32)[:, None], persistent=False)
        self.to_sound_pressure = 1e7 / (window_samples**2 / 8)  # a mean square of 1 sounds at 79 dB in all

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        found, wanted = (self.matrix @ (power * self.to_sound_pressure) for power in (estimate, target))
        loud, wanted_loud = self.loudness(found), self.loudness(wanted)
        difference = loud - wanted_loud
        masked = 0.25 * torch.minimum(loud, wanted_loud)
        difference = difference.sign() * F.relu(difference.abs() - masked)
        added = ((found + 50) / (wanted + 50)).pow(1.2)
        added = torch.where(added < 3, torch.zeros_like(added), added.clamp(max=12))
        total = self.widths.sum()
        symmetric = ((difference.square() * self.widths).sum(1) / total + EPS).sqrt() * total
        asymmetric = (difference.abs() * added * self.widths).sum(1)
        weight = ((wanted.sum(1) + 1e5) / 1e7).pow(0.04)
        return 0.1 * _over_time(symmetric / weight) + 0.0309 * _over_time(asymmetric / weight)

    def loudness(self, power: Tensor) -> Tensor:
        """Zwicker's law: nothing below the threshold in quiet, then nearly the fourth root."""
        relative = power / self.quiet
        return 0.187 * (self.quiet / 0.5).pow(0.23) * F.relu((0.5 + 0.5 * relative).pow(0.23) - 1)


def _over_time(disturbance: Tensor) -> Tensor:
    """(B, T) -> (B,): worst moments weigh most inside 0.3 s (6th power), then root mean square."""
    window = min(20, disturbance.shape[1])
    parts = disturbance.clamp(max=45).unfold(1, window, max(window // 2, 1))
    inside = (parts.pow(6).mean(2) + EPS).pow(1 / 6)
    return (inside.square().mean(1) + EPS).sqrt()


class Unintelligibility(nn.Module):
    """One minus the mean correlation of third-octave envelopes over 0.4 s, normalised as in ESTOI: (B, F, T) powers ->
    (B,)."""

    bands: Tensor

    def __init__(self, sample_rate_hz: int = 16000, window_samples: int = 512, hop_samples: int = 256) -> None:
        super().__init__()
        hz = np.arange(window_samples // 2 + 1) * sample_rate_hz / window_samples
        centres = 150 * 2 ** (np.arange(15) / 3)
        matrix = [(hz >= centre * 2 ** (-1 / 6)) & (hz < centre * 2 ** (1 / 6)) for centre in centres]
        self.register_buffer("bands", torch.tensor(np.array(matrix), dtype=torch.float32), persistent=False)
        self.frames = round(0.384 * sample_rate_hz / hop_samples)

    def forward(self, estimate: Tensor, target: Tensor) -> Tensor:
        found, wanted = ((self.bands @ power + 1e-6).sqrt() for power in (estimate, target))
        found, wanted = (envelope.unfold(2, self.frames, 4).transpose(1, 2) for envelope in (found, wanted))
        loud = wanted.square().mean((2, 3))
        spoken = (loud > 1e-3 * loud.amax(1, keepdim=True)).float()  # segments with speech in them
        correlation = (_standardise(found) * _standardise(wanted)).sum((2, 3)) / self.frames
        return 1 - (correlation * spoken).sum(1) / spoken.sum(1).clamp(min=1)


def _standardise(segments: Tensor) -> Tensor:
    """Zero mean and unit norm over time for each band, then over bands for each frame: (B, S, bands, frames)."""
    for axis in (3, 2):
        segments = segments - segments.mean(axis, keepdim=True)
        segments = segments / (segments.square().sum(axis, keepdim=True) + 1e-6).sqrt()
    return segments
