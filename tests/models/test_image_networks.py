"""Sizes of the published networks, and where their strides and zeros are."""

from pathlib import Path

import pytest
import torch

from voxfield.errors import InputError
from voxfield.explain import explain
from voxfield.models.mean_spot import MeanSpot, MeanSpotConfig
from voxfield.models.mobilenet import MobileNet, MobileNetConfig
from voxfield.models.resnet import Bottleneck, ResNet, ResNetConfig, Stack
from voxfield.nn.cbam import CbamBlock


def sizes(make) -> tuple[int, int]:
    """(Parameters, the same with the statistics of the norms, as Keras counts)."""
    with torch.device("meta"):
        net = make()
    statistics = sum(tensor.numel() for name, tensor in net.named_buffers() if name.endswith(("_mean", "_var")))
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return parameters, parameters + statistics


@pytest.mark.parametrize(
    ("make", "parameters", "in_keras"),
    [
        (lambda: ResNet(ResNetConfig()), 25_583_592, 25_636_712),
        (lambda: ResNet(ResNetConfig.resnet101()), 44_601_832, 44_707_176),
        (lambda: ResNet(ResNetConfig.resnet152()), 60_268_520, 60_419_944),
        (lambda: MobileNet(MobileNetConfig()), 4_231_976, 4_253_864),
        (lambda: MobileNet(MobileNetConfig(alpha=0.25)), 470_072, 475_544),
        (lambda: MeanSpot(MeanSpotConfig()), 3_593, 3_621),
    ],
    ids=["ResNet50", "ResNet101", "ResNet152", "MobileNet", "MobileNet 0.25", "MEAN_Spot"],
)
def test_parameters(make, parameters, in_keras):
    assert sizes(make) == (parameters, in_keras)


def test_the_multipliers_of_mobilenet():
    half = MobileNetConfig(alpha=0.5, resolution=128 / 224)
    assert half.input_px == 128
    with torch.device("meta"):
        net = MobileNet(half)
        assert net.interface().input.shape == (3, 128, 128)
        assert net.pairs(net.stem(torch.zeros(1, 3, 128, 128))).shape == (1, 512, 4, 4)


def test_the_stride_of_a_bottleneck_is_on_its_first_convolution_and_its_shortcut():
    block = Bottleneck(8, 4, 2)
    strides = {name: part[0].stride for name, part in block.named_children()}
    assert strides == {"shortcut": (2, 2), "reduce": (2, 2), "middle": (1, 1), "expand": (1, 1)}
    assert all(part[0].bias is not None and part[1].eps == 1.001e-5 for part in block.children())
    assert [isinstance(b.shortcut, torch.nn.Identity) for b in Stack(8, 4, 3)] == [False, True, True]


def test_zeros_of_a_stride_in_mobilenet_lie_behind():
    """An impulse in the first corner of the image counts at tap (0, 0), not at the middle one."""
    net = MobileNet(MobileNetConfig(classes=0, alpha=1 / 32, image_px=32))
    pad, pair = next((net.pairs[i], net.pairs[i + 1]) for i, part in enumerate(net.pairs) if len(part._modules) == 0)
    x = torch.zeros(1, pair[0].in_channels, 8, 8)
    x[:, :, 0, 0] = 1
    assert torch.allclose(pair[0](pad(x))[0, :, 0, 0], pair[0].weight[:, 0, 0, 0])


def test_cbam_goes_behind_each_pool_of_mean_spot():
    plain, with_cbam = (MeanSpot(MeanSpotConfig(cbam=cbam)) for cbam in (False, True))
    where = [name for name, module in with_cbam.named_modules() if type(module).__name__ == "CbamBlock"]
    assert where == ["streams.0.5", "streams.1.5", "streams.2.5", "merge.4"]
    added = sum(p.numel() for p in with_cbam.parameters()) - sum(p.numel() for p in plain.parameters())
    blocks = sum(2 * 9 * c * c + 4 * c + (c + 1) + 2 * c + 2 * 49 + 2 for c in (3, 3, 8, 8))
    assert added == blocks


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: MobileNetConfig(alpha=0), "alpha is 0"),
        (lambda: MobileNetConfig(alpha=0.01), "alpha is 0.01"),
        (lambda: MobileNetConfig(resolution=0.05), "image of 11 pixels"),
        (lambda: MobileNetConfig(classes=-1), "classes is -1"),
        (lambda: ResNetConfig(blocks=(1, 2)), "same number of stacks"),
        (lambda: ResNetConfig(stem=0), "1 or more"),
        (lambda: ResNetConfig(image_px=4), "image_px is 4"),
        (lambda: MeanSpotConfig(streams=()), "streams"),
        (lambda: MeanSpotConfig(image_px=5), "image_px is 5"),
    ],
)
def test_impossible_sizes_are_refused(make, named):
    with pytest.raises(InputError, match=named):
        make()


@pytest.mark.parametrize(
    ("make", "code", "shape"),
    [
        (lambda: MobileNet(MobileNetConfig()), "mobilenet.py", (1, 3, 224, 224)),
        (lambda: ResNet(ResNetConfig()), "resnet50.py", (1, 3, 224, 224)),
        (lambda: CbamBlock(64), "cbam_block.py", (1, 64, 56, 56)),
        (lambda: MeanSpot(MeanSpotConfig()), "mean_spot.py", (1, 3, 42, 42)),
        (lambda: MeanSpot(MeanSpotConfig(cbam=True)), "mean_spot_cbam.py", (1, 3, 42, 42)),
    ],
    ids=["MobileNet", "ResNet50", "CBAM block", "MEAN_Spot", "MEAN_Spot with CBAM"],
)
def test_the_pages_of_the_documentation_show_the_networks_there_are(make, code, shape):
    ours = explain(make().eval(), input_shape=shape, layout="BCHW").costs
    nets = Path(__file__).parents[2] / "docs" / "nets"
    options = {"input_shape": shape, "layout": "BCHW"} if code == "cbam_block.py" else {}
    shown = explain(nets / code, **options).costs
    assert (ours.params.value, ours.macs.value) == (shown.params.value, shown.macs.value)
