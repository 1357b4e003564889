"""Sampling: with cached state as without, the same codes from the same seed, and what does not belong together."""

import json

import numpy as np
import pytest
import soundfile as sf
import torch

import voxfield as vf
from voxfield.cli.app import run
from voxfield.errors import InputError
from voxfield.export.onnx_file import export_network, export_parts
from voxfield.models.pixelsnail import PixelSnail, PixelSnailConfig
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config
from voxfield.runtime import load_engine
from voxfield.tasks.tokens.code_maps import joined, split
from voxfield.tasks.tokens.sampling import Draw, sample_map, sample_tokens
from voxfield.tasks.tokens.token_file import load_tokens

SMALL = {
    "codes": 32, "rows": 5, "embedding": 4, "channels": 16, "kernel": 3, "blocks": 2, "res_blocks": 1,
    "res_channels": 4, "heads": 2,
}  # fmt: skip
SOUND = {"sample_rate_hz": 16000}
HINT = {"attention": False, "hint_channels": 4, "hint_blocks": 1}


class Whole:
    """An engine that keeps nothing: it is given the whole map for every code."""

    def __init__(self, engine):
        self.engine, self.passes = engine, 0
        self.card = type("Card", (), {"interface": engine.card.interface, "states": ()})

    def initial_state(self, batch=1):
        return ()

    def step(self, x, state):
        self.passes += 1
        return self.engine.step(x, self.engine.initial_state(len(x)))


def prior(path, weights="", **config):
    torch.manual_seed(1)
    net = PixelSnail(PixelSnailConfig(**config)).eval()
    with torch.no_grad():
        net.rows.out[-1].weight.mul_(8)  # far from equally likely
    about = {
        "name": f"{path.stem}.v1", "task": "prior", "architecture": "pixelsnail", "interface": net.interface(),
        "summary": "", "licence": "", "data": (), "config": {}, "measured": {"weights": weights} if weights else {},
    }  # fmt: skip
    export_network(net, path, about)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Networks of sound and of images: the tokenizer, its decoder, and the priors of both levels."""
    folder, made = tmp_path_factory.mktemp("priors"), {}
    for kind, config in (("sound", {"bands": 16}), ("image", {"image_px": 32})):
        torch.manual_seed(0)
        net = Vqvae2(Vqvae2Config(channels=8, block_channels=4, code_size=8, codes=32, **config))
        with torch.no_grad():
            net.train().rebuild(torch.randn(net.interface().block_shape(64, 4)))
        about = {
            "name": f"{kind}.v1", "task": "tokens", "architecture": "vqvae2", "interface": net.interface(),
            "summary": "", "licence": "", "data": (), "config": {},
        }  # fmt: skip
        card = export_parts(net, folder / f"{kind}.onnx", about)
        top, weights = 2 if kind == "sound" else 4, card.measured["weights"]
        rates = [SOUND | {"hop_samples": hop} if kind == "sound" else {} for hop in (2048, 1024)]
        made[kind] = {
            "tokenizer": folder / f"{kind}.onnx",
            "decoder": folder / f"{kind}-decoder.onnx",
            "prior": prior(folder / f"{kind}-top.onnx", weights, columns=top, **SMALL, **rates[0]),
            "bottom": prior(
                folder / f"{kind}-low.onnx", weights, columns=2 * top, **SMALL, **HINT, **rates[1],
                hint_rows=1 if kind == "sound" else 3,
            ),
        }  # fmt: skip
    return made


@pytest.mark.parametrize(("temperature", "top_k"), [(1, 0), (0.7, 5), (2, 1), (0, 0)])
def test_cached_gives_the_codes_of_whole_passes(files, temperature, top_k):
    draw = Draw(temperature, top_k)
    for name, rows in (("prior", 9), ("bottom", 8)):
        engine = load_engine(files["sound"][name])
        columns = engine.card.interface.output.shape[1]
        hint = np.random.default_rng(3).integers(32, size=(2, columns // 2, rows)) if name == "bottom" else None
        maps = []
        for one in (engine, Whole(engine)):
            randoms = [np.random.default_rng((5, number)) for number in range(2)]
            maps.append(sample_map(one, rows, randoms, draw, hint))
        assert maps[0].shape == (2, columns, rows) and np.array_equal(*maps)
        assert len(np.unique(maps[0])) > 1 or temperature == 0 or top_k == 1
        if temperature and top_k != 1:
            assert not np.array_equal(maps[0][0], maps[0][1])


def test_logits_by_rows_are_those_of_the_whole(files):
    engine = load_engine(files["sound"]["prior"])
    codes = np.random.default_rng(0).integers(32, size=(1, 2, 40))
    wanted, _ = engine.step(codes, engine.initial_state())
    state, found = engine.initial_state(), []
    for row in range(40):
        logits, state = engine.step(np.ascontiguousarray(codes[:, :, row : row + 1]), state)
        found.append(logits)
    np.testing.assert_allclose(np.concatenate(found, axis=3), wanted, atol=1e-5 * np.abs(wanted).max())


def test_a_code_depends_on_those_before_it_in_its_row_alone(files):
    engine = load_engine(files["image"]["prior"])
    codes = np.random.default_rng(0).integers(32, size=(1, 4, 6))
    wanted, _ = engine.step(codes, engine.initial_state())
    for column in range(4):
        changed = codes.copy()
        changed[0, column, 3] = (changed[0, column, 3] + 1) % 32
        found, _ = engine.step(changed, engine.initial_state())
        differs = np.abs(found - wanted).max(axis=(0, 1)) > 1e-6  # (columns, rows)
        assert not differs[:, :3].any() and not differs[: column + 1, 3].any()
        assert differs[column + 1 :, 3].all() and differs[:, 4].any()


def test_codes_are_drawn_as_often_as_the_logits_say():
    shares = np.array([0.5, 0.2, 0.3])
    chances = np.random.default_rng(0).random(20000)
    drawn = Draw()(np.log(shares)[None].repeat(20000, 0), chances)
    np.testing.assert_allclose(np.bincount(drawn) / 20000, shares, atol=0.01)
    cold = Draw(temperature=0.5)(np.log(shares)[None].repeat(20000, 0), chances)
    np.testing.assert_allclose(np.bincount(cold) / 20000, shares**2 / (shares**2).sum(), atol=0.01)
    assert set(Draw(top_k=2)(np.log(shares)[None].repeat(20000, 0), chances)) == {0, 2}


def test_the_maps_of_two_levels_are_those_of_a_token_file():
    codes = np.random.default_rng(0).integers(9, size=(40, 3))
    top, bottom = split(codes, 8)
    assert np.array_equal(joined(top, bottom), codes)
    net = Vqvae2Config(bands=64)
    from voxfield.models.vqvae2 import unpacked

    wanted = unpacked(torch.from_numpy(codes)[None], net)
    assert np.array_equal(wanted[0][0], top) and np.array_equal(wanted[1][0], bottom)


def test_a_sample_depends_on_its_seed_and_number_alone(files):
    own = {key: files["sound"][key] for key in ("tokenizer", "prior", "bottom")}
    three = sample_tokens(seconds=1, count=3, seed=4, **own)
    again = sample_tokens(seconds=1, count=1, seed=4, **own)
    other = sample_tokens(seconds=1, count=1, seed=5, **own)
    assert np.array_equal(three[0].codes, again[0].codes) and not np.array_equal(again[0].codes, other[0].codes)
    made = vf.sample(seconds=1, seed=4, decoder=files["sound"]["decoder"], iterations=2, **own)
    assert [one.samples.shape for one in made] == [(1, 16000)] and made[0].sample_rate_hz == 16000
    assert np.isfinite(made[0].samples).all() and made[0].samples.any()


def test_the_command_writes_sounds_tokens_and_images(files, tmp_path, capsysbinary, monkeypatch):
    def options(kind):
        return [word for key, path in files[kind].items() for word in (f"--{key}", str(path))]

    sound, out = options("sound"), str(tmp_path / "a.wav")
    assert run(["sample", "-o", out, "--seconds", "0.5", "--count", "2", "--json", "-q", *sound]) == 0
    lines = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [line["output"] for line in lines] == [str(tmp_path / f"a_{n}.wav") for n in (1, 2)]
    assert [sf.info(line["output"]).frames for line in lines] == [8000, 8000]
    assert run(["sample", "-o", str(tmp_path / "a.npz"), "--seconds", "0.5", *sound]) == 0
    assert load_tokens(tmp_path / "a.npz").count_samples == 8000
    pair = [str(tmp_path / "a.npz"), "-o", str(tmp_path / "b.wav"), "--model", str(files["sound"]["decoder"])]
    assert run(["detokenize", *pair]) == 0
    assert np.array_equal(sf.read(tmp_path / "b.wav")[0], sf.read(lines[0]["output"])[0])
    capsysbinary.readouterr()
    assert run(["detokenize", pair[0], "-o", "-", *pair[-2:]]) == 0
    assert capsysbinary.readouterr().out == (tmp_path / "b.wav").read_bytes()
    assert run(["sample", "-o", "-", "--seconds", "0.5", "-q", *sound]) == 0
    assert capsysbinary.readouterr() == ((tmp_path / "b.wav").read_bytes(), b"")
    for words in (["-o", "-", "--json"], ["-o", "-", "--count", "2"]):
        assert run(["sample", *words, *sound]) == 2
    assert run(["sample", "-o", str(tmp_path / "a.npz"), *sound]) == 1  # it exists
    assert run(["sample", "-o", str(tmp_path / "a.png"), *options("image")]) == 0
    monkeypatch.setattr("voxfield.tasks.tokens.sampling.sample_map", None)  # what does not fit is said before the draw
    assert run(["sample", "-o", str(tmp_path / "b.png"), *sound]) == 2
    assert run(["sample", "-o", str(tmp_path / "c.wav"), *options("image")]) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"seconds": 0}, "seconds must be above 0"),
        ({"seconds": float("nan")}, "seconds must be above 0"),
        ({"seconds": "4"}, "seconds must be above 0 and at most 3600, not '4'"),
        ({"temperature": "1"}, "temperature must lie between 0 and 100, not '1'"),
        ({"count": 0}, "count must be a whole number from 1"),
        ({"seed": -1}, "seed must be a whole number of 0 or more"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"temperature": -1}, "temperature must lie"),
        ({"temperature": float("nan")}, "temperature must lie"),
        ({"top_k": -1}, "top_k must be"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(files, wrong, said):
    own = {key: files["sound"][key] for key in ("tokenizer", "prior", "bottom")}
    with pytest.raises(InputError, match=said):
        sample_tokens(**own, **wrong)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "a/"], "-o a names no file"),
        (["-o", "a.xyz"], "names no format"),
        (["-o", "a.wav", "--iterations", "-1"], "iterations must"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_drawn(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("voxfield.tasks.tokens.sampling.sample_tokens", lambda **_: pytest.fail("it was drawn"))
    assert run(["sample", *words]) in (1, 2)
    assert said in capsys.readouterr().err


def test_networks_that_do_not_belong_together_are_refused(files):
    sound, image = files["sound"], files["image"]
    with pytest.raises(InputError, match="no prior of the codes of sound"):
        sample_tokens(tokenizer=sound["tokenizer"], prior=image["prior"], bottom=image["bottom"])
    with pytest.raises(InputError, match="no priors of the two levels"):
        sample_tokens(tokenizer=sound["tokenizer"], prior=sound["bottom"], bottom=sound["prior"])
    with pytest.raises(InputError, match="prior"):
        sample_tokens(tokenizer=sound["tokenizer"], prior=sound["tokenizer"], bottom=sound["bottom"])
