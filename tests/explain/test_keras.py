"""Keras files without Keras: archives, JSON of both versions, branches, nesting, and archives that mean harm."""

import json
import zipfile

import pytest

from voxfield.errors import ExplainError
from voxfield.explain import explain
from voxfield.explain.readers import keras
from voxfield.explain.readers.keras import read_keras

from .keras_files import archive, conv1d, functional, input_layer, layer, sequential

BRANCHES = functional(
    [
        input_layer([None, 8]),
        layer("Conv1D", "a", conv1d(8, 3, padding="causal"), ["input_layer"]),
        layer("Conv1D", "b", conv1d(8, 3, padding="same", dilation_rate=[4]), ["a"]),
        layer("Add", "sum", {}, [["b", "a"]]),
        layer("Concatenate", "both", {"axis": -1}, [["sum", "input_layer"]]),
        layer("Dense", "head", {"units": 3, "activation": "softmax", "use_bias": True}, ["both"]),
    ],
    "head",
)


def test_a_functional_archive_with_branches(tmp_path):
    report = explain(archive(tmp_path / "net.keras", BRANCHES), input_shape=(40, 8))
    field = report.field("time")
    assert (field.rf, field.ahead, field.past) == (11, 4, 6)
    assert report.costs.params.value == 2 * 3 * 8 * 8 + 16 * 3 + 3
    assert report.output_shapes[0][1] == (1, 40, 3)
    assert report.title == "net.keras"


def test_the_order_of_layers_in_the_file_does_not_matter(tmp_path):
    turned = json.loads(json.dumps(BRANCHES))
    turned["config"]["layers"] = turned["config"]["layers"][:1] + turned["config"]["layers"][:0:-1]
    one = explain(archive(tmp_path / "a.keras", BRANCHES), input_shape=(40, 8))
    two = explain(archive(tmp_path / "b.keras", turned), input_shape=(40, 8))
    assert [f.to_dict() for f in one.fields] == [f.to_dict() for f in two.fields]


def test_to_json_and_json_quoted_twice(tmp_path):
    plain, quoted = tmp_path / "a.json", tmp_path / "b.json"
    plain.write_text(json.dumps(BRANCHES))
    quoted.write_text(json.dumps(json.dumps(BRANCHES)))
    assert explain(plain).field("time").rf == explain(quoted).field("time").rf == 11


def test_keras_2_json(tmp_path):
    config = {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": [
                {
                    "class_name": "InputLayer",
                    "config": {"batch_input_shape": [None, 100, 2], "name": "in"},
                    "name": "in",
                    "inbound_nodes": [],
                },
                {
                    "class_name": "Conv1D",
                    "config": {"name": "c", **conv1d(4, 5, 2)},
                    "name": "c",
                    "inbound_nodes": [[["in", 0, 0, {}]]],
                },
                {
                    "class_name": "Concatenate",
                    "config": {"name": "cc", "axis": -1},
                    "name": "cc",
                    "inbound_nodes": [[["c", 0, 0, {}], ["c", 0, 0, {}]]],
                },
            ],
            "input_layers": [["in", 0, 0]],
            "output_layers": [["cc", 0, 0]],
        },
    }
    path = tmp_path / "old.json"
    path.write_text(json.dumps(config))
    report = explain(path)
    assert report.output_shapes[0][1] == (1, 48, 8)
    assert report.costs.params.value == 5 * 2 * 4


def test_a_nested_model_used_twice_owns_its_weights_once(tmp_path):
    block = sequential([input_layer([None, 8], "block_in"), layer("Conv1D", "c", conv1d(8, 3, padding="causal"), [])])
    block |= {"name": "block", "inbound_nodes": layer("x", "x", {}, ["input_layer"])["inbound_nodes"]}
    block["config"]["name"] = "block"
    again = layer("x", "x", {}, ["block"])["inbound_nodes"]
    block["inbound_nodes"] += again
    add = layer("Add", "sum", {}, [["block", "input_layer"]])
    add["inbound_nodes"][0]["args"][0][0]["config"]["keras_history"] = ["block", 1, 0]
    path = archive(tmp_path / "nested.keras", functional([input_layer([30, 8]), block, add], "sum"))
    report = explain(path)
    assert report.field("time").rf == 5
    assert report.costs.params.value == 3 * 8 * 8
    assert report.costs.macs.value == 2 * 30 * 3 * 8 * 8


def test_the_same_padding_trap(tmp_path):
    """An even kernel along time with `same` looks one frame ahead, layer after layer."""
    config = {"padding": "same", "data_format": "channels_last", "use_bias": True, "filters": 4}
    layers = [input_layer([None, 161, 1])]
    for i in range(4):
        more = {**config, "kernel_size": [2, 3], "strides": [1, 2]}
        layers.append(layer("Conv2D", f"c{i}", more, [layers[-1]["name"]]))
    report = explain(archive(tmp_path / "trap.keras", functional(layers, "c3")))
    assert (report.field("time").ahead, report.field("time").past) == (4, 0)


def test_transposed_same_is_the_full_output_without_its_last_column(tmp_path):
    config = {"filters": 2, "kernel_size": [3], "strides": [2], "padding": "same", "use_bias": True}
    net = functional([input_layer([10, 1]), layer("Conv1DTranspose", "up", config, ["input_layer"])], "up")
    graph = read_keras(archive(tmp_path / "up.keras", net))
    window = graph.ops[0].windows[0]
    assert (window.pad_start, window.pad_end) == (0, 1)
    assert graph.shape(graph.outputs[0]) == (1, 20, 2)


def test_channels_first_puts_the_axes_behind_the_channels(tmp_path):
    config = {"filters": 4, "kernel_size": [1, 3], "strides": [1, 2], "data_format": "channels_first"}
    net = functional([input_layer([2, 30, 161]), layer("Conv2D", "c", config, ["input_layer"])], "c")
    report = explain(archive(tmp_path / "first.keras", net))
    assert (report.field("time").in_size, report.field("freq").in_size) == (30, 161)
    assert report.output_shapes[0][1] == (1, 4, 30, 80)
    assert report.costs.params.value == 2 * 3 * 4 + 4


def test_an_unknown_layer_is_listed_and_costs_are_partial(tmp_path):
    net = functional(
        [
            input_layer([50, 4]),
            layer("Conv1D", "c", conv1d(4, 3), ["input_layer"]),
            layer("MyOwnLayer", "mine", {"units": 4}, ["c"]),
        ],
        "mine",
    )
    report = explain(archive(tmp_path / "own.keras", net))
    assert any("mine" in name for name in report.unknown)
    assert str(report.costs.macs.status) == "partial"
    assert "mine" in report.costs.macs.missing


def test_sizes_left_open_stay_open_and_can_be_given(tmp_path):
    path = archive(tmp_path / "net.keras", BRANCHES)
    assert explain(path).costs.macs.value is None
    assert explain(path, input_shape=(40, 8)).costs.macs.value
    with pytest.raises(ExplainError, match="the model has 8"):
        explain(path, input_shape=(40, 9))


def hostile(tmp_path, name, fill):
    path = tmp_path / f"{name}.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        fill(made)
    return path


def test_archives_that_mean_harm(tmp_path, monkeypatch):
    monkeypatch.setattr(keras, "LARGEST_CONFIG_BYTES", 1_000_000)
    text = json.dumps(BRANCHES)

    def traversal(made):
        made.writestr("config.json", text)
        made.writestr("../../evil.py", "print('no')")

    def absolute(made):
        made.writestr("config.json", text)
        made.writestr("/etc/evil", "no")

    def bomb(made):
        made.writestr("config.json", b'{"a":"' + b"0" * 3_000_000 + b'"}')

    def twice(made):
        made.writestr("config.json", text)
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("config.json", "{}")

    def none(made):
        made.writestr("metadata.json", "{}")

    for fill, told in (
        (traversal, "outside"),
        (absolute, "outside"),
        (bomb, "unpacks to"),
        (twice, "2 members"),
        (none, "0 members"),
    ):
        with pytest.raises(ExplainError, match=told):
            read_keras(hostile(tmp_path, fill.__name__, fill))
    assert not (tmp_path.parent / "evil.py").exists()


def test_a_member_longer_than_it_says_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(keras, "LARGEST_CONFIG_BYTES", 1_000_000)
    path = hostile(tmp_path, "liar", lambda made: made.writestr("config.json", b"0" * 3_000_000))
    data = path.read_bytes().replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(ExplainError):
        read_keras(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cannot be read"),
        (b"PK\x03\x04garbage", "broken archive"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"not json", "cannot be read"),
        (b"[]", "not a Keras model"),
        (b'{"class_name": "Sequential"}', "not a Keras model"),
        (b'{"class_name": "Functional", "config": {"layers": 3}}', "form Keras writes"),
        (b'{"class_name": "Sequential", "config": {"layers": []}}', "--input"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_broken_files(tmp_path, content, told):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ExplainError, match=told):
        explain(path)


def test_layers_that_read_each_other(tmp_path):
    net = functional(
        [input_layer([50, 4]), layer("Add", "a", {}, [["b", "b"]]), layer("Add", "b", {}, [["a", "a"]])], "b"
    )
    with pytest.raises(ExplainError, match="each other"):
        explain(archive(tmp_path / "loop.keras", net))


@pytest.mark.parametrize(
    "change",
    [{"kernel_size": [0]}, {"kernel_size": "3"}, {"strides": [-1]}, {"filters": 2.5}, {"groups": 3}, {"padding": 7}],
)
def test_settings_that_no_layer_can_have_name_the_layer(tmp_path, change):
    net = functional([input_layer([50, 4]), layer("Conv1D", "odd", conv1d(4, 3) | change, ["input_layer"])], "odd")
    with pytest.raises(ExplainError, match="odd"):
        explain(archive(tmp_path / "odd.keras", net))
