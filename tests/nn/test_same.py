"""Padding as Keras has it; whole layers against Keras itself are in tests/export/test_keras.py."""

import pytest
import torch

from voxfield.nn.same import SamePad2d, same_padding


@pytest.mark.parametrize("size", range(3, 12))
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [(3, 1, 1), (2, 1, 1), (3, 2, 1), (2, 2, 1), (3, 1, 2), (1, 2, 1)]
)
def test_as_many_outputs_as_strides_fit_in(size, kernel, stride, dilation):
    before, after = same_padding(size, kernel, stride, dilation)
    span = (kernel - 1) * dilation + 1
    assert (size + before + after - span) // stride + 1 == -(-size // stride)
    assert before <= after <= before + 1


def test_a_maximum_never_sees_the_padding():
    x = -torch.ones(1, 1, 4, 5)
    padded = SamePad2d((3, 3), (3, 3), -torch.inf)(x)
    assert padded.shape == (1, 1, 6, 6)
    assert torch.equal(torch.nn.functional.max_pool2d(padded, 3), -torch.ones(1, 1, 2, 2))
