"""Several processes: each mixture is drawn once, and two train as one does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from voxfield.errors import RecipeError
from voxfield.train import checkpoint, load_recipe, start
from voxfield.train.data.voices import VoiceMixer
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
import atexit, os, sys, time
from pathlib import Path
from voxfield.cli import main
from voxfield.train import checkpoint
from voxfield.train.data.voices import VoiceMixer
from voxfield.train.state import RunState

def mix(mixer, epoch, index, original=VoiceMixer.mix):
    if mixer.seed == 0:
        with open(os.environ["DRAWN"] + os.environ.get("RANK", "0"), "a") as file:
            file.write(f"{epoch} {index}\\n")
    return original(mixer, epoch, index)

def save(state, path, original=RunState.save):
    time.sleep(0.5)
    original(state, path)

def leave():
    step = checkpoint.load(Path(os.environ["DRAWN"][:-1]) / "checkpoint.safetensors")[1]["step"]
    threads = [thread.read_text().strip() for thread in Path("/proc/self/task").glob("*/comm")]
    left = [step, *(thread for thread in threads if "gloo" in thread)]
    Path(os.environ["DRAWN"] + os.environ["RANK"] + ".left").write_text(" ".join(map(str, left)))

VoiceMixer.mix, RunState.save = mix, save
atexit.register(leave)
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


def alone(folder: Path, settings: list[str], drawn: list[str], monkeypatch, resume: bool = False) -> None:
    """Train in this process; the mixtures drawn are added to a list."""
    original = VoiceMixer.mix

    def mix(mixer, epoch, index):
        if mixer.seed == 0:
            drawn.append(f"{epoch} {index}")
        return original(mixer, epoch, index)

    with monkeypatch.context() as patch:
        patch.setattr(VoiceMixer, "mix", mix)
        start(load_recipe(RECIPE, settings), folder, resume=resume)


def two(script: Path, folder: Path, settings: list[str]) -> None:
    """Go on in two processes."""
    options = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, *TORCHRUN, str(script), "train", str(RECIPE), "--run", str(folder), *options, "--resume"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DRAWN": f"{folder}."}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


def test_one_process_then_two_then_one_train_as_one(sounds, tmp_path, monkeypatch):
    script = tmp_path / "drawn.py"
    script.write_text(DRAWN)
    settings = [*SMALL, f'data.speech=["{sounds}/speech"]', f'data.cache="{tmp_path}/cache"']
    of_one, drawn = [], []
    alone(tmp_path / "one", [*settings, "train.steps=6"], of_one, monkeypatch)
    alone(tmp_path / "more", [*settings, "train.steps=2"], drawn, monkeypatch)
    two(script, tmp_path / "more", [*settings, "train.steps=4"])
    alone(tmp_path / "more", [*settings, "train.steps=6"], drawn, monkeypatch, resume=True)

    shares = [(tmp_path / f"more.{rank}").read_text().splitlines() for rank in range(2)]
    assert [len(drawn), *map(len, shares)] == [16, 4, 4]
    assert [(tmp_path / f"more.{rank}.left").read_text() for rank in range(2)] == [
        "4",
        "4",
    ]  # after it was saved, no thread of gloo's
    assert sorted(drawn + shares[0] + shares[1]) == sorted(of_one) and len(set(of_one)) == 24

    paths = [tmp_path / name / "checkpoint.safetensors" for name in ("one", "more")]
    (one, about), (more, about_more) = map(checkpoint.load, paths)
    assert about["items"] == about_more["items"] == 24
    for name, expected in one["net"].items():
        assert torch.allclose(more["net"][name], expected, atol=5e-4), name


BATCH_NORM = """
import sys, torch, torch.distributed as dist
from torch import nn
from voxfield.train.processes import Processes
from voxfield.train.shared_norm import share_statistics

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
x, wanted = 3 + 2 * torch.randn(4, 3, 50), torch.randn(4, 3, 50)
net = nn.Sequential(nn.Conv1d(3, 3, 3, padding=1), nn.BatchNorm1d(3), nn.Tanh(), nn.BatchNorm1d(3, affine=False))
share_statistics(net, 2)
half = slice(2 * rank, 2 * rank + 2)
((net(x[half]) - wanted[half]) ** 2).mean().backward()
Processes(rank, 2).average(net, False)
if rank == 0:
    torch.save([weight.grad for weight in net.parameters()] + list(net.buffers()) + [net.eval()(x)], sys.argv[1])
dist.destroy_process_group()
"""


def test_batch_norms_see_the_whole_batch(tmp_path):
    script = tmp_path / "norms.py"
    script.write_text(BATCH_NORM)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [
        subprocess.Popen([sys.executable, script, tmp_path / "two.pt"], env={**shared, "RANK": str(rank)})
        for rank in range(2)
    ]
    assert [process.wait(600) for process in processes] == [0, 0]

    torch.manual_seed(0)
    x, wanted = 3 + 2 * torch.randn(4, 3, 50), torch.randn(4, 3, 50)
    norms = nn.BatchNorm1d(3), nn.BatchNorm1d(3, affine=False)
    net = nn.Sequential(nn.Conv1d(3, 3, 3, padding=1), norms[0], nn.Tanh(), norms[1])
    ((net(x) - wanted) ** 2).mean().backward()
    one_process = [weight.grad for weight in net.parameters()] + list(net.buffers()) + [net.eval()(x)]
    for number, (one, two) in enumerate(zip(one_process, torch.load(tmp_path / "two.pt"), strict=True)):
        assert torch.allclose(one.float(), two.float(), rtol=1e-4, atol=1e-6), number
