"""A network of a new kind needs its model file and its card: export, engine, parity and explain follow."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from voxfield.cards import WHOLE_INPUT, Card
from voxfield.cli.app import run
from voxfield.errors import CheckpointError, InputError
from voxfield.export import export_network
from voxfield.nn.streaming import run as step
from voxfield.runtime import OnnxEngine, Stream

_spec = importlib.util.spec_from_file_location("pattern_networks", Path(__file__).with_name("networks.py"))
networks = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(networks)


def export(task: str, path: Path) -> tuple[torch.nn.Module, Card]:
    torch.manual_seed(0)
    net = networks.NETWORKS[task]().eval()
    about = {
        "name": f"pattern-{task}.v1", "task": task, "architecture": "pattern", "summary": "shows the pattern",
        "config": {}, "licence": "Apache-2.0", "data": (), "interface": net.interface(),
    }  # fmt: skip
    return net, export_network(net, path, about)


@pytest.fixture(params=networks.NETWORKS)
def exported(request, tmp_path):
    path = tmp_path / "model.onnx"
    return *export(request.param, path), OnnxEngine(path)


@torch.no_grad()
def test_the_file_gives_the_numbers_of_the_network(exported):
    net, card, engine = exported
    face = card.interface
    assert engine.card == card and face == net.interface()
    rng = np.random.default_rng(0)
    for hops in (5, 30):
        block = rng.standard_normal(face.block_shape(hops)).astype(np.float32)
        wanted, _ = step(net, torch.from_numpy(block), None)
        given, _ = engine.step(block, engine.initial_state())
        assert given.dtype == face.output.dtype and given.shape == tuple(wanted.shape)
        assert np.allclose(given, wanted.numpy(), atol=1e-5)


def test_explain_reads_size_and_cost_off_the_file(exported, tmp_path, capsys):
    net, card, _ = exported
    assert card.parameters == sum(parameter.numel() for parameter in net.parameters())
    frames = 1 + (16000 - 400) // 160
    costs = {
        "embed": frames * 400 * 24 + 24 * 12,
        "tokens": 100 * (400 * 8 + 8 * 32),
        "spot": 42 * 42 * 8 * 3 * 25 + 8 * 14 * 14,
    }
    assert card.macs == costs[card.task]
    assert card.field_samples == {"embed": WHOLE_INPUT, "tokens": 400, "spot": WHOLE_INPUT}[card.task]
    assert run(["explain", str(tmp_path / "model.onnx")]) == 0
    assert f"{card.parameters:,}" in capsys.readouterr().out
    assert run(["models", str(tmp_path / "model.onnx")]) == 0
    assert ("10 ms" if card.task == "tokens" else "whole input") in capsys.readouterr().out


def test_tokens_step_hop_by_hop(tmp_path):
    export("tokens", tmp_path / "t.onnx")
    engine = OnnxEngine(tmp_path / "t.onnx")
    samples = np.random.default_rng(1).standard_normal((1, 1, 3200)).astype(np.float32)
    whole, _ = engine.step(samples, engine.initial_state())
    state, tokens = engine.initial_state(), []
    for start in range(0, 3200, 160):
        token, state = engine.step(samples[..., start : start + 160], state)
        tokens.append(token)
    assert whole.shape == (1, 1, 20) and np.array_equal(np.concatenate(tokens, axis=-1), whole)
    with pytest.raises(InputError, match="turns samples into tokens"):
        Stream(engine)


def test_one_wrong_token_stops_an_export(tmp_path, monkeypatch):
    """Parity of whole numbers is equality, and it is enforced before anything is written."""
    from voxfield.export import onnx_file

    original = onnx_file.run

    def changed(net, x, state):
        y, state = original(net, x, state)
        return (y if torch.jit.is_tracing() else y + 1), state

    monkeypatch.setattr(onnx_file, "run", changed)
    with pytest.raises(CheckpointError, match="differs from the network by inf"):
        export("tokens", tmp_path / "t.onnx")
    assert not list(tmp_path.iterdir())
