"""The two forms of a depthwise convolution against each other, values and gradients."""

import pytest
import torch

from voxfield.nn.depthwise import Depthwise


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kernel", "dilation", "frames"), [(3, 1, 20), (3, 8, 5), (5, 4, 33), (1, 1, 4)])
def test_both_forms_agree(kernel, dilation, frames, bias):
    torch.manual_seed(0)
    layer = Depthwise(6, kernel, dilation, bias)
    x = torch.randn(2, 6, frames, requires_grad=True)
    weights = torch.randn(2, 6, frames)
    (layer(x) * weights).sum().backward()
    shifted = [x.grad, *(parameter.grad for parameter in layer.parameters())]
    other = x.detach().clone().requires_grad_()
    plain = torch.nn.functional.conv1d(
        other, layer.weight, layer.bias, padding=layer.padding, dilation=dilation, groups=6
    )
    gradients = torch.autograd.grad((plain * weights).sum(), [other, *layer.parameters()])
    for got, wanted in zip(shifted, gradients, strict=True):
        assert torch.allclose(got, wanted, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(layer(x), plain, atol=1e-6)
