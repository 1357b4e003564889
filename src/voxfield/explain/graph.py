"""The neutral graph that every reader makes and every analysis reads: operators, tensors, and which axis is which.

A reader turns a torch module, an ONNX file, a Keras layer list or a line of text into one `Graph`. Nothing here knows
where a graph came from, and nothing here imports more than the standard library.

The operator kinds (`Op.kind`) and the attributes (`Op.attrs`) each one carries:

    conv, conv_transpose   windows, dims, channel_dim, groups; weights (out, in/groups, taps) counted in `params`
    pool                   windows, dims; function = "max" | "avg"
    adaptive_pool          dims, sizes = output size per dim; function
    upsample               dims, scale = Fraction per dim, align_corners;
                           mode = "nearest" | "nearest_exact" | "linear" | "cubic" | "zeros" (between values)
    pad                    dims, before, after (tuples; negative crops); mode
    slice                  dims, start, stop, step (tuples, all resolved: start is never negative)
    select                 dims = (dim,), index; the dim disappears
    gather                 dims = (dim,), indices (tuple of int)
    flip                   dims
    roll                   dims, shifts
    concat, stack          dims = (dim,)
    elementwise            function ("add", "relu", ...); broadcasting; batch normalisation in inference is one too
    norm                   over = the dims sharing one mean and variance; groups (of channels, at channel_dim)
    softmax                dims
    reduce                 dims, keepdim, function = "mean" | "sum" | "max" | "var" ...
    cumulative             dims = (dim,), function
    linear                 dims = (feature dim,): that dim is contracted with weights
    einsum                 labels = the letters of each input's dims, output; weight_sizes = sizes by letter
    attention              inputs q, k, v; dims = (sequence dim,), channel_dim; causal
    rnn                    cell = "lstm" | "gru" | "rnn", hidden, layers, bidirectional; dims = (sequence dim,),
                           channel_dim = feature dim; outputs: y, then the last states
    reshape                (the shape is the output's); also squeeze, unsqueeze, flatten
    permute                order
    expand                 (the shape is the output's)
    unfold                 dims = (dim,), windows = (window,): the new dim of taps comes last
    fold                   its inverse, overlapping and adding: the last dim of taps goes
    fft                    dims = (dim,): every coefficient reads all of it; its cost is not counted
    identity, constant, unknown

`windows[i]`, `scale[i]`, `before[i]` ... belong to `dims[i]`. Dims are never negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any, Literal

from ..errors import ExplainError

Size = int | None
"""A length along one dim; None when it is not known (a network given as text has no length)."""

Shape = tuple[Size, ...]

Role = Literal["input", "state", "weight", "constant", "activation"]


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes, None when one is not known."""
    listed = list(sizes)
    return None if None in listed else prod(listed)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Window:
    """How one operator looks along one dim: `kernel` taps `dilation` apart, moved by `stride`, after padding."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1
    pad_start: int = 0
    pad_end: int = 0
    output_padding: int = 0  # transposed convolution only: positions added at the end of the output
    ceil: bool = False  # pooling only: round the output size up instead of down

    @property
    def reach(self) -> int:
        """Input positions from the first tap to the last, both counted."""
        return (self.kernel - 1) * self.dilation + 1


@dataclass(frozen=True)
class Tensor:
    """One named array. `shape` has one `Size` per dim, batch included; `item_bytes` is the size of one value."""

    name: str
    shape: Shape
    role: Role = "activation"
    item_bytes: int = 4

    @cached_property
    def values(self) -> int | None:
        """Number of values, or None when a size is not known."""
        return product(self.shape)


@dataclass(frozen=True)
class Op:
    """One operator: what it is, what it reads and writes, and how it moves along each dim it looks at."""

    kind: str
    name: str  # unique in its graph, what a user would call it: "encoder.0", "Conv_12", "layer 3"
    inputs: tuple[str, ...]  # activations, inputs and states in the order the operator takes them; weights left out
    outputs: tuple[str, ...]
    windows: tuple[Window, ...] = ()
    dims: tuple[int, ...] = ()
    channel_dim: int | None = None
    groups: int = 1
    params: int = 0  # trainable values owned by this operator; one used twice is counted at its first use
    weight_values: int | None = None  # values of the kernels alone (no bias); None when the operator has none
    weight_bytes: int = 0  # bytes of every parameter and buffer that this operator owns
    attrs: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""  # the operator's own name where it came from: "aten.conv1d.default", "Conv", "Conv2D"
    line: int | None = None  # line of the text it was read from

    def attr(self, key: str, default: Any = None) -> Any:
        """The attribute `key`, or `default`."""
        return self.attrs.get(key, default)

    @property
    def ways(self) -> int:
        """Directions of a recurrence: 2 when it runs both ways."""
        return 2 if self.attr("bidirectional") else 1

    def with_(self, **changes: Any) -> Op:
        """The same operator with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Placed:
    """An operator with the shapes of its inputs and outputs."""

    op: Op
    ins: tuple[Shape, ...]
    outs: tuple[Shape, ...]


@dataclass(frozen=True)
class Axis:
    """A dim of an input that the analyses follow: its name ("time", "freq", "h", "w"), and its rate when known."""

    name: str
    dim: int
    rate_hz: float | None = None


@dataclass(frozen=True)
class Graph:
    """A whole network: operators in the order they run, every tensor by name, and the axes of each input.

    Attributes:
        axes: for every input that is not a state, the axes to follow. A state input has none: it is left context.
        notes: what the reader wants said beside the result, such as a buffer it could not find.
    """

    ops: tuple[Op, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    axes: Mapping[str, tuple[Axis, ...]]
    title: str = ""
    notes: tuple[str, ...] = ()
    own_params: int | None = None  # of the module it stands for, where its operators do not hold them all
    loops: tuple[tuple[str, str], ...] = ()  # (state input, the output that becomes it at the next step)
    variables: Mapping[str, tuple[str, int]] = field(
        default_factory=dict
    )  # what its code calls a tensor, on which line

    def shape(self, name: str) -> Shape:
        """The shape of the tensor called `name`."""
        return self.tensors[name].shape

    @cached_property
    def placed(self) -> tuple[Placed, ...]:
        """Every operator with its shapes, in the order they run."""
        return tuple(
            Placed(op, tuple(self.shape(t) for t in op.inputs), tuple(self.shape(t) for t in op.outputs))
            for op in self.ops
        )

    def size(self, name: str, dim: int) -> Size:
        """The size of a tensor along a dim; None when it is not known, or there is no such dim."""
        return dict(enumerate(self.shape(name))).get(dim)

    def widths(self, op: Op) -> tuple[Size, Size]:
        """The channels that come into an operator and those that it makes; None where they are not known."""
        dim = op.dims[0] if op.kind == "linear" else op.channel_dim
        return (None, None) if dim is None else (self.size(op.inputs[0], dim), self.size(op.outputs[0], dim))

    def op(self, name: str) -> Op:
        """The operator called `name`; KeyError when there is none."""
        return {op.name: op for op in self.ops}[name]

    @property
    def main_input(self) -> str:
        """The first input that is not a state: the one reports are about."""
        return next(name for name in self.inputs if self.tensors[name].role == "input")

    def with_rate(self, rate_hz: float | None) -> Graph:
        """The same graph with the rate of its time axes set; `rate_hz` counts positions of that axis a second."""
        axes = {
            name: tuple(replace(a, rate_hz=rate_hz) if a.name == "time" else a for a in found)
            for name, found in self.axes.items()
        }
        notes = self.notes
        if rate_hz is not None and not any(a.name == "time" for found in axes.values() for a in found):
            notes = (
                *notes,
                "The rate is not used: no axis is called time. Say which one is, with a layout such as BCTF.",
            )
        return replace(self, axes=axes, notes=notes)


DEFAULT_AXES: Mapping[int, tuple[tuple[str, int], ...]] = {
    1: (("time", 0),),
    2: (("time", 1),),
    3: (("time", 2),),
    4: (("h", 2), ("w", 3)),
    5: (("depth", 2), ("h", 3), ("w", 4)),
}

LAYOUT_LETTERS = {"T": "time", "N": "time", "F": "freq", "H": "h", "W": "w", "D": "depth"}


def axes_of(rank: int, layout: str | None = None) -> tuple[Axis, ...]:
    """The axes of an input with `rank` dims.

    Args:
        rank: number of dims, batch included.
        layout: one letter per dim, such as "BCT", "BCTF", "BTFC": B batch, C channels, T or N time, F frequency, H, W.
            Without it: (B, T), (B, C, T), (B, C, H, W), (B, C, D, H, W).

    Raises:
        ExplainError: a layout of another length or with an unknown letter.

    >>> [axis.name for axis in axes_of(4, "BCTF")]
    ['time', 'freq']
    """
    if layout is None:
        return tuple(Axis(name, dim) for name, dim in DEFAULT_AXES.get(rank, ()))
    letters = layout.upper()
    if len(letters) != rank or set(letters) - set(LAYOUT_LETTERS) - {"B", "C"} or len(set(letters)) != rank:
        raise ExplainError(
            f"The layout '{layout}' does not fit an input of {rank} dims: give one different letter per dim, "
            "such as BCT, BCTF, BCFT or BCHW (B batch, C channels, T time, F frequency, H height, W width)."
        )
    return tuple(Axis(LAYOUT_LETTERS[c], i) for i, c in enumerate(letters) if c in LAYOUT_LETTERS)
