"""The training loop: learning, exact resume, fine-tuning, and what it refuses."""

import json
import signal
from pathlib import Path

import pytest
import torch

from voxfield.errors import CheckpointError, RecipeError
from voxfield.export import export_checkpoint
from voxfield.runtime import load_engine
from voxfield.train import checkpoint, load_recipe, start
from voxfield.train.enhance import EnhanceTask

RECIPE = Path(__file__).parents[2] / "recipes" / "enhance" / "crn-tiny.toml"


@pytest.fixture(autouse=True)
def no_validation(monkeypatch):
    """Scores need whole sentences; these runs are too short for them, and not about them."""
    monkeypatch.setattr(EnhanceTask, "score", lambda task, net, mixture: {"si_sdr_db": 0.0})


def test_resumed_equals_uninterrupted(settings, tmp_path):
    whole = start(load_recipe(RECIPE, settings), tmp_path / "whole")
    first = load_recipe(RECIPE, [*settings, "train.checkpoint_minutes=0"])
    start(first, tmp_path / "parts", max_minutes=0)  # stops after one step
    assert checkpoint.load(tmp_path / "parts" / "checkpoint.safetensors")[1]["step"] == 1
    resumed = start(first, tmp_path / "parts", resume=True)
    (expected, about), (found, about_resumed) = checkpoint.load(whole), checkpoint.load(resumed)
    assert about["step"] == about_resumed["step"] == 6
    for part in ("net", "ema", "optimiser"):
        for name, tensor in expected[part].items():
            assert torch.equal(tensor, found[part][name]), f"{part} {name}"


def test_a_stopped_run_is_saved_and_goes_on(settings, tmp_path, monkeypatch):
    recipe, steps = load_recipe(RECIPE, settings), []

    def losses(task, net, batch, original=EnhanceTask.losses):
        steps.append(len(steps))
        if len(steps) == 3:
            signal.raise_signal(signal.SIGTERM)
        return original(task, net, batch)

    monkeypatch.setattr(EnhanceTask, "losses", losses)
    with pytest.raises(KeyboardInterrupt):
        start(recipe, tmp_path / "run")
    assert checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")[1]["step"] == 3
    start(recipe, tmp_path / "run", resume=True)
    assert len(steps) == 6


def test_training_moves_the_weights_and_logs(settings, tmp_path):
    recipe = load_recipe(RECIPE, settings)
    path = start(recipe, tmp_path / "run")
    parts, about = checkpoint.load(path)
    torch.manual_seed(recipe.train.seed)
    fresh = EnhanceTask(recipe).network().state_dict()
    assert any(not torch.equal(fresh[name], tensor) for name, tensor in parts["net"].items())
    assert all(torch.isfinite(tensor).all() for tensor in parts["ema"].values())
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["train", "valid"] and lines[0]["step"] == 6
    assert about["recipe"]["model"]["channels"] == 6


def test_checkpoint_to_a_file_that_users_run(settings, tmp_path):
    path = start(load_recipe(RECIPE, settings), tmp_path / "run")
    card = export_checkpoint(path, tmp_path / "mine.onnx", "crn-mine.v1", {"pesq": 1.5})
    assert load_engine(tmp_path / "mine.onnx").card == card
    assert card.measured == {"pesq": 1.5, "training_steps": 6}
    assert card.config["channels"] == 6 and card.interface.latency_ms == 32


def test_fine_tuning_starts_from_the_average(settings, tmp_path):
    path = start(load_recipe(RECIPE, settings), tmp_path / "run")
    tuned = start(load_recipe(RECIPE, [*settings, "train.steps=0"]), tmp_path / "tuned", init=path)
    before, after = checkpoint.load(path)[0]["ema"], checkpoint.load(tuned)[0]["net"]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_is_never_overwritten(settings, tmp_path):
    recipe = load_recipe(RECIPE, [*settings, "train.steps=1"])
    start(recipe, tmp_path / "run")
    with pytest.raises(RecipeError, match="--resume"):
        start(recipe, tmp_path / "run")
    with pytest.raises(RecipeError, match="another network"):
        start(load_recipe(RECIPE, [*settings, "model.hidden=7"]), tmp_path / "run", resume=True)


def test_what_is_not_a_checkpoint_is_said(settings, tmp_path):
    recipe = load_recipe(RECIPE, settings)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        start(recipe, tmp_path / "run", init=tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("not tensors at all")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        start(recipe, tmp_path / "run", init=tmp_path / "text.safetensors")
