"""Training of representations: where negatives come from, what the losses are, and that a run learns."""

import json
import math
from contextlib import nullcontext

import numpy as np
import pytest
import soundfile
import torch

from voxfield.cli.app import run
from voxfield.errors import RecipeError
from voxfield.models.wav2vec import Wav2Vec, Wav2VecConfig
from voxfield.nn.norms import CumulativeNorm, GlobalNorm
from voxfield.train import load_recipe
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.sources import Clip
from voxfield.train.losses.contrastive import (
    accuracy,
    binary_loss,
    choice_loss,
    contrastive_scores,
    draw_negatives,
    draw_others,
)
from voxfield.train.tasks.represent import CutConfig, CutMixer, RepresentTask


def test_a_negative_is_never_the_positive_and_all_others_are_as_likely():
    frames, count = 7, 3000
    drawn = draw_negatives(2, frames, count, torch.device("cpu"))
    assert drawn.shape == (2, count, frames) and drawn.min() == 0 and drawn.max() == frames - 1
    assert not (drawn == torch.arange(frames)).any()
    shares = torch.stack([(drawn[0, :, at] == other).float().mean() for at in range(frames) for other in range(frames)])
    shares = shares.view(frames, frames)
    assert (shares[~torch.eye(frames, dtype=bool)] - 1 / (frames - 1)).abs().max() < 0.03


def test_the_same_seed_draws_the_same_negatives_and_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    first, second = (draw_negatives(1, 9, 4, torch.device("cpu"), seed) for seed in (3, 3))
    assert torch.equal(first, second) and torch.equal(torch.get_rng_state(), before)


def test_scores_are_inner_products_with_frames_of_the_same_recording():
    torch.manual_seed(0)
    batch, steps, channels, frames, offset = 2, 4, 3, 9, 2
    guesses, z = torch.randn(batch, steps, channels, frames), torch.randn(batch, channels, frames)
    negatives = draw_negatives(batch, frames, 5, z.device)
    got = contrastive_scores(guesses, z, negatives, offset)
    wanted = [
        [float(guesses[b, i, :, t] @ z[b, :, other]) for other in (t + offset + i, *negatives[b, :, t + offset + i])]
        for i in range(steps)
        for b in range(batch)
        for t in range(frames - offset - i)
    ]
    assert torch.allclose(got, torch.tensor(wanted), atol=1e-5)


def test_others_are_frames_of_one_other_recording_and_scored_behind_the_rest():
    torch.manual_seed(0)
    batch, steps, channels, frames, offset = 3, 2, 4, 8, 1
    guesses, z = torch.randn(batch, steps, channels, frames), torch.randn(batch, channels, frames)
    negatives = draw_negatives(batch, frames, 2, z.device)
    for _ in range(20):
        recording, frame = draw_others(batch, frames, 3, z.device)
        assert (recording != torch.arange(batch)).all() and sorted(recording.tolist()) == list(range(batch))
    got = contrastive_scores(guesses, z, negatives, offset, (recording, frame))
    assert torch.equal(got[:, :3], contrastive_scores(guesses, z, negatives, offset))
    wanted = [
        [float(guesses[b, i, :, t] @ z[recording[b], :, at]) for at in frame[b, :, t + offset + i]]
        for i in range(steps)
        for b in range(batch)
        for t in range(frames - offset - i)
    ]
    assert torch.allclose(got[:, 3:], torch.tensor(wanted), atol=1e-5)


def test_steps_beyond_a_short_recording_are_left_out():
    guesses, z = torch.randn(1, 12, 3, 6), torch.randn(1, 3, 6)
    assert len(contrastive_scores(guesses, z, draw_negatives(1, 6, 2, z.device), 3)) == 3 + 2 + 1


def test_losses_by_chance_and_where_all_is_right():
    indifferent, sure = torch.zeros(5, 11), torch.full((5, 11), -30.0)
    sure[:, 0] = 30.0
    assert float(choice_loss(indifferent)) == pytest.approx(math.log(11))
    assert float(binary_loss(indifferent)) == pytest.approx(11 * math.log(2))
    for loss in (choice_loss, binary_loss):
        assert float(loss(sure)) < 1e-6
    assert float(accuracy(sure)) == 1 and float(accuracy(indifferent)) == 0


def test_cuts_are_of_one_recording_and_every_second_is_as_likely(tmp_path):
    lengths = (1600, 3200, 6400)
    for number, length in enumerate(lengths):  # the relative slope says of which recording a cut is
        ramp = (number + 1) / 8 + np.arange(length) * 1e-6
        soundfile.write(tmp_path / f"{number}.wav", ramp, 16000, subtype="FLOAT")
    bank = AudioBank([Clip(str(tmp_path / f"{n}.wav")) for n in range(3)], 16000, tmp_path / "cache")
    mixer = CutMixer(CutConfig(0.15, (-20.0, -20.0)), bank, seed=1)
    cuts = np.stack([mixer.mix(0, index)[0] for index in range(400)])
    assert cuts.shape == (400, 2400) and cuts.dtype == np.float32
    assert np.allclose(np.sqrt(np.square(cuts).mean(1)), 0.1, atol=1e-3)
    assert np.array_equal(cuts[7], mixer.mix(0, 7)[0]) and not np.array_equal(cuts[7], mixer.mix(1, 7)[0])
    relative = np.ptp(cuts, axis=1) / cuts.mean(1) * 8  # smaller in later recordings
    assert abs((relative < 0.06).mean() - 4001 / (801 + 4001)) < 0.08
    with pytest.raises(RecipeError, match=r"0\.5 s long"):
        CutMixer(CutConfig(0.5), bank)


def test_cuts_too_short_to_guess_in_are_refused(sounds, tmp_path):
    own = [f'data.speech=["{sounds}/speech"]', f'data.cache="{tmp_path}"', "data.min_dynamic_db=0"]
    for seconds, fits in ((0.06, True), (0.05, False)):
        recipe = load_recipe("recipes/represent/wav2vec-small.toml", [*own, f"mix.duration_s={seconds}"])
        with nullcontext() if fits else pytest.raises(RecipeError, match=r"at least 0\.0590625 s are needed"):
            task = RepresentTask(recipe)
            assert np.isfinite(task.score(task.network().eval(), task.mixer.mix(0, 0))["choice_loss"])


def test_a_run_learns_and_its_file_gives_features(sounds, tmp_path, capsys):
    settings = {
        "data.speech": f'["{sounds}/speech"]', "data.cache": f'"{tmp_path}/cache"', "mix.duration_s": 0.7,
        "model.channels": 16, "model.context_kernels": [3, 3], "model.prediction_steps": 3, "train.steps": 40,
        "train.batch": 4, "train.warmup_steps": 5, "train.decay_steps": 5, "train.learning_rate": 4e-3,
        "train.ema": 0.5, "train.validate_items": 4, "train.final_items": 4, "train.threads": 1,
        "train.bfloat16": "false",
    }  # fmt: skip
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    recipe = "recipes/represent/wav2vec-small.toml"
    assert run(["train", recipe, "--run", str(tmp_path / "run"), *overrides]) == 0
    last = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()][-1]
    assert last["kind"] == "valid" and last["choice_loss"] < 2.2 and last["accuracy"] > 0.15  # by chance 2.4 and 0.09
    out = tmp_path / "w.onnx"
    checkpoint = tmp_path / "run" / "best.safetensors"
    assert run(["export", str(checkpoint), "-o", str(out), "--name", "wav2vec-test.v1"]) == 0
    assert run(["models", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "features, 32 x time" in shown and "10 ms" in shown


@torch.no_grad()
def test_frames_do_not_tell_the_time_in_training():
    """Running moments would: of a sound that repeats itself, no two frames are alike then."""
    torch.manual_seed(0)
    config = Wav2VecConfig(channels=8, prediction_steps=1, norm="cumulative", causal=True, padding="zeros")
    net = Wav2Vec(config)
    x = torch.randn(1, 1, 1600).repeat(1, 1, 8)  # every ten frames the same
    for training, alike in ((True, True), (False, False)):
        z, c, _ = net.train(training).layers(x)
        for frames in (z[..., 30:], c[..., 30:]):  # behind the field of the zeros before the first sample
            spread = (frames[..., 10:] - frames[..., :-10]).abs().max() / frames.abs().max()
            assert (spread < 1e-4) == alike


def test_a_network_in_training_is_normalised_as_a_whole_and_its_state_is_left_alone():
    x = torch.randn(2, 4, 9)
    running, whole = CumulativeNorm(4), GlobalNorm(4)
    state = running.initial_state(2)
    assert not torch.allclose(running(x)[0], whole(x))
    running.whole_in_training = True
    y, after = running(x, state)
    assert torch.allclose(y, whole(x)) and after is state
    assert torch.equal(running.eval()(x)[0], CumulativeNorm(4)(x)[0])
