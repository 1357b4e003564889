"""A `Graph` made layer by layer: what the readers of text, pasted code and Keras files have in common.

Each method adds one operator, works out its output shape and parameters, and returns the name of its output. A layer
used twice owns its parameters once (`Origin.owner`). Errors name the layer and, when there is one, the line.
"""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeGuard

from ...errors import ExplainError
from ..counts import kernel_values
from ..graph import Axis, Graph, Op, Shape, Size, Window, product
from ..shapes import output_shape, same_total, shape_text
from .build import Builder, parted

ITEM_BYTES = 4
MOST_UPSAMPLING = 65_536
LARGEST_INPUT = 10**11
MOST_OPERATORS = 50_000


@dataclass(frozen=True)
class Origin:
    """Where a layer comes from: its name for people, its class there, its line, and who owns its weights."""

    name: str
    source: str = ""
    line: int | None = None
    owner: Hashable = None

    def part(self, name: str, source: str = "") -> Origin:
        """The origin of one operator of a layer that is made of several."""
        owner = None if self.owner is None else (self.owner, name)
        return Origin(f"{self.name}.{name}", source or self.source, self.line, owner)

    @property
    def where(self) -> str:
        """How an error calls it: `line 3, Conv2D 'conv1'`."""
        shown = f"{self.source} '{self.name}'" if self.source and self.source != self.name else self.name
        return shown if self.line is None else f"line {self.line}, {shown}"

    def fail(self, text: str) -> ExplainError:
        """What is raised when the layer cannot be."""
        return ExplainError(f"{self.where}: {text}")


class LayerGraph(Builder):
    """Builds one `Graph`."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.variables: dict[str, tuple[str, int]] = {}  # what the code calls a tensor, and on which line
        self._owned: set[Hashable] = set()
        self._names: set[str] = set()
        self._counts: dict[str, int] = {}
        self._beside: dict[str, tuple[str, ...]] = {}
        self._up: dict[str, int] = {}  # how many positions of each tensor one of the input was spread over, at most

    # what there is so far

    def shape(self, tensor: str) -> Shape:
        """The shape of a tensor made so far."""
        return self.tensors[tensor].shape

    def rank(self, tensor: str) -> int:
        """The number of dims of a tensor made so far, batch included."""
        return len(self.tensors[tensor].shape)

    def dim(self, tensor: str, dim: object, origin: Origin) -> int:
        """A dim counted from either end as one counted from the front.

        Raises:
            ExplainError: the tensor has no such dim.
        """
        rank = self.rank(tensor)
        if not is_whole(dim) or not -rank <= dim < rank:
            raise origin.fail(f"dim {brief(dim)} of an array of shape {shape_text(self.shape(tensor))}.")
        return dim % rank

    def outputs_beside(self, tensor: str) -> tuple[str, ...]:
        """All outputs of the operator whose first output a tensor is."""
        return self._beside[tensor]

    def fresh(self, name: str) -> str:
        """`name`, or `name_1`, `name_2` ... when it is taken."""
        found = name
        while found in self._names or found in self.tensors:
            self._counts[name] = self._counts.get(name, 0) + 1
            found = f"{name}_{self._counts[name]}"
        self._names.add(found)
        return found

    def finished(self, outputs: Sequence[str], *, keep_idle: bool = False) -> Graph:
        """The finished graph.

        Args:
            keep_idle: keeps operators that lead to no output, as torch runs them all the same, and names them;
                otherwise they are left out, as a Keras model leaves them out.

        Raises:
            ExplainError: no operator leads from the input to the outputs.
        """
        wanted = self.reached(outputs)
        used = [op for op in self.ops if wanted.intersection(op.outputs)]
        if not used:
            raise ExplainError(f"{self.title}: there is no layer between its input and its output.")
        if not wanted.intersection(self.inputs):
            raise ExplainError(f"{self.title}: its output does not depend on any input.")
        if keep_idle:
            self.note_idle(wanted)
            used = [op for op in self.ops if op.kind != "constant" or op.params or wanted.intersection(op.outputs)]
        self.ops = used
        names = wanted.union(*((*op.inputs, *op.outputs) for op in used))
        self.tensors = {name: tensor for name, tensor in self.tensors.items() if name in names}
        self.inputs = [name for name in self.inputs if name in names]
        self.axes = {name: self.axes[name] for name in self.inputs}
        return self.graph(outputs, variables=dict(self.variables))

    # adding

    def input(self, shape: Shape, axes: tuple[Axis, ...], name: str = "input") -> str:
        """Adds an input of `shape`, batch included, whose `axes` are followed."""
        for size in shape:
            if size is not None and not 1 <= size <= LARGEST_INPUT:
                raise ExplainError(
                    f"The input shape {shape_text(shape)} has a size of {size}; possible are 1 to 10^11."
                )
        name = self.fresh(name)
        self.add_input(name, shape, ITEM_BYTES)
        self._up[name], self.axes[name] = 1, axes
        return name

    def add(
        self,
        kind: str,
        inputs: Sequence[str],
        origin: Origin,
        *,
        shape: Shape | None = None,
        more_outputs: Sequence[Shape] = (),
        channels: Size = None,
        params: int = 0,
        buffers: int = 0,
        **settings: Any,
    ) -> str:
        """Adds one operator and returns the name of its first output.

        Args:
            settings: further fields of an `Op` by their names, and its attributes.
        """
        if len(self.ops) >= MOST_OPERATORS:
            raise origin.fail(f"the network has more than {MOST_OPERATORS} operators.")
        shapes = [self.shape(t) for t in inputs]
        if origin.owner is not None:
            if origin.owner in self._owned:
                params = buffers = 0
            self._owned.add(origin.owner)
        name, (fields, attrs) = self.fresh(origin.name), parted(settings)
        fields |= {"params": params, "weight_bytes": (params + buffers) * ITEM_BYTES, "attrs": attrs}
        op = Op(kind, name, tuple(inputs), (), source=origin.source, line=origin.line, **fields)
        up = max((self._up[t] for t in inputs), default=1) * _upsampling(op)
        if up > MOST_UPSAMPLING:
            raise origin.fail(f"upsampling by {up} in all; at most {MOST_UPSAMPLING} can be followed.")
        made = output_shape(op, shapes, channels) if shape is None else shape
        shapes = [made, *more_outputs]
        outputs = tuple(self.fresh(f"{name}:{i}") for i in range(len(shapes)))
        self.put(op.with_(outputs=outputs), shapes, ITEM_BYTES)
        self._up |= dict.fromkeys(outputs, up)
        self._beside[outputs[0]] = outputs
        return outputs[0]

    def fixed(self, tensor: str) -> bool:
        """True for a constant."""
        return any(op.kind == "constant" and tensor in op.outputs for op in self.ops)

    def train(self, tensor: str) -> None:
        """Makes the values of a tensor that depends on no input parameters."""
        values = self.tensors[tensor].values or 0
        at = next(i for i, op in enumerate(self.ops) if tensor in op.outputs)
        self.ops[at] = self.ops[at].with_(name=self.fresh("parameter"), params=values, weight_bytes=values * ITEM_BYTES)

    def drop(self, tensor: str) -> None:
        """Takes out a constant whose values another operator counts."""
        self.ops = [op for op in self.ops if tensor not in op.outputs]

    def owns(self, layer: Hashable) -> bool:
        """True when a layer has been applied to something."""
        return any(layer is owner for owner in map(_whole, self._owned))

    def conv(
        self,
        x: str,
        origin: Origin,
        *,
        filters: Size,
        windows: Sequence[Window],
        dims: Sequence[int],
        channel_dim: int,
        groups: int = 1,
        bias: bool = True,
        transposed: bool = False,
        normed: int | None = None,
    ) -> str:
        """A convolution with `filters` outputs; a channel count of None on either side leaves its weights uncounted.

        Args:
            normed: the dim of the weights along which each length is a parameter of its own, as `weight_norm` makes it.
        """
        channels = self.shape(x)[channel_dim]
        if filters is not None:
            check_width(filters, "filters", origin)
        check_width(groups, "groups", origin)
        for what, count in (("input channels", channels), ("filters", filters)):
            if count is not None and count % groups:
                raise origin.fail(f"{count} {what} cannot be split into {groups} groups.")
        weights = kernel_values(channels, filters, windows, groups)
        ends = (channels, filters) if transposed else (filters, channels)
        lengths = _lengths((ends[0] or 0, (ends[1] or 0) // groups, *(w.kernel for w in windows)), normed)
        return self.add(
            "conv_transpose" if transposed else "conv",
            [x],
            origin,
            channels=filters,
            params=0 if weights is None else weights + (filters or 0) * bias + lengths,
            weight_values=weights,
            windows=tuple(windows),
            dims=tuple(dims),
            channel_dim=channel_dim,
            groups=groups,
        )

    def linear(
        self, x: str, origin: Origin, *, units: int, bias: bool = True, normed: int | None = None, features: Size = None
    ) -> str:
        """A matrix over the last dim; `features` is its size where that of `x` is not known, `normed` as for `conv`."""
        dim = self.rank(x) - 1
        features = features if self.shape(x)[dim] is None else self.shape(x)[dim]
        check_width(units, "output features", origin)
        weights = kernel_values(features, units)
        params = 0 if weights is None else weights + units * bias + _lengths((units, features or 0), normed)
        return self.add("linear", [x], origin, channels=units, params=params, weight_values=weights, dims=(dim,))

    def elementwise(
        self, inputs: Sequence[str], origin: Origin, function: str, *, params: int = 0, buffers: int = 0
    ) -> str:
        """A function of each value by itself, or of several arrays value by value."""
        return self.add("elementwise", inputs, origin, params=params, buffers=buffers, function=function)

    def pad(self, x: str, origin: Origin, *, dims: Sequence[int], pairs: Sequence[tuple[int, int]], mode: str) -> str:
        """Positions added before and after along `dims`; negative ones are cropped."""
        before, after = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
        return self.add("pad", [x], origin, dims=tuple(dims), before=before, after=after, mode=mode)

    def pad_from_the_end(self, x: str, origin: Origin, ends: Sequence[Any], mode: str) -> str:
        """torch's flat padding: (before, after) of the last dim, then of the one before it, and so on."""
        if len(ends) % 2 or len(ends) > 2 * self.rank(x) or not all(map(is_whole, ends)):
            raise origin.fail(f"padding {brief(tuple(ends))}; needed are pairs of whole numbers, last dim first.")
        pairs = [(ends[i], ends[i + 1]) for i in range(0, len(ends), 2)]
        kept = [(self.rank(x) - 1 - i, pair) for i, pair in enumerate(pairs) if pair != (0, 0)][::-1]
        return self.pad(x, origin, dims=[d for d, _ in kept], pairs=[p for _, p in kept], mode=mode) if kept else x

    def reshape(self, x: str, origin: Origin, shape: Shape) -> str:
        """The same values in another shape; one unknown size is worked out from the others when it can be.

        Raises:
            ExplainError: a shape that holds another number of values.
        """
        have = self.shape(x)
        if None not in have and None not in shape and prod(have) != prod(shape):  # type: ignore[arg-type]
            raise origin.fail(f"{shape_text(have)} cannot be reshaped to {shape_text(shape)}.")
        return self.add("reshape", [x], origin, shape=shape)


def fill_reshape(have: Shape, target: Sequence[Size]) -> Shape:
    """`target` with its -1 (or None) replaced by what is left of `have`; None when that is not known."""
    if -1 in target and None in target and target.count(None) == have.count(None):  # the sizes not known stay
        left = fill_reshape(tuple(1 if v is None else v for v in have), [1 if v is None else v for v in target])
        return tuple(None if v is None else size for v, size in zip(target, left, strict=True))
    rest, total = product(v for v in target if v not in (-1, None)), product(have)
    found = total // rest if total is not None and rest else None
    return tuple(found if v in (-1, None) else v for v in target)


def is_whole(value: object) -> TypeGuard[int]:
    """True for a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(owner: Hashable) -> Hashable:
    """The layer that a part belongs to."""
    while isinstance(owner, tuple):
        owner = owner[0]
    return owner


def positions_filled(asked: Shape, given: Shape | None, keras: bool) -> Shape:
    """The shape that a layer asks for, with the sizes that were given: positions only, with channels, or with batch.

    Raises:
        ExplainError: another number of sizes.
    """
    if given is None:
        return asked
    rank = len(asked)
    if len(given) == rank:
        return given
    if len(given) == rank - 1:
        return (1, *given)
    if len(given) == rank - 2:
        return (1, *given, asked[-1]) if keras else (1, asked[1], *given)
    raise ExplainError(
        f"--input has {len(given)} sizes; the network takes {rank - 2} to {rank}, as in {shape_text(asked)}."
    )


def _lengths(weights: tuple[int, ...], dim: object) -> int:
    """Values that `weight_norm` adds to weights of this shape: one for each place along its dim, one in all for -1."""
    if dim == -1:
        return 1
    return weights[dim] if isinstance(dim, int) and -len(weights) <= dim < len(weights) else 0


def _upsampling(op: Op) -> int:
    """Over how many positions an operator spreads one, along its busiest dim."""
    if op.kind == "conv_transpose":
        return max((w.stride for w in op.windows), default=1)
    return max((int(s) for s in op.attrs["scale"]), default=1) if op.kind == "upsample" else 1


def brief(value: object) -> str:
    """A value in a message, short however large or deep it is."""
    return _BRIEF.repr(value)


def check_width(count: int, what: str, origin: Origin) -> None:
    """Refuses numbers of channels, groups or units that no layer has."""
    if not 1 <= count <= MOST_POSITIONS:
        raise origin.fail(f"{count} {what}; 1 to {MOST_POSITIONS} are possible.")


def check_window(window: Window, where: str) -> None:
    """Refuses kernels, strides and dilations below 1 and negative padding, naming the layer."""
    for what, value in (("kernel", window.kernel), ("stride", window.stride), ("dilation", window.dilation)):
        if value < 1:
            raise ExplainError(f"{where}: a {what} of {value}; it is a whole number from 1 up.")
    if min(window.pad_start, window.pad_end, window.output_padding) < 0:
        raise ExplainError(f"{where}: negative padding ({window.pad_start}, {window.pad_end}).")
    if max(window.kernel, window.stride, window.dilation, window.pad_start, window.pad_end) > MOST_POSITIONS:
        raise ExplainError(f"{where}: a size above {MOST_POSITIONS}, which no such layer has.")


def same_padding(net: LayerGraph, where: str, size: Size, window: Window) -> tuple[int, int]:
    """Positions added before and after by `same`: as many outputs as input / stride, the odd one at the END.

    With a stride the amount depends on the size; when that is not known a multiple of the stride is assumed, aloud.
    """
    reach, stride = window.reach, window.stride
    if size is None:
        if stride > 1:
            net.note(
                f"{where}: 'same' padding depends on the input size, which is not known: a multiple of the stride "
                f"{stride} was assumed."
            )
        total = max(0, reach - stride)
    else:
        total = same_total(size, reach, stride)
    return total // 2, total - total // 2


_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxother = 2, 60
MOST_POSITIONS = 1_000_000
