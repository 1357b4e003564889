"""The tool that trains variants of a recipe beside one another."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pairs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import training_pairs

    yield training_pairs
    del sys.modules["training_pairs"]


def test_variants_are_paired(pairs, settings, sounds, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("voxfield.train.tasks.enhance.measurable", lambda: ("si_sdr_db",))
    shape = [setting for setting in settings if not setting.startswith("train.")]
    common = [part for setting in [*shape, "train.batch=2", "train.threads=1"] for part in ("--set", setting)]
    variants = ["--variant", "base", "--variant", "again", "--variant", "fast", "train.learning_rate=0.1"]
    recipe = str(ROOT / "recipes" / "enhance" / "crn-tiny.toml")
    run = [recipe, *common, *variants, "--steps", "3", "--items", "3", "--out", str(tmp_path / "pairs"), "--markdown"]
    pairs.main([*run, "--seeds", "0", "1"])
    head, _, base, again, fast = capsys.readouterr().out.strip().splitlines()
    assert [cell.strip() for cell in head.split("|")[1:4]] == ["variant", "si_sdr_db", "score"]
    assert base.count("±") == 0 and again.count("(+0.000 ± 0.000)") == 2 and fast.count("±") == 2
    assert "(+0.000 ± 0.000)" not in fast
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "pairs").rglob("*.safetensors")}
    assert {path.parent.name for path in before} == {
        f"{name}-{seed}" for name in ("base", "again", "fast") for seed in "01"
    }
    pairs.main([*run, "--seeds", "0", "1"])  # finished runs are not repeated
    assert before == {path: path.stat().st_mtime_ns for path in before}
    with pytest.raises(SystemExit, match="other settings"):
        pairs.main([*run, "--set", "loss.spectrum=1"])
