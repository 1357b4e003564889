"""Muon: which weights are matrices, what a step does to them, and that it learns."""

import pytest
import torch
from torch import nn

from voxfield.train.muon import SIZE, Muon, matrices, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (56, 168), (168, 24)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    torch.manual_seed(0)
    matrix = torch.randn(2, *shape) * torch.tensor([1e-4, 1e3])[:, None, None]
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    along = u.mT @ orthogonal(matrix) @ vh.mT
    values = along.diagonal(dim1=1, dim2=2)
    assert values.median() > 0.7 and values.max() < 1.3
    assert (along - torch.diag_embed(values)).abs().max() < 0.02


def test_one_matrix_for_each_gate_and_group():
    net = nn.Sequential(
        nn.Conv1d(16, 32, 3, groups=2),
        nn.Conv1d(32, 32, 5, groups=32),
        nn.GRU(12, 16),
        nn.LSTM(12, 16),
        nn.Linear(4, 64),
    )
    found = {name: dict(matrices(net)).get(weight) for name, weight in net.named_parameters()}
    assert {name: shape for name, shape in found.items() if shape} == {
        "0.weight": (2, 16, 24),
        "2.weight_ih_l0": (3, 16, 12),
        "2.weight_hh_l0": (3, 16, 16),
        "3.weight_ih_l0": (4, 16, 12),
        "3.weight_hh_l0": (4, 16, 16),
    }


def test_a_step_is_as_large_as_one_of_adamw():
    torch.manual_seed(0)
    net = nn.Linear(32, 64)
    before = [parameter.clone() for parameter in net.parameters()]
    optimiser = Muon(net, 0.1, weight_decay=0.0)
    net(torch.randn(256, 32)).square().sum().backward()
    optimiser.step()
    weight, bias = ((now - old).square().mean().sqrt() for now, old in zip(net.parameters(), before, strict=True))
    assert weight.item() == pytest.approx(0.1 * SIZE, rel=0.2) and bias.item() == pytest.approx(0.1, rel=1e-3)


def test_weights_decay_and_a_step_that_is_left_out_changes_nothing():
    net = nn.Linear(8, 8)
    before = [parameter.clone() for parameter in net.parameters()]
    optimiser = Muon(net, 0.5, weight_decay=0.1)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.found_inf = torch.tensor(1.0)
    optimiser.step()
    assert all(torch.equal(now, old) for now, old in zip(net.parameters(), before, strict=True))
    optimiser.found_inf = torch.tensor(0.0)
    optimiser.step()
    for now, old in zip(net.parameters(), before, strict=True):
        torch.testing.assert_close(now, 0.95 * old)


def test_it_learns():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 16))
    inputs = torch.randn(256, 16)
    wanted = torch.sin(inputs @ torch.randn(16, 16) / 4)
    optimiser, losses = Muon(net, 0.02, weight_decay=0.0), []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (net(inputs) - wanted).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
