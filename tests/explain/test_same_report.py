"""One network, five descriptions, one report: text, pasted Keras, a Keras archive, ONNX and torch."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from voxfield.explain import Report, explain

from .keras_files import archive, conv1d, functional, input_layer, layer, sequential

LAYERS = ((10, 5, 1), (8, 4, 1), (4, 2, 1), (3, 1, 2))  # kernel, stride, dilation
FILTERS, LENGTH, RATE = 6, 2000, 16000


def facts(report: Report, *, layers: bool = True) -> dict[str, object]:
    """Every figure of a report that does not depend on names or on where the channels are."""
    fields = []
    for field in report.fields:
        told = field.to_dict()
        fields.append({k: v for k, v in told.items() if k != "input"})
    costs = report.costs.to_dict()
    for name in ("intensity",):  # ONNX files carry no order of execution
        costs.pop(name)
    rows = [
        {
            "kind": one.kind,
            "windows": [(w.kernel, w.stride, w.dilation, w.pad_start, w.pad_end) for w in one.windows],
            "params": one.params,
            "macs": one.macs.to_dict(),
            "state": one.state.to_dict(),
            "frame": one.values_per_frame.to_dict(),
            "fields": [(f.axis, f.rf, f.hop, f.ahead, f.past, f.out_size) for f in one.fields],
        }
        for one in report.table
    ]
    return {"fields": fields, "costs": costs, "layers": rows if layers else None}


def as_text(tmp_path: Path) -> object:
    return " ".join(f"{k}/{s}:{d}@{FILTERS}" for k, s, d in LAYERS)


def as_snippet(tmp_path: Path) -> object:
    return "\n".join(
        f"x = layers.Conv1D({FILTERS}, {k}, strides={s}, dilation_rate={d}, use_bias=False)(x)" for k, s, d in LAYERS
    )


def as_torch_snippet(tmp_path: Path) -> object:
    parts, channels = [], 1
    for k, s, d in LAYERS:
        parts.append(f"nn.Conv1d({channels}, {FILTERS}, {k}, stride={s}, dilation={d}, bias=False)")
        channels = FILTERS
    return "net = nn.Sequential(\n    " + ",\n    ".join(parts) + ",\n)"


def as_keras(tmp_path: Path) -> object:
    parts = [input_layer([LENGTH, 1])]
    for i, (k, s, d) in enumerate(LAYERS):
        parts.append(layer("Conv1D", f"c{i}", conv1d(FILTERS, k, s, dilation_rate=[d]), []))
    return archive(tmp_path / "net.keras", sequential(parts))


def as_keras_json(tmp_path: Path) -> object:
    parts = [input_layer([LENGTH, 1])]
    for i, (k, s, d) in enumerate(LAYERS):
        more = conv1d(FILTERS, k, s, dilation_rate=[d])
        parts.append(layer("Conv1D", f"c{i}", more, [parts[-1]["name"]]))
    path = tmp_path / "net.json"
    path.write_text(json.dumps(functional(parts, f"c{len(LAYERS) - 1}")))
    return path


def as_onnx(tmp_path: Path) -> object:
    nodes, weights, channels, x = [], [], 1, "input"
    for i, (k, s, d) in enumerate(LAYERS):
        array = np.zeros((FILTERS, channels, k), np.float32)
        weights.append(numpy_helper.from_array(array, f"w{i}"))
        made = helper.make_node(
            "Conv", [x, f"w{i}"], [f"y{i}"], name=f"conv{i}", kernel_shape=[k], strides=[s], dilations=[d]
        )
        nodes.append(made)
        channels, x = FILTERS, f"y{i}"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [value("input", TensorProto.FLOAT, [1, 1, LENGTH])],
        [value(x, TensorProto.FLOAT, [1, FILTERS, "T"])],
        weights,
    )
    path = tmp_path / "net.onnx"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def as_torch(tmp_path: Path) -> object:
    parts, channels = [], 1
    for k, s, d in LAYERS:
        parts.append(torch.nn.Conv1d(channels, FILTERS, k, stride=s, dilation=d, bias=False))
        channels = FILTERS
    return torch.nn.Sequential(*parts)


SHAPES = {
    "text": (as_text, (1, LENGTH)),
    "keras snippet": (as_snippet, (LENGTH, 1)),
    "torch snippet": (as_torch_snippet, (1, LENGTH)),
    "keras archive": (as_keras, None),
    "keras json": (as_keras_json, None),
    "onnx": (as_onnx, None),
    "torch": (as_torch, (1, 1, LENGTH)),
}


@pytest.mark.parametrize("form", [form for form in SHAPES if form != "torch"])
def test_every_description_gives_the_report_of_the_module(form, tmp_path):
    make, shape = SHAPES["torch"]
    expected = facts(explain(make(tmp_path), rate_hz=RATE, input_shape=shape))
    assert expected["costs"]["params"]["value"] == 60 + 36 * (8 + 4 + 3)
    make, shape = SHAPES[form]
    assert facts(explain(make(tmp_path), rate_hz=RATE, input_shape=shape)) == expected


class Branched(torch.nn.Module):
    """Two axes, a skip, padding on one side, a transposed convolution, batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = torch.nn.ZeroPad2d((0, 0, 1, 0))
        self.down = torch.nn.Conv2d(1, 4, (2, 3), stride=(1, 2))
        self.norm = torch.nn.BatchNorm2d(4)
        self.act = torch.nn.ELU()
        self.wide = torch.nn.Conv2d(4, 4, (1, 3), padding=(0, 1), groups=2)
        self.up = torch.nn.ConvTranspose2d(8, 1, (1, 3), stride=(1, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.down(self.pad(x))))
        y = self.wide(x)
        return self.up(torch.cat([x, y], dim=1))


BRANCHED_KERAS = """
x = keras.Input((30, 41, 1))
x = layers.ZeroPadding2D(((1, 0), (0, 0)))(x)
x = layers.Conv2D(4, (2, 3), strides=(1, 2))(x)
x = layers.ELU()(layers.BatchNormalization()(x))
y = layers.ZeroPadding2D((0, 1))(x)
y = layers.Conv2D(4, (1, 3), groups=2)(y)
z = layers.Concatenate()([x, y])
z = layers.Conv2DTranspose(1, (1, 3), strides=(1, 2))(z)
"""


def branched_config() -> dict[str, object]:
    conv = {"padding": "valid", "data_format": "channels_last", "use_bias": True, "activation": "linear"}
    return functional(
        [
            input_layer([30, 41, 1]),
            layer("ZeroPadding2D", "pad", {"padding": [[1, 0], [0, 0]]}, ["input_layer"]),
            layer("Conv2D", "down", {**conv, "filters": 4, "kernel_size": [2, 3], "strides": [1, 2]}, ["pad"]),
            layer("BatchNormalization", "norm", {"axis": -1, "center": True, "scale": True}, ["down"]),
            layer("ELU", "act", {}, ["norm"]),
            layer("ZeroPadding2D", "pad2", {"padding": [[0, 0], [1, 1]]}, ["act"]),
            layer("Conv2D", "wide", {**conv, "filters": 4, "kernel_size": [1, 3], "groups": 2}, ["pad2"]),
            layer("Concatenate", "cat", {"axis": -1}, [["act", "wide"]]),
            layer("Conv2DTranspose", "up", {**conv, "filters": 1, "kernel_size": [1, 3], "strides": [1, 2]}, ["cat"]),
        ],
        "up",
    )


@pytest.mark.filterwarnings("ignore")  # the exporter that makes the file is the old one
def test_branches_on_two_axes_in_every_description(tmp_path):
    module = Branched().eval()
    expected = explain(module, rate_hz=100, input_shape=(1, 1, 30, 41), layout="BCTF")
    path = tmp_path / "branched.onnx"
    torch.onnx.export(module, (torch.zeros(1, 1, 30, 41),), path, dynamo=False, do_constant_folding=False)
    found = {
        "onnx": explain(path, rate_hz=100, layout="BCTF"),
        "snippet": explain(BRANCHED_KERAS, rate_hz=100),
        "archive": explain(archive(tmp_path / "b.keras", branched_config()), rate_hz=100),
    }
    for form, report in found.items():
        for axis in ("time", "freq"):
            one, two = report.field(axis), expected.field(axis)
            told = (one.rf, one.rf_min, one.hop, one.ahead, one.past, one.first_output_needs, one.out_size, one.phases)
            assert told == (
                two.rf,
                two.rf_min,
                two.hop,
                two.ahead,
                two.past,
                two.first_output_needs,
                two.out_size,
                two.phases,
            ), (form, axis)
        for cost in ("macs", "macs_per_second", "state"):
            assert getattr(report.costs, cost) == getattr(expected.costs, cost), (form, cost)
        if form != "onnx":  # an exporter may fold batch norms into the convolutions before them
            assert report.costs.params == expected.costs.params, form


@pytest.mark.parametrize(
    ("file", "name", "shape"), [("conv_tasnet.py", "ConvTasNet", (1, 1, 800)), ("ecapa.py", "ECAPA", (1, 80, 150))]
)
def test_code_read_as_text_is_the_network_that_runs(file, name, shape):
    """The files of the documentation, once read and once run."""
    path = Path(__file__).parents[2] / "docs" / "nets" / file
    read = explain(path, rate_hz=RATE, input_shape=shape)
    run = explain(f"{path}:{name}", rate_hz=RATE, input_shape=shape, run_file=True)
    mine, theirs = read.field("time"), run.field("time")
    same = ("rf", "rf_min", "hop", "ahead", "past", "first_output_needs", "latency", "out_size", "tail_dropped")
    assert {k: getattr(mine, k) for k in same} == {k: getattr(theirs, k) for k in same}
    assert mine.phases == theirs.phases
    assert len(mine.whole_input) == len(theirs.whole_input)
    for cost in ("params", "macs", "macs_per_second", "weight_bytes"):
        assert getattr(read.costs, cost) == getattr(run.costs, cost), cost
    assert read.costs.state.value == run.costs.state.value
