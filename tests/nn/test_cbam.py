"""CBAM and its residual blocks against a plain re-reading of the authors' code in numpy."""

import numpy as np
import pytest
import torch

from voxfield.errors import InputError
from voxfield.nn.cbam import Cbam, CbamBlock, CbamBottleneck, ChannelGate

RNG = np.random.default_rng(0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve(x, kernel):
    """(B, C, H, W) with (C', C, k, k), zeros around."""
    around = kernel.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (around, around), (around, around)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], (2, 3))
    return np.einsum("bchwij,ocij->bohw", windows, kernel)


def normalise(x, weights, name):
    scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + 1e-5)
    shift = weights[f"{name}.bias"] - weights[f"{name}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def attended(x, weights, name, pools=("mean", "max"), spatial=True):
    """Channels first, then places: the maximum is the first of the two maps."""
    places = x.reshape(*x.shape[:2], -1)
    pooled = {
        "mean": places.mean(-1),
        "max": places.max(-1),
        "lp": np.sqrt((places**2).sum(-1)),
        "lse": np.log(np.exp(places).sum(-1)),
    }
    score = 0
    for pool in pools:
        hidden = np.maximum(pooled[pool] @ weights[f"{name}0.narrow.weight"].T + weights[f"{name}0.narrow.bias"], 0)
        score = score + hidden @ weights[f"{name}0.widen.weight"].T + weights[f"{name}0.widen.bias"]
    x = x * sigmoid(score)[:, :, None, None]
    if not spatial:
        return x
    pair = np.stack([x.max(1), x.mean(1)], axis=1)
    return x * sigmoid(normalise(convolve(pair, weights[f"{name}1.conv.weight"]), weights, f"{name}1.norm"))


def filled(module):
    """(Module, its weights in numpy), all of them random."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                values = RNG.standard_normal(tensor.shape)
                tensor.copy_(torch.from_numpy(1 + 0.3 * np.abs(values) if "var" in name else 0.4 * values))
    return module.eval(), {name: tensor.double().numpy() for name, tensor in module.state_dict().items()}


def equal(module, x, wanted):
    with torch.no_grad():
        got = module(torch.from_numpy(x).float()).numpy()
    assert got.shape == x.shape and np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize(
    "options",
    [{}, {"reduction": 8, "spatial": False}, {"pools": ("mean", "max", "lp", "lse")}, {"pools": ("lse",)}],
    ids=["both gates", "channels alone", "four pools", "one pool"],
)
def test_cbam(options):
    module, weights = filled(Cbam(32, **options))
    x = RNG.standard_normal((2, 32, 11, 9))
    assert weights["0.narrow.weight"].shape == (32 // options.get("reduction", 16), 32)
    options.pop("reduction", None)
    equal(module, x, attended(x, weights, "", **options))


def test_residual_block():
    module, weights = filled(CbamBlock(32))
    x = RNG.standard_normal((2, 32, 7, 8))
    y = np.maximum(normalise(convolve(x, weights["branch.0.weight"]), weights, "branch.1"), 0)
    y = normalise(convolve(y, weights["branch.3.weight"]), weights, "branch.4")
    equal(module, x, np.maximum(x + attended(y, weights, "branch.5."), 0))


def test_bottleneck():
    module, weights = filled(CbamBottleneck(64, 16))
    x = y = RNG.standard_normal((2, 64, 8, 6))
    for conv, norm in ((0, 1), (3, 4)):
        y = np.maximum(normalise(convolve(y, weights[f"branch.{conv}.weight"]), weights, f"branch.{norm}"), 0)
    y = normalise(convolve(y, weights["branch.6.weight"]), weights, "branch.7")
    equal(module, x, np.maximum(x + attended(y, weights, "branch.8."), 0))


def test_few_channels_keep_one_hidden_value():
    assert ChannelGate(3).narrow.out_features == 1


def test_unknown_pools_are_named():
    with pytest.raises(InputError, match="median"):
        ChannelGate(32, pools=("mean", "median"))
