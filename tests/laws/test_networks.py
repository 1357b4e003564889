"""Networks on spectra beyond the streaming contract: ONNX = torch, and silence stays silence."""

from dataclasses import replace

import pytest
import torch

from voxfield.export.convert.tan_wang import CONFIG
from voxfield.export.onnx_file import example_block, parity, to_onnx
from voxfield.models.crn import CrnConfig, CrnEnhancer
from voxfield.models.crn_band import BandCrn, BandCrnConfig
from voxfield.models.linear_probe import LinearProbe, LinearProbeConfig

NETWORKS = {
    "crn": lambda: CrnEnhancer(CrnConfig(filters=(2, 3, 4, 5, 6))),
    "crn-keras": lambda: CrnEnhancer(replace(CrnConfig.keras(), filters=(2, 3, 4, 5, 6))),
    "crn-authors": lambda: CrnEnhancer(replace(CONFIG, filters=(2, 3, 4, 5, 6))),
    "crn-band": lambda: BandCrn(BandCrnConfig(channels=8, bands=6, hidden=8, blocks=2, level_frames=9)),
    "crn-band, two sources": lambda: BandCrn(BandCrnConfig(channels=8, bands=6, hidden=8, blocks=2, sources=2)),
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


def test_onnx_equals_torch(network):
    face = network.interface()
    content, names = to_onnx(network, face)
    assert parity(network, content, names, face) <= 1e-5


def test_a_file_that_mixes_the_channels_of_a_batch_is_found_out():
    """Channels of a recording are a batch where the file takes any."""

    class Mixes(LinearProbe):
        def forward(self, embedding):
            return super().forward(embedding) - embedding.mean() + embedding[:1].mean()

    config = LinearProbeConfig(("a", "b"), embedding=4)
    face, net = LinearProbe(config).interface(), Mixes(config).eval()
    content, names = to_onnx(net, face)
    assert parity(net, content, names, face) <= 1e-5
    alone = LinearProbe(config).eval()
    alone.load_state_dict(net.state_dict())
    assert parity(alone, content, names, face) > 1e-3


@torch.no_grad()
def test_silence_gives_silence_and_no_nan(network):
    y = network(torch.zeros_like(example_block(network.interface(), 5)))[0]
    assert torch.isfinite(y).all() and y.abs().max() < 1e-5
