"""`voxfield train` and `voxfield export` from the command line."""

from pathlib import Path

import pytest

from voxfield.cli.app import run
from voxfield.train.tasks.enhance import EnhanceTask

RECIPE = Path(__file__).parents[2] / "recipes" / "enhance" / "crn-tiny.toml"


@pytest.fixture
def options(settings, monkeypatch):
    monkeypatch.setattr(EnhanceTask, "score", lambda task, net, mixture: {"si_sdr_db": 0.0})  # too short for scores
    return [part for setting in [*settings, "train.steps=2"] for part in ("--set", setting)]


def test_train_then_export(options, tmp_path, capsys):
    assert run(["train", str(RECIPE), "--run", str(tmp_path / "run"), *options]) == 0
    checkpoint = capsys.readouterr().out.strip()
    out = tmp_path / "mine.onnx"
    arguments = ["export", checkpoint, "-o", str(out), "--name", "crn-mine.v1"]
    assert run(arguments) == 0 and out.exists()
    assert 'name = "crn-mine.v1"' in capsys.readouterr().out
    assert run(arguments) == 2  # it is there already
    assert run([*arguments, "--overwrite"]) == 0


def test_wrong_usage(options, tmp_path, capsys):
    assert run(["train", str(RECIPE), "--run", str(tmp_path), "--set", "train.stesp=1"]) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err
    assert run(["export", "nothing.safetensors", "-o", str(tmp_path / "x.onnx"), "--name", "a-b.v1"]) == 1
    assert run(["export", "nothing.safetensors", "-o", str(tmp_path / "x.bin"), "--name", "a-b.v1"]) == 2
    assert run(["export", "nothing.safetensors", "-o", str(tmp_path / "x.onnx"), "--name", "No name"]) == 2
    for content, said in (
        (b"{1", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[1]", "evaluate --json"),
        (b'{"a": 1}', "evaluate --json"),
    ):
        (tmp_path / "scores.json").write_bytes(content)
        scored = ["--name", "a-b.v1", "--measured", str(tmp_path / "scores.json")]
        capsys.readouterr()
        assert run(["export", "nothing.safetensors", "-o", str(tmp_path / "x.onnx"), *scored]) == 2
        assert said in capsys.readouterr().err
    assert run(["train", str(RECIPE), "--run", str(tmp_path), *options, "--set", 'data.speech=["nowhere"]']) == 2
    assert "nowhere" in capsys.readouterr().err
