"""The windows that a network slides along one axis: all of them, and those on the longest path to the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .analysis import propagate
from .field import Field
from .graph import Axis, Graph, Op, Window
from .numbers import plain


@dataclass(frozen=True)
class Step:
    """One operator's window along an axis, and how far apart its inputs are in positions of the network's input."""

    op: Op
    dim: int
    window: Window
    hop: Fraction

    @property
    def up(self) -> int:
        """How many outputs it makes of one input along the axis; 1 for everything that does not upsample."""
        return self.window.stride if self.op.kind == "conv_transpose" else 1

    @property
    def down(self) -> int:
        """How many inputs it advances by from one output to the next."""
        return 1 if self.op.kind == "conv_transpose" else self.window.stride

    @property
    def reach(self) -> int:
        """How many of its inputs one of its outputs spans."""
        w = self.window
        return -(-w.reach // w.stride) if self.op.kind == "conv_transpose" else w.reach

    @property
    def share(self) -> Fraction:
        """What it adds to the field of a chain, in input positions."""
        return (self.reach - 1) * self.hop

    @property
    def ahead(self) -> Fraction:
        """What it looks ahead by itself, in input positions."""
        return (self.window.reach - 1 - self.window.pad_start) * self.hop

    def formula(self, size: str) -> str | None:
        """Output positions as a formula of the `size` before; None where it is another one."""
        w = self.window
        if w.ceil or self.op.kind not in {"conv", "pool", "conv_transpose"}:
            return None
        taps = plain(w.kernel) if w.dilation == 1 else f"(({plain(w.kernel)} - 1) x {plain(w.dilation)} + 1)"
        pads = [plain(n) for n in (w.pad_start, w.pad_end) if n]
        if self.op.kind == "conv_transpose":
            crop = "".join(f" - {n}" for n in pads) + (f" + {plain(w.output_padding)}" if w.output_padding else "")
            return f"({size} - 1) x {plain(w.stride)} + {taps}{crop}"
        inner = f"{size}{''.join(f' + {n}' for n in pads)} - {taps}"
        return f"({inner}) / {plain(w.stride)} + 1" if w.stride > 1 else f"{inner} + 1"


def power_of(windows: Sequence[Window]) -> str:
    """How the taps of a kernel are written in a formula: k, k^2, k^3, or taps when the axes differ."""
    if len({window.kernel for window in windows}) != 1:
        return "taps"
    return "k" if len(windows) == 1 else f"k^{len(windows)}"


@dataclass(frozen=True)
class Walk:
    """The windows along one axis of one input.

    Attributes:
        steps: all of them, in the order the operators run.
        longest: those on the path to the output that sees most.
        joins: operators where paths with windows of their own meet, with those windows.
        upsampled: names of operators on the longest path, other than transposed convolutions, that make more positions.
    """

    steps: tuple[Step, ...]
    longest: tuple[Step, ...]
    joins: tuple[tuple[Op, tuple[Step, ...]], ...]
    upsampled: tuple[Op, ...]

    @property
    def branches(self) -> bool:
        """True when there are windows beside the longest path."""
        return len(self.steps) > len(self.longest)

    @property
    def chain(self) -> tuple[Step, ...]:
        """The steps of the longest path whose shares add up; empty when it also upsamples."""
        return () if self.upsampled or any(s.op.kind == "conv_transpose" for s in self.longest) else self.longest


def walk(graph: Graph, source: tuple[str, Axis]) -> Walk:
    """The windows of a network along one axis."""
    fields = propagate(graph, *source)
    steps = tuple(step for op in graph.ops for step in _steps(op, fields))
    producers = {name: op for op in graph.ops for name in op.outputs}
    path = _longest(graph, fields, producers)
    names = {op.name for op in path}
    longest = tuple(step for step in steps if step.op.name in names)
    upsampled = tuple(op for op in path if op.kind in {"upsample", "fold"})
    return Walk(steps, longest, _joins(path, fields, producers, steps), upsampled)


def _steps(op: Op, fields: Mapping[str, Field]) -> list[Step]:
    field = fields.get(op.inputs[0]) if op.inputs and op.windows else None
    found = []
    for dim, window in zip(op.dims, op.windows, strict=False) if field else ():
        hops = [part.hops[dim] for part in field.parts if dim in part.moving] if field else []
        if hops:
            found.append(Step(op, dim, window, max(hops)))
    return found


def _width(field: Field | None) -> int:
    """How many positions a tensor's elements see at most; -1 for one that does not depend on the axis."""
    if field is None or not any(part.moving for part in field.parts):
        return -1
    return max((span[1] - span[0] + 1 for part in field.parts for span in part.table if span), default=0)


def _longest(graph: Graph, fields: Mapping[str, Field], producers: Mapping[str, Op]) -> list[Op]:
    """The operators from input to output, each reading the input that sees most."""
    name, found = graph.outputs[0], []
    if _width(fields.get(name)) < 0:  # the axis is gone at the output: from the last tensor that still moves along it
        moving = [op for op in graph.ops if op.outputs and _width(fields.get(op.outputs[0])) >= 0]
        if not moving:
            return []
        name = moving[-1].outputs[0]
    while (op := producers.get(name)) is not None:
        found.append(op)
        seen = [(t, _width(fields.get(t))) for t in op.inputs]
        if not seen or max(width for _, width in seen) < 0:
            break
        name = max(seen, key=lambda one: one[1])[0]
    return found[::-1]


def _joins(
    path: Sequence[Op], fields: Mapping[str, Field], producers: Mapping[str, Op], steps: Sequence[Step]
) -> tuple[tuple[Op, tuple[Step, ...]], ...]:
    """Where a path with strides of its own comes back to the longest one."""
    on_path = {op.name for op in path}
    by_name: dict[str, list[Step]] = {}
    for step in steps:
        by_name.setdefault(step.op.name, []).append(step)
    found = []
    for op in path:
        side: list[Step] = []
        for tensor in op.inputs:
            name, seen = tensor, set[str]()
            while (made := producers.get(name)) is not None and made.name not in on_path and made.name not in seen:
                seen.add(made.name)
                side += [s for s in by_name.get(made.name, []) if s.down > 1]
                name = next((t for t in made.inputs if _width(fields.get(t)) >= 0), "")
        if side:
            found.append((op, tuple(side)))
    return tuple(found)
