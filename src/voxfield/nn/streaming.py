"""The streaming contract: `forward(x, state=None) -> (y, new_state)`, and three combinators that thread the state.

One rule makes a layer usable everywhere: whatever it remembers of the past comes in as `state` and goes out as the new
state; nothing is kept in the module. `None` means `initial_state(batch)`, which is always zeros, because the zero
padding that makes a convolution causal *is* its state before the first sample. So a whole recording is a stream of one
large block, and training, offline use, streaming and export all run the same `forward`.

A state is a tensor or a (nested) tuple of tensors; `()` is the state of a layer that has none.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

State = Tensor | tuple  # recursive: a tuple of State


class Streaming(nn.Module):
    """Base of layers that look along time (the last axis of their input)."""

    def initial_state(self, batch: int) -> State:
        """Zeros of the shape that `forward` returns as its state."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """One block: (output, state for the next block)."""
        raise NotImplementedError


def run(layer: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
    """Output and new state of any layer; a plain torch layer passes with the empty state."""
    if isinstance(layer, Streaming):
        return layer(x, state)
    return layer(x), ()


def initial(layer: nn.Module, batch: int) -> State:
    """Initial state of any layer; `()` for a plain torch layer."""
    return layer.initial_state(batch) if isinstance(layer, Streaming) else ()


class Chain(Streaming):
    """Layers one after the other; the state is the tuple of their states."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def initial_state(self, batch: int) -> State:
        return tuple(initial(layer, batch) for layer in self.layers)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states = self.initial_state(x.shape[0]) if state is None else state
        after = []
        for layer, before in zip(self.layers, states, strict=True):
            x, new = run(layer, x, before)
            after.append(new)
        return x, tuple(after)


class Residual(Streaming):
    """x + branch(x), for a branch that keeps the rate and looks at no later sample."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def initial_state(self, batch: int) -> State:
        return initial(self.branch, batch)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        y, state = run(self.branch, x, state)
        return x + y, state


class Delay(Streaming):
    """The input `steps` steps later: what a skip needs around a branch that looks `steps` ahead.

    Input and output (B, C, T); state (B, C, steps): the steps that are still to come out.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.channels, self.steps = channels, steps

    def initial_state(self, batch: int) -> State:
        return torch.zeros(batch, self.channels, self.steps)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        state = zeros_like_state(self, x) if state is None else state
        x = torch.cat([state, x], dim=-1)
        return x[..., : x.shape[-1] - self.steps], x[..., x.shape[-1] - self.steps :]


def zeros_like_state(layer: Streaming, x: Tensor) -> State:
    """The layer's initial state for the batch size, dtype and device of `x`."""
    return map_state(lambda tensor: tensor.to(x), layer.initial_state(x.shape[0]))


def map_state(function, state: State) -> State:
    """The same tree with `function` applied to each tensor."""
    if isinstance(state, Tensor):
        return function(state)
    return tuple(map_state(function, part) for part in state)


def flatten(state: State, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of every leaf, in a fixed order; names are the path, such as `2.0.1`."""
    if isinstance(state, Tensor):
        yield prefix or "0", state
    else:
        for i, part in enumerate(state):
            yield from flatten(part, f"{prefix}.{i}" if prefix else str(i))


def unflatten(like: State, leaves: Iterator[Tensor]) -> State:
    """A tree of the shape of `like` filled with `leaves` in the order of `flatten`."""
    if isinstance(like, Tensor):
        return next(leaves)
    return tuple(unflatten(part, leaves) for part in like)
