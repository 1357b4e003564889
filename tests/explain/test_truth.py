"""Sentences and figures that must be true of the network in question, and messages instead of tracebacks."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import voxfield.explain
from voxfield.cli.app import run
from voxfield.explain import Status, explain, report_on
from voxfield.explain.question import asked
from voxfield.explain.readers.scan import pieces, program
from voxfield.explain.render import page, report_text
from voxfield.explain.render.table import width
from voxfield.explain.zh import catalogue, translated


def said(what, **options):
    return {p.key: p.answer for p in report_on(what, **options).paragraphs}


# words


def test_strides_that_only_go_down_do_not_come_up_again():
    block = "x = Input((32, 32, 8))\ny = Conv2D(8, 1, strides=2)(x)\nz = Conv2D(8, 3, strides=2, padding='same')(x)\n"
    block += "add = Add()([y, z])"
    told = said(block)["stride"]
    assert "up" not in told.split()
    assert "the stride of conv2d_1 makes one output for every 2 pixels" in told
    assert "At add a second path comes in, with the strides of conv2d" in told


def test_one_chain_is_not_several_paths():
    assert "path" not in said("4/2@8 ^4/2@8", input_shape=(1, 64))["kernel"]
    assert (
        "Several paths"
        in said(
            "x = Input((32, 8))\ny = Conv1D(8, 3, padding='same')(x)\nz = Conv1D(8, 5, padding='same')(x)\n"
            "a = Add()([y, z])"
        )["kernel"]
    )


def test_there_is_no_padding_to_move_where_there_is_none():
    assert "There is no padding to move" in said("10/5 8/4")["fix"]
    assert "Move the padding" in said("5p2 5p2", input_shape=(100,))["fix"]


def test_a_stride_of_16_is_not_half_and_depthwise_is_1_n_plus_1_k2():
    told = said("nn.Conv1d(1, 512, 256, stride=16)")["stride"]
    assert "1/16 of the positions" in told
    assert "half" not in told


def test_filters_never_widen_the_field_and_a_stride_of_1_2_shortens_frequency_only():
    told = said("layers.Conv2D(16, (1, 3), strides=(1, 2))(x)")
    assert "More filters never widen the receptive field" in told["filters"]
    assert "16 different weighted sums of the same 1 x 3 x 1 = 3 values" in told["filters"]
    assert "only frequency gets shorter" in told["stride"]
    assert "(161 - 3) / 2 + 1 = 80" in told["size"]


def test_filters_on_the_way_up():
    net = "x = Input((100, 16, 1))\n" + "\n".join(
        f"x = Conv2D{kind}({n}, (1, 2), strides=(1, 2))(x)"
        for n, kind in ((8, ""), (16, ""), (8, "Transpose"), (1, "Transpose"))
    )
    assert (
        "On the way up the filters are 8, 1 while the frequency axis grows again, 4 -> 8 -> 16." in said(net)["filters"]
    )


def test_a_question_is_answered_first():
    answer = report_on("layers.Conv2D(16, (1, 3), strides=(1, 2))(x) 为什么 strides 设置为 (1, 2)")
    assert [p.key for p in answer.paragraphs if p.asked] == ["stride"]
    text = report_text(answer.report, answer.graph, answer.paragraphs)
    assert text.index("Why this stride?") < text.index("receptive field  ")
    assert asked("how many parameters and how many milliseconds?") == ("params", "kernel")


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("x 有 16 个通道，为什么？", "filters"),
        ("depthwise vs standard convolution", "separable"),
        ("GRU vs LSTM latency", "latency"),
        ("步长 2 还是池化", "stride"),
    ],
)
def test_one_thing_against_another_is_a_question(question, topic):
    assert asked(question) == (topic,)


def test_one_filter_is_one():
    told = said("nn.Conv1d(3, 1, 1)")["filters"]
    assert "1 filter:" in told and "1 filters" not in told and "1 different weighted sums" not in told


# axes


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.LSTM(40, 8, batch_first=True), (1, 100, 40)),
        (nn.Sequential(nn.Linear(40, 16), nn.ReLU()), (1, 100, 40)),
        (nn.GRU(40, 8), (100, 1, 40)),
    ],
    ids=["batch first", "linear", "time first"],
)
def test_the_time_axis_is_where_the_first_layer_runs(net, shape):
    report = explain(net, input_shape=shape)
    field = report.field("time")
    assert field.in_size == 100
    assert not field.whole_input
    assert any("--layout" in note for note in report.notes)


def test_every_dim_is_named_in_the_first_lines():
    answer = report_on("nn.Conv1d(1, 8, 3)")
    assert "(1, 1, ?) = batch, channels, time" in report_text(answer.report, answer.graph).splitlines()[1]
    assert not answer.report.notes


# exact


def test_an_unknown_layer_leaves_no_figure_exact_and_keeps_both_branches():
    code = "x = Input((32, 8))\ny = Conv1D(8, 3)(x)\nz = Conv1D(8, 3)(x)\n"
    code += "q = layers.Lambda(f)([y, z])\nr = Conv1D(8, 3)(q)"
    report = explain(code)
    assert report.costs.params.status is Status.PARTIAL
    assert report.costs.macs.status is Status.PARTIAL
    assert report.field("time").status is Status.PARTIAL


class Many(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 4, 3)
        self.other = nn.Conv1d(1, 4, 5)
        self.frozen = nn.Conv1d(4, 4, 1)
        self.frozen.requires_grad_(False)

    def forward(self, x):
        y = self.conv(x)
        return self.frozen(y), y.mean()


def test_outputs_and_parameters_that_are_not_explained_are_said():
    report = explain(Many(), input_shape=(1, 1, 50))
    assert any(note.startswith("There are 2 outputs; these figures are of the first") for note in report.notes)
    assert any("24 of 60 parameters take no part" in note for note in report.notes)
    assert any("20 of 60 parameters are frozen" in note for note in report.notes)


class Branching(nn.Module):
    """One that torch.export refuses, with norms of equal weights, which the exporter merges or folds away."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
        self.conv = nn.Conv1d(4, 4, 3, bias=False)

    def forward(self, x):
        y = self.b(torch.relu(self.a(x)))
        return self.conv(y) if float(y.sum()) > -1e9 else y


def test_tensors_that_an_exporter_merges_are_counted_by_the_module():
    report = explain(Branching(), input_shape=(1, 4, 20))
    assert any("ONNX form" in note for note in report.notes)
    assert report.costs.params.value == 48 + 16


def test_reflect_padding_counts_in_what_the_first_output_needs():
    net = nn.Sequential(nn.ReflectionPad1d(10), nn.Conv1d(1, 1, 3))
    assert explain(net, input_shape=(1, 1, 50)).field("time").first_output_needs == 11
    zeros = nn.Sequential(nn.ConstantPad1d(10, 0.0), nn.Conv1d(1, 1, 3))
    assert explain(zeros, input_shape=(1, 1, 50)).field("time").first_output_needs == 0


def test_frames_give_the_same_milliseconds_in_text_and_data():
    answer = report_on("3 3", rate_hz=16000, hop_samples=160, window_samples=400)
    text = report_text(answer.report, answer.graph, frames=answer.frames)
    assert answer.to_dict()["fields"][0]["rf_ms"] == 65.0
    assert "= 65 ms" in text


# never a traceback


def test_code_under_main_is_not_entered():
    code = (
        "net = nn.Conv1d(1, 4, 3)\nif __name__ == '__main__':\n    nothing(net, that=exists[0])\n    while True: pass"
    )
    assert explain(code).field("time").rf == 3


def test_a_terminal_without_chinese_and_a_full_disk_are_messages():
    for redirect, environment in (("", {"PYTHONIOENCODING": "ascii"}), (" > /dev/full", {})):
        command = f"{sys.executable} -m voxfield explain '10/5' --lang {'zh' if environment else 'en'}{redirect}"
        done = subprocess.run(
            command,
            shell=True,
            capture_output=True,
            text=True,
            timeout=60,
            env={"PATH": "/usr/bin:/bin", **environment},
        )
        assert done.returncode == 1
        assert done.stderr.startswith("voxfield: ")
        assert "Traceback" not in done.stderr


def test_work_grows_as_the_number_of_operators():
    import sys

    def calls(count):
        """Function calls that a chain of so many residual blocks takes to read and explain."""
        kernel = numpy_helper.from_array(np.zeros((4, 4, 3), np.float32), "w")
        nodes, x, made = [], "x", 0
        for i in range(count):
            nodes.append(helper.make_node("Conv", [x, "w"], [f"c{i}"], pads=[1, 1], kernel_shape=[3]))
            nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
            nodes.append(helper.make_node("Add", [f"r{i}", x], [f"a{i}"]))
            x = f"a{i}"
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 1000]) for name in ("x", x)]
        content = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [kernel])).SerializeToString()

        def count_one(frame, event, argument):
            nonlocal made
            made += event in {"call", "c_call"}

        sys.setprofile(count_one)
        try:
            report = explain(content)
        finally:
            sys.setprofile(None)
        assert report.field("time").rf == 2 * count + 1
        return made

    calls(10)  # imports
    few, more, many = calls(100), calls(300), calls(900)
    assert many - more < 3.1 * (more - few)  # what grows with the square would be nine times as much


# reading it


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "what", ["layers.Conv2D(16, (1, 3), strides=(1, 2))(x)", "10/5@512 8/4@512 4/2@512", "3x3@64p1 max2x2 3x3@64p1"]
)
def test_nothing_is_wider_than_the_terminal(what, language):
    answer = report_on(what, language=language)
    text = report_text(answer.report, answer.graph, answer.paragraphs, language=language, columns=80)
    assert max(width(line) for line in text.splitlines()) <= 80
    assert text.splitlines()[:24] and "1" in text


def test_equal_axes_inputs_and_notes_are_told_once():
    code = "a = Input((8, 8, 1))\nb = Input((8, 8, 1))\nc = Concatenate()([a, b])\nd = Conv2D(2, 3)(c)"
    answer = report_on(code)
    text = report_text(answer.report, answer.graph, answer.paragraphs)
    assert "2 x (1, 8, 8, 1) = batch, height, width, channels" in text
    assert text.count("receptive field  ") == 1
    assert page(answer.report, answer.graph).count("<svg") == 2


def test_json_fits_its_schema():
    folder = Path(voxfield.explain.__file__).parent
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    answer = report_on("10/5@4 8/4@4", rate_hz=16000, input_shape=(1, 1000), edits=["layer1.stride=4"])
    data = json.loads(json.dumps(answer.to_dict()))
    check(data, schema, schema, "$")
    for report in (data["what_if"][0]["before"], data["what_if"][0]["after"]):
        check(report, schema, schema, "$.what_if")


TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}


def check(value, rule, schema, where):
    if "$ref" in rule:
        rule = schema["$defs"][rule["$ref"].rpartition("/")[2]]
    kinds = rule.get("type", [])
    if kinds:
        assert isinstance(value, tuple(TYPES[k] for k in ([kinds] if isinstance(kinds, str) else kinds))), where
    assert value in rule.get("enum", [value]), where
    assert set(rule.get("required", ())) <= set(value if isinstance(value, dict) else ()), where
    if rule.get("required") and "properties" in rule:
        assert set(value) <= set(rule["properties"]), (where, set(value) - set(rule["properties"]))
    for key, inner in rule.get("properties", {}).items():
        if isinstance(value, dict) and key in value:
            check(value[key], inner, schema, f"{where}.{key}")
    for item in value if isinstance(value, list) and "items" in rule else ():
        check(item, rule["items"], schema, f"{where}[]")


def test_notebooks_show_a_table_and_two_networks_stand_side_by_side(capsys):
    assert "<table><caption>10/5 8/4</caption>" in explain("10/5 8/4", rate_hz=16000)._repr_html_()
    assert report_on("10/5 8/4")._repr_html_().startswith("<!doctype html>")
    assert run(["explain", "10/5 8/4", "--against", "4/2"]) == 0
    out = capsys.readouterr().out
    assert "Side by side" in out
    assert "0.08889" in out


# Chinese


def test_every_note_and_error_has_chinese_words():
    known = {told for told, _ in written() if set(told) & set("abcdefghijklmnopqrstuvwxyz")}
    fixed = [pattern for pattern, _ in catalogue()]
    missing = [text for text in known if not any(pattern.fullmatch(text.replace("{}", "7")) for pattern in fixed)]
    assert missing == []
    assert translated("line 3: 'x' does not exist.", "zh") == "第 3 行：'x' 不存在。"


def test_every_chinese_sentence_takes_its_parts():
    for pattern, shown in catalogue():
        parts = [f"<{i}>" for i in range(pattern.groups)]
        stated = shown.format(*parts)
        assert all(stated.count(part) == 1 for part in parts), shown


def written():
    """(text with {} for what is filled in, file) of every error and note in the source."""
    import ast

    def text_of(node):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        if isinstance(node, ast.JoinedStr):
            return "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
        return None

    for path in Path(voxfield.explain.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            owner = getattr(getattr(node.func, "value", None), "id", "")
            if name in {"ExplainError", "at", "note", "fail"} or (name == "append" and owner == "notes"):
                for argument in node.args:
                    told = text_of(argument)
                    if told and " " in told:
                        yield ("{}: " * (name == "fail")) + told, path.name


# the scanner


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = Conv1D(8, 3)(x)为什么", "x = Conv1D(8, 3)(x)"),
        ("# one y = Conv1D(8, 3)(x) # two z = Conv1D(4, 1)(y)", "y = Conv1D(8, 3)(x)\nz = Conv1D(4, 1)(y)"),
        ("def f(x): if a: x = Conv1D(8, 3)(x) else: x = Conv1D(4, 3)(x) return x",
         "def f(x):\n    if a:\n        x = Conv1D(8, 3)(x)\n    else:\n        x = Conv1D(4, 3)(x)\n    return x"),
        ("remarkself.c = nn.Conv1d(1, 2, 3", "self.c = nn.Conv1d(1, 2, 3)"),
        ("n = 3 if a else 4 x = Conv1D(n, 3)(x)", "n = 3 if a else 4\nx = Conv1D(n, 3)(x)"),
        ("nothing to see (here) = 3", ""),
    ],
)  # fmt: skip
def test_statements_are_found_in_glued_text(text, code):
    assert program(pieces(text))[0] == code
