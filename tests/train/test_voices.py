"""Mixtures of voices: the same at every call, made of different speakers, and trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from voxfield.errors import InputError
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.mixing import active_level
from voxfield.train.data.ready_mixtures import ReadyMixtures
from voxfield.train.data.sources import read_source
from voxfield.train.data.voices import VoiceMixer, VoicesConfig
from voxfield.train.recipe import from_dict, load
from voxfield.train.tasks.contract import mean_scores
from voxfield.train.tasks.separate import SeparateTask

RATE = 8000
RECIPES = sorted((Path(__file__).parents[2] / "recipes" / "separate").glob("*.toml"))


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """Four speakers, each a tone of its own with some noise."""
    folder = tmp_path_factory.mktemp("speech")
    rng = np.random.default_rng(0)
    for speaker in range(4):
        for take in range(2):
            t = np.arange(2 * RATE) / RATE
            sound = 0.1 * np.sin(2 * np.pi * (300 + 700 * speaker) * t) + 0.01 * rng.standard_normal(len(t))
            path = folder / f"speaker{speaker}" / f"{take}.wav"
            path.parent.mkdir(exist_ok=True)
            sf.write(path, sound, RATE)
    return folder


@pytest.fixture
def mixer(speech, tmp_path):
    bank = AudioBank(read_source(speech, "speech"), RATE, tmp_path)

    def make(**changes):
        config = replace(VoicesConfig(duration_s=1.0, noise=0, room=0), **changes)
        return VoiceMixer(config, bank, sample_rate_hz=RATE)

    return make


def test_pauses_between_utterances_are_as_long_as_asked(mixer):
    silent = [
        (np.abs(mixer(duration_s=6.0, speed=(1.0, 1.0), pause_s=s).mix(0, 0)[1]) == 0).mean()
        for s in [(0.1,) * 2, (1.5,) * 2]
    ]
    assert silent[0] < 0.1 and silent[1] > 0.25


@pytest.mark.parametrize("sources", [2, 3])
def test_items_repeat_and_add_up(mixer, sources):
    made = mixer(sources=sources)
    mixture, voices = made.mix(1, 7)
    assert mixture.shape == (1, RATE) and voices.shape == (sources, RATE)
    assert np.allclose(mixture[0], voices.sum(0), atol=1e-6)
    again, other = made.mix(1, 7), made.mix(1, 8)
    assert np.array_equal(again[0], mixture) and not np.array_equal(other[0], mixture)


def test_voices_are_of_different_speakers_and_at_most_so_far_apart(mixer):
    made = mixer(apart_db=(0.0, 5.0), speed=(1.0, 1.0))
    for index in range(20):
        _, voices = made.mix(0, index)
        peaks = np.abs(np.fft.rfft(voices)).argmax(1)
        assert abs(peaks[0] - peaks[1]) > 100
        levels = [20 * np.log10(active_level(voice)) for voice in voices]
        assert abs(levels[0] - levels[1]) < 5.1


def test_one_voice_can_be_alone_or_join_later(mixer):
    _, voices = mixer(alone=1.0).mix(0, 0)
    assert voices[0].any() and not voices[1].any()
    _, voices = mixer(partial=1.0).mix(0, 0)
    assert (voices[0] == 0).mean() > 0.2 and voices[1].any()


def test_too_few_speakers_are_refused(mixer):
    with pytest.raises(InputError, match=r"4 speaker\(s\)"):
        mixer(sources=5)


@pytest.fixture
def ready(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.wav", "b.wav"):
        voices = 0.1 * rng.standard_normal((2, 3 * RATE))
        for folder, sound in (("mix_clean", voices.sum(0)), ("s1", voices[0]), ("s2", voices[1])):
            path = tmp_path / "data" / "dev" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, sound, RATE, "PCM_24")
    return tmp_path / "data"


def test_ready_mixtures_are_cut_alike(ready, tmp_path):
    made = ReadyMixtures([ready], "dev", "mix_clean", 2, RATE, 1.0, tmp_path / "cache")
    mixture, voices = made.mix(0, 3)
    assert mixture.shape == (1, RATE) and np.allclose(mixture[0], voices.sum(0), atol=1e-4)
    long = ReadyMixtures([ready], "dev", "mix_clean", 2, RATE, 5.0, tmp_path / "cache").mix(0, 0)
    assert long[0].shape == (1, 5 * RATE) and not long[1][:, 3 * RATE :].any()
    sf.write(ready / "dev" / "s2" / "b.wav", np.ones(2 * RATE), RATE)
    with pytest.raises(InputError, match=r"s2/b\.wav lasts 2\.00 s and its mixture .*b\.wav 3\.00 s"):
        ReadyMixtures([ready], "dev", "mix_clean", 2, RATE, 1.0, tmp_path / "cache")
    (ready / "dev" / "s2" / "b.wav").unlink()
    with pytest.raises(InputError, match=r"s2/b\.wav is missing"):
        ReadyMixtures([ready], "dev", "mix_clean", 2, RATE, 1.0, tmp_path / "cache")
    with pytest.raises(InputError, match="not a folder"):
        ReadyMixtures([ready], "train", "mix_clean", 2, RATE, 1.0, tmp_path / "cache")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_load(path):
    recipe = load(path)
    assert recipe.task == "separate" and recipe.card.licence


def tiny_recipe(speech, cache):
    model = {
        "sample_rate_hz": RATE, "filters": 16, "kernel_samples": 32, "stride_samples": 16, "bottleneck": 8,
        "hidden": 16, "skip": 0, "blocks": 2, "repeats": 1, "encoder_activation": "relu", "basis": "cosines",
    }  # fmt: skip
    data = {"speech": [str(speech)], "cache": str(cache)}
    mix = {"duration_s": 0.5, "noise": 0.0, "room": 0.0, "alone": 0.3}
    train = {"batch": 4, "validate_items": 3}
    top = {"name": "tiny", "task": "separate", "architecture": "conv-tasnet"}
    return from_dict({**top, "model": model, "data": data, "mix": mix, "train": train})


def test_a_network_learns_to_take_tones_apart(speech, tmp_path):
    torch.manual_seed(0)
    task = SeparateTask(tiny_recipe(speech, tmp_path))
    net = task.network()
    optimiser = torch.optim.Adam(net.parameters(), 5e-3)
    losses = []
    for step in range(40):
        items = [task.mixer.mix(0, 4 * step + i) for i in range(4)]
        batch = [torch.from_numpy(np.stack(arrays)) for arrays in zip(*items, strict=True)]
        loss = task.losses(net, batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 3  # dB
    with torch.no_grad():
        rows = [task.score(net.eval(), task.validation.mix(0, index)) for index in range(3)]
    assert mean_scores(task, rows)["si_sdr_gain_db"] > 3


def test_a_silent_voice_asks_for_silence(speech, tmp_path):
    task = SeparateTask(tiny_recipe(speech, tmp_path))

    class Gives(torch.nn.Module):
        def __init__(self, second):
            super().__init__()
            self.second = second

        def separate(self, mixture):
            return torch.cat([mixture, self.second * mixture], 1)

    voice = torch.randn(1, 1, 4000)
    batch = [voice, torch.cat([voice, torch.zeros_like(voice)], 1)]
    losses = [float(task.losses(Gives(second), batch)["loss"]) for second in (0.0, 0.1, 1.0)]
    assert losses[0] < losses[1] < losses[2]
    assert losses[0] == pytest.approx(-30, abs=0.1)
