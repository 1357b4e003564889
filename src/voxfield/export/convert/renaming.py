"""Tensors of another program under our names, by a table of patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from voxfield.errors import CheckpointError

Table = Sequence[tuple[str, str]]  # (pattern of their name without what follows its last dot, our name)


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
