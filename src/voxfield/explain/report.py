"""What `explain` answers: typed, frozen, and free of any rendering.

Every cost is a `Figure` that says how far it can be trusted: `exact`, `partial` (what was left out is listed) or
`unavailable`. Nothing that could not be counted is shown as zero. `Report.to_dict()` is the JSON form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from fractions import Fraction
from html import escape
from typing import Any

from .graph import Size, Window
from .numbers import plain, short

LONG = 10**9  # positions; what is copied from further on stood behind an unknown length
SCHEMA_VERSION = 1  # of `to_dict`: counts up when a key is renamed or removed


def data_of(value: Any, *names: str) -> dict[str, Any]:
    """Attributes by their names as JSON holds them; all fields of a dataclass where none is named."""
    return {name: _plain_data(getattr(value, name)) for name in names or [one.name for one in fields(value)]}


def _plain_data(value: Any) -> Any:
    if isinstance(value, Fraction):  # whole ones as int
        return int(value) if value.denominator == 1 else float(value)
    if isinstance(value, tuple | list):
        return [_plain_data(one) for one in value]
    if is_dataclass(value):
        return value.to_dict() if hasattr(value, "to_dict") else data_of(value)
    return str(value) if isinstance(value, StrEnum) else value


class Status(StrEnum):
    """How far a figure can be trusted."""

    EXACT = "exact"
    PARTIAL = "partial"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Figure:
    """A number with its unit, its trust, and what it leaves out."""

    value: int | float | Fraction | None
    unit: str
    status: Status = Status.EXACT
    missing: tuple[str, ...] = ()  # names of the operators or facts that are not in the number

    @property
    def trust(self) -> str:
        """` (partial)` behind a figure that leaves something out."""
        return "" if self.status is Status.EXACT else f" ({self.status})"

    def to_dict(self) -> dict[str, Any]:
        """`{"value", "unit", "status"}`, and `"missing"` where something is."""
        return data_of(self, "value", "unit", "status", *(["missing"] if self.missing else []))


def unavailable(unit: str, *missing: str) -> Figure:
    """A figure that cannot be given, and why."""
    return Figure(None, unit, Status.UNAVAILABLE, missing)


@dataclass(frozen=True)
class Cause:
    """An operator that makes outputs depend on inputs arbitrarily far away.

    Attributes:
        operator: the operator's name in the graph.
        kind: its kind in the graph ("norm", "reduce", "rnn", "attention", "linear", ...).
        why: a short phrase, such as "mean and variance over time".
        statistics: True when a local path exists beside it and this operator only adds statistics of the rest (a
            global norm, squeeze-excitation, a cumulative mean). The local field is then still reported.
    """

    operator: str
    kind: str
    why: str
    statistics: bool


@dataclass(frozen=True)
class Phase:
    """The field of the outputs `index + m * period`: input positions `start` to `end`, for m = 0; both included.

    Both are None when such an output depends on no input at all (the gaps of a transposed convolution).
    """

    index: int
    start: int | None
    end: int | None

    @property
    def width(self) -> int:
        """Number of input positions from start to end."""
        return 0 if self.start is None or self.end is None else self.end - self.start + 1


@dataclass(frozen=True)
class AxisField:
    """What one output position sees along one axis of one input, in positions of that input.

    The field is the one of an output far from the edges: padding counts as existing. Output n stands at input
    position `n * hop`. All positions are whole numbers; `hop` is an exact fraction.

    Attributes:
        axis: "time", "freq", "h", "w" ...
        input: name of the input tensor.
        in_size: positions of the input; None when not known.
        out_size: positions of this tensor along the axis; None when not known or when the axis is gone.
        hop: input positions between neighbouring outputs; None when nothing moves along the axis any more.
        phases: the local field of each output phase, the first being that of output 0. Empty when no local path exists.
        whole_input: operators that make every output depend on the whole axis.
        unbounded_past: operators that make an output depend on everything before it.
        unbounded_future: the same for what comes after (a recurrence run backwards).
        reach: for `whole_input`, the first and last input position that are really read through those operators.
        rate_hz: positions of the input a second, when known.
    """

    axis: str
    input: str
    in_size: Size
    out_size: Size
    hop: Fraction | None
    phases: tuple[Phase, ...] = ()
    whole_input: tuple[Cause, ...] = ()
    unbounded_past: tuple[Cause, ...] = ()
    unbounded_future: tuple[Cause, ...] = ()
    reach: tuple[int, int] | None = None
    rate_hz: float | None = None
    mirrored: tuple[int, ...] = ()  # inputs that the first outputs need for copies of later ones laid before the start
    turned: bool = False  # True where edges show the other end of the axis
    tail_dropped: int | None = None  # last input positions that no output sees, for this input size
    status: Status = Status.EXACT
    missing: tuple[str, ...] = ()  # operators on the way from the input without a rule, or that broke the order
    uneven: bool = False  # True where stretches of the axis lie one after the other out of order

    @property
    def bounded(self) -> bool:
        """True when the local path alone decides: no recurrence, contraction or attention beyond it."""
        causes = (*self.whole_input, *self.unbounded_past, *self.unbounded_future)
        return bool(self.phases) and all(cause.statistics for cause in causes)

    @property
    def streams(self) -> bool:
        """True when outputs never wait for the end of the input."""
        return not self.whole_input and not self.unbounded_future and not self.starts_at_the_end

    @property
    def starts_at_the_end(self) -> bool:
        """True when the first output needs the last input: where the axis runs backwards or its ends are joined."""
        backwards = self.hop is not None and self.hop < 0
        return backwards or max(self.mirrored, default=0) >= (LONG if self.in_size is None else self.in_size)

    @property
    def local_rf(self) -> int | None:
        """Widest field over the phases along the local path; None when there is no local path."""
        return max((p.width for p in self.phases), default=None)

    @property
    def rf(self) -> int | None:
        """Largest receptive field over output phases; None when it is unbounded or the whole input."""
        return self.local_rf if self.bounded else None

    @property
    def rf_min(self) -> int | None:
        """Smallest receptive field over output phases; None when it is unbounded or the whole input."""
        return min(p.width for p in self.phases) if self.bounded else None

    @property
    def ahead(self) -> Fraction | None:
        """Look-ahead: largest (last input needed) - (output index * hop); None without a bound, and backwards."""
        return self._furthest(self.unbounded_future, [(p.end, p.index, 1) for p in self.phases])

    @property
    def past(self) -> Fraction | None:
        """Largest (output index * hop) - (first input needed); None when it has no bound or runs backwards."""
        return self._furthest(self.unbounded_past, [(p.start, p.index, -1) for p in self.phases])

    def _furthest(self, beyond: Sequence[Cause], ends: Sequence[tuple[int | None, int, int]]) -> Fraction | None:
        if self.hop is None or self.hop < 0 or not self._seen or not self._bounded(*self.whole_input, *beyond):
            return None
        return max((end - index * self.hop) * sign for end, index, sign in ends if end is not None)

    @property
    def first_output_needs(self) -> int | None:
        """Inputs that must exist before output 0 can be computed; None when that is all of them."""
        if not self._seen or not self._bounded(*self.whole_input, *self.unbounded_future):
            return None
        if self.hop is not None and self.hop < 0:
            return self.in_size
        end = self.phases[0].end
        needs = max(0, *self.mirrored[:1], 0 if end is None else end + 1)
        return None if self.in_size is None and needs >= LONG else needs

    @property
    def alignment(self) -> Fraction | None:
        """Centre of the local field of output 0, in input positions; None when there is none."""
        first = self.phases[0] if self.phases else None
        if first is None or first.start is None or first.end is None:
            return None
        return Fraction(first.start + first.end, 2)

    @property
    def block(self) -> int | None:
        """Input positions after which the pattern of outputs repeats: the natural step of a stream."""
        return None if self.hop is None or not self.phases else abs(int(self.hop * len(self.phases)))

    @property
    def lookahead(self) -> int | None:
        """Input positions beyond its own block that a block of outputs still waits for; None when unbounded."""
        block = self.block
        if block is None or not self.streams or not self._seen:
            return None
        return max(0, max(p.end for p in self.phases if p.end is not None) + 1 - block)

    @property
    def latency(self) -> int | None:
        """Algorithmic latency in input positions, block + lookahead; None when the end of the input must be known."""
        block, lookahead = self.block, self.lookahead
        return None if block is None or lookahead is None else block + lookahead

    def ms(self, positions: int | Fraction | None) -> float | None:
        """`positions` of this axis in milliseconds; None when the rate or the value is not known."""
        return None if positions is None or self.rate_hz is None else float(positions) * 1000.0 / self.rate_hz

    @property
    def output_rate_hz(self) -> float | None:
        """Outputs a second; None when the rate is not known."""
        return None if self.rate_hz is None or not self.hop else self.rate_hz / abs(float(self.hop))

    @property
    def _seen(self) -> bool:
        return any(p.end is not None for p in self.phases)

    @staticmethod
    def _bounded(*causes: Cause) -> bool:
        return all(cause.statistics for cause in causes)

    def to_dict(self) -> dict[str, Any]:
        """Every fact above under its own name; times in ms beside positions when the rate is known."""
        found = data_of(
            self, "axis", "input", "in_size", "out_size", "rf", "rf_min", "local_rf", "hop", "ahead", "past"
        )
        found |= data_of(self, "first_output_needs", "alignment", "block", "lookahead", "latency", "tail_dropped")
        if self.hop is not None and self.hop.denominator > 1:
            found["hop_exact"] = str(self.hop)
        found["phases"] = [[p.start, p.end] for p in self.phases]
        found |= data_of(self, "status", "missing", "reach", "whole_input", "unbounded_past", "unbounded_future")
        if self.rate_hz is not None:
            found["rate_hz"] = self.rate_hz
            found["output_rate_hz"] = self.output_rate_hz
            for key in ("rf", "hop", "ahead", "past", "first_output_needs", "block", "lookahead", "latency"):
                found[f"{key}_ms"] = self.ms(getattr(self, key))
        return found


@dataclass(frozen=True)
class LayerReport:
    """One operator's share: what it is, what it costs, and the field of its output seen from the network's input."""

    name: str
    kind: str
    source: str
    in_shapes: tuple[tuple[Size, ...], ...]
    out_shape: tuple[Size, ...]
    windows: tuple[Window, ...]
    dims: tuple[int, ...]
    groups: int
    params: int
    weight_bytes: int
    macs: Figure  # for the input size given
    state: Figure  # values kept between steps of a stream
    activation: Figure  # bytes of its outputs
    values_per_frame: Figure  # values of the output per position of the time axis (or of the first axis)
    fields: tuple[AxisField, ...]  # cumulative: from the network's inputs to this output
    tail_dropped: tuple[int | None, ...]  # per window: last positions of its own padded input that it never reads
    line: int | None = None

    @property
    def is_layer(self) -> bool:
        """True for operators worth a row in a table: those with weights, a window, or a cost."""
        return bool(self.params or self.windows or self.macs.value)

    def field(self, axis: str) -> AxisField:
        """The field along `axis` of the main input; KeyError when the operator's output does not follow it."""
        return {field.axis: field for field in reversed(self.fields)}[axis]

    def to_dict(self) -> dict[str, Any]:
        windows = [
            {"dim": dim, "padding": [w.pad_start, w.pad_end]}
            | data_of(w, "kernel", "stride", "dilation", "output_padding")
            for dim, w in zip(self.dims, self.windows, strict=False)
        ]
        found = data_of(self, "name", "kind", "source", "line", "in_shapes", "out_shape", "groups", "params")
        found |= data_of(
            self, "weight_bytes", "macs", "state", "activation", "values_per_frame", "tail_dropped", "fields"
        )
        return {**found, "windows": windows}


@dataclass(frozen=True)
class Costs:
    """What the whole network costs. MACs: one multiply-accumulate counted once, dense kernels only."""

    params: Figure
    weight_bytes: Figure
    macs: Figure  # for the input given
    macs_per_second: Figure  # per second of audio
    macs_by_kind: tuple[tuple[str, int], ...]  # of what was counted
    activation_peak: Figure  # bytes alive at once while it runs in order
    activation_total: Figure  # bytes written by all operators
    state: Figure  # values a stream keeps
    state_bytes: Figure
    intensity: Figure  # MACs per byte moved (weights once, activations written and read)

    def to_dict(self) -> dict[str, Any]:
        return {**data_of(self), "macs_by_kind": dict(self.macs_by_kind)}


@dataclass(frozen=True)
class ProbeResult:
    """One measurement beside the symbolic answer.

    Attributes:
        probe: "gradient" or "nan".
        agrees: None when the probe could not decide (`detail` says why).
        symbolic, measured: the two answers as short texts, such as "-135 .. 7".
    """

    probe: str
    axis: str
    agrees: bool | None
    symbolic: str
    measured: str
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """Everything `explain` found out about one network."""

    title: str
    input_shapes: tuple[tuple[str, tuple[Size, ...]], ...]
    output_shapes: tuple[tuple[str, tuple[Size, ...]], ...]
    fields: tuple[AxisField, ...]  # of the first output, per axis of every input that is not a state
    layers: tuple[LayerReport, ...]
    costs: Costs
    unknown: tuple[str, ...] = ()  # operators that no rule covers: "name (source)"
    notes: tuple[str, ...] = ()
    probes: tuple[ProbeResult, ...] = ()

    def __str__(self) -> str:
        """The figures in a line an axis and one for the costs; `voxfield explain` says more."""
        costs = [self.costs.params, self.costs.macs, self.costs.macs_per_second, self.costs.state]
        found = [f"{short(cost.value)} {cost.unit}{cost.trust}" for cost in costs if cost.value is not None]
        known = [one.replace(" values", " values of streaming state") for one in found]
        return "\n".join([self.title, *map(_line, self.fields), *([", ".join(known)] if known else [])])

    def field(self, axis: str, input: str | None = None) -> AxisField:
        """The field along `axis` (of `input`, when several have it); KeyError when it is not followed."""
        for found in self.fields:
            if found.axis == axis and (input is None or found.input == input):
                return found
        raise KeyError(axis)

    def layer(self, name: str) -> LayerReport:
        """The operator called `name`; KeyError when there is none."""
        return {layer.name: layer for layer in self.layers}[name]

    def _repr_html_(self) -> str:
        """The lines of `str` as a table, which notebooks show."""
        title, *lines = str(self).split("\n")
        cells = "".join(f"<tr><td>{escape(line)}</td></tr>" for line in lines)
        return f"<table><caption>{escape(title)}</caption>{cells}</table>"

    @property
    def table(self) -> tuple[LayerReport, ...]:
        """The operators worth a row: those with weights, a window or a cost."""
        return tuple(layer for layer in self.layers if layer.is_layer)

    def to_dict(self) -> dict[str, Any]:
        """The whole report as plain data for JSON, as `schema.json` beside this file describes it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "title": self.title,
            "inputs": {name: list(shape) for name, shape in self.input_shapes},
            "outputs": {name: list(shape) for name, shape in self.output_shapes},
            **data_of(self, "fields", "costs", "layers", "unknown", "notes", "probes"),
        }


def _line(field: AxisField) -> str:
    """An axis in words, with times where the rate is known."""
    named = {"receptive field": field.rf, "hop": field.hop, "look-ahead": field.ahead, "latency": field.latency}
    told = []
    for name, value in named.items():
        ms = field.ms(value)
        time = "" if ms is None else f" ({plain(ms)} ms)"
        told.append(f"{name} {'unbounded' if value is None else plain(value)}{time}")
    return f"{field.axis}: {', '.join(told)}"
