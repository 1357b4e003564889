"""Images with the weights that come along: base dependencies alone, file = network, how near what comes back is."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from voxfield.cards import find, resolve
from voxfield.cli.app import run
from voxfield.export.half import round_to_half
from voxfield.images import picture
from voxfield.metrics.images import psnr_db
from voxfield.models import architecture
from voxfield.runtime import OnnxEngine
from voxfield.tasks import image_of, tokenize_image
from voxfield.tasks.tokens.image import TOKENIZER, image_tokenizer, tokens_of
from voxfield.train import checkpoint
from voxfield.train.recipe import from_dict

ROOT = Path(__file__).parents[3]
COFFEE = ROOT / "examples" / "coffee.png"
LEAST_DB = 25.0


def test_an_image_there_and_back_needs_the_base_dependencies_alone(tmp_path):
    words = [["tokenize", str(COFFEE), "-o", "c.npz", "--json"], ["detokenize", "c.npz", "-o", "back.png", "-q"]]
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'cv2', 'scipy', 'av')))\n"
        "from voxfield.cli.app import run\n"
        f"sys.exit(max(run(words) for words in {words!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == find(TOKENIZER).name
    image, back = picture.read(COFFEE).values, picture.read(tmp_path / "back.png").values
    assert psnr_db(back, image) > LEAST_DB


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 1, 300), (3, 257, 5), (1, 40, 40)])
def test_any_size_comes_back(shape):
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    made = image_of(tokens_of(image, image_tokenizer()))
    assert made.shape == shape and made.min() >= 0 and made.max() <= 1


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_an_even_colour_stays_about_what_it_was(level):
    image = np.full((3, 64, 64), level, np.float32)
    assert np.abs(image_of(tokens_of(image, image_tokenizer())) - image).mean() < 0.06


def test_half_turned_images_are_other_codes_and_bits_are_those_on_the_card():
    tokens, notes = tokenize_image(COFFEE)
    image = picture.read(COFFEE).values
    assert not np.array_equal(tokens_of(np.ascontiguousarray(image[:, ::-1]), image_tokenizer()).codes, tokens.codes)
    bits_per_pixel = tokens.bits / (256 * 256)  # of one tile
    assert round(bits_per_pixel, 4) == find(TOKENIZER).measured["bits_per_pixel"] and not notes


@torch.no_grad()
def test_the_published_files_are_the_network_of_the_checkpoint():
    card = find(TOKENIZER)
    path = ROOT / "checkpoints" / f"{card.name}.safetensors"
    parts, about = checkpoint.load(path)
    recipe = from_dict(about["recipe"])
    net = architecture(recipe.architecture)[1](recipe.model).eval()
    checkpoint.restore(net, parts["ema"], str(path))
    assert net.parts()[""].figures()["weights"] == card.measured["weights"]
    round_to_half(net)
    there, back = net.parts().values()
    x = np.pad(2 * picture.read(COFFEE).values - 1, ((0, 0), (0, 128), (0, 64)), mode="edge")[None]
    tokens, _ = OnnxEngine(resolve(card.name)[1]).step(x, ())
    wanted = there(torch.from_numpy(x)).numpy()
    assert (tokens == wanted).mean() > 0.99 and there.excess(torch.from_numpy(x), torch.from_numpy(tokens)) <= 1e-5
    made, _ = OnnxEngine(resolve(find(f"{TOKENIZER}-decoder").name)[1]).step(tokens, ())
    np.testing.assert_allclose(made, back(torch.from_numpy(tokens)).numpy(), atol=1e-4)


def test_the_kind_of_input_chooses_the_network(tmp_path, capsys):
    assert run(["tokenize", str(ROOT / "examples" / "rain.wav"), "-o", str(tmp_path / "r.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"].startswith("noise-vqvae")
    (tmp_path / "moving.gif").write_bytes(b"GIF89a")
    assert run(["tokenize", str(tmp_path / "moving.gif")]) == 1
    assert "moving.gif: is no image: none of .png" in capsys.readouterr().err
    (tmp_path / "bad.png").write_bytes(COFFEE.read_bytes()[:20_000])
    assert run(["tokenize", str(tmp_path / "bad.png"), "-o", str(tmp_path / "b.npz")]) == 1
    assert "truncated" in capsys.readouterr().err and not (tmp_path / "b.npz").exists()
    assert run(["tokenize", str(COFFEE), "-o", str(tmp_path / "c.npz"), "--model", "noise-vqvae"]) == 1
    assert "not of an image" in capsys.readouterr().err


def test_a_folder_of_recordings_and_images(tmp_path, capsys):
    (tmp_path / "mixed" / "photos").mkdir(parents=True)
    (tmp_path / "mixed" / "photos" / "coffee.png").write_bytes(COFFEE.read_bytes())
    (tmp_path / "mixed" / "rain.wav").write_bytes((ROOT / "examples" / "rain.wav").read_bytes())
    (tmp_path / "mixed" / "list.txt").write_text("rain.wav")
    assert run(["tokenize", str(tmp_path / "mixed"), "-o", f"{tmp_path}/tokens/", "--json"]) == 0
    found = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "tokens").rglob("*.npz"))
    assert found == ["tokens/photos/coffee_tokens.npz", "tokens/rain_tokens.npz"]


def test_one_file_cannot_take_the_tokens_of_two(tmp_path, capsys):
    assert run(["tokenize", str(COFFEE), str(COFFEE.with_name("rain.wav")), "-o", str(tmp_path / "both.npz")]) == 2
    assert "names one file, but there are several inputs" in capsys.readouterr().err and not any(tmp_path.iterdir())
