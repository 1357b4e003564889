"""Several processes: each mixture is drawn once, and two train as one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from voxfield.errors import RecipeError
from voxfield.train import checkpoint
from voxfield.train.processes import Processes, joined

RECIPE = Path(__file__).parents[2] / "recipes" / "separate" / "conv-tasnet-small.toml"
SMALL = [
    "model.sample_rate_hz=8000", "model.filters=16", "model.kernel_samples=32", "model.stride_samples=16",
    "model.bottleneck=8", "model.hidden=16", "model.blocks=2", "model.repeats=1",
    "mix.duration_s=0.5", "mix.noise=0", "mix.room=0", "mix.alone=0.3", "data.noise=[]", "data.rooms=[]",
    "train.batch=4", "train.threads=1", "train.bfloat16=false", "train.validate_items=1", "train.final_items=1",
    "train.epoch_steps=3", "train.learning_rate=1e-3", "train.warmup_steps=0", "train.decay_steps=0",
]  # fmt: skip
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--"]
DRAWN = """
import os, sys
from voxfield.cli import main
from voxfield.train.voices import VoiceMixer

def mix(mixer, epoch, index, original=VoiceMixer.mix):
    if mixer.seed == 0:
        with open(os.environ["DRAWN"] + os.environ.get("RANK", "0"), "a") as file:
            file.write(f"{epoch} {index}\\n")
    return original(mixer, epoch, index)

VoiceMixer.mix = mix
sys.exit(main())
"""


@pytest.mark.parametrize("count", [1, 2, 4])
def test_shares_of_a_batch(count):
    shares = [list(Processes(rank, count).numbers(8, 32, 8)) for rank in range(count)]
    assert sorted(number for share in shares for number in share) == list(range(8, 32))
    assert [sorted(number for share in shares for number in share[: 8 // count])] == [list(range(8, 16))]


def test_a_batch_must_be_shared_equally(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(RecipeError, match=r"train\.batch = 8 cannot be shared by 3"), joined(8, torch.device("cpu")):
        pass


def train(script: Path, folder: Path, launcher: list[str], settings: list[str]) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, *launcher, str(script), "train", str(RECIPE), "--run", str(folder), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DRAWN": f"{folder}."}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


def test_two_processes_train_as_one(sounds, tmp_path):
    script = tmp_path / "drawn.py"
    script.write_text(DRAWN)
    settings = [*SMALL, f'data.speech=["{sounds}/speech"]', f'data.cache="{tmp_path}/cache"', "train.steps=5"]
    train(script, tmp_path / "one", [], settings)
    train(script, tmp_path / "two", TORCHRUN, settings)

    drawn = [(tmp_path / f"two.{rank}").read_text().splitlines() for rank in range(2)]
    assert len(drawn[0]) == len(drawn[1]) == 10
    assert sorted(drawn[0] + drawn[1]) == sorted((tmp_path / "one.0").read_text().splitlines())
    assert len(set(drawn[0] + drawn[1])) == 20

    paths = [tmp_path / name / "checkpoint.safetensors" for name in ("one", "two")]
    (one, about), (two, about_two) = map(checkpoint.load, paths)
    assert about["hours_of_mixtures"] == about_two["hours_of_mixtures"] > 0
    for name, expected in one["net"].items():
        assert torch.allclose(two["net"][name], expected, atol=3e-4), name
    logs = [json.loads((tmp_path / name / "log.jsonl").read_text().splitlines()[0]) for name in ("one", "two")]
    assert logs[1]["loss"] == pytest.approx(logs[0]["loss"], abs=1e-3)
    assert logs[1]["gradient_norm"] == pytest.approx(logs[0]["gradient_norm"], rel=1e-3)
