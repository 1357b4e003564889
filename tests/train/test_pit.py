"""Permutation-invariant scores against brute force."""

from itertools import permutations

import numpy as np
import pytest
import torch

from voxfield.errors import InputError
from voxfield.train.losses.pit import best_order, inner_products, quiet_db


def plain_si_sdr_db(estimate, target):
    estimate, target = estimate - estimate.mean(), target - target.mean()
    wanted = target * np.dot(estimate, target) / np.dot(target, target)
    return 10 * np.log10(np.square(wanted).sum() / np.square(estimate - wanted).sum())


@pytest.mark.parametrize("sources", [2, 3, 4, 5])
def test_the_best_order_is_that_of_brute_force(sources):
    rng = np.random.default_rng(sources)
    for _ in range(20):
        table = rng.standard_normal((1, sources, sources))
        wanted = max(permutations(range(sources)), key=lambda order: sum(table[0, order[j], j] for j in range(sources)))
        assert tuple(best_order(torch.tensor(table))[0].tolist()) == wanted


@pytest.mark.parametrize("sources", [2, 3, 4, 5])
def test_shuffled_voices_are_found_again(sources):
    torch.manual_seed(sources)
    targets = torch.randn(3, sources, 400)
    shuffle = torch.stack([torch.randperm(sources) for _ in range(3)])
    estimates = 0.3 * targets.gather(1, shuffle[..., None].expand(-1, -1, 400)) + 0.01 * torch.randn(3, sources, 400)
    table = inner_products(estimates, targets).db("si_sdr")
    order = best_order(table)
    assert torch.equal(order, shuffle.argsort(1))
    scores = table.gather(1, order[:, None])[:, 0]
    back = estimates.gather(1, order[..., None].expand(-1, -1, 400))
    for b in range(3):
        for j in range(sources):
            assert abs(float(scores[b, j]) - plain_si_sdr_db(back[b, j].numpy(), targets[b, j].numpy())) < 1e-2


@pytest.mark.parametrize("kind", ["si_sdr", "snr"])
def test_pairwise_scores_follow_their_definitions(kind):
    torch.manual_seed(0)
    estimates, targets = torch.randn(2, 3, 300).double(), torch.randn(2, 3, 300).double()
    table = inner_products(estimates, targets).db(kind)
    for b, i, j in np.ndindex(2, 3, 3):
        estimate, target = (x.numpy() - x.numpy().mean() for x in (estimates[b, i], targets[b, j]))
        projected = target * np.dot(estimate, target) / np.dot(target, target)
        wanted = target if kind == "snr" else projected
        error = estimate - (projected if kind == "si_sdr" else target)
        assert abs(float(table[b, i, j]) - 10 * np.log10(np.square(wanted).sum() / np.square(error).sum())) < 5e-3


def test_scores_have_a_ceiling_and_gradients_stay_finite():
    target = torch.randn(1, 2, 200)
    estimate = target.clone().requires_grad_()
    scores = inner_products(estimate, target).db("si_sdr", 30.0).diagonal(dim1=1, dim2=2)
    assert scores.max() <= 30.01
    scores.sum().backward()
    assert torch.isfinite(estimate.grad).all()


def test_silent_targets_and_estimates_give_numbers():
    assert torch.isfinite(inner_products(torch.zeros(1, 2, 50), torch.randn(1, 2, 50)).db("si_sdr")).all()
    assert torch.isfinite(inner_products(torch.randn(1, 2, 50), torch.zeros(1, 2, 50)).db("si_sdr")).all()
    quiet = quiet_db(torch.tensor([[[0.0] * 50, [0.1] * 50]]), torch.ones(1, 1, 50))
    assert quiet[0].tolist() == pytest.approx([30.0, 20 - 10 * np.log10(1.1)], abs=1e-4)


def test_other_shapes_are_refused():
    with pytest.raises(InputError, match="batch, voices, samples"):
        inner_products(torch.randn(2, 3, 10), torch.randn(2, 2, 10))


@pytest.mark.parametrize("kind", ["si_sdr", "snr"])
@pytest.mark.parametrize("ceiling_db, dtype, tolerance_db", [(None, torch.float64, 1e-6), (30.0, torch.float32, 2e-3)])
def test_inner_products_equal_the_direct_form(kind, ceiling_db, dtype, tolerance_db):
    """Scores from inner products, and their gradients, against differences of signals, from -20 to 40 dB."""
    torch.manual_seed(0)
    targets = torch.randn(4, 3, 8000, dtype=dtype) + 0.1
    noise = torch.randn(4, 3, 8000, dtype=dtype) * torch.tensor([0.01, 0.1, 1.0, 10.0])[:, None, None]
    scale = torch.tensor([1.0, 0.5, 2.0])[:, None]
    found, direct = ((scale * targets + noise).requires_grad_() for _ in range(2))
    scores = inner_products(found, targets).db(kind, ceiling_db)

    e = (direct - direct.mean(-1, keepdim=True))[:, :, None]
    t = (targets - targets.mean(-1, keepdim=True))[:, None]
    projected = (e * t).sum(-1, keepdim=True) / t.square().sum(-1, keepdim=True) * t
    wanted = t.expand_as(projected) if kind == "snr" else projected
    error = (e - (projected if kind == "si_sdr" else t)).square().sum(-1)
    wanted = wanted.square().sum(-1)
    bound = 0 if ceiling_db is None else 10 ** (-ceiling_db / 10) * wanted
    expected = 10 * torch.log10(wanted / (error + bound + 1e-8) + 1e-8)

    assert torch.allclose(scores, expected, atol=tolerance_db)
    scores.sum().backward()
    expected.sum().backward()
    for item in range(4):
        difference = (found.grad[item] - direct.grad[item]).norm() / direct.grad[item].norm()
        assert difference < (1e-6 if dtype == torch.float64 else 2e-3)
