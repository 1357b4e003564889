"""Networks of Keras: MobileNet and ResNet by the names of their layers, MEAN_Spot and the CRN by their order.

The names are those of `keras.applications`. Where people name layers as they like, the order of the model says which
is which: for MEAN_Spot the streams of u, v and strain, then the merge; for the CRN the encoder, then the decoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from voxfield.errors import CheckpointError
from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.keras_layers import KerasLayers, Row
from voxfield.export.convert.keras_layouts import Variables, convolution, dense, depthwise, lstm, norm
from voxfield.export.convert.keras_order import named_by_order
from voxfield.export.convert.program import Made, Program, configured, proved
from voxfield.models.crn import CrnConfig, CrnEnhancer
from voxfield.models.mean_spot import MeanSpot, MeanSpotConfig
from voxfield.models.mobilenet import LAST, PAIRS, STEM, MobileNet, MobileNetConfig
from voxfield.models.resnet import ResNet, ResNetConfig
from voxfield.nn.depthwise import Separable2d
from voxfield.train.checkpoint import restore

KNOWN = "MobileNet, ResNet50, 101 and 152, MEAN_Spot with or without CBAM blocks, and the CRN"
STREAMS = 3
PLAIN_LAYERS = STREAMS + 1, 1  # convolutions and dense layers of MEAN_Spot
CBAM_LAYERS = 4 * PLAIN_LAYERS[0], 2 * PLAIN_LAYERS[0] + 1  # of the same with a block behind each pool
BATCH_NORM = ("BatchNormalization",)
UNSEEN = (
    "weights do not show how time is padded and which activations there are; taken are the paper's: the past alone, "
    "ELU, and softplus at the end"
)
IMAGE_HABITS = {"image_px": 224, "softmax": False}


def make(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """One of our networks with the weights of Keras.

    Raises:
        CheckpointError: another network, or layers are missing, left over or of other shapes.
        InputError: an override is no key of the configuration.
    """
    layers = KerasLayers(content)
    if "batch_normalization" in layers.variables:
        layers.variables = named_by_order(layers.variables)
    if "conv_dw_1" in layers.variables:
        return _mobilenet(layers, content, overrides)
    if "conv2_block1_1_conv" in layers.variables:
        return _resnet(layers, content, overrides)
    convolutions, recurrent = layers.with_kernel(4), layers.having("recurrent_kernel")
    if recurrent and convolutions and len(convolutions) % 2 == 0:
        return _crn(layers, content, overrides)
    if (len(convolutions), len(layers.with_kernel(2))) in (PLAIN_LAYERS, CBAM_LAYERS):
        return _mean_spot(layers, content, overrides)
    raise CheckpointError(
        f"{content.path} holds a network of Keras with the layers {', '.join(list(layers.variables)[:6])} ...; "
        f"what can be converted is {KNOWN}"
    )


# MobileNet


def _mobilenet(layers: KerasLayers, content: Checkpoint, overrides: Sequence[str]) -> Made:
    layers.need("epsilon", 1e-3, "that of MobileNet in Keras", BATCH_NORM)
    classes = layers.kernel("conv_preds")[-1] if "conv_preds" in layers.variables else 0
    widths = [layers.kernel(name)[-1] for name in ("conv1", *(f"conv_pw_{i + 1}" for i in range(len(PAIRS))))]
    known = {"classes": classes, "alpha": _alpha(widths)} | _said(layers)
    config, assumed = configured(MobileNetConfig, known, IMAGE_HABITS, overrides)
    net = MobileNet(config).eval()
    restore(net, layers.weights(list(mobilenet_rows(net))), str(content.path))
    return _image_network(net, "mobilenet", content, assumed)


def mobilenet_rows(net: MobileNet) -> Iterator[Row]:
    yield from (("conv1", "stem.1", convolution), ("conv1_bn", "stem.2.0", norm))
    pairs = (place for place, layer in enumerate(net.pairs) if isinstance(layer, Separable2d))
    for number, place in enumerate(pairs, 1):
        yield f"conv_dw_{number}", f"pairs.{place}.0", depthwise
        yield f"conv_dw_{number}_bn", f"pairs.{place}.1.0", norm
        yield f"conv_pw_{number}", f"pairs.{place}.2", convolution
        yield f"conv_pw_{number}_bn", f"pairs.{place}.3.0", norm
    if net.classifier is not None:
        yield "conv_preds", "classifier", dense


def _alpha(widths: Sequence[int]) -> float:
    """The width multiplier that gives these channels: round where it can be."""
    exact = widths[-1] / LAST
    wanted = (STEM, *(channels for channels, _ in PAIRS))
    for alpha in (round(exact, 2), round(exact, 3), exact):
        if list(widths) == [int(channels * alpha) for channels in wanted]:
            return alpha
    raise CheckpointError(f"no alpha gives a MobileNet of {', '.join(map(str, widths))} channels")


# ResNet


def _resnet(layers: KerasLayers, content: Checkpoint, overrides: Sequence[str]) -> Made:
    layers.need("epsilon", 1.001e-5, "that of ResNet in Keras", BATCH_NORM)
    blocks: dict[int, int] = {}
    for name in layers.variables:
        if match := re.fullmatch(r"conv(\d+)_block(\d+)_1_conv", name):
            stack = int(match[1])
            blocks[stack] = max(blocks.get(stack, 0), int(match[2]))
    known: dict[str, Any] = {
        "classes": layers.kernel("predictions", 2)[-1] if "predictions" in layers.variables else 0,
        "blocks": [blocks[stack] for stack in sorted(blocks)],
        "channels": [layers.kernel(f"conv{stack}_block1_1_conv")[-1] for stack in sorted(blocks)],
        "stem": layers.kernel("conv1_conv")[-1],
    } | _said(layers)
    config, assumed = configured(ResNetConfig, known, IMAGE_HABITS, overrides)
    net = ResNet(config).eval()
    restore(net, layers.weights(list(resnet_rows(config))), str(content.path))
    return _image_network(net, "resnet", content, assumed)


def resnet_rows(config: ResNetConfig) -> Iterator[Row]:
    yield from (("conv1_conv", "stem.0", convolution), ("conv1_bn", "stem.1", norm))
    for stack, blocks in enumerate(config.blocks):
        yield from stack_rows(f"conv{stack + 2}", f"stacks.{stack}.", blocks)
    if config.classes:
        yield "predictions", "classifier", dense


def stack_rows(theirs: str, ours: str, blocks: int) -> Iterator[Row]:
    """Of Keras's `stack1`; only the first block has a convolution in its shortcut."""
    parts = ("shortcut", "reduce", "middle", "expand")
    for block in range(blocks):
        for number, part in enumerate(parts):
            if number or block == 0:
                yield f"{theirs}_block{block + 1}_{number}_conv", f"{ours}{block}.{part}.0", convolution
                yield f"{theirs}_block{block + 1}_{number}_bn", f"{ours}{block}.{part}.1", norm


# MEAN_Spot


def _mean_spot(layers: KerasLayers, content: Checkpoint, overrides: Sequence[str]) -> Made:
    layers.need("epsilon", 1e-3, "that of MEAN_Spot", BATCH_NORM)
    convolutions, norms, linear = layers.with_kernel(4), layers.having("moving_mean"), layers.with_kernel(2)
    cbam, score = len(convolutions) == CBAM_LAYERS[0], linear[-1]
    streams, merge = convolutions[:STREAMS], convolutions[-4 if cbam else -1]
    merged = layers.kernel(merge)[-1]
    known: dict[str, Any] = {"streams": [layers.kernel(name)[-1] for name in streams], "merged": merged, "cbam": cbam}
    side = round((layers.kernel(score, 2)[0] / merged) ** 0.5)  # after pools of 3 and 2
    config, assumed = configured(MeanSpotConfig, known | _sized(layers, "image_px"), {"image_px": 6 * side}, overrides)
    rows: list[Row] = [(merge, "merge.0", convolution), (score, "score", dense)]
    for number, (stream, its_norm) in enumerate(zip(streams, norms, strict=False)):
        rows += [(stream, f"streams.{number}.0", convolution), (its_norm, f"streams.{number}.2", norm)]
        if cbam:  # the layers of the streams stand beside each other: first all that come first
            rows += _block(f"streams.{number}.5", *(names[number::STREAMS] for names in (convolutions, norms, linear)))
    if cbam:
        rows += _block("merge.4", convolutions[-4:], norms[-4:], linear[-3:])
    net = MeanSpot(config).eval()
    restore(net, layers.weights(rows), str(content.path))
    card = {"task": "spot", "architecture": "mean-spot", "summary": "score of a frame, converted from Keras"}
    return Made(net, card, proved(_flow_cases(content), net), assumed)


def _block(ours: str, convolutions: Sequence[str], norms: Sequence[str], linear: Sequence[str]) -> Iterator[Row]:
    """Of a CBAM residual block; the first convolution and the first norm are those before it."""
    places = "branch.0", "branch.3", "branch.5.1.conv"
    yield from ((name, f"{ours}.{place}", convolution) for name, place in zip(convolutions[1:], places, strict=False))
    places = "branch.1", "branch.4", "branch.5.1.norm"
    yield from ((name, f"{ours}.{place}", block_norm) for name, place in zip(norms[1:], places, strict=False))
    gates = "branch.5.0.narrow", "branch.5.0.widen"
    yield from ((name, f"{ours}.{place}", dense) for name, place in zip(linear, gates, strict=False))


def block_norm(layer: Variables) -> dict[str, Tensor]:
    """Those of CBAM blocks add 1e-5 to the variance where Keras adds 1e-3: the difference goes into the variance."""
    return norm({**layer, "moving_variance": layer["moving_variance"] + 1e-3 - 1e-5})


def _flow_cases(content: Checkpoint) -> Iterator[tuple[str, Tensor, Tensor]]:
    parts = [list(content.pairs(name, "output")) for name in ("u", "v", "os")]
    for flows in zip(*parts, strict=False):
        yield flows[0][0], torch.cat([flow for _, flow, _ in flows], dim=-1).permute(0, 3, 1, 2), flows[0][2]


# CRN


def _crn(layers: KerasLayers, content: Checkpoint, overrides: Sequence[str]) -> Made:
    why = "the CRN pads the past of time alone, and frequency not at all; 'same' would look one frame ahead"
    layers.need("padding", "valid", why, ("Conv2D", "Conv2DTranspose"))
    for name, setting in layers.settings.items():
        if setting.get("class_name") == "ZeroPadding2D" and _pads_the_future(setting.get("padding")):
            raise CheckpointError(f"the layer {name} of {content.path} pads the future of time: {why}")
    names = layers.with_kernel(4)
    encoder, decoder = names[: len(names) // 2], names[len(names) // 2 :]
    recurrent, norms = layers.having("recurrent_kernel"), layers.having("moving_mean")
    epsilons = {s.get("epsilon", 1e-3) for s in layers.settings.values() if s.get("class_name") in BATCH_NORM}
    known: dict[str, Any] = {
        "filters": [layers.kernel(name)[-1] for name in encoder],
        "time_kernels": [layers.kernel(name)[0] for name in encoder],
        "recurrent_layers": len(recurrent),
    }
    if len(epsilons) == 1:
        known["norm_epsilon"] = epsilons.pop()
    if (bins := layers.input_size(2)) is not None:
        known["window_samples"] = 2 * (bins - 1)
    habits = {"window_samples": 320, "norm_epsilon": 1e-3, "hop_samples": known.get("window_samples", 320) // 2}
    config, assumed = configured(CrnConfig, known, habits, overrides)
    bands, filters = config.bands[-1], config.filters[-1]
    width = layers.variables[recurrent[0]]["kernel"].shape[0]
    if width != bands * filters:
        raise CheckpointError(
            f"{content.path} gives its LSTM {width} values a frame; a window of {config.window_samples} samples and "
            f"no padding of frequency give {bands} x {filters} = {bands * filters}; --set window_samples=... if it is "
            "another"
        )
    rows: list[Row] = [(name, f"lstm{i}", lstm) for i, name in enumerate(recurrent)]
    depth = len(encoder)
    for side, its_names, its_norms in (("encoder", encoder, norms[:depth]), ("decoder", decoder, norms[depth:])):
        rows += [(name, f"{side}.{i}.conv", convolution) for i, name in enumerate(its_names)]
        rows += [(name, f"{side}_norms.{i}", norm) for i, name in enumerate(its_norms)]
    net = CrnEnhancer(config).eval()
    restore(net.crn, channels_first(layers.weights(rows), len(recurrent), bands, filters), str(content.path))
    proofs = proved(content.pairs("x", "output"), lambda x: net.crn(x.permute(0, 3, 2, 1))[0].permute(0, 3, 2, 1))
    card = {"task": "enhance", "architecture": "crn", "summary": "speech enhancement, converted from Keras"}
    return Made(net, card, proofs, assumed, () if layers.settings else (UNSEEN,))


def _pads_the_future(padding: Any) -> bool:
    """Of ((before, behind), (below, above)), time first."""
    time = padding[0] if isinstance(padding, list) and padding else None
    return isinstance(time, list) and len(time) == 2 and time[1] != 0


def channels_first(weights: dict[str, Tensor], recurrent_layers: int, bands: int, filters: int) -> dict[str, Tensor]:
    """Weights of `Crn` whose kernels are (time, frequency) and whose LSTMs read a frame as (band, filter).

    Ours are (frequency, time), and a frame is (filter, band): the first LSTM's inputs and the last one's outputs are
    put in that order.
    """
    order = torch.arange(bands * filters).reshape(bands, filters).T.flatten()
    gates = torch.cat([order + gate * len(order) for gate in range(4)])
    turned: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if match := re.fullmatch(r"lstm(\d+)\.(\w+)_l0", name):
            layer, what = int(match[1]), match[2]
            if layer == 0 and what == "weight_ih":
                tensor = tensor[:, order]
            if layer == recurrent_layers - 1:
                tensor = tensor[gates]
                tensor = tensor[:, order] if what == "weight_hh" else tensor
            turned[f"lstm.{what}_l{layer}"] = tensor
        else:
            turned[name] = tensor.transpose(2, 3) if tensor.ndim == 4 else tensor
    return turned


# what they share


def _said(layers: KerasLayers) -> dict[str, Any]:
    """What settings say of a network that classifies images."""
    last = layers.settings.get("predictions")
    activation = None if last is None else last.get("activation", "linear")
    if activation not in (None, "softmax", "linear"):
        raise CheckpointError(f"the scores of {layers.path} go through {activation!r}; only softmax can be converted")
    return ({} if activation is None else {"softmax": activation == "softmax"}) | _sized(layers, "image_px")


def _sized(layers: KerasLayers, key: str) -> dict[str, int]:
    """The side of a square image, where the file says it."""
    side = layers.input_size(1)
    return {} if side is None or side != layers.input_size(2) else {key: side}


def _image_network(net: nn.Module, architecture: str, content: Checkpoint, assumed: tuple[str, ...]) -> Made:
    proofs = proved(content.pairs("x", "output"), lambda image: net(image.permute(0, 3, 1, 2)))
    scored = bool(net.config.classes)  # type: ignore[union-attr]
    summary = f"{'classes' if scored else 'embedding'} of an image, converted from Keras"
    card = {"task": "classify" if scored else "embed", "architecture": architecture, "summary": summary}
    return Made(net, card, proofs, assumed)


PROGRAM = Program(r"^[^/.]+/([^/.]+/)*(kernel|depthwise_kernel|gamma)(:0)?$", make)
