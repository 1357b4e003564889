"""A new verb is a task function and a command file; the command line finds it, and a card of its task runs under it."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxfield.cli import commands
from voxfield.cli.app import run
from voxfield.cli.discovery import installed

HERE = Path(__file__).parent

TASK_AND_COMMAND = '''"""`voxfield fingerprint`: a recording as one vector."""

import json
from typing import Annotated

import typer

from voxfield.audio import read


def fingerprint(recording, model):
    """The task: (D,) float32 of a recording at any rate."""
    from voxfield.tasks import engine_for

    engine = engine_for(model, "embed")
    samples = read(recording, rate_hz=engine.card.interface.sample_rate_hz, mono=True)
    return engine.step(samples[None], engine.initial_state())[0][0]


def command(
    recording: Annotated[str, typer.Argument(help="A recording.")],
    model: Annotated[str, typer.Option(help="An .onnx file.")],
) -> None:
    """Print a recording as one vector."""
    print(json.dumps(fingerprint(recording, model).tolist()))
'''


@pytest.fixture
def verb(tmp_path, monkeypatch):
    (tmp_path / "verbs").mkdir()
    (tmp_path / "verbs" / "fingerprint.py").write_text(TASK_AND_COMMAND)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path / "verbs")])
    spec = importlib.util.spec_from_file_location("new_kinds", HERE / "test_new_kinds.py")
    kinds = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kinds)
    return kinds


def test_a_file_makes_a_command(verb, tmp_path, capsys):
    assert "fingerprint" in installed() and installed()[0] == "enhance"
    verb.export("embed", tmp_path / "embed.onnx")
    verb.export("tokens", tmp_path / "tokens.onnx")
    soundfile.write(tmp_path / "a.wav", 0.1 * np.random.default_rng(0).standard_normal((8000, 2)), 44100)
    assert run(["fingerprint", str(tmp_path / "a.wav"), "--model", str(tmp_path / "embed.onnx")]) == 0
    vector = json.loads(capsys.readouterr().out)
    assert len(vector) == 12 and np.isfinite(vector).all()
    assert run(["fingerprint", str(tmp_path / "a.wav"), "--model", str(tmp_path / "tokens.onnx")]) == 2
    assert "is a model to tokens, not to embed" in capsys.readouterr().err
    assert run(["--help"]) == 0
    assert "fingerprint" in capsys.readouterr().out


def test_without_the_file_there_is_no_command(capsys):
    assert "fingerprint" not in installed()
    assert run(["fingerprint", "a.wav"]) == 2
