"""wav2vec and its training step as they are usually written in torch: what `benchmarks/represent.py` measures against.

Padded `nn.Conv1d`, `nn.GroupNorm` or running sums, `nn.ConvTranspose2d` for the steps, and the frames of all negatives
gathered; no streaming, no state.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class CumulativeNorm(nn.Module):
    """(B, C, T), by all channels and all frames up to the present one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels, 1)), nn.Parameter(torch.zeros(channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        count = x.shape[1] * torch.arange(1, x.shape[2] + 1, device=x.device)
        mean = x.sum(1, dtype=torch.float32).cumsum(1) / count
        power = x.square().sum(1, dtype=torch.float32).cumsum(1) / count
        scale = torch.rsqrt((power - mean.square()).clamp(min=0) + 1e-5)
        return ((x - mean[:, None]) * scale[:, None] * self.weight + self.bias).to(x.dtype)


class Layer(nn.Module):
    """Zeros on the left, convolution, norm, ReLU, and the input added."""

    def __init__(self, given: int, channels: int, kernel: int, stride: int, causal: bool, residual: bool) -> None:
        super().__init__()
        self.left = kernel - stride if causal or residual else 0
        self.conv = nn.Conv1d(given, channels, kernel, stride, bias=residual)
        self.norm = CumulativeNorm(channels) if causal else nn.GroupNorm(1, channels)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(self.conv(functional.pad(x, (self.left, 0)))))
        return (x + y) * 0.5**0.5 if self.residual else y


class PlainWav2Vec(nn.Module):
    """(B, 1, N) -> z and c, (B, C, T) each."""

    def __init__(self, channels: int, causal: bool) -> None:
        super().__init__()
        layers = zip((10, 8, 4, 4, 4), (5, 4, 2, 2, 2), strict=True)
        self.encoder = nn.Sequential(
            *(Layer(channels if at else 1, channels, k, s, causal, False) for at, (k, s) in enumerate(layers))
        )
        self.context = nn.Sequential(*(Layer(channels, channels, 3, 1, causal, True) for _ in range(9)))
        self.project_to_steps = nn.ConvTranspose2d(channels, channels, (1, 12))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = (self.encoder(x).abs() + 1).log()
        return z, self.context(z)

    def loss(self, x: Tensor, negatives: int = 10, offset: int = 3) -> Tensor:
        """Cross-entropy of choosing the right frame."""
        z, c = self(x)
        guesses = self.project_to_steps(c[..., None])
        batch, channels, frames = z.shape
        drawn = torch.randint(frames - 1, (batch, negatives * frames))
        drawn += drawn >= torch.arange(frames).repeat(negatives)
        wrong = z.gather(2, drawn[:, None].expand(-1, channels, -1)).unflatten(2, (negatives, frames))
        targets = torch.cat([z[None], wrong.permute(2, 0, 1, 3)])
        scores = [
            torch.einsum("bct,nbct->nbt", guesses[..., : -offset - step, step], targets[..., offset + step :])
            for step in range(12)
        ]
        logits = torch.cat([part.flatten(1) for part in scores], dim=1).T.float()
        return functional.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))
