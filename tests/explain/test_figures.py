"""Well-known networks at their full size: every figure equals what counting by hand and measuring by gradient gave."""

from fractions import Fraction

import pytest
import torch
from torch import nn

from voxfield.errors import ExplainError
from voxfield.explain import Status, explain

from . import networks as nets


def separable() -> nn.Module:
    return nn.Sequential(nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), nn.Conv2d(64, 128, 1, bias=False))


def there_and_back() -> nn.Module:
    return nn.Sequential(nn.Conv1d(1, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose1d(8, 1, 4, 2, 1))


def axis(rf, hop, ahead, past, needs, whole=False, rf_min=None):
    return {"rf": rf, "rf_min": rf_min or rf, "hop": hop, "ahead": ahead, "past": past, "needs": needs, "whole": whole}


SAME = {"h": axis(3, 1, 1, 1, 2), "w": axis(3, 1, 1, 1, 2)}
CASES = {  # name: (network, input shape, layout, rate, params, MACs, state or None, {axis: figures})
    "wav2vec encoder": (
        lambda: nets.wav2vec(False), (1, 1, 16000), "BCT", 16000, 5_253_120, 2_417_617_920, 5125,
        {"time": axis(465, 160, 464, 0, 465, whole=True)},
    ),
    "wav2vec with context": (
        lambda: nets.wav2vec(True), (1, 1, 16000), "BCT", 16000, 12_344_832, 3_111_250_944, 14341,
        {"time": axis(3345, 160, 464, 2880, 465, whole=True)},
    ),
    "spectral encoder, one tap in time": (
        lambda: nets.SpectralEncoder(1), (1, 1, 40, 161), "BCTF", 100, 132_096, 31_795_200, 0,
        {"time": axis(1, 1, 0, 0, 1), "freq": axis(63, 32, 62, 0, 63)},
    ),
    "spectral encoder, two taps, causal": (
        lambda: nets.SpectralEncoder(2), (1, 1, 40, 161), "BCTF", 100, 262_704, 63_590_400, 5057,
        {"time": axis(6, 1, 0, 5, 1), "freq": axis(63, 32, 62, 0, 63)},
    ),
    "causal separator": (
        nets.Separator, (1, 512, 2400), "BCT", 1000, 5_033_137, 11_887_303_680, 783_360,
        {"time": axis(1531, 1, 0, 1530, 1)},
    ),
    "separator with global norms": (
        lambda: nets.Separator(causal=False, norm="global"), (1, 512, 2400), "BCT", 1000,
        5_034_161, 11_884_953_600, 783_360, {"time": axis(1531, 1, 765, 765, 766, whole=True)},
    ),
    "time-domain separator": (
        nets.TimeDomainSeparator, (1, 1, 16000), "BCT", 8000, 5_049_521, 9_950_653_440, 783_376,
        {"time": axis(12264, 1, 15, 12255, 16)},
    ),
    "convolution and transposed convolution": (
        there_and_back, (1, 1, 64), "BCT", 16000, 73, 2048, 4, {"time": axis(6, 1, 3, 3, 3)},
    ),
    "depthwise separable": (separable, (1, 64, 32, 32), "BCHW", None, 8768, 8_978_432, None, SAME),
    "standard 3 x 3": (
        lambda: nn.Conv2d(64, 128, 3, padding=1, bias=False), (1, 64, 32, 32), "BCHW", None,
        73_728, 75_497_472, None, SAME,
    ),
    "cascade of channel splits": (
        lambda: nets.Cascade(64, 2), (1, 64, 96), "BCT", 100, 1400, 129_024, 224, {"time": axis(29, 1, 14, 14, 15)},
    ),
    "speaker frames": (
        nets.SpeakerFrames, (1, 8, 400), "BCT", 100, None, None, None, {"time": axis(131, 1, 65, 65, 66, whole=True)},
    ),
    "ResNet-50 body": (
        lambda: nets.resnet50(head=False), (1, 3, 640, 640), "BCHW", None, 23_508_032, None, None,
        {"h": axis(427, 32, 213, 213, 214), "w": axis(427, 32, 213, 213, 214)},
    ),
    "U-Net": (nets.UNet, (1, 1, 512), "BCT", 8000, None, None, None, {"time": axis(38, 1, 21, 21, None, rf_min=30)}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_figures(name):
    make, shape, layout, rate, params, macs, state, axes = CASES[name]
    with torch.device("meta"):  # sizes are all that matters here
        net = make()
    report = explain(net, input_shape=shape, layout=layout, rate_hz=rate)
    costs = report.costs
    assert params is None or (costs.params.value, costs.params.status) == (params, Status.EXACT)
    assert macs is None or (costs.macs.value, costs.macs.status) == (macs, Status.EXACT)
    assert state is None or costs.state.value == state
    assert {field.axis for field in report.fields} == set(axes)
    for found in report.fields:
        wanted = axes[found.axis]
        assert (found.rf, found.rf_min, found.hop) == (wanted["rf"], wanted["rf_min"], wanted["hop"])
        assert (found.ahead, found.past) == (wanted["ahead"], wanted["past"])
        assert wanted["needs"] is None or wanted["needs"] == (
            found.first_output_needs if not wanted["whole"] else found.phases[0].end + 1
        )
        assert bool(found.whole_input) == wanted["whole"]
        if rate and found.axis == "time":
            assert found.ms(found.rf) == pytest.approx(wanted["rf"] * 1000 / rate)
            assert costs.macs_per_second.value == pytest.approx(costs.macs.value * rate / shape[2])


def test_enhancer_has_unbounded_past_and_sees_all_frequencies():
    with torch.device("meta"):
        net = nets.Enhancer()
    report = explain(net, input_shape=(1, 1, 40, 161), layout="BCTF", rate_hz=100)
    time, freq = report.field("time"), report.field("freq")
    assert (time.rf, time.hop, time.ahead, time.past, time.first_output_needs) == (None, 1, 0, None, 1)
    assert [cause.operator for cause in time.unbounded_past] == ["memory"] and not time.whole_input
    assert (freq.rf, [cause.operator for cause in freq.whole_input]) == (None, ["memory"])
    assert freq.reach == (0, 158)  # the last bins stay outside all five strides
    assert report.costs.params.value == 17_579_457
    assert dict(report.costs.macs_by_kind) == {"conv": 63_590_400, "conv_transpose": 127_180_800, "rnn": 671_088_640}
    assert report.costs.state.value == 14_210
    assert time.latency == 1 and time.streams and not freq.streams


def test_latency_is_block_and_lookahead():
    with torch.device("meta"):
        net = nets.TimeDomainSeparator(filters=8, narrow=4, wide=8, blocks=2, repeats=1)
    field = explain(net, input_shape=(1, 1, 4000), rate_hz=8000).field("time")
    assert (field.block, field.lookahead, field.latency) == (8, 8, 16)
    assert field.ms(field.latency) == 2.0


def test_hop_is_an_exact_fraction():
    net = nn.Sequential(nn.Conv1d(1, 4, 7, 3), nn.ConvTranspose1d(4, 1, 4, 2))
    field = explain(net, input_shape=(1, 1, 300)).field("time")
    assert field.hop == Fraction(3, 2)
    assert field.to_dict()["hop_exact"] == "3/2"


def test_tail_that_no_output_sees():
    field = explain(nn.Conv1d(1, 1, 10, 5), input_shape=(1, 1, 108)).field("time")
    assert field.tail_dropped == 3
    assert explain(nn.Conv1d(1, 1, 10, 5), input_shape=(1, 1, 105)).field("time").tail_dropped == 0


def test_a_printed_report_is_text():
    text = str(explain("10/5 8/4 4/2 4/2 4/2", rate_hz=16000))
    assert "receptive field 465 (29.06 ms), hop 160 (10 ms)" in text and "Figure(" not in text
    assert "128,378 parameters" in str(explain("crn-small"))


@pytest.mark.parametrize("rate_hz", [0, -1, float("nan"), float("inf"), "16 kHz", [16000]])
def test_a_rate_is_a_number_above_zero(rate_hz):
    with pytest.raises(ExplainError, match="above zero"):
        explain("10/5", rate_hz=rate_hz)
