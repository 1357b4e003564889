"""Training of tokens: a few steps make the rebuilt spectrogram better, and what is exported runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from voxfield.errors import InputError, RecipeError
from voxfield.export import export_checkpoint
from voxfield.runtime import load_engine
from voxfield.train import load_recipe, start
from voxfield.train.tasks.tokens import TokensTask

RECIPE = Path(__file__).parents[2] / "recipes" / "tokens" / "noise-vqvae.toml"


@pytest.fixture
def small(sounds, tmp_path):
    return [
        f'data.speech=["{sounds}/speech"]', f'data.noise=["{sounds}/noise"]', f'data.cache="{tmp_path}/cache"',
        "data.min_dynamic_db=0", "mix.duration_s=0.496", "model.channels=8", "model.block_channels=4",
        "model.code_size=4", "model.codes=16", "train.steps=60", "train.batch=4", "train.warmup_steps=5",
        "train.decay_steps=10", "train.threads=1", "train.validate_items=2", "train.final_items=2",
        "train.learning_rate=3e-3", "train.device=cpu",
    ]  # fmt: skip


def test_a_run_learns_reports_the_use_of_its_codebooks_and_is_exported(small, tmp_path):
    path = start(load_recipe(RECIPE, small), tmp_path / "run")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    trained = [row for row in log if row["kind"] == "train"]
    assert trained[-1]["error_db"] < trained[0]["error_db"]
    assert 0 < trained[-1]["used_top"] <= 1 <= trained[-1]["perplexity_bottom"] <= 16
    card = export_checkpoint(path, tmp_path / "mine.onnx", "noise-mine.v1")
    tokens, _ = load_engine(tmp_path / "mine.onnx").step(np.zeros((1, 64, 16), np.float32), ())
    assert tokens.shape == (1, *card.interface.output.batched(2)[1:]) == (1, 40, 2)
    rebuilt, _ = load_engine(tmp_path / "mine-decoder.onnx").step(tokens, ())
    assert rebuilt.shape == (1, 64, 16)
    (tmp_path / "mine.onnx").unlink()
    with pytest.raises(InputError, match=r"mine-decoder\.onnx exists; add --overwrite"):
        export_checkpoint(path, tmp_path / "mine.onnx", "noise-mine.v1", overwrite=False)
    assert card.measured["bits_per_second"] == 40 * 4 * 16000 / 2048


def test_pieces_are_always_the_same_and_have_no_level(small):
    task = TokensTask(load_recipe(RECIPE, small))
    for index in range(20):
        (first,), (again,) = task.mixer.mix(1, index), task.mixer.mix(1, index)
        assert first.shape == (64, 32) and np.array_equal(first, again)
        assert abs(first.mean()) < 1e-3 and np.isfinite(first).all() and np.ptp(first) <= 80 / 15 + 1e-3


def test_a_duration_that_is_no_whole_number_of_steps_is_refused(small):
    with pytest.raises(RecipeError, match=r"multiple of 8.*0\.496"):
        TokensTask(load_recipe(RECIPE, [*small, "mix.duration_s=0.55"]))
    with pytest.raises(RecipeError, match=r"such as that of 0\.112 s"):
        TokensTask(load_recipe(RECIPE, [*small, "mix.duration_s=0.05"]))
