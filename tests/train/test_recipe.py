"""Recipes: what they refuse, and that overrides reach their key."""

from pathlib import Path

import pytest

from voxfield.errors import RecipeError
from voxfield.train.recipe import from_dict, load

RECIPES = sorted((Path(__file__).parents[2] / "recipes").rglob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_reads_and_round_trips(path):
    recipe = load(path)
    assert from_dict(recipe.to_dict()) == recipe
    assert recipe.card.licence and recipe.card.data and recipe.card.summary


def test_overrides():
    recipe = load(RECIPES[0], ["train.steps=7", 'data.speech=["a", "b"]', "train.device=cpu", "train.learning_rate=1"])
    assert recipe.train.steps == 7 and recipe.data.speech == ("a", "b")
    assert recipe.train.device == "cpu" and recipe.train.learning_rate == 1.0


def test_a_card_does_not_claim_data_that_was_not_used():
    mine = ['data.speech=["home/me/talks"]', 'data.noise=["kitchen.csv"]']
    card = load(RECIPES[0], mine).card
    assert card.licence == "not stated"
    assert {"talks, licence not stated", "kitchen.csv, licence not stated"} <= {*card.data}
    assert not any("LibriSpeech" in one or "home" in one for one in card.data)
    said = load(RECIPES[0], [*mine, 'card.data=["my talks, CC0"]']).card
    assert said.data == ("my talks, CC0",) and said.licence == load(RECIPES[0]).card.licence


@pytest.mark.parametrize(
    "override, message",
    [
        ("train.stesp=7", "did you mean 'steps'"),
        ("trian.steps=7", "did you mean 'train'"),
        ("train.steps='many'", "an integer is needed"),
        ("train.steps", "write it as key=value"),
        ("name.x=1", "is a value, not a table"),
        ("architecture='crm'", "no architecture 'crm'"),
        ("task='sing'", "no task 'sing'"),
        ("train.steps=-1", "at least 0"),
        ("train.workers=-1", "at least 0"),
        ("train.learning_rate=-0.1", "at least 0"),
        ("train.learning_rate=nan", "a number is needed"),
        ("mix.duration_s=0", "more than 0 seconds"),
        ("train.ema=2", "at most 1"),
        ("train.seed=18446744073709551616", r"less than 2\*\*64 is needed"),
        ("mix.snr_db=[20, -5]", "the lower number comes first"),
    ],
)
def test_mistakes_are_named(override, message):
    with pytest.raises(RecipeError, match=message):
        load(RECIPES[0], [override])


def test_unreadable_files(tmp_path):
    with pytest.raises(RecipeError, match="cannot read"):
        load(tmp_path / "none.toml")
    for content in (b"name = ", b"name = '\xff'"):
        (tmp_path / "broken.toml").write_bytes(content)
        with pytest.raises(RecipeError, match="not TOML"):
            load(tmp_path / "broken.toml")
