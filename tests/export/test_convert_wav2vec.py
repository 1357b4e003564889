"""Checkpoints of fairseq's wav2vec give what fairseq computes, to 1e-5: features, scores and loss.

`fairseq_wav2vec.npz` was made with fairseq 0.12.2 (MIT): small networks with seeded weights, their input, z, c, the
numbers of the negatives that it drew, their scores and the sum of its loss.
"""

import argparse
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from voxfield.cli.app import run
from voxfield.errors import CheckpointError, InputError
from voxfield.export.convert import convert_checkpoint, load
from voxfield.export.convert.programs import looks_like
from voxfield.models.wav2vec import LARGE, PAPER, Wav2Vec
from voxfield.runtime import OnnxEngine
from voxfield.train.losses.contrastive import binary_loss, choice_loss, contrastive_scores

CASES = ("paper", "plain", "large")


@pytest.fixture(scope="module")
def stored():
    """For each case its tensors, settings, input, output, negatives and loss."""
    found = {name: {"state": {}} for name in CASES}
    with np.load(Path(__file__).with_name("fairseq_wav2vec.npz")) as file:
        for key in file.files:
            name, part, *rest = key.split("/")
            if part == "config":
                found[name][part] = json.loads(str(file[key]))
            elif part == "state":
                found[name][part][rest[0]] = torch.from_numpy(file[key])
            else:
                found[name][part] = torch.from_numpy(file[key])
    return found


@pytest.fixture(params=CASES)
def case(request, stored):
    return stored[request.param]


def written(case, path, **settings):
    """A checkpoint as fairseq writes it."""
    args = argparse.Namespace(arch="wav2vec", task="audio_pretraining", **(case["config"] | settings))
    torch.save({"args": args, "model": case["state"], "extra_state": {"epoch": 3}, "last_optimizer_state": None}, path)
    return path


@torch.no_grad()
def test_features_are_those_of_fairseq(case, tmp_path):
    made = convert_checkpoint(written(case, tmp_path / "w.pt"), "fairseq", tmp_path / "out", onnx=True)
    assert made.assumed == ()
    net, engine = load(made.files[0]), OnnxEngine(made.files[-1])
    assert engine.card.task == "represent" and engine.card.interface == net.interface()
    for row, (z, c) in enumerate(zip(case["z"], case["c"], strict=True)):
        wanted = torch.cat([z, c]).numpy()
        found, _ = engine.step(case["source"][row : row + 1, None].numpy(), ())
        assert np.abs(found[0] - wanted).max() <= 1e-5 * np.abs(wanted).max()
    z, c, _ = net.layers(case["source"][:, None])
    for found, wanted in ((z, case["z"]), (c, case["c"])):
        assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@torch.no_grad()
def test_scores_and_loss_are_those_of_fairseq(case, tmp_path):
    net = load(convert_checkpoint(written(case, tmp_path / "w.pt"), "fairseq", tmp_path / "out").files[0])
    assert net.config.offset_frames == 3
    z, c, _ = net.layers(case["source"][:, None])
    scores = contrastive_scores(net.predict(c), z, case["negatives"].long(), 3)
    choice = case["config"]["infonce"]
    loss = (choice_loss if choice else binary_loss)(scores) * len(scores)
    assert float(loss) == pytest.approx(float(case["loss"]), rel=1e-5)
    theirs = case["logits"].flatten().sort().values  # they stand in another order there
    assert (scores.flatten().sort().values - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_stored_pairs_are_the_proof(case, tmp_path):
    pair = {"input": {"source": case["source"]}, "output": {"z": case["z"], "c": case["c"]}}
    content = {"state_dict": case["state"], "config": case["config"], "cases": [pair]}
    torch.save(content, tmp_path / "w.pt")
    proofs = convert_checkpoint(tmp_path / "w.pt", "fairseq", tmp_path / "out").proofs
    assert len(proofs) == 2 and max(proofs.values()) <= 1e-5
    pair["output"]["c"] = case["c"] + 0.1
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="stored case 0, c differs"):
        convert_checkpoint(tmp_path / "w.pt", "fairseq", tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def test_without_settings_strides_and_switches_are_assumed_and_said(stored, tmp_path):
    torch.save(stored["paper"]["state"], tmp_path / "w.pt")
    made = convert_checkpoint(tmp_path / "w.pt", "fairseq", tmp_path / "out")
    assert made.config.encoder_strides == (5, 4, 2, 2, 2)
    assert set(made.assumed) == {
        "skip=true", "encoder_skip=false", "log_compression=true", "padding=replicate",
        "encoder_strides=[5, 4, 2, 2, 2]",
    }  # fmt: skip
    other = convert_checkpoint(tmp_path / "w.pt", "fairseq", tmp_path / "out2", ["encoder_strides=[5,4,2,2,1]"])
    assert other.config.hop_samples == 80 and "encoder_strides" not in " ".join(other.assumed)


def test_settings_of_newer_files_and_sums_of_lists_are_read(stored, tmp_path):
    case = stored["paper"]
    layers = "[(4, 10, 5)] + [(4, 8, 4)] + [(4, 4, 2)] * 3"
    config = {"model": argparse.Namespace(**(case["config"] | {"conv_feature_layers": layers}))}
    torch.save({"args": None, "cfg": config, "model": case["state"]}, tmp_path / "w.pt")
    made = convert_checkpoint(tmp_path / "w.pt", "fairseq", tmp_path / "out")
    assert made.assumed == () and made.config.encoder_strides == (5, 4, 2, 2, 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"aggregator": "gru"}, "aggregator = 'gru'; only 'cnn'"),
        ({"vq_type": "gumbel"}, "vq_type"),
        ({"residual_scale": 0.9}, "residual_scale"),
        ({"conv_feature_layers": "__import__('os').system('false')"}, "a list of"),
        ({"conv_feature_layers": "[(4, 10, 5)] * 10**9"}, "a list of"),
        ({"conv_feature_layers": "(" * 5000}, "a list of"),
        ({"conv_feature_layers": "[(4, 3, 2)]"}, r"its tensors have kernels \[10, 8, 4, 4, 4\]"),
    ],
)
def test_settings_of_other_networks_are_refused(settings, message, stored, tmp_path):
    with pytest.raises(CheckpointError, match=message):
        convert_checkpoint(written(stored["paper"], tmp_path / "w.pt", **settings), "fairseq", tmp_path / "out")


def test_cut_and_foreign_files_are_refused(stored, tmp_path):
    state = stored["paper"]["state"]
    for changed, message in (
        ({k: v for k, v in state.items() if not k.endswith("4.2.bias")}, "lack encoder.layers.4.norm.bias"),
        (state | {"vector_quantizer.vars": torch.ones(3)}, "'vector_quantizer.vars' has no place"),
    ):
        torch.save(changed, tmp_path / "w.pt")
        with pytest.raises(CheckpointError, match=message):
            convert_checkpoint(tmp_path / "w.pt", "fairseq", tmp_path / "out")
    with pytest.raises(InputError, match="color"):
        convert_checkpoint(written(stored["paper"], tmp_path / "w.pt"), "fairseq", tmp_path / "out", ["color=3"])
    torch.save({"feature_extractor.conv_layers.0.0.weight": torch.ones(4, 1, 10)}, tmp_path / "w2.pt")
    with pytest.raises(CheckpointError, match=r"wav2vec 2\.0"):
        convert_checkpoint(tmp_path / "w2.pt", "fairseq", tmp_path / "out")


class Call:
    def __reduce__(self):
        return print, ("something ran",)


@pytest.mark.parametrize("what", [Call(), argparse.ArgumentParser], ids=["call", "another class"])
def test_nothing_but_the_settings_of_a_command_line_is_allowed(what, stored, tmp_path, capsys):
    content = {"args": argparse.Namespace(evil=what), "model": stored["paper"]["state"]}
    torch.save(content, tmp_path / "w.pt", pickle_module=pickle)
    with pytest.raises(CheckpointError, match="nothing in a checkpoint is run"):
        convert_checkpoint(tmp_path / "w.pt", "fairseq", tmp_path / "out")
    assert "ran" not in capsys.readouterr().out


@pytest.mark.parametrize(("config", "count", "tensors"), [(PAPER, 15_491_072, 53), (LARGE, 32_537_088, 71)])
def test_the_published_sizes(config, count, tensors):
    with torch.device("meta"):
        net = Wav2Vec(config)
    assert sum(parameter.numel() for parameter in net.parameters()) == count
    assert len(net.state_dict()) == tensors


def test_what_names_give_away(stored):
    assert looks_like(stored["paper"]["state"]) == "fairseq"


def test_the_command(stored, tmp_path, capsys):
    path = written(stored["paper"], tmp_path / "wav2vec.pt")
    assert run(["convert", str(path), "--from", "fairseq", "-o", str(tmp_path / "out"), "--onnx"]) == 0
    assert "wav2vec-fairseq.onnx" in capsys.readouterr().out
