"""Weights in 16 bits: what is stored is exactly what the network computes with."""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from voxfield.export.half import round_to_half, stored_in_half
from voxfield.ort import open_session


def test_only_what_loses_nothing_is_stored_in_half():
    rng = np.random.default_rng(0)
    exact, other = rng.standard_normal((2, 300)).astype(np.float32)
    weights = {"exact": exact.astype(np.float16).astype(np.float32), "other": other, "few": exact[:1]}
    nodes = [
        helper.make_node("Mul", ["input", "exact"], ["a"]),
        helper.make_node("Mul", ["a", "other"], ["b"]),
        helper.make_node("Add", ["b", "few"], ["output"]),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [300]) for name in ("input", "output")]
    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "three", ports[:1], ports[1:], constants)
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    small = stored_in_half(content)
    kinds = {tensor.name: tensor.data_type for tensor in onnx.load_from_string(small).graph.initializer}
    assert kinds == {"exact.half": TensorProto.FLOAT16, "other": TensorProto.FLOAT, "few": TensorProto.FLOAT}
    x = rng.standard_normal(300).astype(np.float32)
    made, wanted = (open_session(one, "it").run(None, {"input": x})[0] for one in (small, content))
    assert np.array_equal(made, wanted)


@torch.no_grad()
def test_rounding_leaves_8_significant_bits_and_the_function():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv1d(2, 3, 5), torch.nn.BatchNorm1d(3)).eval()
    net[1].running_mean.normal_()
    net[1].running_var.uniform_(0.5, 2)
    x = torch.randn(1, 2, 50)
    wanted = net(x)
    round_to_half(net)
    assert isinstance(net[1], torch.nn.Identity)  # the norm is part of the convolution now
    for weight in net.parameters():
        assert torch.equal(weight, weight.bfloat16().float()) and torch.equal(weight, weight.half().float())
    assert (net(x) - wanted).abs().max() < 0.02 * wanted.abs().max()
