"""The streaming contract on single layers: blocks of any size give what one block gives."""

import pytest
import torch

from voxfield.errors import InputError
from voxfield.nn.conv import CausalConv1d, CausalConv2d, CausalConvTranspose1d, CausalConvTranspose2d
from voxfield.nn.level import MovingLevel
from voxfield.nn.streaming import Chain, Delay, Residual, flatten, unflatten


def in_blocks(layer, x, sizes):
    """Output of a layer fed block by block along the last axis."""
    state, parts = None, []
    for block in x.split(sizes, dim=-1):
        y, state = layer(block, state)
        parts.append(y)
    return torch.cat(parts, dim=-1)


LAYERS = {
    "conv": (CausalConv1d(3, 4, 5), (2, 3, 24)),
    "conv-dilated": (CausalConv1d(3, 4, 3, dilation=4), (2, 3, 24)),
    "conv-strided": (CausalConv1d(3, 4, 6, stride=2), (2, 3, 24)),
    "conv-grouped": (CausalConv1d(4, 8, 3, groups=4), (1, 4, 24)),
    "conv-no-context": (CausalConv1d(3, 4, 2, stride=2), (2, 3, 24)),
    "conv-2d": (CausalConv2d(2, 3, (3, 2), bands=9, stride=2), (2, 2, 9, 24)),
    "conv-2d-one-frame": (CausalConv2d(2, 3, (3, 1), bands=9), (2, 2, 9, 24)),
    "transposed-2d": (CausalConvTranspose2d(2, 3, (3, 2), bands=4, stride=2), (2, 2, 4, 24)),
    "delay": (Delay(3, 5), (2, 3, 24)),
    "level": (MovingLevel(7), (2, 1, 24)),
    "chain": (Chain(CausalConv1d(3, 4, 3), torch.nn.ReLU(), CausalConv1d(4, 3, 2)), (2, 3, 24)),
    "residual": (Residual(Chain(CausalConv1d(3, 3, 3, dilation=2), torch.nn.Tanh())), (2, 3, 24)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("sizes", [[2] * 12, [4, 2, 10, 8], [24], [22, 2]], ids=["hops", "mixed", "whole", "late"])
def test_blocks_equal_whole(name, sizes):
    layer, shape = LAYERS[name]
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(in_blocks(layer, x, sizes), layer(x)[0], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kernel, stride", [(4, 2), (8, 3), (5, 5)])
def test_transposed_overlap_is_the_state(kernel, stride):
    layer = CausalConvTranspose1d(3, 2, kernel, stride, bias=True)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 10)
    with torch.no_grad():
        whole, _ = layer(x)
        expected = layer.conv(x)[..., : 10 * stride] + layer.bias
        torch.testing.assert_close(whole, expected, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(in_blocks(layer, x, [1, 4, 2, 3]), whole, atol=1e-6, rtol=1e-6)


def test_zeros_are_the_initial_state():
    for layer, shape in LAYERS.values():
        x = torch.randn(shape)
        with torch.no_grad():
            torch.testing.assert_close(layer(x, layer.initial_state(shape[0]))[0], layer(x)[0])


def test_gradients_over_two_blocks_equal_one_pass():
    layer = CausalConv1d(2, 3, 4)
    x = torch.randn(1, 2, 20)
    layer(x)[0].square().sum().backward()
    whole = layer.conv.weight.grad.clone()
    layer.conv.weight.grad = None
    in_blocks(layer, x, [12, 8]).square().sum().backward()
    torch.testing.assert_close(layer.conv.weight.grad, whole, atol=1e-4, rtol=1e-5)


def test_delay_is_a_shift():
    x = torch.arange(6.0).reshape(1, 1, 6)
    assert Delay(1, 2)(x)[0].flatten().tolist() == [0, 0, 0, 1, 2, 3]


def test_flatten_round_trip():
    state = (torch.ones(1), (torch.zeros(2), ()), torch.full((3,), 2.0))
    named = list(flatten(state))
    assert [name for name, _ in named] == ["0", "1.0", "2"]
    again = unflatten(state, iter(leaf for _, leaf in named))
    assert again[1][1] == () and again[2] is state[2]


def test_a_stride_that_skips_is_refused():
    with pytest.raises(InputError, match="skips inputs"):
        CausalConv1d(1, 1, 2, stride=3)
    with pytest.raises(InputError, match="gaps"):
        CausalConvTranspose1d(1, 1, 2, stride=3)
