"""Networks that take their input whole, such as an image: ONNX = torch, the card = explain, no weight without a use."""

import numpy as np
import pytest
import torch
from embedders import EMBEDDERS
from token_networks import PROBES, TOKENIZERS

from voxfield.cards import WHOLE_INPUT
from voxfield.errors import InputError
from voxfield.explain import explain
from voxfield.export import export_network
from voxfield.models import ARCHITECTURES, architecture
from voxfield.models.linear_probe import LinearProbe, LinearProbeConfig
from voxfield.models.mean_spot import MeanSpot, MeanSpotConfig
from voxfield.models.mobilenet import MobileNet, MobileNetConfig
from voxfield.models.resnet import ResNet, ResNetConfig
from voxfield.nn.streaming import Streaming
from voxfield.runtime import OnnxEngine, Stream

MOBILE = MobileNetConfig(classes=3, alpha=1 / 16, image_px=64, resolution=0.5625)
RES = ResNetConfig(classes=3, blocks=(2, 1), channels=(3, 4), stem=5, image_px=33)
NETWORKS = {
    "mobilenet": lambda: MobileNet(MOBILE),
    "mobilenet, embedding": lambda: MobileNet(MobileNetConfig(classes=0, alpha=1 / 32, image_px=32)),
    "mobilenet, softmax": lambda: MobileNet(MobileNetConfig(classes=4, softmax=True, alpha=1 / 32, image_px=32)),
    "resnet": lambda: ResNet(RES),
    "resnet, embedding": lambda: ResNet(ResNetConfig(classes=0, blocks=(1,), channels=(2,), stem=3, image_px=16)),
    "linear-probe": lambda: LinearProbe(LinearProbeConfig(("noise", "speech"), embedding=6)),
    "mean-spot": lambda: MeanSpot(MeanSpotConfig()),
    "mean-spot, cbam": lambda: MeanSpot(MeanSpotConfig(cbam=True)),
    "mean-spot, uneven": lambda: MeanSpot(MeanSpotConfig(image_px=40, streams=(2, 3), merged=4, cbam=True)),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    torch.manual_seed(0)
    net = NETWORKS[request.param]().eval()
    for module in net.modules():  # statistics that have seen something
        if isinstance(module, torch.nn.BatchNorm2d):
            for values in (module.running_mean, module.bias.data):
                values.normal_(0, 0.1)
            for values in (module.running_var, module.weight.data):
                values.uniform_(0.5, 1.5)
    return net


def example(net, batch=1):
    return torch.randn(net.interface().block_shape(1, batch), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_the_file_gives_the_numbers_of_the_network_and_its_card_what_explain_reads(network, tmp_path):
    face = network.interface()
    about = {
        "name": "image-tiny.v1", "task": "classify", "architecture": "image", "summary": "for a test",
        "licence": "none", "data": (), "config": {}, "interface": face,
    }  # fmt: skip
    card = export_network(network, tmp_path / "net.onnx", about)
    engine = OnnxEngine(tmp_path / "net.onnx")
    x = example(network)
    got, _ = engine.step(x.numpy(), engine.initial_state())
    wanted = network(x).numpy()
    assert got.shape == (1, *face.output.shape) and np.abs(got - wanted).max() <= 1e-5 * np.abs(wanted).max()
    report = explain(network, input_shape=tuple(x.shape), layout=face.input.layout)
    assert card.macs == report.costs.macs.value > 0 and not report.unknown
    assert report.costs.params.value == sum(parameter.numel() for parameter in network.parameters())
    assert card.field_samples == WHOLE_INPUT and card.states == ()
    with pytest.raises(InputError, match=face.not_streaming_because):
        Stream(engine)


@torch.no_grad()
def test_inputs_of_a_batch_do_not_mix(network):
    x = example(network, 3)
    apart = torch.cat([network(one[None]) for one in x])
    assert torch.allclose(network(x), apart, atol=1e-5 * float(apart.abs().max()))


def test_every_weight_has_a_use(network):
    network.double()
    y = network(example(network, 4).double())
    (y * torch.randn(y.shape, dtype=y.dtype, generator=torch.Generator().manual_seed(2))).sum().backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert idle == []


def test_no_architecture_is_left_out():
    """Those that stream are in test_streaming_contract.py, the others in test_embedders.py and test_tokenizers.py."""
    whole = {kind for name in ARCHITECTURES if not issubclass(kind := architecture(name)[1], Streaming)}
    covered = {
        type(make()) for make in (*NETWORKS.values(), *EMBEDDERS.values(), *TOKENIZERS.values(), *PROBES.values())
    }
    assert whole - covered == set(), "add these to NETWORKS, EMBEDDERS or TOKENIZERS"
