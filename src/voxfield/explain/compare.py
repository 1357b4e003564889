"""The figures of a network before and after some edits, side by side with their ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .analysis import analyse
from .attention import block_of
from .graph import Graph
from .path import power_of
from .report import LayerReport, Report, Status, data_of
from .whatif import edited, separable_formula

Value = int | float | Fraction | None


@dataclass(frozen=True)
class Change:
    """One figure before and after; `axis` is empty for costs."""

    figure: str
    axis: str
    unit: str
    before: Value
    after: Value

    @property
    def ratio(self) -> float | None:
        """after / before; None when either is missing or before is zero."""
        if self.before is None or self.after is None or not self.before:
            return None
        return float(self.after) / float(self.before)

    def to_dict(self) -> dict[str, Any]:
        return {**data_of(self), "ratio": self.ratio}


@dataclass(frozen=True)
class Separable:
    """The cost of a depthwise-separable layer against the standard one: measured on the graph and by the formula."""

    layer: str
    filters: int
    taps: int
    power: str  # "k", "k^2" ... as the formula is written
    macs_before: int | None
    macs_after: int | None

    @property
    def formula(self) -> Fraction:
        """1/N + 1/taps, where taps = k^2 for a square kernel."""
        return Fraction(1, self.filters) + Fraction(1, self.taps)

    @property
    def ratio(self) -> float | None:
        """MACs after / MACs before, as counted."""
        return None if not self.macs_before or self.macs_after is None else self.macs_after / self.macs_before

    def to_dict(self) -> dict[str, Any]:
        found = data_of(self, "layer", "taps", "macs_before", "macs_after", "ratio")
        return {**found, "N": self.filters, "formula": float(self.formula)}


@dataclass(frozen=True)
class Row:
    """A layer before and after; a block that was put in is one row, of all its operators."""

    name: str
    before: tuple[LayerReport, ...]
    after: tuple[LayerReport, ...]

    def to_dict(self) -> dict[str, Any]:
        sides = {"before": self.before, "after": self.after}
        return {"name": self.name} | {side: totals(layers) for side, layers in sides.items()}


def totals(layers: Sequence[LayerReport]) -> dict[str, int | None]:
    """Parameters and MACs of some layers together; MACs are None where those of a layer are not known."""
    macs = [layer.macs.value for layer in layers]
    known = None if None in macs else int(sum(value for value in macs if value is not None))
    return {"params": sum(layer.params for layer in layers), "macs": known}


@dataclass(frozen=True)
class WhatIf:
    """A network and the same after `edits`."""

    edits: tuple[str, ...]
    before: Report
    after: Report
    changes: tuple[Change, ...]
    separable: tuple[Separable, ...] = ()
    names: tuple[str, str] | None = None  # of two different networks put side by side
    rows: tuple[Row, ...] = ()  # layer by layer, where blocks were put in

    def to_dict(self) -> dict[str, Any]:
        return data_of(self, "edits", "changes", "rows", "separable", "before", "after")


def what_if(graph: Graph, edits: Sequence[str]) -> WhatIf:
    """The reports on a graph and on the same graph after all `edits`, figure by figure.

    Raises:
        ExplainError: an edit that cannot be made.
    """
    now, separable = graph, []
    for edit in edits:
        formula = separable_formula(now, edit)
        changed = edited(now, [edit])
        if formula is not None:
            op, filters, taps = formula
            before, after = analyse(now), analyse(changed)
            parts = [after.layer(f"{op.name}.{part}").macs.value for part in ("depthwise", "pointwise")]
            whole = before.layer(op.name).macs.value
            total = None if None in parts else sum(int(part or 0) for part in parts)
            separable.append(
                Separable(op.name, filters, taps, power_of(op.windows), None if whole is None else int(whole), total)
            )
        now = changed
    old, new = analyse(graph), analyse(now)
    return WhatIf(tuple(edits), old, new, changes(old, new), tuple(separable), rows=layer_by_layer(old, new))


def layer_by_layer(before: Report, after: Report) -> tuple[Row, ...]:
    """Every layer of the changed network beside what it was before; nothing where no block was put in."""
    past = {layer.name: layer for layer in before.table}
    grouped: dict[str, list[LayerReport]] = {}
    for layer in after.layers:
        block = block_of(layer.name, layer.source)
        if block or layer.is_layer:
            grouped.setdefault(block or layer.name, []).append(layer)
    if not any(block_of(layer.name, layer.source) for layer in after.layers):
        return ()
    return tuple(Row(name, (past[name],) if name in past else (), tuple(made)) for name, made in grouped.items())


def side_by_side(first: Report, second: Report) -> WhatIf:
    """Two networks, figure by figure."""
    return WhatIf((), first, second, changes(first, second), names=(first.title, second.title))


def changes(before: Report, after: Report) -> tuple[Change, ...]:
    """Every figure of two reports that can be put side by side, those without any value left out."""
    found = []
    for old in before.fields:
        new = next((f for f in after.fields if (f.axis, f.input) == (old.axis, old.input)), None)
        new = new or next(
            (f for f in after.fields if f.axis == old.axis and len(after.fields) == len(before.fields)), None
        )
        if new is None:
            continue
        for name in ("rf", "hop", "ahead", "past", "latency", "first_output_needs", "out_size"):
            found.append(Change(name, old.axis, "positions", getattr(old, name), getattr(new, name)))
    for name in ("params", "macs", "macs_per_second", "state", "weight_bytes", "activation_peak"):
        first, second = getattr(before.costs, name), getattr(after.costs, name)
        sums = name in {"params", "macs", "macs_per_second"}  # which say nothing where operators are left out
        values = [None if sums and figure.status is Status.PARTIAL else figure.value for figure in (first, second)]
        found.append(Change(name, "", first.unit, *values))
    return tuple(change for change in found if change.before is not None or change.after is not None)
