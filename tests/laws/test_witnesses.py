"""Three witnesses agree on what a network hears: its torch graph, its ONNX file with states, and measurement."""

from dataclasses import replace

import pytest
import torch

from voxfield.explain import explain
from voxfield.export.onnx_file import to_onnx
from voxfield.models.conv_tasnet import ConvTasNet, ConvTasNetConfig
from voxfield.models.crn import CrnConfig, CrnEnhancer
from voxfield.models.crn_band import BandCrn, BandCrnConfig
from voxfield.models.wav2vec import Wav2Vec, Wav2VecConfig

SMALL = {"filters": 8, "bottleneck": 4, "hidden": 8, "skip": 4, "blocks": 2, "repeats": 2}
NETWORKS = {  # name: (network, blocks of its hop to look at)
    "crn": (lambda: CrnEnhancer(CrnConfig(filters=(2, 3, 4, 5, 6))), 14),
    "crn-keras": (lambda: CrnEnhancer(replace(CrnConfig.keras(), filters=(2, 3, 4, 5, 6))), 14),
    "crn-band": (lambda: BandCrn(BandCrnConfig(channels=8, bands=6, hidden=8, blocks=2, level_frames=5)), 24),
    "conv-tasnet": (lambda: ConvTasNet(ConvTasNetConfig(**SMALL, norm="batch", first_norm="frame", causal=True)), 60),
    "conv-tasnet, cumulative": (
        lambda: ConvTasNet(ConvTasNetConfig(**SMALL, norm="cumulative", first_norm="cumulative", causal=True)),
        60,
    ),
    "wav2vec, frame": (
        lambda: Wav2Vec(Wav2VecConfig(channels=4, norm="frame", causal=True, padding="zeros", prediction_steps=1)),
        30,
    ),
    "wav2vec, cumulative": (
        lambda: Wav2Vec(Wav2VecConfig(channels=4, norm="cumulative", causal=True, padding="zeros", prediction_steps=1)),
        30,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_torch_graph_onnx_file_and_measurement_agree(name):
    torch.manual_seed(0)
    make, count = NETWORKS[name]
    net = make().eval()
    face = net.interface()
    shape, layout = face.block_shape(count), face.input.layout
    from_torch = explain(net, input_shape=shape, layout=layout, verify=True)
    content, states = to_onnx(net, face)
    from_file = explain(content, input_shape=shape, layout=layout, verify=True)
    for here, there in zip(from_torch.fields, from_file.fields, strict=True):
        for fact in ("axis", "phases", "hop", "rf", "ahead", "past", "latency", "reach"):
            assert getattr(here, fact) == getattr(there, fact), fact
        for fact in ("whole_input", "unbounded_past", "unbounded_future"):
            assert bool(getattr(here, fact)) == bool(getattr(there, fact)), fact
    assert from_torch.costs.macs.value == from_file.costs.macs.value
    assert not from_torch.unknown and not from_file.unknown
    measured = [*from_torch.probes, *from_file.probes]
    assert [p for p in measured if p.agrees is False] == []
    assert sum(p.agrees is True for p in measured if p.axis == "time") >= 2
    assert len(states) == sum(name.startswith("state.") for name, _ in from_file.input_shapes)
