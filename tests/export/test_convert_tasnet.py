"""Checkpoints of four programs: outputs as those programs give them, the way back, and what is refused."""

import sys
from pathlib import Path

import pytest
import torch

from voxfield.errors import CheckpointError, InputError
from voxfield.export.convert import convert_checkpoint as convert
from voxfield.export.convert import load, looks_like, read

sys.path.insert(0, str(Path(__file__).parent))
import plain_tasnet
from foreign_tensors import B, H, asteroid, kaituoxu, naplab, torchaudio

CASES = {  # name -> (program, tensors, overrides, what the plain reading needs)
    "asteroid": ("asteroid", lambda: asteroid(8), [], {"blocks": 8, "norm": "global"}),
    "asteroid R2": ("asteroid", lambda: asteroid(6), ["blocks=3"], {"blocks": 3, "norm": "global"}),
    "asteroid long window": (
        "asteroid",
        lambda: asteroid(4, kernel=20),
        ["stride_samples=3"],
        {"blocks": 4, "norm": "global", "stride": 3},
    ),
    "asteroid causal": ("asteroid", lambda: asteroid(3, causal=True), [], {"blocks": 3, "norm": "frame"}),
    "asteroid cumulative": (
        "asteroid",
        lambda: asteroid(4, causal=True),
        ["norm=cumulative", "blocks=2"],
        {"blocks": 2, "norm": "cumulative"},
    ),
    "asteroid three voices": (
        "asteroid",
        lambda: asteroid(3, sources=3, skip=False),
        ["mask=relu", "encoder_activation=relu"],
        {"blocks": 3, "norm": "global", "mask": "relu", "encoder_activation": "relu"},
    ),
    "asteroid softmax, batch": (
        "asteroid",
        lambda: asteroid(3, batch=True),
        ["mask=softmax"],
        {"blocks": 3, "norm": "batch", "mask": "softmax"},
    ),
    "torchaudio": ("torchaudio", lambda: torchaudio(3), [], {"blocks": 3, "norm": "", "mask": "relu"}),
    "torchaudio odd window": (
        "torchaudio",
        lambda: torchaudio(3, kernel=9),
        ["mask=sigmoid"],
        {"blocks": 3, "norm": ""},
    ),
    "naplab": ("naplab", lambda: naplab(4), ["blocks=2"], {"blocks": 2, "norm": "global"}),
    "naplab causal": ("naplab", lambda: naplab(3, causal=True), [], {"blocks": 3, "norm": "cumulative"}),
    "kaituoxu": ("kaituoxu", lambda: kaituoxu(2, 3), [], {"blocks": 3, "norm": "global", "mask": "relu"}),
    "kaituoxu causal": (
        "kaituoxu",
        lambda: kaituoxu(2, 2, causal=True, sources=3),
        ["mask=softmax"],
        {"blocks": 2, "norm": "frame", "mask": "softmax"},
    ),
    "kaituoxu batch": (
        "kaituoxu",
        lambda: kaituoxu(1, 3, batch=True),
        [],
        {"blocks": 3, "norm": "batch", "mask": "relu"},
    ),
}


@pytest.mark.parametrize(("program", "make", "overrides", "plain"), CASES.values(), ids=CASES)
@torch.no_grad()
def test_a_conversion_gives_what_the_program_gave(tmp_path, program, make, overrides, plain):
    torch.manual_seed(0)
    tensors = make()
    torch.save({"state_dict": tensors}, tmp_path / "theirs.pt")
    made = convert(tmp_path / "theirs.pt", program, tmp_path / "out", overrides)
    assert made.proofs["converting back"] == 0
    net = load(made.files[0])
    for n in (100, 101, 103, 107):
        mixture = torch.randn(2, n)
        wanted = plain_tasnet.separate(program, tensors, mixture, **{"stride": made.config.stride_samples, **plain})
        got = net.separate(mixture[:, None])
        assert (got - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_settings_beside_the_tensors_are_used(tmp_path):
    content = {"model_name": "ConvTasNet", "state_dict": asteroid(6, causal=True)}
    content["model_args"] = {
        "n_blocks": 2,
        "n_repeats": 3,
        "norm_type": "cgLN",
        "mask_act": "relu",
        "sample_rate": 16000,
    }
    torch.save(content, tmp_path / "theirs.pth")
    made = convert(tmp_path / "theirs.pth", "asteroid", tmp_path)
    assert (made.config.blocks, made.config.repeats) == (2, 3)
    assert (made.config.norm, made.config.mask, made.config.sample_rate_hz) == ("cumulative", "relu", 16000)
    assert "stride_samples=4" in made.assumed
    assert not any(setting.startswith(("blocks", "norm", "mask")) for setting in made.assumed)


def test_settings_of_the_file_itself_are_used(tmp_path):
    content = {"state_dict": kaituoxu(1, 2), "norm_type": "cLN", "mask_nonlinear": "softmax", "R": 1, "X": 2}
    torch.save(content, tmp_path / "final.pth.tar")
    made = convert(tmp_path / "final.pth.tar", "kaituoxu", tmp_path)
    assert (made.config.norm, made.config.mask) == ("frame", "softmax")


def test_stored_outputs_are_compared(tmp_path):
    tensors, mixture = naplab(3), torch.randn(1, 64)
    wanted = plain_tasnet.separate("naplab", tensors, mixture, stride=4, blocks=3, norm="global")
    case = {"input": {"mixture": mixture}, "output": {"sources": wanted}}
    torch.save({"state_dict": tensors, "cases": [case]}, tmp_path / "good.pt")
    assert convert(tmp_path / "good.pt", "naplab", tmp_path / "out").proofs["stored case 0"] < 1e-5
    case["output"]["sources"] = wanted + 0.1
    torch.save({"state_dict": tensors, "cases": [case]}, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match="stored case 0 differs"):
        convert(tmp_path / "bad.pt", "naplab", tmp_path / "out2")
    assert not (tmp_path / "out2").exists()


def saved(path, tensors):
    torch.save(tensors, path)
    return path


def test_what_does_not_fit_is_refused_by_name(tmp_path):
    whole = asteroid(3)
    missing = {name: tensor for name, tensor in whole.items() if name != "masker.TCN.1.res_conv.weight"}
    with pytest.raises(CheckpointError, match=r"lacks masker\.TCN\.1\.res_conv\.weight"):
        convert(saved(tmp_path / "a.pt", missing), "asteroid", tmp_path)
    with pytest.raises(CheckpointError, match=r"holds masker\.extra\.weight"):
        convert(saved(tmp_path / "b.pt", whole | {"masker.extra.weight": torch.zeros(2)}), "asteroid", tmp_path)
    with pytest.raises(CheckpointError, match=r"masker\.TCN\.1\.res_conv\.weight.* has shape"):
        broken = whole | {"masker.TCN.1.res_conv.weight": torch.zeros(B, H + 1, 1)}
        convert(saved(tmp_path / "c.pt", broken), "asteroid", tmp_path)
    with pytest.raises(CheckpointError, match="3 blocks, which is not 2 blocks x 1 repeats"):
        convert(tmp_path / "b.pt", "asteroid", tmp_path, ["blocks=2"])
    with pytest.raises(CheckpointError, match="of torchaudio, not of asteroid; use --from torchaudio"):
        convert(saved(tmp_path / "d.pt", torchaudio(2)), "asteroid", tmp_path)
    with pytest.raises(InputError, match="did you mean 'blocks'"):
        convert(tmp_path / "b.pt", "asteroid", tmp_path, ["block=2"])
    with pytest.raises(InputError, match="asteroid, torchaudio, kaituoxu, naplab"):
        convert(tmp_path / "b.pt", "espnet", tmp_path)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["tdnn.se_res2block.0.conv.weight"], "ECAPA"),
        (["conv1.weight", "layer1.0.conv1.weight"], "ResNet"),
        (["feature_extractor.conv_layers.0.0.weight"], "wav2vec"),
        (["conv1.weight", "lstm1.lstm_list1.0.weight_hh_l0"], "recurrent"),
        (["enc_b.blocks.0.weight", "quantize_t.embed"], "rosinality"),
        (["separator.dual_rnn.0.intra.weight"], "dual-path"),
    ],
)
def test_other_architectures_are_named(tmp_path, names, what):
    tensors = {name: torch.zeros(2) for name in names}
    assert what in looks_like(tensors)
    with pytest.raises(CheckpointError, match=what):
        convert(saved(tmp_path / "x.pt", tensors), "naplab", tmp_path)


def test_prefixes_of_wrappers_are_taken_off(tmp_path):
    tensors = {f"module.{name}": tensor for name, tensor in naplab(2).items()}
    assert "TCN.BN.weight" in read(saved(tmp_path / "x.pt", tensors)).tensors
