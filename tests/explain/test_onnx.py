"""ONNX files: the same figures as the torch graph, states as left context, weights left alone, clear refusals."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from voxfield.errors import ExplainError
from voxfield.explain import Status, explain

from . import networks as nets


def exported(net: nn.Module, *shapes: tuple[int, ...], free: int | None = None, **names) -> bytes:
    """A network as ONNX bytes, with dim `free` of its first input left open."""
    file = io.BytesIO()
    names.setdefault("input_names", ["input"])
    axes = {"input": {free: "length"}} if free is not None else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = tuple(torch.zeros(*shape) for shape in shapes)
        torch.onnx.export(net.eval(), inputs, file, dynamo=False, opset_version=17, dynamic_axes=axes, **names)
    return file.getvalue()


SAME = {
    "wav2vec": (lambda: nets.wav2vec(True, 8), (1, 1, 6000), 2),
    "enhancer": (lambda: nets.Enhancer((2, 3, 4), 33, 8, 2), (1, 1, 12, 33), 2),
    "separator": (lambda: nets.TimeDomainSeparator(8, narrow=4, wide=8, blocks=3, repeats=2), (1, 1, 2000), 2),
    "cascade": (lambda: nets.Cascade(16, 2), (1, 16, 96), 2),
    "speaker": (nets.SpeakerFrames, (1, 8, 300), 2),
    "U-Net": (lambda: nets.UNet("nearest", pool=True), (1, 1, 256), None),
    "both directions": (lambda: nets.Backwards(True), (1, 4, 40), 2),
    "global norm": (lambda: nets.WrittenNorm(False), (1, 4, 100), 2),
    "CBAM": (nets.ChannelAndSpace, (1, 3, 30, 30), None),
    "ResNet-50": (lambda: nets.resnet50(2), (1, 3, 224, 224), None),
}


@pytest.mark.parametrize("name", SAME)
def test_same_as_torch(name):
    make, shape, free = SAME[name]
    net = make()
    ours = explain(net, input_shape=shape)
    content = exported(net, shape, free=free)
    theirs = explain(content, input_shape=shape)
    for a, b in zip(ours.fields, theirs.fields, strict=True):
        for key in ("rf", "local_rf", "hop", "phases", "ahead", "past", "first_output_needs", "latency", "out_size"):
            assert getattr(a, key) == getattr(b, key), key
        for key in ("whole_input", "unbounded_past", "unbounded_future"):
            assert bool(getattr(a, key)) == bool(getattr(b, key)), key
    idle = [layer for layer in ours.layers if layer.name.endswith("5.residual")]  # the exporter drops what nothing uses
    assert theirs.costs.macs.value == ours.costs.macs.value - sum(layer.macs.value for layer in idle)
    assert theirs.unknown == ()


class Step(nn.Module):
    """A causal layer, a strided layer, a recurrence and overlap-add, with the state of each in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.strided = nn.Conv1d(1, 4, 5, dilation=2), nn.Conv1d(4, 4, 6, 3)
        self.memory, self.last = nn.GRU(4, 4, batch_first=True), nn.ConvTranspose1d(4, 1, 6, 3, bias=False)

    def forward(self, x, first, strided, memory, tail):
        x = torch.cat([first, x], -1)
        next_first, x = x[..., -8:], self.first(x)
        x = torch.cat([strided, x], -1)
        next_strided, x = x[..., -3:], self.strided(x)
        y, memory = self.memory(x.transpose(1, 2), memory)
        y = self.last(y.transpose(1, 2) + x)
        y = torch.cat([y[..., :3] + tail, y[..., 3:]], -1)
        return y[..., :-3], next_first, next_strided, memory, y[..., -3:]


def test_states_are_left_context():
    shapes = [(1, 1, 6), (1, 1, 8), (1, 4, 3), (1, 1, 4), (1, 1, 3)]
    names = ["first", "strided", "memory", "tail"]
    content = exported(
        Step(),
        *shapes,
        free=2,
        input_names=["input", *(f"state.{n}" for n in names)],
        output_names=["output", *(f"next.{n}" for n in names)],
    )
    report = explain(content, input_shape=(1, 1, 120), rate_hz=8000)
    field = report.field("time")
    assert [(p.start, p.end) for p in field.phases] == [(-14, 2)] * 3
    assert (field.hop, field.ahead, field.block, field.latency) == (1, 2, 3, 3)
    assert [c.operator for c in field.unbounded_past] == ["/memory/GRU"] and not field.whole_input
    assert (report.costs.state.value, report.costs.state.status) == (8 + 12 + 4 + 3, Status.EXACT)
    assert [f.input for f in report.fields] == ["input"]
    short = explain(content, input_shape=(1, 1, 3), rate_hz=8000).field("time")
    assert short.phases == field.phases


def test_the_probe_runs_the_file():
    net = nn.Sequential(nn.ConstantPad1d((4, 0), 0.0), nn.Conv1d(1, 8, 5), nn.ReLU(), nn.Conv1d(8, 2, 4, 2))
    report = explain(exported(net, (1, 1, 80)), verify=True)
    assert [(p.probe, p.agrees) for p in report.probes] == [("nan", True)]


def test_a_pooling_that_rounds_up_has_no_window_behind_the_end():
    net = nn.Sequential(nn.Conv1d(2, 2, 3, padding=1), nn.MaxPool1d(2, 2, 1, ceil_mode=True), nn.Conv1d(2, 2, 3))
    report = explain(exported(net, (1, 2, 23)))
    assert report.output_shapes[0][1] == tuple(net(torch.zeros(1, 2, 23)).shape) == (1, 2, 10)


def test_weights_need_not_be_there(tmp_path):
    content = exported(nn.Sequential(nn.Conv1d(1, 64, 9), nn.Conv1d(64, 64, 9)), (1, 1, 100))
    path = tmp_path / "far.onnx"
    model = onnx.load_model_from_string(content)
    onnx.save_model(model, str(path), save_as_external_data=True, location="far.bin", size_threshold=0)
    (tmp_path / "far.bin").unlink()
    report = explain(path)
    assert report.costs.params.value == 64 * 9 + 64 + 64 * 64 * 9 + 64
    assert report.field("time").rf == 17


def model_of(nodes, inputs, outputs, constants=()) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(v, k) for k, v in constants])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def value(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def test_a_branch_with_a_known_condition_is_taken():
    yes = helper.make_graph([helper.make_node("Relu", ["x"], ["a"])], "yes", [], [value("a", 1, 1, 50)])
    no = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["b"])], "no", [], [value("b", 1, 1, 1)])
    node = helper.make_node("If", ["flag"], ["y"], then_branch=yes, else_branch=no)
    content = model_of([node], [value("x", 1, 1, 50)], [value("y", 1, 1, None)], [("flag", np.array(True))])
    assert explain(content).field("time").rf == 1


def test_unknown_operators_are_listed_not_counted_as_zero():
    nodes = [
        helper.make_node("Strange", ["x"], ["h"], domain="ours", name="odd"),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    report = explain(model_of(nodes, [value("x", 1, 1, 50)], [value("y", 1, 1, 50)]))
    assert report.unknown == ("odd (Strange)",)
    assert (report.costs.macs.status, report.costs.macs.missing) == (Status.UNAVAILABLE, ("odd",))
    assert (report.field("time").status, report.field("time").missing) == (Status.PARTIAL, ("odd",))


def test_rates_that_differ_are_named():
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a"], kernel_shape=[2], strides=[2], name="halve"),
        helper.make_node("Slice", ["x", "zero", "half", "two"], ["b"], name="cut"),
        helper.make_node("Add", ["a", "b"], ["y"], name="meet"),
    ]
    constants = [("zero", np.array([0])), ("half", np.array([25])), ("two", np.array([2]))]
    content = model_of(nodes, [value("x", 1, 1, 50)], [value("y", 1, 1, 25)], constants)
    with pytest.raises(
        ExplainError, match=r"'meet' joins branches at different rates along time: 'halve' moves 2 .* 'cut' moves 1"
    ):
        explain(content)


REFUSED = {
    "empty": (lambda good: b"", "holds no operators"),
    "truncated": (lambda good: good[: len(good) // 2], "truncated"),
    "text": (lambda good: b"# not a model at all\n" * 40, "not a complete ONNX file"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_damaged_files(kind, tmp_path):
    damage, message = REFUSED[kind]
    path = tmp_path / "bad.onnx"
    path.write_bytes(damage(exported(nn.Conv1d(1, 64, 9), (1, 1, 50))))
    with pytest.raises(ExplainError, match=message):
        explain(path)


def test_missing_file(tmp_path):
    with pytest.raises(ExplainError, match="There is no file"):
        explain(tmp_path / "none.onnx")


def test_open_sizes_must_be_given():
    content = exported(nn.Conv1d(1, 2, 5), (1, 1, 50), free=2)
    with pytest.raises(ExplainError, match=r"input 'input' has open sizes, \[1, 1, length\].*--input 1,1,1000"):
        explain(content)
    with pytest.raises(ExplainError, match="does not fit"):
        explain(content, input_shape=(1, 2, 50))
    with pytest.raises(ExplainError, match="no input 'sound'"):
        explain(content, input_shape={"sound": (1, 1, 50)})
    assert explain(content, input_shape={"input": (1, 1, 50)}).field("time").out_size == 46
    with pytest.raises(ExplainError, match="reaches over 5 positions"):
        explain(content, input_shape=(1, 1, 3))


def test_a_file_that_onnxruntime_cannot_run():
    content = exported(nn.Conv1d(1, 2, 4, padding="same", dilation=3), (1, 1, 50))
    assert explain(content).field("time").rf == 10
    with pytest.raises(ExplainError, match="onnxruntime cannot run it"):
        explain(content, verify=True)


def test_batch_norm_that_measures_as_it_runs():
    content = exported(nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2, track_running_stats=False)), (1, 1, 50))
    report = explain(content, verify=True)
    assert report.field("time").rf == 3 and report.field("time").whole_input
    assert [p.agrees for p in report.probes] == [True]


def test_the_home_of_nobody_and_a_rate_of_numpy():
    with pytest.raises(ExplainError, match="There is no file ~nosuch"):
        explain("~nosuch/x.onnx")
    assert str(explain("10/5 8/4", rate_hz=np.float32(16000))) == str(explain("10/5 8/4", rate_hz=16000))
