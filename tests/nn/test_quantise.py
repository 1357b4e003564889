"""Codebooks: the numbers of two references, k-means, revival, degenerate codebooks and inputs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from voxfield.errors import InputError
from voxfield.nn.quantise import Codebook, kmeans, use

HERE = Path(__file__).parent


def stored(name):
    with np.load(HERE / name) as file:
        return {key: torch.from_numpy(file[key]) for key in file}


def test_moving_averages_are_those_of_rosinality():
    """Three steps from its own start, counts of 0 included: each quantises with the codebook from before its update."""
    case = stored("rosinality_quantize_ema.npz")
    book = Codebook(16, 8, revive_below=0, kmeans=False)
    book.entries.copy_(case["embed"].T)
    book.sums.copy_(case["embed_avg"].T)
    book.counts.copy_(case["cluster_size"])
    for step, x in enumerate(case["steps"]):
        x = x.requires_grad_()
        found = book(x.movedim(-1, 1))
        assert torch.equal(found.codes, case[f"{step}.ind"])
        assert float(found.loss.detach()) == pytest.approx(0.25 * float(case[f"{step}.diff"]), rel=1e-5)
        (gradient,) = torch.autograd.grad(found.values.square().sum() + found.loss, x)
        torch.testing.assert_close(gradient, case[f"{step}.grad"], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(book.entries.T, case[f"{step}.embed"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(book.counts, case[f"{step}.cluster_size"])
        torch.testing.assert_close(book.sums.T, case[f"{step}.embed_avg"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["euclid", "cosine", "project"])
def test_codes_are_those_of_vector_quantize_pytorch(kind):
    case = stored("lucidrains_vq.npz")
    entries = case[f"{kind}.embed"][0]
    book = Codebook(*entries.shape, similarity="cosine" if kind == "cosine" else "euclidean").eval()
    book.entries.copy_(entries)
    x = case["x"]
    if kind == "project":
        x = F.linear(x, case["project.project_in.weight"], case["project.project_in.bias"])
    found = book(x.movedim(-1, 1))
    values = found.values.movedim(1, -1)
    if kind == "project":
        values = F.linear(values, case["project.project_out.weight"], case["project.project_out.bias"])
    assert torch.equal(found.codes, case[f"{kind}.indices"])
    torch.testing.assert_close(values, case[f"{kind}.quantized"])


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_a_codebook_learns_the_clusters_it_sees(update):
    torch.manual_seed(0)
    centres = 5 * torch.randn(8, 4)
    book = Codebook(32, 4, update=update, decay=0.9)
    optimiser = torch.optim.Adam([torch.zeros(1, requires_grad=True), *book.parameters()], 0.05)
    for _ in range(60):
        x = centres[torch.randint(8, (256,))] + 0.05 * torch.randn(256, 4)
        found = book(x.T[None].requires_grad_())
        optimiser.zero_grad()
        found.loss.backward()
        optimiser.step()
    distances = torch.cdist(centres, book.entries.detach()).min(1).values
    assert distances.max() < 0.2
    used, perplexity = use(found.codes, 32)
    assert used >= 0.25 and perplexity > 6


def test_an_unused_entry_stays_where_it_is():
    """The reference divides its sum by almost nothing, and it flies off to 1e5."""
    torch.manual_seed(0)
    book = Codebook(16, 8, revive_below=0, kmeans=False)
    book.entries[3] = book.sums[3] = 100.0
    for _ in range(50):
        book(torch.randn(1, 8, 64))
    torch.testing.assert_close(book.entries[3], torch.full((8,), 100.0), rtol=1e-3, atol=0)


def test_dead_entries_are_moved_to_vectors_of_the_batch():
    torch.manual_seed(0)
    book = Codebook(16, 8, decay=0.8, kmeans=False)
    book.entries[3] = book.sums[3] = 100.0
    for _ in range(30):
        book(torch.randn(1, 8, 64))
    assert book.entries.abs().max() < 10
    before = book.entries.clone()
    book.eval()(torch.randn(1, 8, 64))
    assert torch.equal(book.entries, before)


def test_moved_entries_count_as_much_as_the_mean():
    """And what is hardly used is told by a share of the mean, however many vectors a batch holds."""
    torch.manual_seed(0)
    book, x = Codebook(16, 4, decay=0.0, kmeans=False), torch.randn(1, 4, 640)
    book.entries[3] = x[..., :2] = 30.0  # an entry of 2 vectors, where the mean is 40
    book(x)
    assert book.counts.min() >= 4
    torch.testing.assert_close(book.sums / book.counts[:, None], book.entries, rtol=1e-3, atol=1e-3)


def test_what_a_gradient_moves_does_not_feel_the_commitment():
    x, gradients = torch.randn(1, 3, 20), []
    for commitment in (0.0, 5.0):
        torch.manual_seed(0)
        book = Codebook(4, 3, update="gradient", commitment=commitment, kmeans=False)
        book(x).loss.backward()
        gradients.append(book.entries.grad)
    torch.testing.assert_close(*gradients)


def test_directions_keep_their_length():
    torch.manual_seed(0)
    book = Codebook(8, 4, similarity="cosine", kmeans=False, revive_below=0)
    for _ in range(3):
        torch.testing.assert_close(book.entries.norm(dim=1), torch.ones(8))
        book(5 * torch.randn(1, 4, 64))


@pytest.mark.parametrize("update", ["ema", "gradient"])
@pytest.mark.parametrize("codes", [1, 16])
def test_all_equal_input_and_a_codebook_of_one_entry(codes, update):
    torch.manual_seed(0)
    book = Codebook(codes, 4, update=update)
    for _ in range(40):
        found = book(torch.full((2, 4, 3, 5), 0.5))
    assert found.codes.shape == (2, 3, 5) and found.codes.unique().numel() == 1
    torch.testing.assert_close(found.values, torch.full((2, 4, 3, 5), 0.5), rtol=1e-3, atol=1e-3)
    assert book.entries.isfinite().all() and float(found.loss.detach()) < 1e-5
    assert use(found.codes, codes)[1] == pytest.approx(1)


def test_kmeans_finds_clusters_and_fills_empty_ones():
    torch.manual_seed(0)
    vectors = torch.cat([torch.randn(50, 2) * 0.01 + centre for centre in (-3.0, 0.0, 4.0)])
    means = kmeans(vectors, 6)
    assert torch.cdist(torch.tensor([[-3.0, -3], [0, 0], [4, 4]]), means).min(1).values.max() < 0.2
    assert kmeans(vectors[:2], 5).isfinite().all()
    means = kmeans(vectors, 3)
    nearest = torch.cdist(vectors, means).argmin(1)
    torch.testing.assert_close(torch.stack([vectors[nearest == one].mean(0) for one in range(3)]), means)


def test_the_gradient_passes_straight_through():
    book = Codebook(4, 3).eval()
    x = torch.randn(2, 3, 5, requires_grad=True)
    weights = torch.randn(2, 3, 5)
    (gradient,) = torch.autograd.grad((book(x).values * weights).sum(), x)
    torch.testing.assert_close(gradient, weights)


def test_lookup_is_the_inverse_on_entries():
    book = Codebook(7, 3).eval()
    codes = torch.randint(7, (2, 4, 5))
    assert torch.equal(book(book.lookup(codes)).codes, codes)


@pytest.mark.parametrize("options", [{"update": "sgd"}, {"similarity": "l1"}, {"codes": 0}])
def test_what_cannot_be(options):
    with pytest.raises(InputError):
        Codebook(**({"codes": 4, "size": 2} | options))
