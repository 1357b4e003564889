"""`voxfield explain` as a user runs it: output, exit codes, files, what is imported, and input that cannot be used."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from voxfield.cards import cards, resolve
from voxfield.cli.app import run

from .keras_files import archive, conv1d, functional, input_layer, layer

WAV2VEC = "10/5 8/4 4/2 4/2 4/2"


def explain(capsys, *arguments):
    code = run(["explain", *map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_figures_of_the_first_example(capsys):
    code, out, err = explain(capsys, WAV2VEC, "--rate", 16000)
    assert code == 0
    assert "465 samples = 29.06 ms" in out
    assert "160 samples = 10 ms" in out
    assert err == ""
    _, out, _ = explain(capsys, WAV2VEC + " 9*3", "--rate", 16000)
    assert "3,345 samples = 209.06 ms" in out


def test_the_pasted_line_gets_figures_and_words(capsys):
    line = "layers.Conv2D(filters=16, kernel_size=(1, 3), strides=(1, 2))(x)"
    code, out, _ = explain(capsys, line)
    assert code == 0
    assert "161 -> 80" in out
    assert "1,280" in out
    assert "Why this kernel?" in out
    _, out, _ = explain(capsys, line, "--lang", "zh")
    assert "为什么用这样的卷积核" in out


def test_json_is_one_line_of_data(capsys):
    code, out, _ = explain(capsys, WAV2VEC, "--rate", 16000, "--json", "--what-if", "layer2.stride=2")
    assert code == 0
    assert out.count("\n") == 1
    data = json.loads(out)
    assert data["fields"][0]["rf_ms"] == 29.0625
    assert data["what_if"][0]["changes"][0] == {
        "figure": "rf",
        "axis": "time",
        "unit": "positions",
        "before": 465,
        "after": 255,
        "ratio": 255 / 465,
    }


def test_files_are_written_whole_and_never_over_others(capsys, tmp_path):
    html, svg = tmp_path / "a.html", tmp_path / "a.svg"
    code, _, err = explain(capsys, WAV2VEC, "--html", html, "--svg", svg)
    assert code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-costs.svg", "a.html", "a.svg"]
    assert "wrote" in err
    code, _, err = explain(capsys, WAV2VEC, "--html", html)
    assert code != 0
    assert "--overwrite" in err
    assert explain(capsys, WAV2VEC, "--html", html, "--overwrite")[0] == 0
    assert explain(capsys, WAV2VEC, "--html", tmp_path / "no" / "a.html")[0] != 0


def test_layers_are_explained_without_torch_onnx_or_numpy():
    check = (
        "import sys; from voxfield.cli.app import run\n"
        "code = run(['explain', '10/5 8/4'])\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'numpy', 'tensorflow', 'keras'} & set(sys.modules)\n"
        "print('imported', sorted(heavy), code)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip().endswith("imported [] 0")


def test_the_room_is_callable_however_it_was_imported():
    check = (
        "import voxfield as vf; a = vf.explain('3/2').field('time').rf\n"
        "import voxfield.explain; b = vf.explain('3/2').field('time').rf\n"
        "from voxfield import explain; c = explain('3/2').field('time').rf\n"
        "from voxfield.explain import explain as f; d = f('3/2').field('time').rf\n"
        "print(a, b, c, d)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["3"] * 4


NET = """
import torch


class Net(torch.nn.Module):
    def __init__(self, wide=4):
        super().__init__()
        self.conv = torch.nn.Conv1d(1, wide, 5, stride=2)

    def forward(self, x):
        return self.conv(x)


def build():
    return Net(8)


class Needs(Net):
    def __init__(self, wide):
        super().__init__(wide)


number = 3
"""


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


def test_a_file_is_run_only_when_that_is_allowed(capsys, net):
    mark = net.with_name("ran")
    net.write_text(NET + f"\nopen({str(mark)!r}, 'w').close()\n")
    code, _, err = explain(capsys, f"{net}:Net", "--input", "1,1,100")
    assert code == 2
    assert "--run-file" in err
    assert not mark.exists()
    code, out, err = explain(capsys, f"{net}:Net", "--input", "1,1,100", "--run-file", "--verify")
    assert code == 0
    assert f"running {net}" in err
    assert mark.exists()
    assert "5 samples" in out
    assert "agrees" in out


def test_a_function_of_a_file_and_a_file_read_as_text(capsys, net):
    assert "(1, 8, 48)" in explain(capsys, f"{net}:build", "--input", "1,1,100", "--run-file")[1]
    assert "(1, 8, 48)" in explain(capsys, net, "--input", "1,1,100")[1]


def test_keras_files_and_standard_input(capsys, tmp_path, monkeypatch):
    net = functional([input_layer([100, 1]), layer("Conv1D", "c", conv1d(4, 5, 2), ["input_layer"])], "c")
    assert "(1, 48, 4)" in explain(capsys, archive(tmp_path / "n.keras", net))[1]
    text = tmp_path / "net.txt"
    text.write_text(WAV2VEC + "\n")
    assert "465 samples" in explain(capsys, text)[1]
    monkeypatch.setattr("sys.stdin", text.open())
    assert "465 samples" in explain(capsys, "-")[1]


def bad_files(folder: Path) -> dict[str, Path]:
    made = {name: folder / name for name in ("cut.onnx", "text.onnx", "evil.keras", "a.h5", "a.wav", "empty.txt")}
    made["cut.onnx"].write_bytes(b"\x08\x09\x12\x07pytorch:\xff\xff\xff")
    made["text.onnx"].write_text("hello")
    with zipfile.ZipFile(made["evil.keras"], "w") as evil:
        evil.writestr("../config.json", "{}")
    made["a.h5"].write_bytes(b"\x89HDF\r\n\x1a\n")
    made["a.wav"].write_bytes(b"RIFF")
    made["empty.txt"].write_text("")
    return made


BAD = [
    (["hello world"], "hello world"),
    ([""], "Nothing was given"),
    (["10/5 0/4"], "kernel of 0"),
    (["10/5 8/-4"], "stride of -4"),
    (["3 3 3", "--input", "4"], "larger than its input"),
    (["3", "--input", "a,b"], "--input"),
    (["3", "--input", "0"], "start at 1"),
    (["3", "--rate", "0"], "rate of 0"),
    (["3", "--rate", "-5"], "rate of -5"),
    (["3", "--rate", "nan"], "rate of nan"),
    (["3", "--hop", "160"], "--rate"),
    (["3", "--lang", "fr"], "'fr'"),
    (["3", "--verify"], "Only what can run"),
    (["3", "--what-if", "layer7.stride=2"], "no layer 'layer7'"),
    (["x = layers.Conv2D(n, 3)(x)"], "line 1"),
    (["nothere.onnx"], "nothere.onnx"),
    (["nothere.keras"], "no file"),
    (["nothere.py:Net"], "no file"),
    ([str(Path(__file__).parent)], "is a folder"),
    (["a/" * 3000], "no file"),
    (["crn-smal1"], "crn-smal1"),
]


@pytest.mark.parametrize(("arguments", "told"), BAD, ids=[" ".join(arguments)[-40:] for arguments, _ in BAD])
def test_bad_input_is_told_and_exits_2(capsys, arguments, told):
    code, out, err = explain(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["cut.onnx", "text.onnx", "evil.keras", "a.h5", "a.wav", "empty.txt"])
def test_bad_files_are_told_and_exit_2(capsys, tmp_path, name):
    code, out, err = explain(capsys, bad_files(tmp_path)[name])
    assert code == 2
    assert out == ""
    assert name in err or name == "empty.txt"


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (":Needs", "without arguments"),
        (":number", "not a torch module"),
        (":nothing", "nothing called"),
        (":a-b", "name"),
    ],
)
def test_what_a_file_does_not_hold(capsys, net, end, told):
    code, _, err = explain(capsys, f"{net}{end}", "--input", "1,1,100", "--run-file")
    assert code == 2
    assert told in err


def test_several_inputs_are_told_apart_by_semicolons(capsys, tmp_path):
    path = tmp_path / "two.py"
    code = "import torch\n\nclass Two(torch.nn.Module):\n    def forward(self, a, b):\n        return a[..., 2:] + b\n"
    path.write_text(code)
    code, out, _ = explain(capsys, f"{path}:Two", "--input", "1,4,30;1,4,28", "--run-file")
    assert code == 0
    assert "(1, 4, 28)" in out
    assert explain(capsys, "3 3", "--input", "1,30;1,20")[0] == 2


def test_a_module_without_a_shape_and_a_file_that_fails(capsys, net):
    code, _, err = explain(capsys, f"{net}:Net", "--run-file")
    assert (code, "--input" in err or "input_shape" in err) == (2, True)
    net.write_text("raise SystemExit(7)")
    code, _, err = explain(capsys, f"{net}:Net", "--run-file", "--input", "1,1,100")
    assert code == 2
    assert "SystemExit" in err


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_our_own_models_by_name_and_as_a_file(capsys, card, tmp_path):
    """A card says how its file is fed, so that nothing but the name is needed."""
    code, out, _ = explain(capsys, card.short_name, "--json")
    assert code == 0
    told = json.loads(out)
    assert told["title"] == card.name
    assert told["costs"]["params"]["value"] == card.parameters
    per = "macs_per_second" if card.interface.sample_rate_hz else "macs"
    assert round(told["costs"][per]["value"]) == card.macs
    lone = tmp_path / "lone.onnx"
    lone.write_bytes(resolve(card.name)[1].read_bytes())
    assert json.loads(explain(capsys, lone, "--json")[1])["costs"]["macs"] == told["costs"]["macs"]
