"""What the programs that train speaker networks have in common: tensors renamed one by one, then proofs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from voxfield.errors import CheckpointError
from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, configured, proved
from voxfield.train.checkpoint import restore

Table = Sequence[tuple[str, str]]  # (pattern of their name without what follows its last dot, our name)


def made(
    architecture: str,
    network: type[nn.Module],
    config: Any,
    known: Mapping[str, Any],
    table: Table,
    content: Checkpoint,
    overrides: Sequence[str],
    *,
    summary: str,
    ignored: str = r"$^",
) -> Made:
    """A speaker network with another program's weights, proved on the pairs `feats` (B, T, bands) and `embedding` that
    the file holds, if any.

    Args:
        architecture: name of it.
        network, config: its classes.
        known: the configuration as far as tensors show it.
        table: from their names to ours.
        content: the file.
        overrides: `key=value` of the configuration.
        summary: for the card.
        ignored: pattern of names that are no part of the network, such as the projection of the training.

    Raises:
        CheckpointError: tensors are missing, left over or of another shape.
        InputError: an override that is no `key=value` of the configuration.
    """
    made_config, assumed = configured(config, known, {"features": config().features}, overrides)
    net = network(made_config).eval()
    kept = {name: tensor for name, tensor in content.tensors.items() if not re.search(ignored, name)}
    restore(net, renamed(kept, table, net.state_dict()), str(content.path))
    pairs = ((what, x, wanted.reshape(len(x), -1)) for what, x, wanted in content.pairs("feats", "embedding"))
    proofs = proved(pairs, lambda features: net(features.transpose(1, 2)))
    dropped = len(content.tensors) - len(kept)
    notes = (f"left out, as it belongs to training alone: {dropped} tensor{'s' * (dropped > 1)}",) if dropped else ()
    card = {"task": "embed", "architecture": architecture, "summary": summary}
    return Made(net, card, proofs, assumed, notes)


def renamed(theirs: Mapping[str, Tensor], table: Table, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors under our names; linear layers and convolutions of kernel 1 take each other's shape.

    Raises:
        CheckpointError: a tensor without a place.
    """
    found = {}
    for name, tensor in theirs.items():
        layer, _, part = name.rpartition(".")
        match = next((m for pattern, ours_ in table if (m := _matched(pattern, ours_, layer))), None)
        if match is None:
            raise CheckpointError(f"'{name}' has no place in this network; is it of another configuration?")
        own = ours.get(f"{match}.{part}")
        like = own is not None and own.numel() == tensor.numel() and _plain(own.shape) == _plain(tensor.shape)
        found[f"{match}.{part}"] = tensor.reshape(own.shape) if like and own is not None else tensor
    for name, own in ours.items():  # counts that a file of weights alone leaves out, and which change nothing
        if name.endswith(".num_batches_tracked"):
            found.setdefault(name, own)
    return found


def numbered(names: Iterable[str], pattern: str) -> int:
    """One more than the highest number that the group of a pattern takes in names; 0 where none matches."""
    return max((int(match[1]) + 1 for name in names if (match := re.search(pattern, name))), default=0)


def _matched(pattern: str, ours: str, layer: str) -> str:
    match = re.fullmatch(pattern, layer)
    return ours.format(*(int(group) for group in match.groups())) if match else ""


def _plain(shape: torch.Size) -> list[int]:
    """A shape without the kernel axes of size 1."""
    return [size for at, size in enumerate(shape) if at < 2 or size != 1]
