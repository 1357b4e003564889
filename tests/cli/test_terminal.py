"""What the terminal is and does: its encoding, its keys, and text that would steer it."""

import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import soundfile as sf
from onnx import TensorProto, helper, numpy_helper

from voxfield.cli.app import run


def test_an_interrupt_while_packages_load_leaves_no_traceback(tmp_path):
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "voxfield", "models"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_a_terminal_of_another_encoding_gets_escapes(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "voxfield", "evaluate", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr and done.stdout.isascii()


def test_messages_for_a_closed_standard_error_are_not_mixed_into_the_sound(tmp_path, tiny_spectral, speech):
    sf.write(tmp_path / "x.wav", speech(1, 8000).T, 16000)
    words = f"{sys.executable} -m voxfield enhance x.wav -o - --model {tiny_spectral} 2>&-"
    done = subprocess.run(words, shell=True, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0 and len(done.stdout) == 44 + 16000
    wrong = subprocess.run(f"{sys.executable} -m voxfield models nothing 2>&-", shell=True, capture_output=True)
    assert (wrong.returncode, wrong.stdout) == (2, b"")


def test_names_in_a_foreign_network_cannot_steer_the_terminal(tmp_path, capsys):
    name, weight = "layer\x1b]0;owned\x07", "weight\x1b[31m"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Conv", ["in\x1b[2J", weight], ["out\x9b1m"], name=name, kernel_shape=[3])],
        "graph\x1b[1m",
        [value("in\x1b[2J", TensorProto.FLOAT, [1, 1, 100])],
        [value("out\x9b1m", TensorProto.FLOAT, [1, 2, 98])],
        [numpy_helper.from_array(np.zeros((2, 1, 3), np.float32), weight)],
    )
    onnx.save(helper.make_model(graph), tmp_path / "foreign.onnx")
    for words in ([], ["--lang", "zh"], ["--what-if", "causal"]):
        assert run(["explain", str(tmp_path / "foreign.onnx"), *words]) == 0
        streams = capsys.readouterr()
        shown = streams.out + streams.err
        assert r"layer\x1b]0;owned\x07" in shown and not {"\x1b", "\x07", "\x9b"} & set(shown)


@pytest.mark.parametrize("words", [[], ["enhance"], ["separate"], ["explain"], ["models"], ["train"]])
def test_help_shows_no_type_for_switches(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    assert run([*words, "--help"]) == 0
    assert "bool" not in capsys.readouterr().out


def test_help_starts_with_examples_and_versions_are_short(capsys):
    assert run(["--help"]) == 0
    assert "voxfield enhance noisy.wav -o clean.wav" in capsys.readouterr().out
    assert run(["-V"]) == 0
    short = capsys.readouterr().out
    assert run(["--version"]) == 0 and capsys.readouterr().out == short and short.startswith("voxfield ")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("enhance --model c", ["crn-large", "crn-small", "crn-tiny"]),
        ("separate --model ", ["conv-tasnet-small", "crn-separate"]),
        ("models crn-t", ["crn-tiny"]),
        ("evaluate a b -m crn-s", ["crn-small", "crn-separate"]),
    ],
)
def test_tab_completes_names_of_models(words, offered, monkeypatch, capsys):
    monkeypatch.setenv("_VOXFIELD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"voxfield {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" "))))
    assert run([]) == 0
    assert capsys.readouterr().out.split() == offered
