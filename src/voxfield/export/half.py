"""Weights stored in 16 bits: half the file, the same arithmetic.

The network is rounded first, so what is stored is exactly what it computes with; each stored tensor is widened to
single precision when the file is loaded.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

LEAST_NUMBERS = 256  # of a tensor that is worth it


@torch.no_grad()
def round_to_half(net: nn.Module) -> None:
    """Round every weight to the nearest number of 16 bits."""
    for tensor in (*net.parameters(), *net.buffers()):
        if tensor.is_floating_point():
            tensor.copy_(tensor.half().to(tensor.dtype))


def stored_in_half(content: bytes) -> bytes:
    """The ONNX file with those of its constants in 16 bits that lose nothing by it."""
    model = onnx.load_from_string(content)
    constants, casts = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < LEAST_NUMBERS:
            constants.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float16)
        if not np.array_equal(narrow.astype(np.float32), values):
            constants.append(tensor)
            continue
        name = f"{tensor.name}.half"
        constants.append(numpy_helper.from_array(narrow, name))
        casts.append(helper.make_node("Cast", [name], [tensor.name], name=f"widen.{tensor.name}", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(constants)
    model.graph.node.extend(nodes)
    made: bytes = model.SerializeToString()
    return made
