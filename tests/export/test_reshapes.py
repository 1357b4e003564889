"""Reshapes whose shape the exporter works out at every step become constants, and mean the same."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from voxfield.export.reshapes import with_constant_reshapes
from voxfield.ort import open_session


class Kept(nn.Module):
    """One axis kept, one left open: a constant says it."""

    def forward(self, x):
        return x.reshape(x.shape[0], -1, 4)


class Moved(nn.Module):
    """Two axes that are elsewhere in the input: no constant says it."""

    def forward(self, x):
        return x.reshape(x.shape[1], 2, x.shape[0], 2)


def exported(net):
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.randn(2, 3, 4),),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "time", 1: "batch"}},
        )
    return file.getvalue()


@pytest.mark.parametrize(("net", "left"), [(Kept(), False), (Moved(), True)])
def test_a_reshape_is_by_a_constant_where_one_can_say_it(net, left):
    before = exported(net)
    after = with_constant_reshapes(before)
    kinds = [node.op_type for node in onnx.load_from_string(after).graph.node]
    assert "Shape" in [node.op_type for node in onnx.load_from_string(before).graph.node]
    assert ("Shape" in kinds) == left
    for shape in ((2, 3, 4), (5, 1, 4), (1, 7, 4)):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        outputs = [open_session(file, "file").run(None, {"x": x})[0] for file in (before, after)]
        assert np.array_equal(*outputs)
        assert np.array_equal(outputs[1], net(torch.from_numpy(x)).numpy())
