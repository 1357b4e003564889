"""The torch reader: what is counted, how operators are called, what is refused, and how fast it answers."""

import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from voxfield.errors import ExplainError
from voxfield.explain import Status, explain
from voxfield.explain.analysis import analyse
from voxfield.explain.readers.torch import read_module

from . import networks as nets


class Wrap(nn.Module):
    """A function with some layers, as a module."""

    def __init__(self, function, **layers) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.function = function

    def forward(self, *inputs):
        return self.function(self, *inputs)


def test_recurrent_and_linear_costs():
    net = Wrap(
        lambda m, x: m.out(m.gru(m.lstm(x)[0])[0]),
        lstm=nn.LSTM(10, 8, 2, batch_first=True, bidirectional=True),
        gru=nn.GRU(16, 6, batch_first=True),
        out=nn.Linear(6, 3),
    )
    report = explain(net, input_shape=(1, 20, 10), layout="BTC", rate_hz=100)
    lstm = 2 * 4 * 8 * (10 + 8) + 2 * 4 * 8 * (16 + 8)
    gru = 3 * 6 * (16 + 6)
    assert report.layer("lstm").macs.value == 20 * lstm
    assert report.layer("gru").macs.value == 20 * gru
    assert report.layer("out").macs.value == 20 * 18
    assert report.costs.macs.value == 20 * (lstm + gru + 18)
    assert report.costs.macs_per_second.value == 100 * (lstm + gru + 18)
    assert report.costs.params.value == sum(p.numel() for p in net.parameters())
    assert report.layer("lstm").state.value == 2 * 2 * 2 * 8 and report.layer("gru").state.value == 6


def test_products_with_weights_and_between_activations():
    net = Wrap(
        lambda m, x: (
            torch.einsum("bct,cd->bdt", x, m.table)
            + (x @ x.transpose(1, 2)).mean()
            + x.transpose(1, 2).matmul(m.square).mean()
        ),
        table=nn.Parameter(torch.randn(4, 6)),
        square=nn.Parameter(torch.randn(4, 5)),
    )
    report = explain(net, input_shape=(1, 4, 30))
    assert dict(report.costs.macs_by_kind) == {"einsum": 30 * 4 * 6 + 4 * 4 * 30 + 30 * 4 * 5}
    assert report.costs.params.value == 24 + 20


def test_sharing_dead_ends_and_unused_parameters():
    def forward(m, x):
        m.idle(x)
        return m.twice(m.twice(x))

    net = Wrap(forward, twice=nn.Conv1d(2, 2, 3), idle=nn.Conv1d(2, 2, 5), absent=nn.Conv1d(2, 2, 7))
    report = explain(net, input_shape=(1, 2, 30))
    assert report.costs.params.value == (2 * 2 * 3 + 2) + (2 * 2 * 5 + 2)
    assert [layer.name for layer in report.layers] == ["idle", "twice", "twice#2"]
    assert report.costs.macs.value == 26 * 20 + 28 * 12 + 26 * 12
    assert any("idle" in note for note in report.notes) and any("30 of 66 parameters" in note for note in report.notes)


def test_every_cost_says_how_far_it_can_be_trusted():
    net = Wrap(lambda m, x: m.conv(torch.special.bessel_j0(x)).triu(), conv=nn.Conv1d(1, 2, 3))
    report = explain(net, input_shape=(1, 1, 30), rate_hz=8000)
    assert report.unknown == ("triu (aten.triu.default)",)
    assert (report.costs.macs.status, report.costs.macs.value) == (Status.PARTIAL, 28 * 6)
    assert report.costs.macs.missing == ("triu",)
    assert report.field("time").status == Status.PARTIAL


def test_state_is_partial_where_the_whole_input_is_needed():
    report = explain(nn.Sequential(nn.Conv1d(1, 2, 5), nn.InstanceNorm1d(2)), input_shape=(1, 1, 30), rate_hz=8000)
    assert (report.costs.state.value, report.costs.state.status, report.costs.state.missing) == (
        4,
        Status.PARTIAL,
        ("1",),
    )
    image = explain(nn.Conv2d(1, 2, 5), input_shape=(1, 1, 30, 30))
    assert (image.costs.state.status, image.costs.state.missing) == (Status.UNAVAILABLE, ("no time axis",))
    assert image.costs.macs_per_second.status == Status.UNAVAILABLE


def test_memory_and_traffic():
    net = nn.Sequential(nn.Conv1d(1, 8, 5, padding=2), nn.ReLU(), nn.Conv1d(8, 1, 5, padding=2))
    costs = explain(net, input_shape=(1, 1, 1000), rate_hz=8000).costs
    assert costs.weight_bytes.value == 4 * (40 + 8 + 40 + 1)
    assert costs.activation_total.value == 4 * (8000 + 8000 + 1000)
    assert costs.activation_peak.value == 4 * (8000 + 8000)
    moved = costs.weight_bytes.value + 4 * (1000 + 8000 + 8000 + 8000 + 8000 + 1000)
    assert costs.intensity.value == pytest.approx(80_000 / moved)


def test_constants_are_no_activations():
    class Beside(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("edge", torch.zeros(1, 1, 50))
            self.conv = nn.Conv1d(1, 4, 1)

        def forward(self, x):
            return self.conv(torch.cat([self.edge, x], -1))

    assert explain(Beside(), input_shape=(1, 1, 100)).costs.activation_peak.value == 4 * (150 + 4 * 150)


def test_in_place_operators_and_writing_into_a_part():
    def forward(m, x):
        y = m.conv(x)
        z = F.relu_(y)
        return y + z.add_(1)

    assert explain(Wrap(forward, conv=nn.Conv1d(1, 1, 5)), input_shape=(1, 1, 40)).field("time").rf == 5

    def stuffing(m, x):
        y = x.new_zeros(1, 1, 2 * x.shape[-1])
        y[..., ::2] = x
        return m.conv(y)

    field = explain(Wrap(stuffing, conv=nn.Conv1d(1, 1, 5)), input_shape=(1, 1, 40)).field("time")
    assert (field.hop * 2, field.rf, field.rf_min) == (1, 3, 2)


def test_several_inputs_and_outputs():
    net = Wrap(lambda m, x, y: (m.a(x) + m.b(y), x), a=nn.Conv1d(1, 2, 3, padding=1), b=nn.Conv1d(1, 2, 7, padding=3))
    report = explain(net, input_shape=[(1, 1, 40), (1, 1, 40)])
    assert {field.input: field.rf for field in report.fields} == {"inputs_0": 3, "inputs_1": 7}
    assert len(report.output_shapes) == 2


def test_branches_at_different_rates_are_named():
    def forward(m, x):
        return m.slow(x) + m.fast(x)[..., :20]

    net = Wrap(forward, slow=nn.Conv1d(1, 1, 2, 2), fast=nn.Conv1d(1, 1, 1))
    with pytest.raises(ExplainError, match=r"'add' joins branches at different rates along time: 'slow' moves 2"):
        explain(net, input_shape=(1, 1, 40))


def test_a_module_that_cannot_be_exported_is_recorded():
    def forward(m, x):
        return m.conv(x) * float(m.gain) if not x.mean() > 1e9 else x

    net = Wrap(forward, conv=nn.Conv1d(1, 2, 5), gain=nn.PReLU())
    net.gain = nn.Parameter(torch.ones(1))
    report = explain(net, input_shape=(1, 1, 40), verify=True)
    assert (report.field("time").rf, report.costs.macs.value) == (5, 36 * 10)
    assert any("ONNX form" in note for note in report.notes)
    assert [(p.probe, p.agrees) for p in report.probes] == [("gradient", None), ("nan", True)]


REFUSED = {
    "no shape": (None, r"input size is not known: give it, .*--input 1,1,16000"),
    "empty shape": ((), "empty input shape"),
    "zero size": ((1, 1, 0), "whole sizes of at least 1"),
    "too short": ((1, 1, 3), "could not be traced with input shape"),
    "wrong channels": ((1, 2, 30), "could not be traced with input shape"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_shapes_that_do_not_fit(kind, capfd):
    shape, message = REFUSED[kind]
    with pytest.raises(ExplainError, match=message):
        explain(nn.Conv1d(1, 1, 5), input_shape=shape)
    out, err = capfd.readouterr()
    assert "def forward" not in out + err


def test_a_layout_that_does_not_fit():
    with pytest.raises(ExplainError, match="layout 'BT' does not fit"):
        explain(nn.Conv1d(1, 1, 5), input_shape=(1, 1, 30), layout="BT")


def test_nothing_heavy_is_imported():
    code = "import sys, voxfield.explain; print({'torch', 'onnx', 'numpy', 'onnxruntime'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_resnet50_is_the_published_size():
    with torch.device("meta"):
        graph = read_module(nets.resnet50(), (1, 3, 224, 224))
    report = analyse(graph)
    assert (report.costs.params.value, report.costs.macs.value) == (25_557_032, 4_089_184_256)


class Unexported(nn.Module):
    """Neither torch.export nor the recorder can follow it."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3)

    def forward(self, x):
        y = self.conv(x)
        y = -y if float(y.sum()) > 1 else y
        return torch.fft.fftn(y, s=(4, 8)).real


def test_what_cannot_be_traced_is_refused_without_a_word_of_torch(capfd):
    with pytest.raises(ExplainError, match="could not be traced"):
        explain(Unexported(), input_shape=(1, 1, 20))
    assert capfd.readouterr() == ("", "")
