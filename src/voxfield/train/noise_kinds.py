"""Fits the probe that names noise: histograms of codes, clean and as an enhancer leaves them, and one linear layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voxfield.errors import RecipeError
from voxfield.features.framing import whole
from voxfield.features.log_mel import LogMel
from voxfield.models.code_histogram import CodeHistogram, CodeHistogramConfig
from voxfield.protocols import Array, Engine
from voxfield.tasks import enhance
from voxfield.train.data.mixing import active_level

_STEPS = 60
_FACTORS = tuple(float(factor) for factor in np.geomspace(0.25, 8, 41))


def kind_of(label: str, kinds: Mapping[str, Sequence[str]], other: str = "other") -> str:
    """The kind that a label of the training data belongs to; `*` stands for any letters.

    >>> kind_of("rain_on_tent", {"rain": ["rain", "rain_on_*"]}), kind_of("cow", {"rain": ["rain"]})
    ('rain', 'other')
    """
    found = [kind for kind, patterns in kinds.items() if any(fnmatchcase(label, pattern) for pattern in patterns)]
    return found[0] if found else other


def segments(audio: Array, features: LogMel, segment_frames: int) -> Array:
    """(S, bands, segment_frames) pieces of a sound (N,) as a network takes them, each half a segment after the last.

    A sound shorter than a segment is repeated.
    """
    bands = whole(audio.astype(np.float32), features)
    if bands.shape[1] < segment_frames:
        bands = np.tile(bands, (1, -(-segment_frames // bands.shape[1])))[:, :segment_frames]
    starts = range(0, bands.shape[1] - segment_frames + 1, segment_frames // 2)
    return np.stack([features.finished(bands[:, start : start + segment_frames]) for start in starts])


def tokens_of(engine: Engine, pieces: Array) -> Array:
    """(S, C, T) tokens of pieces (S, bands, frames)."""
    return np.concatenate([engine.step(np.ascontiguousarray(piece[None]), ())[0] for piece in pieces])


def left_over(noise: Array, speech: Array, snr_db: float, enhancer: Engine, sample_rate_hz: int) -> Array:
    """(N,) what an enhancer takes away of speech over noise, both (N,), at a signal-to-noise ratio."""
    levels = active_level(speech), active_level(noise)
    gain = levels[0] / max(levels[1], 1e-9) * 10 ** (-snr_db / 20)
    noisy = (speech + gain * noise).astype(np.float32)
    noisy *= np.float32(min(1.0, 0.99 / max(float(np.abs(noisy).max()), 1e-9)))
    left: Array = noisy - enhance(noisy, sample_rate_hz, model=enhancer).samples[0]
    return left


def fit(config: CodeHistogramConfig, tokens: Array, kinds: Sequence[str], decay: float = 1e-4) -> CodeHistogram:
    """The probe of tokens (S, C, T), each with its kind.

    Raises:
        RecipeError: a kind that is not among the labels.
    """
    net = CodeHistogram(config)
    wanted = _numbers(config, kinds)
    solve(net.scores, _histograms(net, tokens), wanted, decay)
    return net.eval()


@torch.no_grad()
def calibrate(net: CodeHistogram, tokens: Array, kinds: Sequence[str]) -> float:
    """Make a probe as sure of its names as it is right on other recordings: tokens (S, C, T), each with its kind.

    Weight decay leaves a probe less sure than that, and its training data more. Its scores are multiplied by the factor
    that makes the mean surprise of a segment least, every kind weighing as in `solve`; that surprise is returned.

    Raises:
        RecipeError: a kind that is not among the labels.
    """
    wanted = _numbers(net.config, kinds)
    scores, weights = net.scores(_histograms(net, tokens)), _weights(wanted, len(net.config.labels))
    surprises = [float(F.cross_entropy(factor * scores, wanted, weights)) for factor in _FACTORS]
    best = _FACTORS[int(np.argmin(surprises))]
    net.scores.weight.mul_(best)
    net.scores.bias.mul_(best)
    return min(surprises)


def _numbers(config: CodeHistogramConfig, kinds: Sequence[str]) -> Tensor:
    """(S,) the numbers of their labels."""
    if unknown := set(kinds) - set(config.labels):
        raise RecipeError(f"kinds that are not among the labels: {', '.join(sorted(unknown))}")
    return torch.tensor([config.labels.index(kind) for kind in kinds])


@torch.no_grad()
def _histograms(net: CodeHistogram, tokens: Array) -> Tensor:
    parts = np.array_split(tokens, max(len(tokens) // 64, 1))
    return torch.cat([net.histogram(torch.from_numpy(part)) for part in parts])


def solve(layer: torch.nn.Linear, x: Tensor, wanted: Tensor, decay: float) -> None:
    """Logistic regression: every class weighs as the root of its count, so that rare ones are heard."""
    weights = _weights(wanted, layer.out_features)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(layer(x), wanted, weights) + decay * layer.weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]


def _weights(wanted: Tensor, count: int) -> Tensor:
    """(count,) the weight of each class."""
    counts = torch.bincount(wanted, minlength=count).float()
    return torch.where(counts > 0, counts.clamp(min=1).rsqrt(), torch.zeros_like(counts))
