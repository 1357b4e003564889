"""The training loop: learning, exact resume, fine-tuning, and what it refuses."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

from voxfield.errors import CheckpointError, InputError, OutputError, RecipeError, UnknownModelError
from voxfield.export import export_checkpoint
from voxfield.runtime import load_engine
from voxfield.train import checkpoint, load_recipe, start
from voxfield.train.data.mixing import Mixer
from voxfield.train.log import Log
from voxfield.train.loop import averaging
from voxfield.train.recipe import TrainConfig
from voxfield.train.state import seen
from voxfield.train.tasks.enhance import EnhanceTask

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "enhance" / "crn-tiny.toml"


@pytest.fixture(autouse=True)
def no_validation(monkeypatch):
    """Scores need whole sentences; these runs are too short for them, and not about them."""
    monkeypatch.setattr(EnhanceTask, "score", lambda task, net, mixture: {"si_sdr_db": 0.0})


@pytest.mark.parametrize("more", [[], ["train.optimiser=muon", "model.channels=16", "model.hidden=8"]])
def test_resumed_equals_uninterrupted(settings, tmp_path, more):
    settings = [*settings, *more]
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


def test_a_stopped_run_is_saved_and_goes_on(settings, tmp_path, monkeypatch, capsys):
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
    assert "stopped after step 3 of 6; the same command with --resume" in capsys.readouterr().err
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
    card = export_checkpoint(str(path), str(tmp_path / "mine.onnx"), "crn-mine.v1", {"pesq": 1.5})
    assert load_engine(tmp_path / "mine.onnx").card == card
    assert card.measured["pesq"] == 1.5 and card.measured["training_steps"] == 6
    assert card.measured["hours_of_mixtures"] == round(6 * 2 * 0.8 / 3600, 1)
    assert card.config["channels"] == 6 and card.interface.latency_ms == 32


def test_fine_tuning_starts_from_the_average(settings, tmp_path):
    path = start(load_recipe(RECIPE, settings), tmp_path / "run")
    tuned = start(load_recipe(RECIPE, [*settings, "train.steps=0"]), tmp_path / "tuned", init=path)
    before, after = checkpoint.load(path)[0]["ema"], checkpoint.load(tuned)[0]["net"]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_whatever_is_raised_the_steps_are_saved(settings, tmp_path, monkeypatch):
    steps = []

    def losses(task, net, batch, original=EnhanceTask.losses):
        steps.append(len(steps))
        if len(steps) == 4:
            raise MemoryError("none left")
        return original(task, net, batch)

    monkeypatch.setattr(EnhanceTask, "losses", losses)
    with pytest.raises(MemoryError):
        start(load_recipe(RECIPE, settings), tmp_path / "run")
    assert checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")[1]["step"] == 3


def test_a_failure_before_the_first_step_leaves_the_folder_free(settings, tmp_path, monkeypatch):
    def fail(task, net, batch):
        raise MemoryError("none left")

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr(EnhanceTask, "losses", fail)
        start(load_recipe(RECIPE, settings), tmp_path / "run")
    start(load_recipe(RECIPE, [*settings, "train.steps=1"]), tmp_path / "run")


def test_the_random_state_goes_on(settings, tmp_path, monkeypatch):
    """A loss that draws random numbers, as dropout does, resumes to the bit as well."""

    def losses(task, net, batch, original=EnhanceTask.losses):
        found = original(task, net, batch)
        return {**found, "loss": found["loss"] * torch.rand(())}

    monkeypatch.setattr(EnhanceTask, "losses", losses)
    recipe = load_recipe(RECIPE, settings)
    whole = start(recipe, tmp_path / "whole")
    start(recipe, tmp_path / "parts", max_minutes=0)
    torch.rand(100)
    resumed = start(recipe, tmp_path / "parts", resume=True)
    expected, found = (checkpoint.load(path)[0]["net"] for path in (whole, resumed))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_best_weights_are_kept(settings, tmp_path, monkeypatch):
    scores = iter([1.0, 3.0, 2.0, 2.5, 4.0])
    monkeypatch.setattr(EnhanceTask, "score", lambda task, net, mixture: {"si_sdr_db": next(scores)})
    often = [*settings, "train.validate_steps=2", "train.validate_share=1"]
    path = start(load_recipe(RECIPE, often), tmp_path / "run")
    parts, about = checkpoint.load(path.with_name("best.safetensors"))
    assert about["step"] == 4 and about["scores"]["si_sdr_db"] == 3 and parts.keys() == {"ema"}
    card = export_checkpoint(path.with_name("best.safetensors"), tmp_path / "best.onnx", "crn-best.v1")
    assert card.measured["training_steps"] == 4
    start(load_recipe(RECIPE, [*often, "train.steps=8"]), tmp_path / "run", resume=True)  # 2.5 is no better than 3
    assert checkpoint.load(path.with_name("best.safetensors"))[1]["step"] == 4
    start(load_recipe(RECIPE, [*often, "train.steps=10"]), tmp_path / "run", resume=True)
    assert checkpoint.load(path.with_name("best.safetensors"))[1]["step"] == 10
    more = [*often, "train.steps=12", "train.validate_items=2", "train.final_items=2"]  # not comparable: another set
    monkeypatch.setattr(EnhanceTask, "score", lambda task, net, mixture: {"si_sdr_db": 1.0})
    start(load_recipe(RECIPE, more), tmp_path / "run", resume=True)
    assert checkpoint.load(path.with_name("best.safetensors"))[1]["step"] == 12
    with pytest.raises(CheckpointError, match="--init"):
        (tmp_path / "averaged").mkdir()
        path.with_name("best.safetensors").rename(tmp_path / "averaged" / "checkpoint.safetensors")
        start(load_recipe(RECIPE, often), tmp_path / "averaged", resume=True)


def test_validation_stays_within_its_share_of_the_time(settings, tmp_path, monkeypatch):
    def slow(task, net, mixture):
        time.sleep(0.3)
        return {"si_sdr_db": 0.0}

    monkeypatch.setattr(EnhanceTask, "score", slow)
    often = [*settings, "train.validate_steps=1", "train.final_items=3"]
    path = start(load_recipe(RECIPE, often), tmp_path / "run")
    lines = [json.loads(line) for line in path.with_name("log.jsonl").read_text().splitlines()]
    assert [(line["step"], line["items"]) for line in lines if line["kind"] == "valid"] == [(1, 1), (6, 3)]


def test_validation_that_scores_nothing_is_said(settings, tmp_path, monkeypatch, capsys):
    def score(task, net, mixture):
        raise InputError("it is silent")

    monkeypatch.setattr(EnhanceTask, "score", score)
    start(load_recipe(RECIPE, [*settings, "train.steps=1"]), tmp_path / "run")
    assert "no mixture of the validation could be scored: it is silent" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])["score"] is None


def test_validation_scores_what_is_installed(settings, tmp_path, monkeypatch, capsys):
    monkeypatch.undo()
    monkeypatch.setattr("voxfield.train.tasks.enhance.measurable", lambda: ("si_sdr_db",))
    path = start(load_recipe(RECIPE, [*settings, "train.steps=1"]), tmp_path / "run")
    valid = json.loads(path.with_name("log.jsonl").read_text().splitlines()[-1])
    assert "si_sdr_db" in valid and "pesq" not in valid
    assert valid["score"] == pytest.approx(0.05 * valid["si_sdr_db"], abs=1e-4)
    assert capsys.readouterr().err.count("without pesq and estoi") == 1


def test_hours_of_mixtures_add_up_over_batches_and_runs(settings, tmp_path):
    """6 steps of 2 x 0.8 s, then 2 of 4 x 0.8 s, then a run from these weights of 1 of 2 x 0.4 s."""
    path = start(load_recipe(RECIPE, settings), tmp_path / "run")
    assert checkpoint.load(path)[1]["hours_of_mixtures"] == pytest.approx(9.6 / 3600, abs=1e-6)
    start(load_recipe(RECIPE, [*settings, "train.steps=8", "train.batch=4"]), tmp_path / "run", resume=True)
    about = checkpoint.load(path)[1]
    assert about["hours_of_mixtures"] == pytest.approx(16 / 3600, abs=1e-6) and about["items"] == 20
    short = load_recipe(RECIPE, [*settings, "train.steps=1", "mix.duration_s=0.4"])
    tuned = start(short, tmp_path / "tuned", init=path)
    assert checkpoint.load(tuned)[1]["hours_of_mixtures"] == pytest.approx(16.8 / 3600, abs=1e-6)
    line = json.loads(tuned.with_name("log.jsonl").read_text().splitlines()[0])
    assert line["hours_of_mixtures"] == pytest.approx(16.8 / 3600, abs=1e-5) and line["hours_per_hour"] > 0


def test_another_batch_on_resume_repeats_no_mixture(settings, tmp_path, monkeypatch):
    drawn = []

    def mix(mixer, epoch, index, original=Mixer.mix):
        if mixer.seed == 0:
            drawn.append((epoch, index))
        return original(mixer, epoch, index)

    monkeypatch.setattr(Mixer, "mix", mix)
    start(load_recipe(RECIPE, settings), tmp_path / "run")
    for steps, batch in ((8, 4), (11, 1)):
        changed = [*settings, f"train.steps={steps}", f"train.batch={batch}"]
        start(load_recipe(RECIPE, changed), tmp_path / "run", resume=True)
    assert len(drawn) == len(set(drawn)) == 6 * 2 + 2 * 4 + 3 * 1


AVERAGES = ("crn-large.v3", "crn-separate.v3")  # averaged weights only
RESUMABLE = [path for path in sorted((ROOT / "checkpoints").glob("crn-*.safetensors")) if path.stem not in AVERAGES]


@pytest.mark.parametrize("published", RESUMABLE, ids=lambda p: p.stem)
def test_published_checkpoints_resume(published, sounds, tmp_path):
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "checkpoint.safetensors"
    shutil.copy(published, path)
    step, items, hours = checkpoint.load(path)[1]["step"], *(seen(checkpoint.load(path)[1])[at] for at in (0, 2))
    own = [f'data.speech=["{sounds}/speech"]', f'data.noise=["{sounds}/noise"]', "data.rooms=[]"]
    short = [f"train.steps={step + 1}", "train.final_items=1", "train.validate_items=1", f'data.cache="{tmp_path}"']
    (of_its_name,) = (ROOT / "recipes").glob(f"*/{published.stem.partition('.')[0]}.toml")
    recipe = load_recipe(of_its_name, [*own, *short])
    start(recipe, tmp_path / "run", resume=True)
    about = checkpoint.load(path)[1]
    assert about["step"] == step + 1 and about["items"] == items + recipe.train.batch
    assert about["hours_of_mixtures"] == pytest.approx(
        hours + recipe.train.batch * recipe.mix.duration_s / 3600, abs=1e-4
    )


def test_a_step_with_infinite_gradients_is_left_out(settings, tmp_path, monkeypatch):
    def losses(task, net, batch, original=EnhanceTask.losses):
        found = original(task, net, batch)
        return {**found, "loss": found["loss"] * float("nan")}

    monkeypatch.setattr(EnhanceTask, "losses", losses)
    recipe = load_recipe(RECIPE, [*settings, "train.steps=2"])
    path = start(recipe, tmp_path / "run")
    torch.manual_seed(recipe.train.seed)
    fresh = dict(EnhanceTask(recipe).network().named_parameters())
    trained = checkpoint.load(path)[0]["net"]
    assert all(torch.equal(fresh[name], trained[name]) for name in fresh)
    assert json.loads(path.with_name("log.jsonl").read_text().splitlines()[0])["steps_left_out"] == 1


def test_no_step_waits_for_a_number(settings, tmp_path, monkeypatch):
    """Reading a tensor's number makes the host wait for a GPU; between two lines of the log nothing does."""
    reads, before_step = [], []
    for name in ("item", "tolist", "__float__", "__bool__", "__int__", "numpy"):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor, name, lambda *given, original=original, name=name: reads.append(name) or original(*given)
        )

    def losses(task, net, batch, original=EnhanceTask.losses):
        before_step.append(len(reads))
        return original(task, net, batch)

    monkeypatch.setattr(EnhanceTask, "losses", losses)
    start(load_recipe(RECIPE, settings), tmp_path / "run")
    assert len(before_step) == 6 and len(set(before_step)) == 1
    assert "tolist" in reads  # the log's line


def test_processes_that_mix_change_nothing(settings, tmp_path):
    paths = [
        start(load_recipe(RECIPE, [*settings, f"train.workers={workers}"]), tmp_path / f"{workers}")
        for workers in (0, 2)
    ]
    alone, several = (checkpoint.load(path)[0]["net"] for path in paths)
    assert all(torch.equal(alone[name], several[name]) for name in alone)


def test_the_average_is_longer_late():
    config = TrainConfig(steps=10000, decay_steps=1000, ema=0.99, ema_late=0.999)
    assert [averaging(config, step) for step in (9000, 9001)] == [0.99, 0.999]
    assert averaging(config, 1) < 0.2


def test_the_hop_of_the_recipe_is_the_hop_of_training(settings, tmp_path):
    recipe = load_recipe(RECIPE, [*settings, "model.hop_samples=128", "train.steps=1"])
    assert EnhanceTask(recipe).stft.hop == 128
    card = export_checkpoint(start(recipe, tmp_path / "run"), tmp_path / "mine.onnx", "crn-mine.v1")
    assert card.interface.hop_samples == 128


def test_another_optimiser_does_not_resume(settings, tmp_path):
    start(load_recipe(RECIPE, [*settings, "train.steps=1"]), tmp_path / "run")
    with pytest.raises(RecipeError, match="was trained by adamw, whose state muon cannot use"):
        start(load_recipe(RECIPE, [*settings, "train.optimiser=muon"]), tmp_path / "run", resume=True)


def test_there_must_be_a_run_to_resume(settings, tmp_path):
    recipe = load_recipe(RECIPE, settings)
    with pytest.raises(RecipeError, match="holds no run to resume"):
        start(recipe, tmp_path / "run", resume=True)
    with pytest.raises(RecipeError, match="give one of them"):
        start(recipe, tmp_path / "run", resume=True, init=tmp_path / "other.safetensors")


def test_a_run_is_never_overwritten(settings, tmp_path):
    recipe = load_recipe(RECIPE, [*settings, "train.steps=1"])
    start(recipe, tmp_path / "run")
    with pytest.raises(RecipeError, match="--resume"):
        start(recipe, tmp_path / "run")
    with pytest.raises(RecipeError, match="another network"):
        start(load_recipe(RECIPE, [*settings, "model.hidden=7"]), tmp_path / "run", resume=True)


def test_two_runs_do_not_write_one_folder(settings, tmp_path):
    recipe = load_recipe(RECIPE, [*settings, "train.steps=1"])
    log = Log(tmp_path / "run")
    with pytest.raises(OutputError, match="another process trains in"):
        start(recipe, tmp_path / "run")
    log.close()
    assert start(recipe, tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_said(settings, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"the run's folder .*file cannot be written: File exists"):
        start(load_recipe(RECIPE, settings), tmp_path / "file")


def test_what_is_not_a_checkpoint_is_said(settings, tmp_path):
    recipe = load_recipe(RECIPE, settings)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        start(recipe, tmp_path / "run", init=tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("not tensors at all")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        start(recipe, tmp_path / "run", init=tmp_path / "text.safetensors")
    other = ROOT / "checkpoints" / "ds-tdnn-small.v1.safetensors"
    with pytest.raises(RecipeError, match="of the architecture 'ds-tdnn'; the recipe's is 'crn-band'"):
        start(recipe, tmp_path / "run", init=other)
    with pytest.raises(CheckpointError, match="is a folder; give a checkpoint in it"):
        start(recipe, tmp_path / "run", init=tmp_path)
    with pytest.raises(UnknownModelError, match=r"`voxfield export` makes an \.onnx file"):
        load_engine(tmp_path / "text.safetensors")


@pytest.mark.parametrize("device", ["gpu", "meta"])
def test_a_device_that_is_not_there_is_said(settings, tmp_path, device):
    with pytest.raises(RecipeError, match=f"device = '{device}': torch has no such device"):
        start(load_recipe(RECIPE, [*settings, f"train.device={device}"]), tmp_path / "run")


def test_minutes_that_are_no_number_are_said(settings, tmp_path):
    with pytest.raises(InputError, match="minutes to train for must be 0 or more, not nan"):
        start(load_recipe(RECIPE, settings), tmp_path / "run", max_minutes=float("nan"))


def test_what_a_short_run_cannot_do_is_said(settings, tmp_path, capsys):
    start(load_recipe(RECIPE, [*settings, "train.steps=1"]), tmp_path / "run")
    assert "the rate stays below 0.5 of learning_rate" in capsys.readouterr().err
    start(load_recipe(RECIPE, [*settings, "train.steps=1"]), tmp_path / "run", resume=True)
    assert "nothing is left to train" in capsys.readouterr().err
