"""Training of speaker embeddings: crops and their classes, the classifier beside the network, trials as validation."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import voxfield as vf
from voxfield.errors import RecipeError
from voxfield.export import export_checkpoint
from voxfield.nn.margins import ArcMargin, Softmax
from voxfield.train import checkpoint, start
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.crops import CropConfig, SpeakerCrops, SpeakerSets
from voxfield.train.data.sources import read_source
from voxfield.train.losses.classifier import Classifier
from voxfield.train.recipe import load
from voxfield.train.tasks.speakers import SpeakersTask

RECIPES = sorted((Path(__file__).parents[2] / "recipes" / "speakers").glob("*.toml"))


@pytest.fixture
def bank(sounds, tmp_path):
    return AudioBank(read_source(sounds / "speech", "speech"), 16000, tmp_path)


@pytest.fixture
def small(sounds, tmp_path):
    """The shipped recipe of the DS-TDNN, shrunk, on made-up voices; more overrides may follow."""

    def make(*more):
        settings = [
            f'data.speech=["{sounds}/speech"]', f'data.noise=["{sounds}/noise"]', f'data.rooms=["{sounds}/rooms"]',
            f'data.cache="{tmp_path}/cache"', "mix.duration_s=0.6", "mix.shortest_s=0.4", "mix.speeds=[1.0, 0.9]",
            "model.channels=8", "model.squeeze=4", "model.joined=8", "model.attention=4", "model.embedding=6",
            "train.steps=4", "train.batch=4", "train.warmup_steps=1", "train.decay_steps=1", "train.final_items=1",
            "train.validate_steps=100",
        ]  # fmt: skip
        return load(RECIPES[0].with_name("ds-tdnn-small.toml"), [*settings, *more])

    return make


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load(path):
    recipe = load(path)
    assert recipe.task == "embed" and recipe.name == path.stem


def test_a_batch_of_one_is_refused(small):
    with pytest.raises(RecipeError, match="batch = 1: two or more"):
        SpeakersTask(small("train.batch=1"))


def test_the_margin_grows_between_two_steps_or_stands(small):
    task = SpeakersTask(small("loss.margin=0.2", "loss.margin_steps=[10, 20]"))
    grown = []
    for task.step in (0, 10, 12, 20, 100):
        grown.append(task.margin())
    assert grown[:2] == [0, 0] and 0 < grown[2] < 0.2 and grown[3:] == [0.2, 0.2]
    assert SpeakersTask(small("loss.margin=0.4", "loss.margin_steps=[0, 0]")).margin() == 0.4


def test_crops_repeat_and_name_their_speaker(bank):
    crops = SpeakerCrops(CropConfig(0.5, 0.5, (1.0, 0.9), noise=0, babble=0, reverberation=0, equaliser=0), bank)
    assert len(crops.classes) == 16 and crops.classes[8:10] == ["s0 x0.9", "s1 x0.9"]
    samples, label = crops.mix(1, 3)
    again, other = crops.mix(1, 3), crops.mix(1, 4)
    assert samples.shape == (8000,) and samples.dtype == np.float32 and label.shape == () and label.dtype == np.int64
    assert np.array_equal(again[0], samples) and again[1] == label and not np.array_equal(other[0], samples)
    seen = [int(crops.mix(0, index)[1]) for index in range(200)]
    assert set(seen) == set(range(16))


def test_a_crop_is_of_the_class_it_names(bank):
    """At speed 1 it is a piece of a recording of the speaker; at another speed its pitch moves by that factor."""
    config = CropConfig(0.5, 0.5, (1.0, 0.8), noise=0, babble=0, reverberation=0, equaliser=0, band_limit=0)
    crops = SpeakerCrops(config, bank)
    for index in range(20):
        samples, label = crops.mix(0, index)
        if label < 8:
            wholes = [bank.clip(clip) for clip in bank.groups[int(label)]]
            assert any(np.correlate(whole, samples, "valid").max() >= 0.999 * (samples @ samples) for whole in wholes)
    steady = np.sin(2 * np.pi * 500 * np.arange(32000) / 16000).astype(np.float32)
    crops.sounds.talk = lambda rng, speaker, samples=0: steady[: samples or 8000]
    slow = crops.sounds.talk_at(np.random.default_rng(0), 0, 0.8)
    assert len(slow) == 8000 and np.abs(np.fft.rfft(slow)).argmax() == 200  # of 2 Hz: 400 Hz


def test_speakers_with_more_speech_are_drawn_more_often_unless_told(tmp_path):
    for name, seconds in (("long", 8), ("short", 2)):
        (tmp_path / name).mkdir()
        soundfile.write(
            tmp_path / name / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(16000 * seconds), 16000
        )
    bank = AudioBank(read_source(tmp_path, "speech"), 16000, tmp_path / "cache")
    for balance, share in ((0.0, 0.5), (1.0, 0.8)):
        crops = SpeakerCrops(CropConfig(0.2, 0.2, (1.0,), balance, noise=0, babble=0), bank)
        drawn = np.mean([int(crops.mix(0, index)[1]) == 0 for index in range(600)])
        assert drawn == pytest.approx(share, abs=0.06)


def test_a_validation_set_is_of_every_speaker_with_two_recordings(bank, monkeypatch):
    sets = SpeakerSets(bank, longest_s=0.5)
    speakers, *recordings = sets.mix(0, 0)
    assert speakers.tolist() == [speaker for speaker in range(8) for _ in range(2)]
    assert [len(recording) for recording in recordings] == [8000] * 16
    assert all(np.array_equal(a, b) for a, b in zip(sets.mix(0, 0), (speakers, *recordings), strict=True))
    monkeypatch.setattr("voxfield.train.data.crops.MOST_SPEAKERS", 3)
    assert sets.mix(0, 0)[0].tolist() == [0, 0, 1, 1, 2, 2]
    single = AudioBank(bank.clips[::2], 16000, bank.files[0].parents[1])
    monkeypatch.undo()
    speakers, *halves = SpeakerSets(single, longest_s=0.5).mix(0, 0)
    assert speakers.tolist() == [speaker for speaker in range(8) for _ in range(2)]
    whole = single.clip(0)
    assert sorted(next(n for n in (0, 6400) if np.array_equal(whole[n : n + 6400], half)) for half in halves[:2]) == [
        0,
        6400,
    ]
    with pytest.raises(RecipeError, match="only 1 is held out"):
        SpeakerSets(AudioBank(bank.clips[:2], 16000, bank.files[0].parents[1]), 1.0)


def test_settings_that_cannot_be_are_refused(small, sounds, tmp_path):
    with pytest.raises(RecipeError, match="above 0, at most"):
        small("mix.shortest_s=0.7")
    with pytest.raises(RecipeError, match="speeds"):
        small("mix.speeds=[0.9, 1.0]")
    with pytest.raises(RecipeError, match="kaldi-hamming or kaldi-povey only"):
        SpeakersTask(small('model.features="speechbrain"'))
    with pytest.raises(RecipeError, match="two of them or more"):
        SpeakersTask(small(f'data.speech=["{sounds}/speech/s0"]'))


def test_losses_fall_on_one_batch_and_all_gradients_are_finite(small):
    torch.manual_seed(0)
    task = SpeakersTask(small("mix.masked=0", "mix.shortest_s=0.6"))
    net = task.network()
    batch = [torch.from_numpy(np.stack(part)) for part in zip(*(task.mixer.mix(0, n) for n in range(8)), strict=True)]
    optimiser = torch.optim.Adam([*net.parameters(), *task.head.parameters()], 1e-2)
    values = []
    for task.step in range(0, 12000, 200):
        loss = task.losses(net, batch)
        optimiser.zero_grad()
        loss["loss"].backward()
        assert all(torch.isfinite(weight.grad).all() for weight in (*net.parameters(), *task.head.parameters()))
        optimiser.step()
        values.append({name: float(value.detach()) for name, value in loss.items()})
    assert values[-1]["loss"] < 0.3 * values[0]["loss"] and values[-1]["accuracy"] == 1
    assert values[0]["margin"] == 0 and values[-1]["margin"] == pytest.approx(task.recipe.loss.margin)


def test_masks_cover_one_stretch_of_each_axis(small):
    noise = 0.1 * torch.randn(16, 9600, generator=torch.Generator().manual_seed(0))
    made = []
    for masked in (0.0, 1.0):
        torch.manual_seed(0)
        made.append(SpeakersTask(small(f"mix.masked={masked}", "mix.shortest_s=0.6")).augmented(noise))
    hidden = made[0] != made[1]
    assert hidden.any() and not made[1][hidden].any()
    assert hidden.all(1).sum(1).max() <= 10 and hidden.all(2).sum(1).max() <= 8
    for row in hidden:
        assert torch.equal(row, row.all(0)[None] | row.all(1)[:, None])


@pytest.mark.parametrize(
    "make", [lambda s: ArcMargin(4, s, centres=2), lambda s: Softmax(4, s)], ids=["arc", "softmax"]
)
def test_a_classifier_takes_over_the_speakers_it_knows(make):
    before, after = Classifier(make(3), ["a", "b", "c"]), Classifier(make(4), ["c", "x", "a", "y"])
    with torch.no_grad():
        for number, weight in enumerate(before.parameters()):
            weight.copy_(torch.arange(weight.numel()).reshape(weight.shape) + number)
    fresh = {name: tensor.clone() for name, tensor in after.state_dict().items()}
    said = after.start_from(before.state_dict(), before.about())
    assert said == "2 of 4 classes go on, 2 start anew, 1 of the checkpoint are left out"
    x, labels = torch.randn(5, 4), torch.tensor([0, 0, 0, 0, 0])
    old, new = before.eval()(x, labels, 0.0), after.eval()(x, labels, 0.0)
    assert torch.allclose(old[:, [2, 0]], new[:, [0, 2]], atol=1e-5)
    name = next(name for name, tensor in fresh.items() if tensor.ndim == 2)
    rows = len(fresh[name]) // 4
    assert torch.equal(after.state_dict()[name][rows : 2 * rows], fresh[name][rows : 2 * rows])
    assert "starts anew for 4 classes" in after.start_from(before.state_dict(), {"classes": ["q", "r", "s"]})


def test_a_run_resumes_exports_and_verifies(small, sounds, tmp_path, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    start(small(), whole)
    start(small("train.steps=2"), parts)
    start(small("train.steps=4", "train.decay_steps=1"), parts, resume=True)
    (first, about), (second, _) = (checkpoint.load(folder / "checkpoint.safetensors") for folder in (whole, parts))
    assert about["classes"][8] == "s0 x0.9" and len(about["classes"]) == 16
    assert first["head"]["projection.weight"].shape == (16, 6)
    assert {"net", "ema", "head", "optimiser"} <= first.keys() == second.keys()
    card = export_checkpoint(whole / "best.safetensors", tmp_path / "net.onnx", "ds-tdnn-small.v0")
    assert card.task == "embed" and not any("projection" in name for name in card.config)
    recording = sounds / "speech" / "s0" / "0.wav"
    assert vf.verify(recording, recording, model=tmp_path / "net.onnx").score == pytest.approx(1, abs=1e-5)
    with pytest.raises(RecipeError, match="of other classes"):
        start(small("mix.speeds=[1.0]"), parts, resume=True)


def test_the_network_goes_on_with_other_speakers(small, sounds, tmp_path, capsys):
    start(small("train.steps=1"), tmp_path / "first")
    capsys.readouterr()
    other = tmp_path / "speech"
    for speaker, source in (("s0", "s0"), ("s3", "s3"), ("new", "s5")):
        (other / speaker).mkdir(parents=True)
        for path in (sounds / "speech" / source).iterdir():
            (other / speaker / path.name).write_bytes(path.read_bytes())
    recipe = small(f'data.speech=["{other}"]', "mix.speeds=[1.0]", "train.steps=1")
    start(recipe, tmp_path / "second", init=tmp_path / "first" / "best.safetensors")
    assert "2 of 3 classes go on, 1 start anew, 14 of the checkpoint are left out" in capsys.readouterr().err
    assert checkpoint.load(tmp_path / "second" / "checkpoint.safetensors")[1]["classes"] == ["new", "s0", "s3"]
