"""Depthwise-separable convolutions against the standard one: what they compute, and what they cost."""

from fractions import Fraction

import pytest
import torch
from torch import nn

from voxfield.errors import InputError
from voxfield.explain import explain, report_on
from voxfield.nn.depthwise import CausalSeparable1d, CausalSeparable2d, Separable1d, Separable2d, separable_cost
from voxfield.nn.streaming import run

PAIRS = {  # name: (separable layer, standard layer, shape, layout, kernel)
    "1d": (lambda: Separable1d(8, 16, 5), lambda: nn.Conv1d(8, 16, 5, padding=2), (1, 8, 40), "BCT", (5,)),
    "2d": (lambda: Separable2d(8, 64, 3, 1, 1), lambda: nn.Conv2d(8, 64, 3, 1, 1), (1, 8, 12, 12), "BCHW", (3, 3)),
    "2d, strided": (
        lambda: Separable2d(8, 4, 3, 2), lambda: nn.Conv2d(8, 4, 3, 2), (1, 8, 13, 13), "BCHW", (3, 3)
    ),
    "causal 1d": (lambda: CausalSeparable1d(8, 16, 3), lambda: nn.Conv1d(8, 16, 3), (1, 8, 40), "BCT", (3,)),
    "causal 2d": (
        lambda: CausalSeparable2d(8, 16, (3, 2), bands=9),
        lambda: nn.Conv2d(8, 16, (3, 2)),
        (1, 8, 9, 40),
        "BCFT",
        (3, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_the_cost_is_one_over_filters_and_one_over_taps(name):
    make, standard, shape, layout, kernel = PAIRS[name]
    report = explain(_Output(make()), input_shape=shape, layout=layout)
    whole = explain(standard(), input_shape=shape, layout=layout)
    macs, dense = report.costs.macs.value, whole.costs.macs.value
    filters = standard().out_channels
    if name.startswith("causal"):  # the state pads in front of time, where the plain layer has fewer outputs
        dense = dense * 40 // (40 - kernel[-1] + 1)
    assert Fraction(round(macs), round(dense)) == separable_cost(filters, *kernel)


def test_explain_says_the_ratio():
    answer = report_on(Separable2d(32, 64, 3, padding=1), input_shape=(1, 32, 28, 28), layout="BCHW")
    said = {paragraph.key: paragraph.answer for paragraph in answer.paragraphs}
    assert "1/N + 1/k^2 = 1/64 + 1/9 = 0.1267" in said["separable"]


@torch.no_grad()
@pytest.mark.parametrize("name", PAIRS)
def test_it_is_a_standard_convolution_of_rank_one_kernels(name):
    make, standard, shape, *_ = PAIRS[name]
    torch.manual_seed(0)
    pair, plain = make().eval(), standard()
    plain.bias.zero_()
    depthwise, pointwise = (module for module in pair.modules() if isinstance(module, nn.Conv1d | nn.Conv2d))
    plain.weight.copy_(pointwise.weight * depthwise.weight.transpose(0, 1))
    x = torch.randn(shape)
    padded = nn.functional.pad(x, (plain.kernel_size[-1] - 1, 0)) if name.startswith("causal") else x
    assert torch.allclose(run(pair, x, None)[0], plain(padded), atol=1e-5)


def test_what_follows_each_convolution():
    pair = Separable2d(3, 5, 3, after=nn.BatchNorm2d)
    assert [type(layer).__name__ for layer in pair] == ["Conv2d", "BatchNorm2d", "Conv2d", "BatchNorm2d"]
    assert [pair[1].num_features, pair[3].num_features] == [3, 5]


def test_an_even_kernel_has_no_middle():
    with pytest.raises(InputError, match="CausalSeparable1d"):
        Separable1d(2, 2, 4)


class _Output(nn.Module):
    """The output alone of a layer with a state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return run(self.layer, x, None)[0]
