"""The streaming contract: `layer(x, state=None) -> (y, new_state)`, and three combinators that thread the state.

One rule makes a layer usable everywhere: what it needs of the past comes in as `state` and goes out as the new state;
nothing is kept in the module. `None` means `initial_state(batch)`, which is always zeros, because the zero padding that
makes a convolution causal *is* its state before the first sample. So a whole recording is a stream of one large block,
and training, offline use, streaming and export all run the same `step`.

A state is a tensor or a (nested) tuple of tensors; `()` is the state of a layer that has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from voxfield.errors import InputError

State: TypeAlias = "Tensor | tuple[State, ...]"


class Streaming(nn.Module):
    """Base of layers that look along time. A layer gives `initial_state` and `step`; calling it checks the block first.

    Attributes:
        time_axis, batch_axis: of the input and the output.
    """

    time_axis = -1
    batch_axis = 0

    @property
    def stride(self) -> int:
        """A block is a whole number of so many input steps."""
        return 1

    @property
    def rate(self) -> Fraction:
        """Output steps for each input step."""
        return Fraction(1)

    @property
    def lookahead(self) -> int:
        """Input steps by which the output is later than the input it stands for, as it waits for what comes after."""
        return 0

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        """Zeros of the shapes that the layer returns as its state, of the dtype and on the device of `like`."""
        return ()

    def step(self, x: Tensor, state: Any) -> tuple[Any, State]:
        """One block, which was checked: (output, state for the next block)."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State | None = None, *more: Any) -> tuple[Any, State]:
        """One block: (output, state for the next block); `more` is what some layers take besides.

        Raises:
            InputError: the block is no whole number of strides, or the state is on another device or of another dtype.
        """
        steps, batch = x.shape[self.time_axis], int(x.shape[self.batch_axis])
        if steps % self.stride:
            raise InputError(
                f"{type(self).__name__} takes blocks of a multiple of its stride, {self.stride}; this one has {steps} "
                f"steps, of which {steps % self.stride} would be lost: keep them for the next block"
            )
        if state is None:
            return self.step(x, self.initial_state(batch, x), *more)
        for name, leaf in flatten(state):
            if leaf.device != x.device:
                raise InputError(
                    f"{type(self).__name__} was given a block on {x.device} and the state {name} on {leaf.device}; "
                    "move one of them"
                )
            numbers = x.is_floating_point() and not autocasting(x)  # codes have another type than what they stand for
            if numbers and leaf.dtype not in (x.dtype, torch.float32):  # some states stay in 32 bits
                raise InputError(
                    f"{type(self).__name__} was given a block of {x.dtype} and the state {name} of {leaf.dtype}; "
                    "convert one of them, or begin a new stream"
                )
        return self.step(x, state, *more)


def zeros(*shape: int, like: Tensor | None, dtype: torch.dtype | None = None) -> Tensor:
    """Zeros on the device of `like`, of `dtype` or else of its dtype; single precision on the CPU without it."""
    if like is None:
        return torch.zeros(shape, dtype=dtype)
    return torch.zeros(shape, dtype=dtype or like.dtype, device=like.device)


def autocasting(x: Tensor) -> bool:
    """Whether torch chooses the precision of what is computed from `x`."""
    device = x.device.type
    return bool(torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device))


def run(layer: nn.Module, x: Tensor, state: State | None) -> tuple[Any, State]:
    """Output and new state of any layer; a plain torch layer passes with the empty state."""
    if isinstance(layer, Streaming):
        output: tuple[Any, State] = layer(x, state)
        return output
    return layer(x), ()


def initial(layer: nn.Module, batch: int, like: Tensor | None = None) -> State:
    """Initial state of any layer; `()` for a plain torch layer."""
    return layer.initial_state(batch, like) if isinstance(layer, Streaming) else ()


class Chain(Streaming):
    """Layers one after the other; the state is the tuple of their states."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def _stages(self) -> Iterator[tuple[Streaming, Fraction]]:
        """The layers that look along time, with the steps they get for each step of the input."""
        rate = Fraction(1)
        for layer in self.layers:
            if isinstance(layer, Streaming):
                yield layer, rate
                rate *= layer.rate

    @property
    def stride(self) -> int:
        return math.lcm(*((layer.stride / rate).numerator for layer, rate in self._stages()))

    @property
    def rate(self) -> Fraction:
        return math.prod((layer.rate for layer, _ in self._stages()), start=Fraction(1))

    @property
    def lookahead(self) -> int:
        return math.ceil(sum(layer.lookahead / rate for layer, rate in self._stages()))

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return tuple(initial(layer, batch, like) for layer in self.layers)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        after = []
        for layer, before in zip(self.layers, state, strict=True):
            x, new = run(layer, x, before)
            after.append(new)
        return x, tuple(after)


class Residual(Streaming):
    """x + branch(x), for a branch that keeps the rate and is not late.

    Raises:
        InputError: the branch changes the rate, or is late, so that its output does not belong to the same input.
    """

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        if isinstance(branch, Streaming) and (branch.rate != 1 or branch.lookahead):
            raise InputError(
                f"a residual branch gives one step for each step, and not later; this one gives {branch.rate}, "
                f"{branch.lookahead} steps late"
                + (f": add its output to Delay(channels, {branch.lookahead}) of the input" if branch.rate == 1 else "")
            )

    @property
    def stride(self) -> int:
        return self.branch.stride if isinstance(self.branch, Streaming) else 1

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return initial(self.branch, batch, like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        y, state = run(self.branch, x, state)
        return x + y, state


class Delay(Streaming):
    """The input `steps` steps later: what a skip needs around a branch that looks `steps` ahead.

    Input and output (B, C, T); state (B, C, steps): the steps that are still to come out.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.channels, self.steps = channels, steps

    @property
    def lookahead(self) -> int:
        return self.steps

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, self.channels, self.steps, like=like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        x = torch.cat([state, x], dim=-1)
        return x[..., : x.shape[-1] - self.steps], x[..., x.shape[-1] - self.steps :]


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
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
