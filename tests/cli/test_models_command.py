"""`voxfield models` and `voxfield doctor` print what people can read, and nothing that a terminal would obey."""

import json
import tomllib
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest

from voxfield.cards import METADATA_KEY, cards
from voxfield.cli.app import run
from voxfield.tasks import selfcheck
from voxfield.tasks.selfcheck import packages_of

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize("name", [card.name for card in cards()])
@pytest.mark.parametrize("columns", [60, 200])
def test_a_card_is_shown_in_words(name, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(["models", name]) == 0
    shown = capsys.readouterr().out
    assert "receptive field" in shown and "training data" in shown and "sha256" in shown
    words = [line for line in shown.splitlines()[1:] if "/" not in line and "sha256" not in line]
    assert all(len(line) <= columns for line in words)
    assert not any(sign in line for line in words for sign in '{}[]"')


def test_the_list_gives_no_latency_where_nothing_streams(capsys):
    assert run(["models"]) == 0
    for card, line in zip(cards(), capsys.readouterr().out.splitlines(), strict=True):
        assert (" ms " in line) == card.interface.streaming and ("whole input" in line) != card.interface.streaming


def test_a_foreign_card_cannot_steer_the_terminal(tmp_path, tiny_spectral, capsys, monkeypatch, speech):
    import soundfile as sf

    monkeypatch.chdir(tmp_path)
    sf.write("x.wav", speech(1, 2000).T, 16000)
    model = onnx.load(tiny_spectral)
    (entry,) = (item for item in model.metadata_props if item.key == METADATA_KEY)
    values = json.loads(entry.value) | {"summary": "\x1b[2Jcleared", "task": "\x1b]0;title\x07"}
    entry.value = json.dumps(values)
    onnx.save(model, "foreign.onnx")
    model.graph.input.add().CopyFrom(model.graph.input[0])
    model.graph.input[-1].name = "\x1b[31mred"
    entry.value = json.dumps(values | {"summary": "", "task": "enhance"})
    onnx.save(model, "named.onnx")
    for words in (["models", "foreign.onnx"], ["models", "foreign.onnx", "--json"], ["models", "named.onnx"]):
        assert run(words) == 1
    for name in ("foreign.onnx", "named.onnx"):
        assert run(["enhance", "x.wav", "--model", name]) == 1
    streams = capsys.readouterr()
    assert "\x1b" not in streams.out + streams.err and "\x07" not in streams.out + streams.err
    assert r"disagree about the input '\x1b[31mred'" in streams.err


def test_extras_hold_what_doctor_says(monkeypatch):
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    stated = project["optional-dependencies"]
    lines = [*project["dependencies"]]
    lines += [f'{line}; extra == "{extra}"' for extra, of in stated.items() for line in of]
    found = packages_of(lines)
    assert found[""][:2] == ["numpy", "onnxruntime"] and {"platformdirs", "filelock"} <= set(found[""])
    assert found["metrics"] == ["pystoi", "scipy", "fast-bss-eval"] and found["pesq"] == ["pesq"]
    assert {"torch", "onnx", *found["metrics"]} <= set(found["train"])
    assert set(found) == {"", *stated} - {"dev", "bench"}


def test_doctor_names_what_an_extra_lacks(monkeypatch, capsys):
    lines = ["numpy>=1.26", 'numpy; extra == "whole"', 'numpy; extra == "half"', 'no-such-package>=3; extra == "half"']
    monkeypatch.setattr(selfcheck, "requires", lambda _: lines)
    monkeypatch.setattr(selfcheck, "cards", lambda: cards()[:1])
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "extra whole          numpy\n" in shown
    assert "extra half           lacks no-such-package: pip install 'voxfield[half]'" in shown


def test_doctor_finds_every_published_model_well(monkeypatch, capsys):
    clock = SimpleNamespace(perf_counter=lambda: 0.0)  # how fast this machine is just now is another matter
    monkeypatch.setattr(selfcheck, "time", clock)
    assert run(["doctor"]) == 0, capsys.readouterr().out
    shown = capsys.readouterr().out
    assert all(f"ok   {card.name} " in shown for card in cards())


@pytest.mark.parametrize(("allowed", "code"), [("", 1), ("1", 0)])
def test_doctor_says_where_downloads_cannot_be_kept(monkeypatch, tmp_path, capsys, allowed, code):
    monkeypatch.setattr(selfcheck, "cards", lambda: cards()[:1])
    (tmp_path / "file").touch()
    monkeypatch.setenv("VOXFIELD_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("VOXFIELD_OFFLINE", allowed)
    assert run(["doctor"]) == code
    assert ("cannot be written; name another folder by VOXFIELD_CACHE" in capsys.readouterr().out) == bool(code)


def test_doctor_fails_where_something_needed_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(selfcheck, "requires", lambda _: ["no-such-package>=3"])
    monkeypatch.setattr(selfcheck, "cards", lambda: cards()[:1])
    assert run(["doctor"]) == 1
    assert "FAIL no-such-package      missing: pip install no-such-package" in capsys.readouterr().out
