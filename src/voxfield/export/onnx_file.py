"""Writes a network with its card as one ONNX file, and only after the file has shown the network's own numbers.

One file serves live and offline: its time axis is free, and what the network remembers goes in as `state.NAME` and
comes out as `next.NAME`. The TorchScript-based exporter is used on purpose: it keeps a GRU one operator with a free
time axis.
"""

from __future__ import annotations

import copy
import dataclasses
import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from voxfield.cards import METADATA_KEY, Card
from voxfield.errors import CheckpointError, MissingExtraError
from voxfield.export.figures import figures
from voxfield.models import architecture
from voxfield.nn.streaming import State, Streaming, flatten, initial, run, unflatten

OPSET = 17
TOLERANCE = 1e-5  # largest difference allowed, relative to the largest output


def export_checkpoint(checkpoint: Path, out: Path, name: str, measured: Mapping[str, Any] | None = None) -> Card:
    """Write the averaged weights of a training checkpoint as ONNX + card.

    Args:
        checkpoint: `checkpoint.safetensors` of a run.
        out: the .onnx file to write; a file there is replaced.
        name: full name for the card, `architecture-variant.tag`.
        measured: scores for the card, as `voxfield evaluate --json` prints them.

    Raises:
        CheckpointError: not a checkpoint, or its ONNX form gives other numbers than the network.
    """
    from voxfield.train import checkpoint as storage
    from voxfield.train.recipe import from_dict

    parts, about = storage.load(checkpoint)
    recipe = from_dict(about["recipe"])
    net = architecture(recipe.architecture)[1](recipe.model)
    storage.restore(net, parts["ema"], str(checkpoint))
    model, publication = recipe.model, recipe.card
    return export_network(
        net,
        out,
        {
            "name": name,
            "task": recipe.task,
            "architecture": recipe.architecture,
            "summary": publication.summary,
            "licence": publication.licence,
            "data": publication.data,
            "config": dataclasses.asdict(model),
            "measured": {key: value for key, value in (measured or {}).items() if key != "model"}
            | {"training_steps": about["step"]},
            **net.interface(),
        },
    )


def export_network(net: nn.Module, out: Path, about: Mapping[str, Any]) -> Card:
    """Write any network with the streaming contract as ONNX + card, after parity was shown.

    Args:
        net: takes (1, 2, F, T) or (1, 1, N), as `about["interface"]` says.
        out: the .onnx file to write.
        about: the card's fields but for states, parameters and costs, which are read from the network and its file.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "train", "writing an ONNX file") from error
    net = copy.deepcopy(net).cpu().eval()
    content, names = to_onnx(net, about)
    worst = parity(net, content, names, about)
    if not worst <= TOLERANCE:
        raise CheckpointError(
            f"the ONNX form of {about['name']} differs from the network by {worst:.1e}, over {TOLERANCE:.0e}"
        )
    shapes = [(name, tuple(leaf.shape)) for name, (_, leaf) in zip(names, flatten(initial(net, 1)), strict=True)]
    about = {key: value for key, value in about.items() if key != "least_samples"}  # for the examples above alone
    card = Card(**{**about, "states": shapes, **figures(content, about)})
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    model.producer_name = "voxfield"
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".tmp")
    partial.write_bytes(model.SerializeToString())
    partial.replace(out)
    return card


def to_onnx(net: nn.Module, about: Mapping[str, Any]) -> tuple[bytes, list[str]]:
    """The network's ONNX bytes, without a card, and the names of its states."""
    like = initial(net, 1)
    named = list(flatten(like))
    names = [name.replace(".", "_") for name, _ in named]
    block = example_block(about, 3)
    outputs = ["output", *(f"next.{name}" for name in names)]
    axis = {3 if block.ndim == 4 else 2: "time"}
    file: Any = io.BytesIO()  # which the exporter takes, whatever its annotation says
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation of this exporter and tracer notes; parity is shown instead
        torch.onnx.export(
            _Flat(net, like).eval(),  # the exporter leaves the mode it finds on the whole tree
            (block, *(leaf for _, leaf in named)),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=["input", *(f"state.{name}" for name in names)],
            output_names=outputs,
            dynamic_axes={"input": axis, "output": axis},
        )
    return file.getvalue(), names


def parity(net: nn.Module, content: bytes, names: list[str], about: Mapping[str, Any]) -> float:
    """Largest difference, relative to the largest output, between network and file over blocks of several sizes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    state: State = initial(net, 1)
    fed = [leaf.numpy() for _, leaf in flatten(state)]
    worst, largest = 0.0, 1e-9
    ten_seconds = -(-10 * about["sample_rate_hz"] // about["hop_samples"])  # errors that grow with length show there
    for hops in (1, 7, 1, 64, 3, ten_seconds):
        block = example_block(about, hops)
        with torch.no_grad():
            wanted, state = run(net, block, state)
        got, *fed = session.run(
            None, {"input": block.numpy()} | {f"state.{n}": s for n, s in zip(names, fed, strict=True)}
        )
        worst = max(worst, float(np.abs(got - wanted.numpy()).max()))
        largest = max(largest, float(wanted.abs().max()))
        if not isinstance(net, Streaming) or not names:
            state, fed = initial(net, 1), []
    return worst / largest


def example_block(about: Mapping[str, Any], hops: int) -> Tensor:
    """Noise of the shape the interface takes, different for each number of hops."""
    generator = torch.Generator().manual_seed(hops)
    if about["interface"] == "spectrum":
        return torch.randn(1, 2, about["window_samples"] // 2 + 1, hops, generator=generator)
    return 0.1 * torch.randn(1, 1, max(hops * about["hop_samples"], about.get("least_samples", 0)), generator=generator)


class _Flat(nn.Module):
    """The network with its state tree as a flat list of tensors, which is all that an ONNX file knows."""

    def __init__(self, net: nn.Module, like: State) -> None:
        super().__init__()
        self.net, self.like = net, like

    def forward(self, x: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
        given: Iterator[Tensor] = iter(leaves)
        y, state = run(self.net, x, unflatten(self.like, given) if leaves else None)
        return (y, *(leaf for _, leaf in flatten(state))) if leaves else (y,)
