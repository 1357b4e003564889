"""Laws that every streaming network obeys, shown on small ones of each architecture; adding an entry adds the
proofs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from voxfield.export.onnx_file import example_block, parity, to_onnx
from voxfield.models.crn import CrnConfig, CrnEnhancer
from voxfield.models.crn_band import BandCrn, BandCrnConfig

NETWORKS = {
    "crn": lambda: CrnEnhancer(CrnConfig(filters=(2, 3, 4, 5, 6))),
    "crn-keras": lambda: CrnEnhancer(replace(CrnConfig.keras(), filters=(2, 3, 4, 5, 6))),
    "crn-band": lambda: BandCrn(BandCrnConfig(channels=8, bands=6, hidden=8, blocks=2, level_frames=9)),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    torch.manual_seed(0)
    net = NETWORKS[request.param]().eval()
    for module in net.modules():  # statistics that have seen something
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net


def blocks(net, x, sizes):
    state, parts = None, []
    for block in x.split(sizes, dim=-1):
        y, state = net(block, state)
        parts.append(y)
    return torch.cat(parts, dim=-1)


@torch.no_grad()
def test_streamed_equals_offline(network):
    x = example_block(network.interface(), 24)
    whole = network(x)[0]
    rng = np.random.default_rng(0)
    for _ in range(4):
        cuts = np.sort(rng.choice(np.arange(1, 24), 5, replace=False))
        sizes = np.diff([0, *cuts, 24]).tolist()
        assert (blocks(network, x, sizes) - whole).abs().max() <= 1e-5 * whole.abs().max()


@torch.no_grad()
def test_interleaved_streams_do_not_mix(network):
    first, second = example_block(network.interface(), 12), example_block(network.interface(), 13)[..., 1:]
    states, outputs = [None, None], [[], []]
    for at in range(0, 12, 3):
        for which, x in enumerate((first, second)):
            y, states[which] = network(x[..., at : at + 3], states[which])
            outputs[which].append(y)
    for x, parts in zip((first, second), outputs, strict=True):
        whole = network(x)[0]
        assert (torch.cat(parts, -1) - whole).abs().max() <= 1e-5 * whole.abs().max()


@torch.no_grad()
def test_a_batch_is_independent_recordings(network):
    x = torch.cat([example_block(network.interface(), 6), example_block(network.interface(), 7)[..., :6]])
    together = network(x)[0]
    apart = torch.cat([network(part)[0] for part in x.split(1)])
    assert (together - apart).abs().max() <= 1e-5 * apart.abs().max()


@torch.no_grad()
def test_the_future_does_not_reach_back(network):
    x = example_block(network.interface(), 16)
    changed = x.clone()
    changed[..., 9:] = float("nan")  # poison spreads to whatever depends on it
    before = network(x)[0][..., :9]
    assert torch.equal(network(changed)[0][..., :9], before)


def test_onnx_equals_torch(network):
    face = network.interface()
    content, names = to_onnx(network, face)
    assert parity(network, content, names, face) <= 1e-5


@torch.no_grad()
def test_silence_gives_silence_and_no_nan(network):
    y = network(torch.zeros_like(example_block(network.interface(), 5)))[0]
    assert torch.isfinite(y).all() and y.abs().max() < 1e-5
