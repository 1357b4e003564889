"""A training checkpoint: one safetensors file holding weights, their average, the optimiser, and how to go on.

Tensors only and JSON in the header: nothing in it can run code. It is written beside its place and renamed, so a run
that is killed while saving keeps the checkpoint before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

from voxfield.errors import CheckpointError
from voxfield.files import written_whole


def save(path: Path, parts: dict[str, dict[str, Tensor]], about: dict[str, Any]) -> None:
    """Write named groups of tensors and a JSON-able description."""
    tensors = {
        f"{part}:{name}": tensor.detach().cpu().contiguous()
        for part, group in parts.items()
        for name, tensor in group.items()
    }
    with written_whole(path) as partial:
        partial.write_bytes(serialise(tensors, {"voxfield": json.dumps(about)}))


def load(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """The groups of tensors and the description.

    Raises:
        CheckpointError: no such file, or not a checkpoint of ours.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("voxfield", "null"))
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise CheckpointError(f"no checkpoint at {path}") from error
    except (SafetensorError, OSError) as error:
        if Path(path).is_dir():
            raise CheckpointError(f"{path} is a folder; give a checkpoint in it, such as best.safetensors") from error
        raise CheckpointError(f"{path} is not a safetensors file: {error}") from error
    if about is None or not all(":" in key for key in tensors):
        raise CheckpointError(
            f"{path} is a safetensors file but not a voxfield checkpoint; weights of other tools go through "
            "`voxfield convert`"
        )
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, name = key.partition(":")
        parts.setdefault(part, {})[name] = tensor
    return parts, about


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as flat named tensors: `<parameter number>.<name>`."""
    states = optimiser.state_dict()["state"]
    return {
        f"{number}.{name}": torch.as_tensor(value) for number, state in states.items() for name, value in state.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimiser_tensors`, on an optimiser made for the same parameters."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, _, name = key.partition(".")
        states.setdefault(int(number), {})[name] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})


def restore(module: nn.Module, tensors: dict[str, Tensor], what: str) -> None:
    """Load weights strictly; the message names what is missing, left over, or of another shape."""
    own = module.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    shapes = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own.keys() & tensors.keys()
        if own[name].shape != tensors[name].shape
    ]
    for problem, names in (("lack", missing), ("have no place for", extra), ("differ in shape:", shapes)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise CheckpointError(
                f"the weights of {what} {problem} {', '.join(names[:3])}{more}; is it of another configuration?"
            )
    module.load_state_dict(tensors)
