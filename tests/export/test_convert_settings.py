"""Stored settings, names, overrides and full disks: the right network or a clear message, and nothing left behind."""

import json
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from voxfield.cli.app import run
from voxfield.errors import CheckpointError, InputError, OutputError
from voxfield.export.convert import convert_checkpoint, load
from voxfield.export.convert.program import configured
from voxfield.models.conv_tasnet import ConvTasNetConfig

sys.path.insert(0, str(Path(__file__).parent))
import plain_tasnet
from foreign_tensors import asteroid, kaituoxu, naplab, torchaudio


def saved(path, tensors, **settings):
    torch.save({"state_dict": tensors, "model_args": settings}, path)
    return path


def converted(tmp_path, tensors, program="asteroid", overrides=(), **settings):
    return convert_checkpoint(saved(tmp_path / "theirs.pt", tensors, **settings), program, tmp_path / "out", overrides)


@pytest.mark.parametrize(
    ("stored", "ours"),
    [
        ("gLN", "global"), ("GlobLN", "global"), ("fgLN", "channel"), ("FeatsGlobLN", "channel"), ("cLN", "frame"),
        ("ChanLN", "frame"), ("cgLN", "cumulative"), ("CumLN", "cumulative"),
    ],
)  # fmt: skip
def test_norms_under_both_of_their_names(tmp_path, stored, ours):
    config = converted(tmp_path, asteroid(2), norm_type=stored).config
    assert (config.norm, config.first_norm) == (ours, ours)


def test_what_the_user_says_comes_before_what_the_file_says():
    known, habits = {"norm": "global", "blocks": 3}, {"norm": "channel", "repeats": 2}
    config, assumed = configured(ConvTasNetConfig, known, habits, ["norm=frame"])
    assert (config.norm, config.blocks, config.repeats) == ("frame", 3, 2) and assumed == ("repeats=2",)


@torch.no_grad()
def test_a_stored_stride_is_used(tmp_path):
    tensors, mixture = asteroid(4, kernel=20), torch.randn(2, 103)
    made = converted(tmp_path, tensors, stride=np.int64(3), n_blocks=4)
    assert made.config.stride_samples == 3
    assert not any(setting.startswith("stride") for setting in made.assumed)
    wanted = plain_tasnet.separate("asteroid", tensors, mixture, stride=3, blocks=4, norm="global")
    got = load(made.files[0]).separate(mixture[:, None])
    assert (got - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_what_the_file_says_is_not_called_assumed(tmp_path):
    """Their `None` is a statement: the program's own default."""
    settings = {
        "n_blocks": 2, "n_repeats": 2, "stride": None, "norm_type": "gLN", "mask_act": "sigmoid",
        "encoder_activation": None, "sample_rate": 16000.0,
    }  # fmt: skip
    made = converted(tmp_path, asteroid(4), **settings)
    assert made.assumed == ()
    config = made.config
    assert (config.stride_samples, config.encoder_activation, config.sample_rate_hz) == (4, "linear", 16000)
    assert "encoder_activation=linear" in converted(tmp_path, asteroid(4)).assumed


@torch.no_grad()
@pytest.mark.parametrize("activation", ["ReLU", *plain_tasnet.ACTIVATIONS])
def test_the_activation_of_the_encoder(tmp_path, activation):
    tensors, mixture = asteroid(2), torch.randn(2, 103)
    made = converted(tmp_path, tensors, encoder_activation=activation, mask_act="tanh", n_blocks=2)
    wanted = plain_tasnet.separate(
        "asteroid", tensors, mixture, stride=made.config.stride_samples, blocks=2, norm="global", mask="tanh",
        encoder_activation=activation.lower(),
    )  # fmt: skip
    got = load(made.files[0]).separate(mixture[:, None])
    assert (got - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder_activation": "prelu"}, "encoder_activation = 'prelu', which the network cannot do"),
        ({"mask_act": "elu"}, "mask_act = 'elu', which the network cannot do"),
        ({"norm_type": "LN2"}, "norm_type = 'LN2', which the network cannot do"),
        ({"n_blocks": 0}, "n_blocks = 0; a whole number above 0"),
        ({"n_blocks": "many"}, "n_blocks = 'many'; a whole number"),
        ({"n_repeats": 1.5}, "n_repeats = 1.5; a whole number"),
        ({"n_repeats": -2}, "n_repeats = -2; a whole number"),
        ({"n_blocks": [2]}, r"n_blocks = \[2\]; a whole number"),
        ({"sample_rate": float("nan")}, "sample_rate = nan; a whole number"),
        ({"stride": True}, "stride = True; a whole number"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(tmp_path, settings, message):
    with pytest.raises(CheckpointError, match=message):
        converted(tmp_path, asteroid(4), **settings)
    assert not (tmp_path / "out").exists()


def test_numbers_stored_as_text_are_numbers(tmp_path):
    assert converted(tmp_path, asteroid(4), n_blocks="4").config.blocks == 4
    assert converted(tmp_path, naplab(4), "naplab", layer="2", win="2").config.sample_rate_hz == 4000


@torch.no_grad()
def test_half_precision_and_parameters_are_converted(tmp_path):
    plain = asteroid(2)
    odd = {name: torch.nn.Parameter(t) if t.is_floating_point() else t for name, t in plain.items()}
    first = converted(tmp_path, odd)
    assert torch.equal(load(first.files[0]).encoder.conv.weight, plain["encoder.filterbank._filters"])
    half = {name: tensor.bfloat16() for name, tensor in plain.items()}
    made = converted(tmp_path, half)
    assert load(made.files[0]).encoder.conv.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("encoder.filterbank._filters", "has shape"),
        ("masker.TCN.0.shared_block.0.weight", "has shape"),
        ("masker.mask_net.1.weight", "has shape"),
        ("masker.bottleneck.1.weight", "has shape"),
    ],
)
def test_a_tensor_without_axes_is_refused_by_name(tmp_path, name, message):
    with pytest.raises(CheckpointError, match=f"{name}.*{message}"):
        converted(tmp_path, asteroid(2) | {name: torch.tensor(1.0)})


def test_a_slope_without_axes_is_a_slope(tmp_path):
    tensors = asteroid(2)
    tensors["masker.mask_net.0.weight"] = torch.tensor(0.3)
    assert load(converted(tmp_path, tensors).files[0]).masker.act.weight.tolist() == pytest.approx([0.3])


@pytest.mark.parametrize("name", ["a/b.v1", "../x.v1", "noname", "Über.v1", "a.b.c"])
def test_a_name_that_is_no_name_is_refused(tmp_path, name, capsys):
    path = saved(tmp_path / "theirs.pt", asteroid(2))
    assert run(["convert", str(path), "--from", "asteroid", "-o", str(tmp_path / "out"), "--name", name]) == 2
    assert f"--name {name} cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_files_are_readable_by_those_who_may_read_the_folder(tmp_path):
    made = converted(tmp_path, asteroid(2))
    (tmp_path / "plain").touch()
    usual = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.files} == {usual}


@pytest.mark.parametrize("there", [True, False])
def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch, there):
    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    out = tmp_path / "out"
    if there:
        out.mkdir()
        (out / "mine.txt").write_text("x")
    path = saved(tmp_path / "theirs.pt", asteroid(2))
    monkeypatch.setattr(Path, "write_text", full)  # the second file
    with pytest.raises(OutputError, match="No space left on device"):
        convert_checkpoint(path, "asteroid", out)
    monkeypatch.undo()
    assert [file.name for file in out.iterdir()] == ["mine.txt"] if there else not out.exists()


def test_a_failing_export_leaves_nothing_behind(tmp_path, monkeypatch):
    def failing(*_, **__):
        raise CheckpointError("the ONNX form differs")

    monkeypatch.setattr("voxfield.export.onnx_file.export_network", failing)
    with pytest.raises(CheckpointError, match="differs"):
        convert_checkpoint(saved(tmp_path / "theirs.pt", asteroid(2)), "asteroid", tmp_path / "out", onnx=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("program", "tensors", "overrides", "reference"),
    [
        ("asteroid", lambda: asteroid(3, causal=True), ["norm=cumulative"], {"norm": "cumulative", "blocks": 3}),
        (
            "asteroid",
            lambda: asteroid(3, causal=True, kernel=12),
            ["stride_samples=3"],
            {"norm": "frame", "blocks": 3, "stride": 3},
        ),
        ("kaituoxu", lambda: kaituoxu(1, 3, causal=True), [], {"norm": "frame", "blocks": 3, "mask": "relu"}),
        ("naplab", lambda: naplab(3, causal=True), [], {"norm": "cumulative", "blocks": 3}),
        (
            "naplab",
            lambda: naplab(3, causal=True),
            ["stride_samples=2"],
            {"norm": "cumulative", "blocks": 3, "stride": 2},
        ),
    ],
    ids=["no zeros", "no zeros, four strides", "no zeros, no skip", "paper", "paper, four strides"],
)
@torch.no_grad()
def test_a_causal_conversion_streams_what_its_program_gives(tmp_path, program, tensors, overrides, reference):
    """But for the samples at the end that the program leaves without all of their frames, which is said."""
    theirs = tensors()
    made = converted(tmp_path, theirs, program, overrides)
    assert made.proofs["streamed against whole"] <= 1e-5
    config, mixture = made.config, torch.randn(1, 201)
    settings = {"stride": config.stride_samples, **reference}
    wanted = plain_tasnet.separate(program, theirs, mixture, **settings)
    late, net = config.lookahead_samples, load(made.files[0])
    fed = torch.nn.functional.pad(mixture, (0, late + -(201 + late) % config.stride_samples))[:, None]
    parts, state = [], None
    for block in fed.split(5 * config.stride_samples, dim=-1):
        y, state = net(block, state)
        parts.append(y)
    streamed = torch.cat(parts, -1)[..., late : late + 201]
    done = 201 - config.unfinished_samples(201)
    assert done >= 201 - config.kernel_samples
    assert (streamed - wanted)[..., :done].abs().max() <= 1e-5 * wanted.abs().max()
    if done < 201:
        assert (streamed - wanted)[..., done:].abs().max() > 1e-2 * wanted.abs().max()
        assert any("a stream finishes them" in note for note in made.notes)


def test_a_causal_network_that_cannot_stream_says_why(tmp_path, capsys):
    path = saved(tmp_path / "theirs.pt", naplab(2, causal=True))
    assert run(["convert", str(path), "--from", "naplab", "-o", str(tmp_path / "a"), "--set", "stride_samples=8"]) == 0
    assert "cannot stream: a recording begins with a frame of zeros" in capsys.readouterr().err


def test_a_causal_network_whose_stride_is_its_window_is_exported(tmp_path):
    path = saved(tmp_path / "theirs.pt", asteroid(2, causal=True))
    made = convert_checkpoint(path, "asteroid", tmp_path / "out", ["stride_samples=8"], onnx=True)
    card = json.loads((tmp_path / "out" / "conv-tasnet-asteroid.json").read_text())
    assert made.config.lookahead_samples == 0 and card["states"]


def test_the_folder_of_a_conversion_is_a_model(tmp_path):
    from voxfield.cards import resolve
    from voxfield.errors import UnknownModelError

    path = saved(tmp_path / "theirs.pt", torchaudio(2))
    convert_checkpoint(path, "torchaudio", tmp_path / "out", ["blocks=2"], onnx=True)
    assert resolve(tmp_path / "out")[1] == tmp_path / "out" / "conv-tasnet-torchaudio.onnx"
    sf.write(tmp_path / "talk.wav", 0.1 * torch.randn(4000).numpy(), 8000)
    words = ["separate", str(tmp_path / "talk.wav"), "--model", str(tmp_path / "out"), "-o", str(tmp_path / "o")]
    assert run(words) == 0
    assert len(list((tmp_path / "o").rglob("*.wav"))) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnknownModelError, match=r"no \.onnx file; `voxfield export` and `voxfield convert --onnx`"):
        resolve(tmp_path / "empty")


@pytest.mark.parametrize("cases", [[7], [{"input": 3}], [{"input": {"x": 1}, "output": {}}], "text", [None]])
def test_cases_of_another_shape_are_left_alone(tmp_path, cases):
    torch.save({"state_dict": asteroid(2), "cases": cases}, tmp_path / "theirs.pt")
    made = convert_checkpoint(tmp_path / "theirs.pt", "asteroid", tmp_path / "out")
    assert list(made.proofs) == ["converting back"]


def test_overrides_must_be_known_and_possible(tmp_path):
    for override, message in (
        ("block=2", "did you mean 'blocks'"),
        ("blocks=0", "blocks is 0"),
        ("mask=elu", "choose one of"),
    ):
        with pytest.raises(InputError, match=message):
            converted(tmp_path, asteroid(2), overrides=[override])
