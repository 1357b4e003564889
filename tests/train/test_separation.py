"""Separation by a network on spectra: learning, a start from an enhancer's weights, and the same numbers everywhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from voxfield.cards import spectrum
from voxfield.errors import CheckpointError, RecipeError
from voxfield.export import export_network
from voxfield.models.crn_band import BandCrn, BandCrnConfig
from voxfield.runtime import OnnxEngine, Stream, take
from voxfield.tasks import separate
from voxfield.train import checkpoint, load_recipe, start
from voxfield.train.tasks.separate import SeparateTask
from voxfield.train.torch_engine import TorchEngine, card_for

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = BandCrnConfig(channels=8, bands=6, hidden=8, blocks=2, level_frames=9, sources=2)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    net = BandCrn(SMALL).eval()
    with torch.no_grad():
        net.mask.weight.mul_(30)  # voices that differ
    return net


@pytest.fixture(scope="module")
def engines(network, tmp_path_factory):
    ours = TorchEngine(network, card_for(network, "separate", "crn-band"))
    path = tmp_path_factory.mktemp("file") / "n.onnx"
    about = {key: getattr(ours.card, key) for key in ("name", "task", "architecture", "summary", "config", "licence")}
    export_network(network, path, about | {"data": (), "interface": network.interface()})
    return ours, OnnxEngine(path)


def test_a_spectrum_for_each_source():
    face = spectrum(16000, 512, 256, sources=3)
    assert (face.sources, face.output.shape, face.input.shape) == (3, (6, 257, "time"), (2, 257, "time"))
    assert BandCrn(replace(SMALL, sources=3)).interface() == face and face.latency_ms == 32


def test_torch_equals_onnx_and_pieces_equal_the_whole(engines, speech):
    samples = speech(2, 9000)
    for voices in (separate(samples, 16000, model=engine).voices for engine in engines):
        assert voices.shape == (2, 2, 9000)
        assert np.abs(voices - separate(samples, 16000, model=engines[1]).voices).max() < 1e-5
    whole, pieces = Stream(engines[1], 2), Stream(engines[1], 2)
    wanted = np.concatenate([whole.feed(samples), whole.flush()], axis=2)
    parts = [pieces.feed(part) for part in np.split(samples, [10, 700, 5000], axis=1)]
    assert np.array_equal(np.concatenate([*parts, pieces.flush()], axis=2), wanted)
    assert wanted.shape == (2, 2, 9000) and np.abs(wanted[:, 0] - wanted[:, 1]).max() > 0.01
    alone = Stream(engines[1], 1)
    assert np.abs(np.concatenate([alone.feed(samples[1]), alone.flush()], axis=1) - wanted[1]).max() < 1e-6


def test_a_stream_gives_what_the_network_gives_a_whole_recording(network, engines, speech, settings):
    samples = speech(1, 5000)
    task = SeparateTask(load_recipe(RECIPES / "separate" / "crn-separate.toml", [*settings, "train.bfloat16=false"]))
    with torch.no_grad():
        wanted = task.separated(network, torch.from_numpy(samples)[None])[0].numpy()
    stream = Stream(engines[0])
    assert np.abs(np.concatenate([stream.feed(samples), stream.flush()], axis=2)[0] - wanted).max() < 1e-5


def test_recordings_together_equal_recordings_apart(engines, speech):
    recordings = [speech(channels, 4096) for channels in (1, 2)]
    streams = [Stream(engines[1], len(samples)) for samples in recordings]
    found = []
    for at in range(0, 4096, 1024):
        ways = [stream.feeding(samples[:, at : at + 1024]) for stream, samples in zip(streams, recordings, strict=True)]
        for way, output in zip(ways, take([next(way) for way in ways]), strict=True):
            with pytest.raises(StopIteration) as over:
                way.send(output)
            found.append(over.value.value)
    for number, samples in enumerate(recordings):
        alone = Stream(engines[1], len(samples))
        wanted = alone.feed(samples)
        assert np.abs(np.concatenate(found[number::2], axis=2) - wanted).max() < 1e-6


@pytest.mark.parametrize(
    ("recipe", "changes", "said"),
    [
        ("enhance/crn-tiny.toml", ["model.sources=2"], "an enhancer has 1 source, not 2"),
        ("enhance/crn-paper.toml", ['task="separate"'], "'crn' is not for task 'separate'.* sources"),
        ("enhance/crn-tiny.toml", ['task="separate"'], "two voices or more"),
        ("enhance/crn-tiny.toml", ['task="tokens"'], "a network that codes"),
        *(
            ("tokens/noise-vqvae.toml", [f'task="{task}"'], "'vqvae2' is not for")
            for task in ("represent", "prior", "spot")
        ),
        ("enhance/crn-tiny.toml", ["mix.duration_s=0.3"], "at least 0.4 s"),
    ],
)
def test_a_network_of_another_task_is_refused(sounds, tmp_path, recipe, changes, said):
    own = [f'data.speech=["{sounds}/speech"]', f'data.noise=["{sounds}/noise"]', "data.rooms=[]"]
    with pytest.raises(RecipeError, match=said):
        start(load_recipe(RECIPES / recipe, [*own, f'data.cache="{tmp_path}"', *changes]), tmp_path / "run")


def test_learning_begins_from_an_enhancer(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(SeparateTask, "score", lambda task, net, mixture: {"si_sdr_gain_db": 0.0})
    settings = [*settings, "train.steps=2"]
    before = start(load_recipe(RECIPES / "enhance" / "crn-tiny.toml", settings), tmp_path / "enhance")
    recipe = load_recipe(RECIPES / "separate" / "crn-separate.toml", [*settings, "data.min_dynamic_db=0"])
    after = start(replace(recipe, train=replace(recipe.train, steps=0)), tmp_path / "start", init=before)
    weights, kept = (checkpoint.load(path)[0]["ema"] for path in (before, after))
    anew = {name for name in weights if weights[name].shape != kept[name].shape}
    assert anew == {"mask.weight", "mask.bias"}
    assert all(torch.equal(weights[name], kept[name]) for name in weights.keys() - anew)
    trained = start(recipe, tmp_path / "run", init=after)
    assert not torch.equal(checkpoint.load(trained)[0]["net"]["mask.weight"], kept["mask.weight"])
    other = load_recipe(RECIPES / "separate" / "crn-separate.toml", [*settings, "model.hidden=7"])
    with pytest.raises(CheckpointError, match="differ in shape"):
        start(other, tmp_path / "other", init=before)
