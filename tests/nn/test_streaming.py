"""The combinators and the base of streaming layers; `tests/laws/test_streaming_contract.py` holds what all obey."""

import pytest
import torch

from voxfield.errors import InputError
from voxfield.nn.conv import CausalConv1d, CausalConvTranspose1d
from voxfield.nn.recurrent import Gru
from voxfield.nn.streaming import Chain, Delay, Residual, flatten, unflatten


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (8, 3), (5, 5)])
def test_transposed_overlap_is_the_state(kernel, stride):
    layer = CausalConvTranspose1d(3, 2, kernel, stride, bias=True)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 10)
    with torch.no_grad():
        torch.testing.assert_close(layer(x)[0], layer.conv(x)[..., : 10 * stride] + layer.bias, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_a_block_that_is_no_multiple_of_the_stride_is_refused(steps):
    layer = CausalConv1d(1, 1, 6, stride=2)
    with pytest.raises(InputError, match=f"multiple of its stride, 2; this one has {steps} steps, of which 1"):
        layer(torch.zeros(1, 1, steps))
    with pytest.raises(InputError, match="multiple of its stride"):
        Chain(torch.nn.Identity(), layer)(torch.zeros(1, 1, steps))


def test_stride_rate_and_lookahead_of_a_chain():
    down, up = CausalConv1d(1, 1, 6, stride=2), CausalConvTranspose1d(1, 1, 6, 3)
    chain = Chain(down, torch.nn.ReLU(), Delay(1, 5), up, CausalConv1d(1, 1, 8, stride=4), Delay(1, 1))
    assert (down.stride, up.stride, chain.stride) == (2, 1, 8)
    assert (down.rate, up.rate, chain.rate) == (0.5, 3, 0.375)
    assert chain.lookahead == 13  # 5 steps at half the rate, and 1 step of 8 / 3
    assert chain(torch.zeros(1, 1, 16))[0].shape[-1] == 6
    assert Chain(torch.nn.ReLU()).stride == 1 and Chain().lookahead == 0


def test_a_late_or_strided_branch_is_no_residual():
    with pytest.raises(InputError, match=r"gives 1, 4 steps late: add its output to Delay\(channels, 4\)"):
        Residual(Chain(CausalConv1d(2, 2, 3), Delay(2, 4)))
    with pytest.raises(InputError, match="gives 1/2"):
        Residual(CausalConv1d(2, 2, 4, stride=2))


def test_a_state_of_another_dtype_is_refused():
    layer = CausalConv1d(2, 2, 3)
    _, state = layer.double()(torch.zeros(1, 2, 4, dtype=torch.float64))
    with pytest.raises(InputError, match=r"block of torch\.float32 and the state 0 of torch\.float64"):
        layer.float()(torch.zeros(1, 2, 4), state)


def test_the_state_of_another_layer_is_refused():
    _, state = CausalConv1d(2, 2, 5)(torch.zeros(1, 2, 4))
    with pytest.raises(InputError, match="CausalConv1d was given 4 steps as its state, not 2"):
        CausalConv1d(2, 2, 3)(torch.zeros(1, 2, 4), state)


@pytest.mark.parametrize("layer", [CausalConv1d(2, 2, 3), Gru(2, 3)], ids=["conv", "gru"])
def test_autocast_streams(layer):
    x = torch.randn(6, 2, 2) if isinstance(layer, Gru) else torch.randn(2, 2, 6)
    with torch.autocast("cpu", torch.bfloat16):
        first, state = layer(x)
        second, state = layer(x, state)
    assert torch.isfinite(first).all() and torch.isfinite(second).all()


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
