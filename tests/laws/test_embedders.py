"""Laws of every network that turns a recording into an embedding."""

import numpy as np
import pytest
import torch
from embedders import EMBEDDERS, embedder
from torch.nn.functional import cosine_similarity

from voxfield.cards import WHOLE_INPUT
from voxfield.explain import explain
from voxfield.export import export_network
from voxfield.export.onnx_file import parity, to_onnx
from voxfield.runtime import OnnxEngine


@pytest.fixture(params=EMBEDDERS)
def network(request):
    return embedder(request.param)


def about(net):
    return {
        "name": "pattern-embed.v1", "task": "embed", "architecture": "pattern", "summary": "shows the pattern",
        "config": {}, "licence": "Apache-2.0", "data": (), "interface": net.interface(),
    }  # fmt: skip


def test_onnx_equals_torch(network):
    content, names = to_onnx(network, network.interface())
    assert names == [] and parity(network, content, names, network.interface()) <= 1e-5


@torch.no_grad()
def test_padding_does_no_harm(network):
    """Whatever stands behind a recording in its batch leaves its embedding alone."""
    x = torch.randn(3, 80, 40)
    alone = [network(x[:1, :, :33]), network(x[1:2, :, :8]), network(x[2:])]
    x[0, :, 33:], x[1, :, 8:] = 100, 0
    together = network(torch.nn.functional.pad(x, (0, 40)), torch.tensor([33, 8, 40]))
    assert 1 - cosine_similarity(torch.cat(alone), together).min() < 1e-4
    assert torch.allclose(torch.cat(alone), together, atol=1e-5)


def test_short_recordings_and_silence_give_numbers_and_gradients(network):
    face = network.interface()
    for frames in range(face.least_steps, 12):
        for x in (torch.randn(1, 80, frames), torch.zeros(1, 80, frames)):
            network.zero_grad()
            y = network(x)
            y.square().sum().backward()
            assert y.shape == (1, 12) and torch.isfinite(y).all()
            assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


@torch.no_grad()
def test_recordings_of_a_batch_do_not_mix(network):
    x = torch.randn(3, 80, 21)
    assert torch.allclose(network(x), torch.cat([network(row[None]) for row in x]), atol=1e-5)


@torch.no_grad()
def test_the_file_runs_and_its_card_tells_its_figures(network, tmp_path):
    card = export_network(network, tmp_path / "net.onnx", about(network))
    engine = OnnxEngine(tmp_path / "net.onnx")
    assert engine.card == card and card.interface == network.interface() and card.interface.features == "kaldi-hamming"
    x = np.random.default_rng(0).standard_normal((1, 80, 50)).astype(np.float32)
    assert np.allclose(engine.step(x, ())[0], network(torch.from_numpy(x)).numpy(), atol=1e-5)
    report = explain(network, input_shape=(1, 80, 100), layout="BCT", rate_hz=100)
    assert not report.unknown and report.costs.params.value == sum(p.numel() for p in network.parameters())
    assert card.macs == round(report.costs.macs_per_second.value)
    assert card.field_samples == WHOLE_INPUT and card.states == ()
