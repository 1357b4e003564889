"""Training of priors: a few steps beat equally likely codes, and what is exported is stepped row by row."""

import json
from pathlib import Path

import numpy as np
import pytest

from voxfield.errors import RecipeError
from voxfield.export import export_checkpoint
from voxfield.runtime import load_engine
from voxfield.train import load_recipe, start
from voxfield.train.tasks.prior import PriorTask

RECIPES = Path(__file__).parents[2] / "recipes" / "tokens"


@pytest.fixture
def small(sounds, tmp_path):
    return [
        f'data.speech=["{sounds}/speech"]', f'data.noise=["{sounds}/noise"]', f'data.cache="{tmp_path}/cache"',
        "data.min_dynamic_db=0", "mix.duration_s=0.496", "model.channels=16", "model.res_channels=4",
        "model.embedding=8", "model.heads=2", "model.dropout=0", "train.steps=60", "train.batch=4",
        "train.warmup_steps=5", "train.decay_steps=10", "train.threads=1", "train.validate_items=2",
        "train.final_items=2", "train.learning_rate=1e-2", "train.ema=0.8", "train.device=cpu",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["noise-prior", "noise-prior-bottom"])
def test_a_run_learns_and_is_exported(small, tmp_path, name):
    path = start(load_recipe(RECIPES / f"{name}.toml", small), tmp_path / "run")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    trained = [row["loss"] for row in log if row["kind"] == "train"]
    assert trained[-1] < trained[0] and trained[-1] < 9
    assert next(row for row in log if row["kind"] == "valid")["bits_per_code"] < 12
    card = export_checkpoint(path, tmp_path / "mine.onnx", "noise-mine.v1")
    engine, columns = load_engine(tmp_path / "mine.onnx"), 8 if name == "noise-prior" else 16
    tokens = np.zeros(card.interface.input.batched(1), np.int64)
    logits, state = engine.step(tokens, engine.initial_state())
    assert logits.shape == (1, 512, columns, 1) and len(state) == len(card.states) > 0
    assert card.interface.hop_samples * columns == 16384 and card.interface.streaming


def test_both_levels_are_those_of_one_piece(small):
    top, bottom = (
        PriorTask(load_recipe(RECIPES / f"{name}.toml", small)) for name in ("noise-prior", "noise-prior-bottom")
    )
    (above,), (below,) = top.mixer.mix(1, 3), bottom.mixer.mix(1, 3)
    assert above.shape == (8, 4) and below.shape == (24, 8)
    assert np.array_equal(below[:8], above.repeat(2, axis=1)) and below.dtype == np.int64


@pytest.mark.parametrize("wrong", ["model.codes=64", "model.columns=4", "model.hop_samples=512"])
def test_a_network_for_other_codes_is_refused(small, wrong):
    with pytest.raises(RecipeError, match="noise-vqvae"):
        PriorTask(load_recipe(RECIPES / "noise-prior.toml", [*small, wrong]))


def test_a_duration_that_the_tokenizer_does_not_take_is_refused(small):
    with pytest.raises(RecipeError, match=r"makes 63 frames; a multiple of 8 is needed, such as that of 0\.88 s"):
        PriorTask(load_recipe(RECIPES / "noise-prior.toml", [*small, "mix.duration_s=1"]))
