"""Pooling equals WeSpeaker's; `wespeaker_pooling.npz` holds weights, inputs and outputs of its `pooling_layers.py`."""

from pathlib import Path

import numpy as np
import pytest
import torch

from voxfield.nn.pooling import AttentiveStatistics, StatisticsPooling

STORED = {
    name: torch.from_numpy(array) for name, array in np.load(Path(__file__).with_name("wespeaker_pooling.npz")).items()
}
RENAMED = {"linear1": "hidden", "linear2": "scores"}


def attentive(kind):
    layer = AttentiveStatistics(12, 8, global_context=kind == "ASTP_glob")
    prefix = f"weights.{kind}."
    for name, tensor in STORED.items():
        if name.startswith(prefix):
            part, _, rest = name.removeprefix(prefix).partition(".")
            getattr(getattr(layer, RENAMED[part]), rest).data.copy_(tensor)
    return layer


@pytest.mark.parametrize("kind", ["TSTP", "ASTP", "ASTP_glob"])
@pytest.mark.parametrize("case", range(3))
def test_equal_to_wespeaker(kind, case):
    layer = StatisticsPooling() if kind == "TSTP" else attentive(kind)
    assert torch.allclose(layer(STORED[f"case{case}.x"]), STORED[f"case{case}.{kind}"], atol=1e-6)


@pytest.mark.parametrize("kind", ["TSTP", "ASTP", "ASTP_glob"])
def test_one_frame_has_no_deviation_and_finite_gradients(kind):
    layer = StatisticsPooling() if kind == "TSTP" else attentive(kind)
    x = torch.randn(2, 12, 1, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert torch.isfinite(x.grad).all() and torch.allclose(y[:, :12], x[..., 0]) and (y[:, 12:] < 1e-3).all()
