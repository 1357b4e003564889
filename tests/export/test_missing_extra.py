"""Without the packages of [train], `export` and `convert` say which one is missing and how to install it."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("package", ["onnx", "torch", "safetensors"])
@pytest.mark.parametrize(
    "words",
    [
        ["export", "checkpoint.safetensors", "-o", "x.onnx", "--name", "a-b.v1"],
        ["convert", "x.pth", "--from", "asteroid", "-o", "x"],
    ],
    ids=lambda words: words[0],
)
def test_a_missing_package_is_named(tmp_path, package, words):
    code = f"import sys; sys.modules[{package!r}] = None; from voxfield.cli.app import run; sys.exit(run({words!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr == (
        f"voxfield: exporting or converting a network needs the package '{package}', which is not installed: "
        "pip install 'voxfield[train]'\n"
    )


def test_keras_has_an_extra_of_its_own(monkeypatch, capsys):
    from voxfield.cli.app import run

    monkeypatch.setitem(sys.modules, "h5py", None)
    file = Path(__file__).parent / "keras" / "mean_spot.keras"
    assert run(["convert", str(file), "--from", "keras", "-o", "out"]) == 1
    assert "pip install 'voxfield[keras]'" in capsys.readouterr().err
