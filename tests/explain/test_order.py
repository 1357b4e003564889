"""Stretches of an axis laid one after the other in another order: their movement is found, or said to be unknown."""

import io
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from voxfield.explain import Status, explain, report_on
from voxfield.explain.render import report_text

SHAPE = (1, 4, 64)
UNEVEN = """torch.cat([x, x], -1)|x.repeat(1, 1, 2)|x.repeat(1, 1, 3)|torch.cat([x[..., 32:], x[..., :32]], -1)
    torch.cat([x, x.flip(-1)], -1)|torch.cat([x.flip(-1), x], -1)|torch.cat([x[..., ::2], x[..., 1::2]], -1)
    torch.cat([x[..., 48:], x[..., 32:48], x[..., 16:32], x[..., :16]], -1)|torch.cat([x, F.max_pool1d(x, 2)], -1)
    torch.roll(x, 32, -1)|torch.cat([F.max_pool1d(x[..., :40], 3, 1, 1), x[..., 40:]], -1)
    x.reshape(1, 1, 256)|F.conv1d(torch.cat([x, x], -1), torch.ones(4, 4, 3))
    F.conv1d(F.pad(x, (30, 30), mode="circular"), torch.ones(4, 4, 3))|F.pad(x, (0, 40), mode="reflect")
    F.pad(x, (0, 200), mode="replicate")|F.pad(x, (200, 0), mode="replicate")"""
EVEN = """torch.cat([x, x], -1)[..., 64:]|torch.cat([x[..., :20], x[..., 20:]], -1)|torch.cat([x, x[..., :5]], -1)
    torch.roll(x, 50, -1)|torch.stack([x[..., 1::2], x[..., ::2]], -1).flatten(-2)|x.flip(-1)|x.bmm(x.mT).bmm(x)
    torch.bmm(x.transpose(1, 2), x)|torch.cat([x[:, :2], x[:, 2:].flip(-1)], 1)|F.pad(x, (3, 3), mode="circular")
    F.conv1d(F.pad(x, (15, 15), mode="reflect"), torch.ones(4, 4, 31))|torch.cat([x, x.mean(-1, keepdim=True)], -1)"""
WRAPPED = """torch.roll(x, 3, -1)|F.pad(x, (3, 3), mode="circular")|torch.cat([x[..., -3:], x], -1)|x.flip(-1)
    torch.cat([x.mean(-1, keepdim=True), x], -1)"""
CROPPED = """F.pad(x, (3, 3), mode="circular")[..., 3:-3]|torch.cat([x[..., -3:], x], -1)[..., 3:]
    F.conv1d(F.pad(x, (3, 3), mode="circular"), torch.ones(4, 4, 2))[..., 3:]|torch.roll(torch.roll(x, 3, -1), -3, -1)
    F.pad(x, (3, 3), mode="reflect")[..., 1:]|F.pad(x, (5, 0), mode="reflect")[..., 5:]
    F.pad(x.flip(-1), (5, 0), mode="reflect").flip(-1)|F.pad(x, (6, 6), mode="reflect")[..., ::2][..., 1:]
    F.pad(x, (200, 0), mode="replicate")[..., 200:]
    self.gru(F.pad(x, (2, 2), mode="circular")[..., 2:-2].transpose(1, 2))[0].transpose(1, 2)"""


class Net(nn.Module):
    """A convolution, and what is done with its output."""

    def __init__(self, call):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv1d(4, 4, 3, padding=1)
        self.gru = nn.GRU(4, 4, batch_first=True)
        self.run = eval(f"lambda x: {call}", {"torch": torch, "F": F, "self": self})

    def forward(self, x):
        return self.run(self.conv(x))


def calls(text):
    return [call.strip() for line in text.split("\n") for call in line.split("|")]


def from_onnx(net):
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.zeros(SHAPE),), content, dynamo=False, opset_version=17)
    return explain(content.getvalue(), layout="BCT")


def unknown(report):
    field = report.field("time")
    said = any("the time axis are not known, because" in note for note in report.notes)
    return field.status is Status.UNAVAILABLE and (field.rf, field.hop, field.ahead, field.latency) == (None,) * 4, said


@pytest.mark.parametrize("call", calls(UNEVEN))
def test_what_does_not_advance_by_even_steps_is_not_known_and_why_is_said(call):
    net = Net(call).eval()
    report = explain(net, input_shape=SHAPE, layout="BCT", verify=True)
    assert unknown(report) == unknown(from_onnx(net)) == (True, True)
    assert all(probe.agrees is None for probe in report.probes)


@pytest.mark.parametrize("call", calls(EVEN))
def test_what_does_is_what_the_probe_measures(call):
    report = explain(Net(call).eval(), input_shape=SHAPE, layout="BCT", verify=True)
    assert report.field("time").status is Status.EXACT
    assert [probe for probe in report.probes if probe.agrees is False] == []


def needed(net):
    """Input positions up to the last one that changes the first output."""
    x = torch.randn(SHAPE, requires_grad=True)
    net(x)[..., 0].sum().backward()
    return 1 + x.grad.abs().sum(1)[0].nonzero().max().item()


@pytest.mark.parametrize("call", calls(WRAPPED))
def test_an_output_that_starts_with_the_end_cannot_stream(call):
    for report in (explain(Net(call).eval(), input_shape=SHAPE, layout="BCT"), from_onnx(Net(call).eval())):
        field = report.field("time")
        assert (field.rf, field.first_output_needs, field.latency) == (3, needed(Net(call)), None)
        assert not field.whole_input
        assert report.costs.state.status is Status.PARTIAL


@pytest.mark.parametrize("call", calls(CROPPED))
def test_copies_that_are_cropped_away_again_are_not_waited_for(call):
    report = explain(Net(call).eval(), input_shape=SHAPE, layout="BCT", verify=True)
    field = report.field("time")
    assert (field.streams, field.first_output_needs, field.whole_input) == (True, needed(Net(call)), ())
    assert [probe for probe in report.probes if probe.agrees is False] == []


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate", "zeros"])
def test_the_padding_of_a_pasted_or_printed_convolution_is_the_one_it_names(mode):
    code = f"nn.Conv1d(4, 4, 3, padding=1, padding_mode='{mode}')"
    field = explain(f"{code}\n{code}", input_shape=(1, 4, 64)).field("time")
    net = nn.Sequential(eval(code), eval(code))
    real, printed = (explain(one, input_shape=(1, 4, 64)).field("time") for one in (net, str(net)))
    facts = (real.rf, real.first_output_needs, real.latency)
    for read in (field, printed):
        assert (read.rf, read.first_output_needs, read.latency) == facts


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("mode", "whole"), [("circular", True), ("reflect", False), ("constant", False)])
def test_a_recurrence_brings_the_other_end_that_circular_padding_shows_to_all(mode, whole, turned):
    back = ".flip(1)" * turned
    net = Net(f"self.gru(F.pad(x, (2, 2), mode='{mode}').transpose(1, 2){back})[0]{back}.transpose(1, 2)").eval()
    report = explain(net, input_shape=SHAPE, layout="BCT", verify=True)
    field = report.field("time")
    far = field.unbounded_future if turned else field.unbounded_past
    assert (bool(field.whole_input), bool(far), field.reach) == (whole, not whole, (0, 63) if whole else None)
    assert [probe for probe in report.probes if probe.agrees is False] == []


@pytest.mark.parametrize("length", [64, None])
@pytest.mark.parametrize("call", ["Concatenate(axis=1)([y, y])", "Concatenate(axis=1)([y, MaxPooling1D(2)(y)])"])
def test_the_same_from_pasted_code_whose_length_may_not_be_known(length, call):
    code = f"x = Input(({length}, 4))\ny = Conv1D(4, 3, padding='same')(x)\nz = {call}"
    field = explain(code).field("time")
    assert (field.status, field.hop, field.rf) == (Status.UNAVAILABLE, None, None)


def test_interleaving_of_an_unknown_length_is_not_taken_for_the_same_length():
    code = "class N(nn.Module):\n def __init__(self):\n  super().__init__()\n  self.c = nn.Conv1d(1, 4, 3)\n"
    code += " def forward(self, x):\n  x = self.c(x)\n  return torch.stack([x, x], -1).flatten(-2)"
    assert explain(code).field("time").status is Status.UNAVAILABLE


def test_a_slice_at_the_end_of_pasted_code_is_its_output():
    report = explain("x = Input((64, 4))\ny = Conv1D(4, 3, padding='same')(x)\nz = y[:, ::2]")
    assert (report.output_shapes[0][1], report.field("time").hop) == ((1, 32, 4), 2)


@pytest.mark.parametrize("call", ["x.sort(-1).values", "x[..., torch.arange(63, -1, -1)]", "torch.roll(x, 3)"])
def test_elements_that_change_places_are_not_taken_to_stay(call):
    assert explain(Net(call), input_shape=SHAPE, layout="BCT").field("time").status is Status.UNAVAILABLE


def test_the_reason_is_said_in_both_languages():
    for language, word in (("en", "not known, because cat"), ("zh", "时间轴上的感受野与步距未知，因为 cat")):
        answer = report_on(Net("torch.cat([x, x], -1)"), input_shape=SHAPE, layout="BCT", language=language)
        text = report_text(answer.report, answer.graph, answer.paragraphs, language=language)
        assert word in " ".join(text.split())


def test_two_frames_of_a_long_window_are_no_whole_input():
    for frames in (2, 4):
        call = "torch.stft(x[:, 0], 16, 4, window=torch.ones(16), center=False, return_complex=True).abs()"
        report = explain(Net(call), input_shape=(1, 4, 12 + 4 * frames), layout="BCT")
        assert (report.field("time").rf, report.field("time").hop) == (18, 4)


def test_the_first_output_needs_what_copies_before_it_show():
    for mode, needs in (("replicate", 2), ("reflect", 5), ("constant", 0)):
        assert (
            explain(Net(f"F.pad(x, (3, 0), mode='{mode}')"), input_shape=SHAPE).field("time").first_output_needs
            == needs
        )


def test_nothing_odd_is_said_of_what_runs_backwards():
    answer = report_on(Net("x.flip(-1)"), input_shape=SHAPE, layout="BCT", rate_hz=16000)
    text = report_text(answer.report, answer.graph, answer.paragraphs)
    assert answer.report.field("time").ahead is None and answer.report.field("time").past is None
    assert "(-" not in text and "every stride is 1" in text and "without what needs the end of the input" in text


@pytest.mark.parametrize(
    ("question", "language", "said"),
    [("why this kernel?", "en", "Nothing can be said of it"), ("为什么卷积核这么大？", "zh", "这里无法回答")],
)
def test_a_question_that_has_no_answer_is_told_so(question, language, said):
    code = f"x = Input((64, 4))\ny = Conv1D(4, 3, padding='same')(x)\nz = Concatenate(axis=1)([y, y])\n{question}"
    first = report_on(code, language=language).paragraphs[0]
    assert first.asked and said in first.answer
