"""The checkpoint of the CRN's authors: their numbers, their file, their front end."""

import sys
import types
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from voxfield.cli.app import run
from voxfield.errors import CheckpointError
from voxfield.export.convert import load
from voxfield.export.convert.tan_wang import CONFIG, ours_from
from voxfield.export.onnx_file import export_network
from voxfield.models.crn import Crn, CrnConfig, CrnEnhancer
from voxfield.runtime import Stream, load_engine


def reference_tensors() -> dict[str, torch.Tensor]:
    """Random weights under the names and shapes of the authors' released code."""
    generator = torch.Generator().manual_seed(3)

    def random(*shape):
        return torch.randn(*shape, generator=generator) * 0.1

    filters, tensors = [1, 16, 32, 64, 128, 256], {}
    for i in range(1, 6):
        before, after = filters[i - 1], filters[i]
        sides = {f"conv{i}": ((after, before, 2, 3), after), f"conv{i}_t": ((2 * after, before, 2, 3), before)}
        for name, (shape, out) in sides.items():
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = random(*shape), random(out)
            norm = name.replace("conv", "bn")
            tensors[f"{norm}.weight"], tensors[f"{norm}.bias"] = 1 + random(out), random(out)
            tensors[f"{norm}.running_mean"], tensors[f"{norm}.running_var"] = random(out), 1 + random(out).abs()
            tensors[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    for layer in range(2):
        for side in ("ih", "hh"):
            tensors[f"lstm.weight_{side}_l{layer}"] = random(4096, 1024) * 0.3
            tensors[f"lstm.bias_{side}_l{layer}"] = random(4096)
    return tensors


def plain_forward(tensors: dict[str, torch.Tensor], magnitudes: torch.Tensor) -> torch.Tensor:
    """(B, T, F) noisy to clean magnitudes as the released code gives them, in its axis order and with its two quirks.

    A transposed convolution is cut by one frame on both sides and gets a frame of zeros in front; ELU is applied to the
    norm and the skip together, so that it falls on every skip but the innermost a second time.
    """

    def norm(x, name):
        scale = tensors[f"{name}.weight"] / (tensors[f"{name}.running_var"] + 1e-5).sqrt()
        shift = tensors[f"{name}.bias"] - tensors[f"{name}.running_mean"] * scale
        return x * scale[:, None, None] + shift[:, None, None]

    x, skips = magnitudes[:, None], []
    for i in range(1, 6):
        x = F.conv2d(F.pad(x, (0, 0, 1, 0)), tensors[f"conv{i}.weight"], tensors[f"conv{i}.bias"], (1, 2))
        x = F.elu(norm(x, f"bn{i}"))
        skips.append(x)
    lstm = torch.nn.LSTM(1024, 1024, 2, batch_first=True)
    lstm.load_state_dict({name[5:]: tensor for name, tensor in tensors.items() if name.startswith("lstm.")})
    B, C, T, bands = x.shape
    x = lstm(x.permute(0, 2, 1, 3).reshape(B, T, -1))[0].reshape(B, T, C, bands).permute(0, 2, 1, 3)
    x = torch.cat([x, skips[4]], 1)
    for i in range(5, 0, -1):
        weight, bias = tensors[f"conv{i}_t.weight"], tensors[f"conv{i}_t.bias"]
        x = F.conv_transpose2d(x, weight, bias, (1, 2), padding=(1, 0), output_padding=(0, int(i == 2)))
        x = norm(F.pad(x, (0, 0, 1, 0)), f"bn{i}_t")
        x = F.elu(torch.cat([x, skips[i - 2]], 1)) if i > 1 else F.softplus(x)
    return x[:, 0]


@pytest.fixture(scope="module")
def tensors():
    return reference_tensors()


@pytest.fixture(scope="module")
def checkpoint(tensors, tmp_path_factory):
    """A file under the authors' names, with two stored cases."""
    cases = []
    with torch.no_grad():
        for T in (6, 2):
            magnitude = torch.rand(1, T, 161)
            cases.append({"input": {"magnitude": magnitude}, "output": {"estimate": plain_forward(tensors, magnitude)}})
    path = tmp_path_factory.mktemp("crn") / "crn.pt"
    torch.save({"state_dict": tensors, "cases": cases}, path)
    return path


@pytest.fixture(scope="module")
def net(tensors):
    made = Crn(CONFIG).eval()
    made.load_state_dict(ours_from(tensors))
    return made


@pytest.mark.parametrize("frames", [2, 3, 20])
@torch.no_grad()
def test_the_authors_checkpoint_gives_the_authors_numbers(tensors, net, frames):
    magnitudes = 3 * torch.rand(2, frames, 161, generator=torch.Generator().manual_seed(4))
    expected = plain_forward(tensors, magnitudes)
    ours = net(magnitudes.transpose(1, 2)[:, None])[0][:, 0].transpose(1, 2)
    assert (ours - expected).abs().max() <= 1e-5 * expected.abs().max()


@torch.no_grad()
def test_the_papers_network_has_no_quirks(tensors, net):
    paper = Crn(CrnConfig()).eval()
    paper.load_state_dict(ours_from(tensors))
    x = 3 * torch.rand(1, 1, 161, 8)
    assert (paper(x)[0] - net(x)[0]).abs().max() > 0.01 * net(x)[0].abs().max()
    assert not (CrnConfig().elu_skips or CrnConfig().zero_first_frame) and CrnConfig().window == "sqrt-hann"


def test_converted(checkpoint, tmp_path, capsys):
    assert run(["convert", str(checkpoint), "--from", "tan-wang", "-o", str(tmp_path)]) == 0
    assert "stored case 1: largest relative difference" in capsys.readouterr().out
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]
    assert load(next(tmp_path.glob("*.safetensors"))).config == CONFIG


def test_other_numbers_than_the_stored_ones_are_refused(checkpoint, tmp_path, capsys):
    content = torch.load(checkpoint, weights_only=True)
    content["cases"][0]["output"]["estimate"] += 0.1
    torch.save(content, tmp_path / "off.pt")
    assert run(["convert", str(tmp_path / "off.pt"), "--from", "tan-wang", "-o", str(tmp_path / "out")]) == 1
    assert "stored case 0 differs" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_authors_own_wrapper_is_read_without_its_code(tensors, tmp_path, monkeypatch):
    """Their training script saves an object of its class `utils.models.CheckPoint`, here with a number of numpy."""
    module = types.ModuleType("utils.models")
    module.CheckPoint = type("CheckPoint", (), {"__module__": "utils.models"})
    for name, made in (("utils", types.ModuleType("utils")), ("utils.models", module)):
        monkeypatch.setitem(sys.modules, name, made)
    wrapped = module.CheckPoint()
    wrapped.ckpt_info = {"cur_epoch": 3, "best_loss": np.float64(0.5), "tr_loss": float("inf")}
    wrapped.net_state_dict = tensors
    wrapped.optim_state_dict = {"state": {}, "param_groups": [{"lr": 1e-3, "params": [0, 1]}]}
    torch.save(wrapped, tmp_path / "best.pt")
    torch.save(wrapped, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    monkeypatch.undo()  # who converts has none of their code
    for name in ("best", "old"):
        out = tmp_path / name
        assert run(["convert", str(tmp_path / f"{name}.pt"), "--from", "tan-wang", "-o", str(out)]) == 0
        made = load(next(out.glob("*.safetensors"))).crn.state_dict()
        assert torch.equal(made["lstm.weight_hh_l1"], tensors["lstm.weight_hh_l1"])


@torch.no_grad()
def test_a_recording_goes_through_the_authors_front_end(tmp_path, speech):
    """Their symmetric Hamming window before the spectrum, and its overlapping sum taken out after it."""
    torch.manual_seed(0)
    net = CrnEnhancer(replace(CONFIG, filters=(2, 3, 4, 5, 6))).eval()
    about = {
        "name": "crn-small.v1", "task": "enhance", "architecture": "crn", "summary": "for a test", "licence": "none",
        "data": [], "config": asdict(net.config), "interface": net.interface(),
    }  # fmt: skip
    export_network(net, tmp_path / "crn.onnx", about)
    samples = speech(1, 160 * 30)
    stream = Stream(load_engine(tmp_path / "crn.onnx"))
    got = np.concatenate([stream.feed(samples), stream.flush()], axis=1)

    window = torch.from_numpy(np.hamming(320)).float()
    frames = F.pad(torch.from_numpy(samples), (160, 160)).unfold(1, 320, 160) * window
    spectrum = torch.view_as_real(torch.fft.rfft(frames)).permute(0, 3, 2, 1)
    masked = torch.view_as_complex(net(spectrum)[0].permute(0, 3, 2, 1).contiguous())
    first, second = torch.fft.irfft(masked).split(160, dim=2)
    wanted = (second[:, :-1] + first[:, 1:]) / (window[160:] + window[:160])
    assert np.abs(got - wanted.flatten(1).numpy()).max() <= 1e-5 * wanted.abs().max()


def test_named_where_it_does_not_belong(checkpoint, tmp_path, capsys):
    assert run(["convert", str(checkpoint), "--from", "asteroid", "-o", str(tmp_path)]) == 1
    assert "tan-wang" in capsys.readouterr().err


def test_missing_tensors_are_named(checkpoint, tmp_path, capsys):
    content = torch.load(checkpoint, weights_only=True)
    del content["state_dict"]["conv3.bias"]
    torch.save(content, tmp_path / "less.pt")
    assert run(["convert", str(tmp_path / "less.pt"), "--from", "tan-wang", "-o", str(tmp_path / "out")]) == 1
    assert "encoder.2.conv.bias" in capsys.readouterr().err


def test_a_foreign_key_is_named():
    with pytest.raises(CheckpointError, match=r"conv9\.weight"):
        ours_from({"conv9.weight": torch.zeros(1)})
