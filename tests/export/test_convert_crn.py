"""The CRN authors' checkpoint through `voxfield convert`."""

import pytest
import torch

from voxfield.cli.app import run
from voxfield.models.crn import Crn, CrnConfig, from_tan_wang

KEYS = {f"conv{i}{side}": f"{part}.{i - 1 if part == 'encoder' else 5 - i}.conv" for i in range(1, 6)
        for side, part in (("", "encoder"), ("_t", "decoder"))}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file under the authors' names, with one stored case."""
    torch.manual_seed(0)
    net = Crn(CrnConfig()).eval()
    ours = net.state_dict()
    theirs = {name: tensor for name, tensor in ours.items() if name.startswith("lstm.")}
    for key, name in KEYS.items():
        theirs[f"{key}.weight"] = ours[f"{name}.weight"].transpose(2, 3).contiguous()
        theirs[f"{key}.bias"] = ours[f"{name}.bias"]
        norm = name.replace("encoder", "encoder_norms").replace("decoder", "decoder_norms").removesuffix(".conv")
        for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
            theirs[f"{key.replace('conv', 'bn')}.{part}"] = ours[f"{norm}.{part}"]
    assert all(torch.equal(tensor, ours[name]) for name, tensor in from_tan_wang(theirs).items())
    magnitude = torch.rand(1, 6, 161)
    with torch.no_grad():
        estimate = net(magnitude.transpose(1, 2)[:, None])[0][:, 0].transpose(1, 2)
    path = tmp_path_factory.mktemp("crn") / "crn.pt"
    cases = [{"input": {"magnitude": magnitude}, "output": {"estimate": estimate}}]
    torch.save({"state_dict": theirs, "cases": cases}, path)
    return path


def test_converted(checkpoint, tmp_path, capsys):
    assert run(["convert", str(checkpoint), "--from", "tan-wang", "-o", str(tmp_path)]) == 0
    assert "stored case 0: largest relative difference" in capsys.readouterr().out
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]


def test_named_where_it_does_not_belong(checkpoint, tmp_path, capsys):
    assert run(["convert", str(checkpoint), "--from", "asteroid", "-o", str(tmp_path)]) == 1
    assert "tan-wang" in capsys.readouterr().err


def test_missing_tensors_are_named(checkpoint, tmp_path, capsys):
    content = torch.load(checkpoint, weights_only=True)
    del content["state_dict"]["conv3.bias"]
    torch.save(content, tmp_path / "less.pt")
    assert run(["convert", str(tmp_path / "less.pt"), "--from", "tan-wang", "-o", str(tmp_path / "out")]) == 1
    assert "encoder.2.conv.bias" in capsys.readouterr().err
