"""Checkpoints of WeSpeaker, SpeechBrain and TaoRuijie give what these programs compute, to 1e-5."""

import importlib.util
from pathlib import Path

import pytest
import torch

from voxfield.cli.app import run
from voxfield.errors import CheckpointError, InputError
from voxfield.export.convert import convert_checkpoint, load
from voxfield.runtime import OnnxEngine


def beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


foreign, plain = beside("foreign_speakers"), beside("plain_speakers")
CASES = {  # name: (program, tensors, what it computes)
    "wespeaker, glob": ("wespeaker", lambda: foreign.wespeaker_ecapa(), plain.wespeaker_ecapa),
    "wespeaker, plain": ("wespeaker", lambda: foreign.wespeaker_ecapa(glob=False), plain.wespeaker_ecapa),
    "wespeaker, norm": ("wespeaker", lambda: foreign.wespeaker_ecapa(embedding_norm=True), plain.wespeaker_ecapa),
    "wespeaker, resnet": ("wespeaker", lambda: foreign.wespeaker_resnet(), plain.wespeaker_resnet),
    "wespeaker, bottleneck": (
        "wespeaker",
        lambda: foreign.wespeaker_resnet(bottleneck=True, second=True),
        plain.wespeaker_resnet,
    ),
    "wespeaker, resnet, attentive": (
        "wespeaker",
        lambda: foreign.wespeaker_resnet(attentive=True),
        plain.wespeaker_resnet,
    ),
    "speechbrain": ("speechbrain", foreign.speechbrain, plain.speechbrain),
    "taoruijie": ("taoruijie", foreign.taoruijie, plain.taoruijie),
}


@pytest.fixture(params=CASES)
def case(request):
    torch.manual_seed(0)
    program, tensors, computed = CASES[request.param]
    return program, tensors(), computed


@torch.no_grad()
def test_equal_to_the_program(case, tmp_path):
    program, tensors, computed = case
    torch.save(tensors, tmp_path / "theirs.pt")
    exact = {name: tensor.double() for name, tensor in tensors.items()}  # what rounding does in theirs is not the point
    made = convert_checkpoint(tmp_path / "theirs.pt", program, tmp_path / "out", onnx=True)
    net = load(made.files[0])
    engine = OnnxEngine(made.files[-1])
    assert engine.card.task == "embed" and engine.card.interface == net.interface()
    for frames in (12, 57, 200):
        features = torch.randn(1, frames, net.config.bands)
        wanted = computed(exact, features.double()).float()
        largest = wanted.abs().max()
        assert (net(features.transpose(1, 2)) - wanted).abs().max() <= 1e-5 * largest
        given = engine.step(features.transpose(1, 2).contiguous().numpy(), ())[0]
        assert (torch.from_numpy(given) - wanted).abs().max() <= 2e-5 * largest


@torch.no_grad()
def test_stored_pairs_are_the_proof(case, tmp_path):
    program, tensors, computed = case
    bands = 16 if "seg_1.weight" in tensors else 10
    features = torch.randn(2, 30, bands)
    stored = {"input": {"feats": features}, "output": {"embedding": computed(tensors, features)}}
    torch.save({"state_dict": tensors, "cases": [stored]}, tmp_path / "theirs.pt")
    assert convert_checkpoint(tmp_path / "theirs.pt", program, tmp_path / "out").proofs["stored case 0"] <= 1e-5
    stored["output"]["embedding"] = stored["output"]["embedding"] + 0.1
    torch.save({"state_dict": tensors, "cases": [stored]}, tmp_path / "theirs.pt")
    with pytest.raises(CheckpointError, match="stored case 0 differs"):
        convert_checkpoint(tmp_path / "theirs.pt", program, tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_what_a_training_adds_is_left_out_and_said(tmp_path):
    tensors = {f"speaker_encoder.{name}": tensor for name, tensor in foreign.taoruijie().items()}
    tensors |= {
        "speaker_loss.weight": torch.randn(9, 6),
        "speaker_encoder.torchfbank.0.flipped_filter": torch.ones(1, 1, 2),
    }
    torch.save(tensors, tmp_path / "theirs.model")
    made = convert_checkpoint(tmp_path / "theirs.model", "taoruijie", tmp_path / "out")
    assert made.notes == ("left out, as it belongs to training alone: 2 tensors",)
    assert made.assumed == () and made.config.features == "taoruijie"
    torch.save(foreign.wespeaker_ecapa() | {"projection.weight": torch.randn(9, 6)}, tmp_path / "model.pt")
    made = convert_checkpoint(
        tmp_path / "model.pt", "wespeaker", tmp_path / "out", ["features=kaldi-povey", "sample_rate_hz=8000"]
    )
    assert made.config.features == "kaldi-povey" and made.config.sample_rate_hz == 8000 and made.assumed == ()


def test_cut_renamed_and_foreign_files_are_refused(case, tmp_path):
    program, tensors, _ = case
    last = [name for name in tensors if name.endswith("running_var")][-1]
    for changed, message in (
        ({name: t for name, t in tensors.items() if name != last}, "lack"),
        (tensors | {"attic.weight": torch.ones(1)}, "'attic.weight' has no place"),
        (tensors | {last: torch.ones(99)}, "differ in shape"),
    ):
        torch.save(changed, tmp_path / "theirs.pt")
        with pytest.raises(CheckpointError, match=message):
            convert_checkpoint(tmp_path / "theirs.pt", program, tmp_path / "out")
    torch.save(tensors, tmp_path / "theirs.pt")
    other = "speechbrain" if program != "speechbrain" else "wespeaker"
    with pytest.raises(CheckpointError, match=f"use --from {program}"):
        convert_checkpoint(tmp_path / "theirs.pt", other, tmp_path / "out")
    with pytest.raises(InputError, match="color"):
        convert_checkpoint(tmp_path / "theirs.pt", program, tmp_path / "out", ["color=3"])


def test_the_command(tmp_path, capsys):
    torch.save(foreign.speechbrain(), tmp_path / "embedding_model.ckpt")
    arguments = [
        "convert",
        str(tmp_path / "embedding_model.ckpt"),
        "--from",
        "speechbrain",
        "-o",
        str(tmp_path / "out"),
    ]
    assert run(arguments) == 0
    assert "ecapa-tdnn-speechbrain.safetensors" in capsys.readouterr().out
