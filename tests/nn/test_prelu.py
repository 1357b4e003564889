"""PReLU with one slope against torch's own, values and gradients."""

import pytest
import torch

from voxfield.nn.prelu import Prelu


@pytest.mark.parametrize("slope", [0.25, 0.0, -0.5, 1.5])
def test_values_and_gradients_are_those_of_prelu(slope):
    torch.manual_seed(0)
    ours, theirs = Prelu(), torch.nn.PReLU()
    for layer in (ours, theirs):
        layer.weight.data.fill_(slope)
    first = torch.randn(2, 3, 40, requires_grad=True)
    second = first.detach().clone().requires_grad_()
    weights = torch.randn(2, 3, 40)
    (ours(first) * weights).sum().backward()
    (theirs(second) * weights).sum().backward()
    assert torch.equal(first.grad, second.grad)
    assert torch.allclose(ours.weight.grad, theirs.weight.grad, rtol=1e-5)
    with torch.no_grad():
        assert torch.equal(ours(first), theirs(second))
