"""Families of networks whose symbolic field both probes confirm, and a wrong answer that they catch."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from voxfield.errors import ExplainError
from voxfield.explain import Phase, explain
from voxfield.explain.expect import judged_gradient, judged_nan

from . import networks as nets

FAMILIES = {  # name: (network, input shape, {axis: local field or None})
    "skips wider than the main path": (lambda: nets.UNet(skip_kernel=31), (1, 1, 512), {"time": 138}),
    "U-Net, transposed": (nets.UNet, (1, 1, 256), {"time": 38}),
    "U-Net, pooling and repetition": (lambda: nets.UNet("nearest", pool=True), (1, 1, 256), {"time": 52}),
    "U-Net, pooling and interpolation": (lambda: nets.UNet("linear", pool=True), (1, 1, 256), {"time": 68}),
    "grouped and dilated transposed": (
        lambda: nn.Sequential(
            nn.Conv1d(4, 8, 3), nn.ConvTranspose1d(8, 8, 5, 3, 2, 1, groups=4, dilation=2), nn.AvgPool1d(3, 2, 1)
        ),
        (1, 4, 120),
        {"time": 6},
    ),
    "gaps between transposed kernels": (lambda: nn.ConvTranspose1d(2, 2, 2, 5), (1, 2, 30), {"time": 1}),
    "pixel shuffles": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(4, 4, 3, 2, 1), nn.PixelUnshuffle(2)
        ),
        (1, 3, 32, 32),
        {"h": 5, "w": 5},
    ),
    "interpolation by 1.5 and 2.5": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3, 1, 1), nn.Upsample(scale_factor=1.5), nn.Upsample(scale_factor=2.5, mode="linear")
        ),
        (1, 2, 100),
        {"time": 4},
    ),
    "interpolation with aligned corners": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3, 1, 1), nn.Upsample(size=37, mode="linear", align_corners=True)),
        (1, 2, 19),
        {"time": 4},
    ),
    "cubic interpolation": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), (1, 2, 20, 20), {"h": 4, "w": 4}),
    "adaptive pooling": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3, 1, 1), nn.AdaptiveAvgPool1d(40)), (1, 2, 100), {"time": 5}
    ),
    "spectrum, gain and overlap-add": (nets.SpectralGain, (1, 1, 400), {"time": 72}),
    "frames by unfold and fold": (nets.Frames, (1, 1, 400), {"time": 28}),
    "dual path": (nets.DualPath, (1, 4, 110), {"time": 30}),
    "sub-bands by unfold": (nets.SubBands, (1, 2, 20, 33), {"h": 5, "w": 11}),
    "two halves added": (nets.Halves, (1, 1, 50), {"time": 26}),
    "channel shuffles": (nets.Shuffled, (1, 8, 64), {"time": 9}),
    "cascade": (lambda: nets.Cascade(16, 2), (1, 16, 96), {"time": 29}),
    "gated, instance norm": (
        lambda: nn.Sequential(nn.Conv1d(2, 8, 7, 2, 3), nn.GLU(1), nn.InstanceNorm1d(4)), (1, 2, 100), {"time": 7}
    ),
    "group and layer norms": (
        lambda: nn.Sequential(nn.Conv2d(2, 8, 3, 1, 1), nn.GroupNorm(2, 8), nn.LayerNorm([24])),
        (1, 2, 20, 24),
        {"h": 3, "w": 3},
    ),
    "global norm written out": (lambda: nets.WrittenNorm(False), (1, 4, 100), {"time": 5}),
    "cumulative norm written out": (lambda: nets.WrittenNorm(True), (1, 4, 100), {"time": 5}),
    "CBAM": (nets.ChannelAndSpace, (1, 3, 30, 30), {"h": 9, "w": 9}),
    "speaker frames": (nets.SpeakerFrames, (1, 8, 300), {"time": 131}),
    "pooled speaker": (lambda: nets.SpeakerFrames(pooled=True), (1, 8, 60), {"time": None}),
    "bidirectional by hand": (lambda: nets.Backwards(True), (1, 4, 40), {"time": 1}),
    "backwards recurrence": (lambda: nets.Backwards(False), (1, 4, 40), {"time": 1}),
    "bidirectional LSTM": (lambda: nets.Enhancer((2, 3), 17, 8, 1, both=True), (1, 1, 20, 17), {"h": 5, "w": 11}),
    "segments": (nets.Segments, (1, 4, 100), {"time": 10}),
    "attention": (nets.Attend, (1, 8, 40), {"time": 3}),
    "ResNet-50": (lambda: nets.resnet50(2, head=False), (1, 3, 480, 480), {"h": 427, "w": 427}),
    "causal time-domain separator": (
        lambda: nets.TimeDomainSeparator(8, narrow=4, wide=8, blocks=4, repeats=1), (1, 1, 1200), {"time": 264}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_both_probes_agree(name):
    make, shape, fields = FAMILIES[name]
    torch.manual_seed(0)
    report = explain(make(), input_shape=shape, verify=True)
    assert {field.axis: field.local_rf for field in report.fields} == fields
    assert [(p.probe, p.axis, p.symbolic, p.measured) for p in report.probes if p.agrees is False] == []
    nan = [p.agrees for p in report.probes if p.probe == "nan"]
    assert nan == [True] * len(report.fields)
    if any(size is not None for size in fields.values()):
        assert any(p.agrees for p in report.probes if p.probe == "gradient")


WHOLE = {  # name: operators that make it depend on everything, or on everything before
    "global norm written out": ({"mean", "mean_1"}, set(), set()),
    "cumulative norm written out": (set(), {"cumsum", "cumsum_1"}, set()),
    "gated, instance norm": ({"2"}, set(), set()),
    "bidirectional by hand": (set(), {"ahead"}, {"back"}),
    "backwards recurrence": (set(), set(), {"back"}),
    "segments": (set(), set(), set()),
}


@pytest.mark.parametrize("name", WHOLE)
def test_guilty_operators_are_named(name):
    make, shape, _ = FAMILIES[name]
    field = explain(make(), input_shape=shape).field("time")
    named = [{c.operator for c in group} for group in (field.whole_input, field.unbounded_past, field.unbounded_future)]
    assert tuple(named) == WHOLE[name]


def test_a_wrong_field_is_caught():
    net = nn.Sequential(nn.Conv1d(1, 4, 5, padding=2), nn.ReLU())
    field = explain(net, input_shape=(1, 1, 60)).field("time")
    right = {n: (n - 2, n + 2) for n in (29, 30)}
    assert judged_gradient(field, right).agrees
    for start, end in ((-3, 2), (-2, 3), (-1, 2), (-2, 1)):
        wrong = replace(field, phases=(Phase(0, start, end),))
        assert judged_gradient(wrong, right).agrees is False
        assert judged_nan(wrong, {30: (28, 32), 31: (29, 33)}).agrees is False
    assert judged_nan(field, {30: (28, 32), 31: (29, 33)}).agrees


def test_only_what_runs_can_be_verified():
    from voxfield.explain.readers.torch import read_module

    graph = read_module(nn.Conv1d(1, 1, 3), (1, 1, 10))
    with pytest.raises(ExplainError, match="Only what can run"):
        explain(graph, verify=True)


def test_the_module_is_left_in_its_mode():
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Dropout())
    net.train()
    net[1].eval()
    explain(net, input_shape=(1, 1, 20), verify=True)
    assert [m.training for m in net] == [True, False, True]
