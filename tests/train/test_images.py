"""Training of tokens of images: a few steps make rebuilt images nearer, and what is exported runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from voxfield.errors import InputError, RecipeError
from voxfield.export import export_checkpoint
from voxfield.images import picture
from voxfield.runtime import load_engine
from voxfield.tasks.tokens.image import image_of, tokenize_image
from voxfield.train import load_recipe, start
from voxfield.train.tasks.images import ImagesTask

RECIPE = Path(__file__).parents[2] / "recipes" / "tokens" / "image-vqvae.toml"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of blobs of colour, one of them grey, one small."""
    folder = tmp_path_factory.mktemp("photos")
    rows, columns = np.mgrid[:80, :100] / 80
    for number in range(12):
        rng = np.random.default_rng(number)
        waves = [np.sin(rng.uniform(2, 9) * rows + rng.uniform(2, 9) * columns + rng.uniform(0, 6)) for _ in range(3)]
        values = (0.5 + 0.4 * np.stack(waves)).astype(np.float32)
        picture.write(folder / f"{number:02}.png", values[:1] if number == 1 else values[:, :40, : 20 + 7 * number])
    return folder


@pytest.fixture
def small(photos, tmp_path):
    return [
        f'data.images=["{photos}"]', f'data.cache="{tmp_path}/cache"', "mix.cut_px=32", "model.image_px=32",
        "model.channels=8", "model.block_channels=4", "model.code_size=4", "model.codes=16", "train.steps=200",
        "train.batch=4", "train.warmup_steps=5", "train.decay_steps=10", "train.threads=1", "train.validate_items=2",
        "train.final_items=2", "train.learning_rate=3e-3", "train.ema=0.9", "train.device=cpu",
    ]  # fmt: skip


def test_a_run_learns_and_what_is_exported_tokenizes_a_file(small, photos, tmp_path):
    path = start(load_recipe(RECIPE, small), tmp_path / "run")
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    trained, valid = ([row for row in log if row["kind"] == kind] for kind in ("train", "valid"))
    assert trained[-1]["psnr_db"] > trained[0]["psnr_db"] + 1 and valid[-1]["psnr_db"] > 10
    assert 0 < trained[-1]["used_top"] <= 1 <= trained[-1]["perplexity_bottom"] <= 16
    card = export_checkpoint(path, tmp_path / "mine.onnx", "image-mine.v1")
    assert card.measured["bits_per_pixel"] == (16 + 64) * 4 / 1024 and "hours_of_mixtures" not in card.measured
    tokens, notes = tokenize_image(photos / "05.png", model=tmp_path / "mine.onnx")
    assert tokens.codes.shape == (4, 20, 4) and not notes
    made = image_of(tokens, model=tmp_path / "mine-decoder.onnx")
    assert made.shape == (3, 40, 55)
    assert load_engine(tmp_path / "mine.onnx").card.interface.codes == 16


def test_cuts_are_always_the_same_and_every_image_takes_its_turn(small):
    task = ImagesTask(load_recipe(RECIPE, [*small, "mix.recoloured=0.5"]))
    assert len(task.mixer.bank) == 11 and len(task.validation.bank) == 1  # every tenth is held out
    for index in range(30):
        (first,), (again,) = task.mixer.mix(1, index), task.mixer.mix(1, index)
        assert first.shape == (3, 32, 32) and np.array_equal(first, again) and first.dtype == np.float32
        assert first.min() >= -1 and first.max() <= 1
    whole = ImagesTask(load_recipe(RECIPE, [*small, "mix.recoloured=0", "mix.grey=0", "mix.largest_scale=1"])).mixer
    greys = [bool(np.ptp(whole.mix(0, index)[0], axis=0).max() == 0) for index in range(22)]
    assert sum(greys[:11]) == sum(greys[11:]) == 1  # the grey one, once a turn


def test_an_image_that_is_smaller_than_a_cut_is_scaled_up(small):
    task = ImagesTask(load_recipe(RECIPE, [*small, "mix.cut_px=64"]))
    assert all(task.mixer.mix(0, index)[0].shape == (3, 64, 64) for index in range(11))


def test_a_network_of_one_colour_sees_grey(small):
    task = ImagesTask(load_recipe(RECIPE, [*small, "model.image_channels=1"]))
    assert task.mixer.mix(0, 0)[0].shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("data.images=[]", "data.images is empty"),
        ("mix.cut_px=33", "a multiple of 8"),
        ("mix.cut_px=0", "must be 1 or more"),
        ("model.bands=64", "bands = 0"),
        ('architecture="wav2vec"', "is not for task 'images'"),
    ],
)
def test_recipes_that_cannot_be(small, given, said):
    kept = [] if given.startswith("arch") else small
    with pytest.raises(RecipeError, match=said):
        ImagesTask(load_recipe(RECIPE, [*kept, given]) if kept else _of_another(given))


def _of_another(given):
    from dataclasses import replace

    from voxfield.models.wav2vec import Wav2VecConfig

    return replace(load_recipe(RECIPE), architecture="wav2vec", model=Wav2VecConfig())


def test_sources_that_cannot_be(small, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.csv").write_text("path,kind\nnone.png,image\nnoise.wav,noise\nnone2.png,image\n")
    for source, said in (("empty", "holds no image"), ("list.csv", r"cannot read .*none2?\.png")):
        with pytest.raises(InputError, match=said):
            ImagesTask(load_recipe(RECIPE, [*small, f'data.images=["{tmp_path / source}"]']))
