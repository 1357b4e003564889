"""Weights of Keras give Keras's numbers. The files were saved by Keras (make_keras_cases.py), or are made to harm."""

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from voxfield.cli.app import run
from voxfield.errors import CheckpointError, InputError
from voxfield.export.convert import load, read
from voxfield.export.convert.keras import make
from voxfield.export.convert.keras_layers import KerasLayers
from voxfield.export.convert.keras_layouts import convolution, depthwise, gru, lstm, norm
from voxfield.models.crn import CrnConfig
from voxfield.nn.recurrent import Gru, Lstm
from voxfield.nn.same import SamePad2d

HERE = Path(__file__).parent / "keras"
CASES = np.load(HERE / "cases.npz")


def case(name: str) -> torch.Tensor:
    return torch.from_numpy(CASES[name])


def first(x: torch.Tensor) -> torch.Tensor:
    """Channels last to channels first."""
    return x.movedim(-1, 1)


def last(x: torch.Tensor) -> torch.Tensor:
    return x.movedim(1, -1)


def flows(images: torch.Tensor | None = None) -> torch.Tensor:
    """The three images of MEAN_Spot as one of three channels."""
    return first(torch.cat(list(case("mean_spot/x") if images is None else images), -1))


def equal(got: torch.Tensor, wanted: torch.Tensor) -> None:
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max() <= 1e-5 * wanted.abs().max()


# single layers


class Layer:
    """A layer of torch with the weights that Keras gave a layer."""

    def __init__(self) -> None:
        self.layers = KerasLayers(read(HERE / "layers.weights.h5")).variables
        self.x = case("layers/x")
        self.flat = self.x.flatten(2)

    def load(self, module: nn.Module, name: str, layout) -> nn.Module:
        module.load_state_dict(layout(self.layers[name]))
        return module.eval()


@pytest.fixture(scope="module")
def one():
    return Layer()


LAYERS = {
    "conv_same": lambda it: last(
        it.load(nn.Conv2d(3, 4, (2, 3), (1, 2)), "conv_same", convolution)(SamePad2d((2, 3), (1, 2))(first(it.x)))
    ),
    "conv_causal": lambda it: last(
        it.load(nn.Conv1d(24, 4, 3, dilation=2), "conv_causal", convolution)(F.pad(first(it.flat), (4, 0)))
    ),
    "transposed": lambda it: last(
        it.load(nn.ConvTranspose2d(3, 2, (2, 3), (1, 2)), "transposed", convolution)(first(it.x))
    ),
    "depthwise": lambda it: last(
        it.load(nn.Conv2d(3, 6, 3, 2, groups=3), "depthwise", depthwise)(SamePad2d((3, 3), (2, 2))(first(it.x)))
    ),
    "norm": lambda it: last(it.load(nn.BatchNorm2d(3, 1e-3), "norm", norm)(first(it.x))),
    "layer_norm": lambda it: it.load(nn.LayerNorm(24, 1e-3), "layer_norm", norm)(it.flat),
    "lstm": lambda it: it.load(Lstm(24, 6, batch_first=True), "lstm", lstm)(it.flat)[0],
    "gru": lambda it: it.load(Gru(24, 6, batch_first=True), "gru", gru)(it.flat)[0],
    "pool_same": lambda it: last(F.max_pool2d(SamePad2d((3, 3), (3, 3), -torch.inf)(first(it.x)), 3)),
}


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_a_layer_gives_the_numbers_of_keras(one, name):
    equal(LAYERS[name](one), case(f"layers/{name}"))


@torch.no_grad()
def test_a_separable_layer_gives_the_numbers_of_keras(one):
    weights = one.layers["separable"]
    per_channel = nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False)
    per_channel.load_state_dict(depthwise({"kernel": weights["depthwise_kernel"]}))
    mix = nn.Conv2d(3, 5, 1)
    mix.load_state_dict(convolution({"kernel": weights["pointwise_kernel"], "bias": weights["bias"]}))
    equal(last(mix(per_channel(first(one.x)))), case("layers/separable"))


# networks


@torch.no_grad()
def test_mobilenet():
    made = make(read(HERE / "mobilenet.keras"), [])
    assert (made.net.config.alpha, made.net.config.classes, made.net.config.image_px) == (1 / 16, 5, 36)
    assert made.net.config.softmax and made.assumed == () and made.card["task"] == "classify"
    equal(made.net(first(case("mobilenet/x"))), case("mobilenet/y"))


@torch.no_grad()
def test_resnet():
    made = make(read(HERE / "resnet.weights.h5"), ["image_px=33"])
    assert (made.net.config.blocks, made.net.config.channels) == ((2, 1), (4, 6))
    assert made.assumed == ("softmax=false",)
    equal(made.net(first(case("resnet/x"))), case("resnet/y"))


@pytest.mark.parametrize("form", ["keras", "h5", "weights.h5"])
@torch.no_grad()
def test_mean_spot_in_each_form_of_keras(form):
    made = make(read(HERE / f"mean_spot.{form}"), [])
    assert made.assumed == (() if form != "weights.h5" else ("image_px=42",))
    equal(made.net(flows()), case("mean_spot/y"))


def weights_alone(archive: Path, path: Path) -> Path:
    """The `.weights.h5` that a `.keras` holds, as Keras saves it by itself."""
    with zipfile.ZipFile(archive) as whole:
        path.write_bytes(whole.read("model.weights.h5"))
    return path


def without_names(path: Path) -> Path:
    """A file of weights as the first versions of Keras 3 wrote it: its layers are numbered and have no names."""
    with h5py.File(path, "a") as file:
        file.visititems(lambda _, item: item.attrs.clear())
    return path


@pytest.mark.parametrize("form", ["keras", "weights.h5"])
@torch.no_grad()
def test_mean_spot_with_cbam(form, tmp_path):
    path = HERE / "mean_spot_cbam.keras"
    path = path if form == "keras" else weights_alone(path, tmp_path / "it.weights.h5")
    made = make(read(path), [])
    assert made.net.config.cbam and made.assumed == (() if form == "keras" else ("image_px=42",))
    equal(made.net(flows(case("mean_spot_cbam/x"))), case("mean_spot_cbam/y"))


@pytest.mark.parametrize("form", ["keras", "weights.h5"])
@torch.no_grad()
def test_files_of_the_first_versions_of_keras_3(form, tmp_path):
    path = HERE / "early.keras"
    path = path if form == "keras" else weights_alone(path, tmp_path / "it.weights.h5")
    wanted = np.load(HERE / "early.npz")
    equal(make(read(path), []).net(flows(torch.from_numpy(wanted["x"]))), torch.from_numpy(wanted["y"]))


@torch.no_grad()
def test_mobilenet_and_resnet_are_known_by_the_order_of_their_layers(tmp_path):
    resnet = without_names(Path(shutil.copy(HERE / "resnet.weights.h5", tmp_path)))
    equal(make(read(resnet), ["image_px=33"]).net(first(case("resnet/x"))), case("resnet/y"))
    mobilenet = without_names(weights_alone(HERE / "mobilenet.keras", tmp_path / "mobilenet.weights.h5"))
    made = make(read(mobilenet), ["image_px=36", "softmax=true"])
    equal(made.net(first(case("mobilenet/x"))), case("mobilenet/y"))


@pytest.mark.parametrize("kept", [3, 5])
def test_a_resnet_that_was_cut_is_not_named_by_order(kept, tmp_path):
    path = without_names(Path(shutil.copy(HERE / "resnet.weights.h5", tmp_path)))
    with h5py.File(path, "a") as file:
        for layer in [name for name in file["layers"] if name.startswith("conv2d_") and int(name[7:]) >= kept]:
            del file["layers"][layer]
    with pytest.raises(CheckpointError, match="holds a network of Keras with the layers batch_normalization"):
        make(read(path), [])


@torch.no_grad()
def test_crn_reads_frames_as_filters_of_bands():
    made = make(read(HERE / "crn.keras"), [])
    wanted = CrnConfig(window_samples=62, hop_samples=31, filters=(2, 3, 4), time_kernels=(1, 2, 2), norm_epsilon=1e-3)
    assert made.net.config == wanted and made.assumed == ("hop_samples=31",)
    magnitudes = case("crn/x").permute(0, 3, 2, 1)
    equal(made.net.crn(magnitudes)[0].permute(0, 3, 2, 1), case("crn/y"))


def test_converted_by_the_command(tmp_path, capsys):
    out = tmp_path / "out"
    command = ["convert", str(HERE / "mean_spot.weights.h5"), "--from", "keras", "-o", str(out), "--onnx", "--json"]
    assert run(command) == 0
    printed = capsys.readouterr()
    assert "assumed image_px=42" in printed.err and json.loads(printed.out)["config"]["streams"] == [3, 3, 8]
    net = load(next(out.glob("*.safetensors")))
    with torch.no_grad():
        equal(net(flows()), case("mean_spot/y"))
    assert run(["explain", str(next(out.glob("*.onnx")))]) == 0
    assert "receptive field" in capsys.readouterr().out


# files of Keras 2, and of others


def keras_2(path: Path, tensors: dict[str, torch.Tensor], parts: int = 1, config: dict | None = None) -> Path:
    """The weights as Keras 2 saves them, with a list of names cut into so many parts."""
    layers: dict[str, list[str]] = {}
    for name in tensors:
        layers.setdefault(name.split("/")[0], []).append(name)
    with h5py.File(path, "w") as file:
        names = np.array([name.encode() for name in layers])
        for i, some in enumerate(np.array_split(names, parts)):
            file.attrs["layer_names" + (str(i) if parts > 1 else "")] = some
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        for layer, variables in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{name}:0".encode() for name in variables]
            for name in variables:
                group[f"{name}:0"] = tensors[name].numpy()
    return path


@pytest.mark.parametrize("parts", [1, 3])
@torch.no_grad()
def test_keras_2(tmp_path, parts):
    tensors = read(HERE / "mobilenet.keras").tensors
    older = {
        name.replace("/kernel", "/depthwise_kernel") if "_dw_" in name else name: tensors[name] for name in tensors
    }
    made = make(read(keras_2(tmp_path / "old.h5", older, parts)), ["image_px=36", "softmax=true"])
    equal(made.net(first(case("mobilenet/x"))), case("mobilenet/y"))


@torch.no_grad()
def test_names_are_in_the_configuration_where_the_weights_have_none(tmp_path):
    with zipfile.ZipFile(HERE / "mobilenet.keras") as archive:
        config = archive.read("config.json")
    weights = without_names(weights_alone(HERE / "mobilenet.keras", tmp_path / "mobilenet.weights.h5"))
    with zipfile.ZipFile(tmp_path / "early.keras", "w") as archive:
        archive.writestr("model.weights.h5", weights.read_bytes())
        archive.writestr("config.json", config)
    made = make(read(tmp_path / "early.keras"), [])
    equal(made.net(first(case("mobilenet/x"))), case("mobilenet/y"))


def test_an_unknown_network_is_said_to_be_one(tmp_path, capsys):
    assert run(["convert", str(HERE / "layers.weights.h5"), "--from", "keras", "-o", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "MobileNet" in error and "conv_same" in error


def test_another_program_is_named(tmp_path, capsys):
    assert run(["convert", str(HERE / "crn.keras"), "--from", "tan-wang", "-o", str(tmp_path / "out")]) == 1
    assert "--from keras" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["less", "more", "variable", "shape"])
def test_layers_that_do_not_fit_are_named(tmp_path, change):
    tensors = read(HERE / "resnet.weights.h5").tensors
    if change == "less":
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("conv2_block2_2_bn")}
    elif change == "more":
        tensors["attention/kernel"] = torch.zeros(2, 2)
    elif change == "variable":
        del tensors["conv2_block2_2_bn/moving_mean"]
    else:
        tensors["conv2_block2_2_conv/kernel"] = torch.zeros(3, 3, 5, 4)
    named = {"more": "attention", "shape": r"stacks\.0\.1\.middle"}.get(change, r"conv2_block2_2_bn|running_mean")
    with pytest.raises(CheckpointError, match=named):
        make(read(keras_2(tmp_path / "odd.h5", tensors)), ["image_px=33"])


@pytest.mark.parametrize(
    ("layer", "padding"),
    [("conv2d_1", "same"), ("conv2d_transpose", "same"), ("zero_padding2d_1", [[0, 1], [0, 0]])],
)
def test_a_crn_that_looks_ahead_is_refused(layer, padding):
    """The weights alone do not show it."""
    content = read(HERE / "crn.keras")
    assert content.settings["keras_layers"][layer]["padding"] != padding
    content.settings["keras_layers"][layer]["padding"] = padding
    with pytest.raises(CheckpointError, match=rf"{layer} .*one frame ahead"):
        make(content, [])


def test_what_the_weights_of_a_crn_do_not_show_is_said(tmp_path):
    content = read(HERE / "crn.keras")
    assert make(content, []).notes == ()
    alone = read(keras_2(tmp_path / "crn.h5", content.tensors))
    made = make(alone, ["window_samples=62", "hop_samples=31"])
    assert "the past alone" in made.notes[0] and made.assumed == ("norm_epsilon=0.001",)
    with pytest.raises(CheckpointError, match="window_samples"):
        make(alone, [])


def test_another_epsilon_is_refused():
    content = read(HERE / "mobilenet.keras")
    content.settings["keras_layers"]["conv_dw_3_bn"]["epsilon"] = 1e-5
    with pytest.raises(CheckpointError, match=r"conv_dw_3_bn.*epsilon"):
        make(content, [])


def test_overrides_are_checked():
    with pytest.raises(InputError, match="streems"):
        make(read(HERE / "mean_spot.keras"), ["streems=3"])


# files made to harm


def test_a_link_to_another_file_is_not_followed(tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["vars/0"] = np.ones((5, 5))
    shutil.copy(HERE / "mean_spot.weights.h5", tmp_path / "linked.h5")
    with h5py.File(tmp_path / "linked.h5", "a") as file:
        del file["layers/conv2d/vars"]
        file["layers/conv2d/vars"] = h5py.ExternalLink("secret.h5", "/vars")
    assert not any(name.startswith("conv2d/") for name in read(tmp_path / "linked.h5").tensors)
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", (4, 2), "f4", external=[(str(secret), 0, 32)])
    with pytest.raises(CheckpointError, match="in another file"):
        read(tmp_path / "outside.h5")


def test_promised_weights_that_are_not_there_do_not_fill_the_memory(tmp_path):
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", (10**6, 10**6), "f4", chunks=(1000, 1000))
    with pytest.raises(CheckpointError, match="promises 4000000000000 bytes"):
        read(tmp_path / "bomb.h5")
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10**7))
    with pytest.raises(CheckpointError, match="unpacks"):
        read(tmp_path / "bomb.keras")


@pytest.mark.parametrize("cut", [8, 100, 15_000])
@pytest.mark.parametrize("name", ["mean_spot.h5", "mean_spot.keras"])
def test_damaged_files_are_said_to_be(tmp_path, name, cut):
    path = tmp_path / name
    path.write_bytes((HERE / name).read_bytes()[:cut])
    with pytest.raises(CheckpointError, match="damaged"):
        read(path)


def test_odd_settings_end_in_an_error_not_in_a_crash(tmp_path):
    with h5py.File(HERE / "mean_spot.h5") as file:
        config = json.loads(file.attrs["model_config"])
    for odd in ([], {"config": {"layers": 3}}, {"config": {"layers": [None, {"config": []}]}}, "text", config):
        with zipfile.ZipFile(tmp_path / "odd.keras", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("model.weights.h5", (HERE / "mean_spot.weights.h5").read_bytes())
            archive.writestr("config.json", json.dumps(odd))
        made = make(read(tmp_path / "odd.keras"), [])
        assert made.assumed == (() if odd is config else ("image_px=42",))
