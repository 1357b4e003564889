"""What a converter is: it knows its program's files by a tensor's name, and makes our network of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor, nn

from voxfield.export.convert.checkpoint import Checkpoint

TOLERANCE = 1e-5  # largest difference allowed from what was stored or streamed, relative to the largest value


@dataclass(frozen=True)
class Made:
    """A network with another program's weights, and how it came about."""

    net: nn.Module  # has `config` and `interface()`
    card: Mapping[str, Any]  # task, architecture, summary
    proofs: Mapping[str, float]  # what was compared -> largest difference, relative to the largest value
    assumed: tuple[str, ...] = ()  # settings that neither tensors nor file said, as `key=value`
    notes: tuple[str, ...] = field(default=())  # what users should know of the result


class Program(NamedTuple):
    """One entry of the table."""

    gives_away: str  # pattern of a tensor's name that no other program has
    make: Callable[[Checkpoint, Sequence[str]], Made]  # of a checkpoint and overrides, `key=value`


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest value wanted; infinite where the shapes differ."""
    if got.shape != wanted.shape:
        return float("inf")
    return float((got - wanted).abs().max() / wanted.abs().max().clamp(min=1e-9))
