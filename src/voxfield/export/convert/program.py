"""What a converter is: it knows its program's files by a tensor's name, and makes our network of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from voxfield.errors import CheckpointError, InputError, RecipeError
from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.values import build, parse_override

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


def configured(
    kind: type, known: Mapping[str, Any], habits: Mapping[str, Any], overrides: Sequence[str]
) -> tuple[Any, tuple[str, ...]]:
    """(Configuration, what of `habits` had to be assumed): known values first, overrides before all.

    Raises:
        InputError: an override is not `key=value` of the configuration, or makes no network of it.
        CheckpointError: the known values make no network.
    """
    try:
        given = dict(parse_override(text) for text in overrides)
        assumed = {key: value for key, value in habits.items() if key not in known and key not in given}
        config: Any = build(kind, {**known, **assumed, **given}, "--set" if given else "the checkpoint")
    except (RecipeError, InputError) as error:
        if overrides:
            raise InputError(str(error)) from error
        raise CheckpointError(f"no network of ours has these sizes: {error}") from error
    return config, tuple(f"{key}={str(value).lower()}" for key, value in assumed.items())


@torch.no_grad()
def proved(cases: Iterable[tuple[str, Tensor, Tensor]], network: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """What each stored case is called -> difference of what the network makes of its input from its output."""
    return {what: relative_difference(network(given), wanted) for what, given, wanted in cases}


def relative_difference(got: Tensor, wanted: Tensor) -> float:
    """Largest difference, relative to the largest value wanted; infinite where the shapes differ."""
    if got.shape != wanted.shape:
        return float("inf")
    return float((got - wanted).abs().max() / wanted.abs().max().clamp(min=1e-9))
