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
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from voxfield.cards import METADATA_KEY, Card, Interface
from voxfield.errors import CheckpointError, InputError
from voxfield.export.figures import card_figures
from voxfield.export.half import round_to_half, stored_in_half
from voxfield.export.reshapes import with_constant_reshapes
from voxfield.files import path_of, written_whole
from voxfield.models import network
from voxfield.nn.streaming import State, Streaming, flatten, initial, run, unflatten
from voxfield.ort import open_session

OPSET = 17
TOLERANCE = 1e-5  # largest difference allowed, relative to the largest output


def export_checkpoint(
    checkpoint: str | PathLike[str],
    out: str | PathLike[str],
    name: str,
    measured: Mapping[str, Any] | None = None,
    *,
    half: bool = False,
    overwrite: bool = True,
) -> Card:
    """Write the averaged weights of a training checkpoint as ONNX + card.

    Args:
        checkpoint: `checkpoint.safetensors` of a run.
        out: the .onnx file to write, with the other parts of the network beside it.
        name: full name for the card, `architecture-variant.tag`.
        measured: scores for the card, as `voxfield evaluate --json` prints them, a `calibration` among them.
        half: as for `export_network`.
        overwrite: files that are there already are replaced.

    Raises:
        InputError: a file is there already and `overwrite` is not set.
        OutputError: the file cannot be written.
        CheckpointError: not a checkpoint, or its ONNX form gives other numbers than the network.
    """
    from voxfield.train import checkpoint as storage
    from voxfield.train.recipe import from_dict
    from voxfield.train.state import seen

    parts, about = storage.load(path_of(checkpoint))
    recipe = from_dict(about["recipe"])
    net = network(recipe.architecture, recipe.model)
    there = [path for ending in parts_of(net) if (path := part_path(path_of(out), ending)).exists()]
    if there and not overwrite:
        raise InputError(f"{there[0]} exists; add --overwrite to replace it")
    storage.restore(net, parts["ema"], str(checkpoint))
    model, publication, hours = recipe.model, recipe.card, seen(about)[2]
    return export_parts(
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
            "calibration": (measured or {}).get("calibration", {}),
            "measured": {k: value for k, value in (measured or {}).items() if k not in ("model", "calibration")}
            | {"training_steps": about["step"], **({"hours_of_mixtures": round(hours, 1)} if hours else {})},
            "interface": net.interface(),
        },
        half=half,
    )


def export_parts(net: nn.Module, out: str | PathLike[str], about: Mapping[str, Any], *, half: bool = False) -> Card:
    """Write a network, or each of the parts that its `parts()` names, as ONNX + card; the card of the first.

    Other parts than the first lie beside it, with the part's ending in file name and name.
    """
    cards = [
        export_network(
            part,
            part_path(path_of(out), ending),
            {**about, **part_fields(part, ending, str(about["name"]), about)},
            half=half,
        )
        for ending, part in parts_of(net).items()
    ]
    return cards[0]


def parts_of(net: Any) -> dict[str, nn.Module]:
    """Ending of the file's name -> network; a network without parts is its only one."""
    return dict(net.parts()) if hasattr(net, "parts") else {"": net}


def part_path(out: Path, ending: str) -> Path:
    """Where a part lies, beside the file of the first."""
    return out.with_name(f"{out.stem}{ending}{out.suffix}")


def part_fields(part: Any, ending: str, name: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the card that are another for a part than for the network."""
    if not hasattr(part, "task"):
        return {}
    short, _, tag = name.rpartition(".")
    return {
        "name": f"{short}{ending}.{tag}",
        "task": part.task,
        "interface": part.interface(),
        "measured": {**about.get("measured", {}), **part.figures()},
    }


def export_network(net: nn.Module, out: str | PathLike[str], about: Mapping[str, Any], *, half: bool = False) -> Card:
    """Write any network with the streaming contract as ONNX + card, after parity was shown.

    Args:
        net: takes and gives what `about["interface"]` says.
        out: path of the .onnx file to write.
        about: the card's fields but for states, parameters and costs, which are read from the network and its file.
        half: round the weights to 16 bits, in which they are stored; sums stay in single precision.
    """
    out, net = path_of(out), copy.deepcopy(net).cpu().eval()
    face: Interface = about["interface"]
    if half:
        round_to_half(net)
    content, names = to_onnx(net, face)
    content = stored_in_half(content) if half else content
    worst = parity(net, content, names, face)
    if not worst <= TOLERANCE:
        raise CheckpointError(
            f"the ONNX form of {about['name']} differs from the network by {worst:.1e}, over {TOLERANCE:.0e}"
        )
    shapes = [(name, tuple(leaf.shape)) for name, (_, leaf) in zip(names, flatten(initial(net, 1)), strict=True)]
    card = Card(**{**about, "states": shapes, **card_figures(content, face)})
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    model.producer_name = "voxfield"
    with written_whole(out) as partial:
        partial.write_bytes(model.SerializeToString())
    return card


def to_onnx(net: nn.Module, face: Interface) -> tuple[bytes, list[str]]:
    """The network's ONNX bytes, without a card, and the names of its states."""
    like = initial(net, 1)
    named = list(flatten(like))
    names = [name.replace(".", "_") for name, _ in named]
    block = example_block(face, 3)
    outputs = ["output", *(f"next.{name}" for name in names)]
    ports = (("input", face.input), ("output", face.output))
    free = {name: {port.free_axis: "time"} for name, port in ports if port.free_axis is not None}
    if free_batch(net):
        free |= {name: {**free.get(name, {}), 0: "batch"} for name, _ in ports}
        several = [leaf.shape for _, leaf in flatten(initial(net, 2))]
        for name, (_, leaf), shape in zip(names, named, several, strict=True):
            axis = next(at for at, size in enumerate(leaf.shape) if size != shape[at])
            free |= {f"{way}.{name}": {axis: "batch"} for way in ("state", "next")}
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
            dynamic_axes=free,
        )
    return with_constant_reshapes(file.getvalue()), names


def free_batch(net: nn.Module) -> bool:
    """Whether the network's file takes any batch: its class says so."""
    return bool(getattr(net, "free_batch", False))


def parity(net: nn.Module, content: bytes, names: list[str], face: Interface) -> float:
    """Largest difference, relative to the largest output, between network and file over blocks of several sizes.

    Of whole numbers, such as tokens, any difference is infinite, but where the network's `excess` says how much further
    than the nearest entry of a codebook the ones chosen are: rounding decides between two that are equally near.
    """
    session = open_session(content, "the exported file")
    worst, largest = 0.0, 1e-9
    ten_seconds = 10 * face.hops_per_second  # errors that grow with length show there
    for batch in (1, 3) if free_batch(net) else (1,):
        state: State = initial(net, batch)
        fed = [leaf.numpy() for _, leaf in flatten(state)]
        for hops in (1, 7, 1, 64, 3, ten_seconds):
            block = example_block(face, hops, batch)
            with torch.no_grad():
                wanted, state = run(net, block, state)
            got, *fed = session.run(
                None, {"input": block.numpy()} | {f"state.{n}": s for n, s in zip(names, fed, strict=True)}
            )
            if got.shape != tuple(wanted.shape) or got.dtype != wanted.numpy().dtype:
                raise CheckpointError(
                    f"the ONNX form gives {got.dtype} {got.shape}, the network {wanted.dtype} {tuple(wanted.shape)}"
                )
            if not wanted.is_floating_point():
                largest = max(largest, 1.0)
                if not np.array_equal(got, wanted.numpy()):
                    worst = max(worst, excess(net, block, torch.from_numpy(got)))
                continue
            worst = max(worst, float(np.abs(got - wanted.numpy()).max()))
            largest = max(largest, float(wanted.abs().max()))
            if not isinstance(net, Streaming) or not names:
                state, fed = initial(net, batch), []
    return worst / largest


def excess(net: Any, x: Tensor, tokens: Tensor) -> float:
    """How much further than the nearest entries chosen ones are; infinite for a network that cannot say."""
    if not hasattr(net, "excess"):
        return float("inf")
    with torch.no_grad():
        return float(net.excess(x, tokens))


def example_block(face: Interface, hops: int, batch: int = 1) -> Tensor:
    """Noise of the shape that the interface takes, or tokens, different for each number of hops."""
    random = torch.Generator().manual_seed(hops)
    if face.input.kind == "tokens":
        return torch.randint(max(face.codes, 1), face.block_shape(hops, batch), generator=random)
    noise = torch.randn(face.block_shape(hops, batch), generator=random)
    return 0.1 * noise if face.input.kind == "samples" else noise


class _Flat(nn.Module):
    """The network with its state tree as a flat list of tensors, which is all that an ONNX file knows."""

    def __init__(self, net: nn.Module, like: State) -> None:
        super().__init__()
        self.net, self.like = net, like

    def forward(self, x: Tensor, *leaves: Tensor) -> tuple[Tensor, ...]:
        given: Iterator[Tensor] = iter(leaves)
        y, state = run(self.net, x, unflatten(self.like, given) if leaves else None)
        return (y, *(leaf for _, leaf in flatten(state))) if leaves else (y,)
