"""Norms against plain numpy in double precision, in any blocks, and over hours."""

import numpy as np
import pytest
import torch

from voxfield.errors import InputError
from voxfield.nn.level import MovingLevel
from voxfield.nn.norms import KINDS, CumulativeNorm, norm_layer

EPS = 1e-8


def plain(kind, x):
    """The definition, frame by frame."""
    x = np.asarray(x, np.float64)
    if kind == "cumulative":
        parts = []
        for t in range(x.shape[-1]):
            past = x[..., : t + 1]
            mean, variance = past.mean((1, 2), keepdims=True), past.var((1, 2), keepdims=True)
            parts.append((x[..., t : t + 1] - mean) / np.sqrt(variance + EPS))
        return np.concatenate(parts, -1)
    axes = {"global": (1, 2), "channel": (2,), "frame": (1,)}[kind]
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + EPS)


@pytest.mark.parametrize("kind", ["global", "channel", "frame", "cumulative"])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_norms_follow_their_definition(kind, offset):
    torch.manual_seed(1)
    layer = norm_layer(kind, 5)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.normal_()
    x = torch.randn(2, 5, 30) + offset
    y = layer(x)
    y = y[0] if isinstance(y, tuple) else y
    wanted = plain(kind, x) * layer.weight.detach().numpy()[:, None] + layer.bias.detach().numpy()[:, None]
    tolerance = 1e-5 if offset == 0 else 3e-4  # single precision holds fewer digits of what rides on an offset
    assert np.abs(y.detach().numpy() - wanted).max() < tolerance * np.abs(wanted).max()


def test_cumulative_norm_is_the_same_in_any_blocks():
    torch.manual_seed(0)
    layer, x = CumulativeNorm(4), torch.randn(2, 4, 50) * 3 + 1
    whole, end = layer(x)
    state, parts = None, []
    for block in x.split([1, 7, 1, 30, 11], dim=-1):
        y, state = layer(block, state)
        parts.append(y)
    assert torch.allclose(torch.cat(parts, -1), whole, atol=1e-6)
    assert torch.allclose(state, end, atol=1e-6)


def test_cumulative_norm_keeps_its_precision_over_hours():
    """After 40 million frames, more than a float32 can count, new frames still move the mean as they should."""
    layer = CumulativeNorm(3)
    frames, mean, variance = 4.0e7, 0.7, 0.04
    state = torch.zeros(1, 6)
    for at, value in ((0, frames), (2, mean), (4, variance)):
        state[0, at] = value
        state[0, at + 1] = value - float(state[0, at].double())
    x = torch.full((1, 3, 1), 1.7)
    for _ in range(2000):
        _, state = layer(x, state)
    pairs = state.double()
    total = frames + 2000
    assert float(pairs[0, 0] + pairs[0, 1]) == total
    wanted = (frames * mean + 2000 * 1.7) / total
    assert abs(float(pairs[0, 2] + pairs[0, 3]) - wanted) < 1e-10
    spread = (frames * (variance + (mean - wanted) ** 2) + 2000 * (1.7 - wanted) ** 2) / total
    assert abs(float(pairs[0, 4] + pairs[0, 5]) - spread) < 1e-9


def test_frames_that_are_not_counted_leave_the_statistics_alone():
    layer, x = CumulativeNorm(4), torch.randn(1, 4, 9)
    counted = torch.ones(1, 1, 12)
    counted[..., :3] = 0
    padded, state = layer(torch.cat([torch.full((1, 4, 3), 9.0), x], -1), None, counted)
    wanted, end = layer(x)
    assert torch.allclose(padded[..., 3:], wanted, atol=1e-6)
    assert torch.allclose(state, end, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_silence_is_no_trouble(kind):
    layer = norm_layer(kind, 4).eval()
    y = layer(torch.zeros(1, 4, 6))
    assert torch.isfinite(y[0] if isinstance(y, tuple) else y).all()


def test_the_level_of_silence_is_above_zero():
    level, _ = MovingLevel(3)(torch.zeros(1, 1, 5))
    assert (level > 0).all()


def test_an_unknown_norm_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="global, channel, cumulative, frame, batch"):
        norm_layer("layer", 4)
