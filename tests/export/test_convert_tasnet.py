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

N, L, B, H, SC = 10, 8, 6, 9, 5


def conv(t, name, out, into, kernel=1, bias=True):
    t[f"{name}.weight"] = torch.randn(out, into, kernel) / (into * kernel) ** 0.5
    if bias:
        t[f"{name}.bias"] = 0.1 * torch.randn(out)


def prelu(t, name):
    t[f"{name}.weight"] = torch.rand(1) * 0.5


def norm(t, name, channels, scale, offset, shape=(-1,), batch=False):
    t[f"{name}.{scale}"] = (0.5 + torch.rand(channels)).reshape(shape)
    t[f"{name}.{offset}"] = (0.1 * torch.randn(channels)).reshape(shape)
    if batch:
        t[f"{name}.running_mean"], t[f"{name}.running_var"] = 0.1 * torch.randn(channels), 0.5 + torch.rand(channels)
        t[f"{name}.num_batches_tracked"] = torch.tensor(7)


def asteroid(blocks, sources=2, causal=False, skip=True, batch=False, kernel=L):
    t, names = {}, ("weight", "bias") if batch else ("gamma", "beta")
    t["encoder.filterbank._filters"] = torch.randn(N, 1, kernel)
    norm(t, "masker.bottleneck.0", N, *names, batch=batch)
    conv(t, "masker.bottleneck.1", B, N)
    for i in range(blocks):
        b = f"masker.TCN.{i}."
        conv(t, b + "shared_block.0", H, B)
        prelu(t, b + "shared_block.1")
        norm(t, b + "shared_block.2", H, *names, batch=batch)
        conv(t, b + "shared_block.3" + (".0" if causal else ""), H, 1, 3)
        prelu(t, b + "shared_block.4")
        norm(t, b + "shared_block.5", H, *names, batch=batch)
        conv(t, b + "res_conv", B, H)
        if skip:
            conv(t, b + "skip_conv", SC, H)
    prelu(t, "masker.mask_net.0")
    conv(t, "masker.mask_net.1", sources * N, SC if skip else B)
    t["decoder.filterbank._filters"] = torch.randn(N, 1, kernel)
    return t


def torchaudio(blocks, sources=2, kernel=L):
    t = {"encoder.weight": torch.randn(N, 1, kernel)}
    norm(t, "mask_generator.input_norm", N, "weight", "bias")
    conv(t, "mask_generator.input_conv", B, N)
    for i in range(blocks):
        b = f"mask_generator.conv_layers.{i}."
        conv(t, b + "conv_layers.0", H, B)
        prelu(t, b + "conv_layers.1")
        norm(t, b + "conv_layers.2", H, "weight", "bias")
        conv(t, b + "conv_layers.3", H, 1, 3)
        prelu(t, b + "conv_layers.4")
        norm(t, b + "conv_layers.5", H, "weight", "bias")
        if i < blocks - 1:
            conv(t, b + "res_out", B, H)
        conv(t, b + "skip_out", B, H)
    prelu(t, "mask_generator.output_prelu")
    conv(t, "mask_generator.output_conv", sources * N, B)
    t["decoder.weight"] = torch.randn(N, 1, kernel)
    return t


def naplab(blocks, causal=False, sources=2):
    names, shape = (("gain", "bias"), (1, -1, 1)) if causal else (("weight", "bias"), (-1,))
    t = {"encoder.weight": torch.randn(N, 1, L)}
    norm(t, "TCN.LN", N, *names, shape)
    conv(t, "TCN.BN", B, N)
    for i in range(blocks):
        b = f"TCN.TCN.{i}."
        conv(t, b + "conv1d", H, B)
        conv(t, b + "dconv1d", H, 1, 3)
        conv(t, b + "res_out", B, H)
        conv(t, b + "skip_out", B, H)
        prelu(t, b + "nonlinearity1")
        prelu(t, b + "nonlinearity2")
        norm(t, b + "reg1", H, *names, shape)
        norm(t, b + "reg2", H, *names, shape)
    prelu(t, "TCN.output.0")
    conv(t, "TCN.output.1", sources * N, B)
    t["decoder.weight"] = torch.randn(N, 1, L)
    return t


def kaituoxu(repeats, blocks, causal=False, sources=2, batch=False):
    names = ("weight", "bias") if batch else ("gamma", "beta")
    shape = (-1,) if batch else (1, -1, 1)
    t = {"encoder.conv1d_U.weight": torch.randn(N, 1, L)}
    norm(t, "separator.network.0", N, "gamma", "beta", (1, -1, 1))
    conv(t, "separator.network.1", B, N, bias=False)
    for r in range(repeats):
        for x in range(blocks):
            b = f"separator.network.2.{r}.{x}."
            conv(t, b + "net.0", H, B, bias=False)
            prelu(t, b + "net.1")
            norm(t, b + "net.2", H, *names, shape, batch=batch)
            conv(t, b + "net.3.net.0", H, 1, 3, bias=False)
            prelu(t, f"{b}net.3.net.{1 + causal}")
            norm(t, f"{b}net.3.net.{2 + causal}", H, *names, shape, batch=batch)
            conv(t, f"{b}net.3.net.{3 + causal}", B, H, bias=False)
    conv(t, "separator.network.3", sources * N, B, bias=False)
    t["decoder.basis_signals.weight"] = torch.randn(L, N)
    return t


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
        ["mask=relu", "encoder_relu=true"],
        {"blocks": 3, "norm": "global", "mask": "relu", "encoder_relu": True},
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
        (["layer1.conv.weight", "layer2.se_res2block.0.conv.weight"], "ECAPA"),
        (["conv1.weight", "layer1.0.conv1.weight"], "ResNet"),
        (["feature_extractor.conv_layers.0.0.weight"], "wav2vec"),
        (["conv1.weight", "lstm1.lstm_list1.0.weight_hh_l0"], "recurrent"),
        (["enc_b.blocks.0.weight", "quantize_t.embed"], "VQ-VAE-2"),
        (["separator.dual_rnn.0.intra.weight"], "dual-path"),
    ],
)
def test_other_architectures_are_named(tmp_path, names, what):
    tensors = {name: torch.zeros(2) for name in names}
    assert what in looks_like(tensors)
    with pytest.raises(CheckpointError, match=what):
        convert(saved(tmp_path / "x.pt", tensors), "naplab", tmp_path)


class Trap:
    """What a hostile pickle would run."""

    def __reduce__(self):
        return (print, ("run",))


def test_files_that_are_no_checkpoints(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        read(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("not weights")
    with pytest.raises(CheckpointError, match=r"is not a checkpoint|holds more than tensors"):
        read(tmp_path / "text.pt")
    torch.save({"state_dict": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(CheckpointError, match="nothing in a checkpoint is run"):
        read(tmp_path / "trap.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(CheckpointError, match="holds a list"):
        read(tmp_path / "list.pt")


def test_prefixes_of_wrappers_are_taken_off(tmp_path):
    tensors = {f"module.{name}": tensor for name, tensor in naplab(2).items()}
    assert "TCN.BN.weight" in read(saved(tmp_path / "x.pt", tensors)).tensors
