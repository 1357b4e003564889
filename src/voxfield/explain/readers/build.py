"""The graph in the making, for all readers; for those of operator graphs also what each of its nodes stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from ..graph import Axis, Graph, Op, Role, Size, Tensor
from ..phrases import table

Sizes = tuple[Size, ...]
Shape = tuple[int, ...]
Owned = tuple[str, int, int, bool]  # (name, values, bytes of one, is a parameter)
T = TypeVar("T")


@dataclass(frozen=True)
class Const:
    """A value that does not depend on any input: a parameter, a buffer, or something made of them."""

    shape: Shape
    owned: tuple[Owned, ...]
    item_bytes: int
    values: Any = field(default=None, compare=False)  # its numbers, where they are few and known


@dataclass(frozen=True)
class Live:
    """A value that depends on an input: the tensor of that name in the graph."""

    name: str
    shape: Shape
    item_bytes: int


Value = Const | Live


FIELDS = ("windows", "dims", "channel_dim", "groups", "weight_values")  # of an operator, beside its attributes


def parted(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(fields of an operator, its attributes) among what is said of it."""
    fields = {key: value for key, value in settings.items() if key in FIELDS}
    return fields, {key: value for key, value in settings.items() if key not in FIELDS}


@dataclass
class Builder:
    """A graph in the making: its operators in order, its tensors and inputs, and what is said beside it."""

    title: str = ""
    ops: list[Op] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    axes: dict[str, tuple[Axis, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say `text` beside the result, once."""
        if text not in self.notes:
            self.notes.append(text)

    def add_input(self, name: str, shape: Sizes, item_bytes: int, role: Role = "input") -> None:
        """An input of the network, batch included in its shape."""
        self.inputs.append(name)
        self.tensors[name] = Tensor(name, tuple(shape), role, item_bytes)

    def put(self, op: Op, shapes: Sequence[Sizes], item_bytes: int) -> None:
        """An operator behind the others, and its outputs of these shapes."""
        self.ops.append(op)
        for name, shape in zip(op.outputs, shapes, strict=True):
            self.tensors[name] = Tensor(name, shape, "activation", item_bytes)

    def reached(self, outputs: Sequence[str]) -> set[str]:
        """Every tensor that some output depends on."""
        wanted = set(outputs)
        for op in reversed(self.ops):
            if wanted.intersection(op.outputs):
                wanted.update(op.inputs)
        return wanted

    def note_idle(self, used: set[str]) -> None:
        """Say which operators with parameters lead to none of the tensors that are used."""
        idle = [op.name for op in self.ops if op.params and not used.intersection(op.outputs)]
        if idle:
            self.note(f"Computed, but no output depends on it: {', '.join(idle)}.")

    def graph(self, outputs: Sequence[str], **more: Any) -> Graph:
        """The graph as it is now, up to some outputs."""
        parts = tuple(self.ops), dict(self.tensors), tuple(self.inputs), tuple(outputs), dict(self.axes)
        return Graph(*parts, title=self.title, notes=tuple(self.notes), **more)


@dataclass
class OperatorGraph(Builder):
    """A graph read operator by operator, which knows what every node of the source graph stands for."""

    values: dict[str, Value] = field(default_factory=dict)
    parts: dict[str, list[Value]] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    names: dict[str, int] = field(default_factory=dict)
    inline: set[str] = field(default_factory=set)  # constants that stand in a node, not in the file's list of weights
    writes: dict[str, tuple[Value, list[tuple[int, int, int]]]] = field(default_factory=dict)
    made: dict[str, list[str]] = field(default_factory=dict)  # names of the operators that each source node became

    def add_input(self, name: str, shape: Sizes, item_bytes: int, role: Role = "input") -> None:
        super().add_input(name, shape, item_bytes, role)
        self.values[name] = Live(name, tuple(int(size or 1) for size in shape), item_bytes)

    def activation(self, node: str) -> str | None:
        """The tensor that a node stands for; None when it does not depend on the input."""
        value = self.values.get(node)
        return value.name if isinstance(value, Live) else None

    def untouched(self, value: Live, reads: Sequence[tuple[int, int, int]]) -> Value:
        """What a stretch is read from: behind every write (dim, start, stop) that does not meet it."""
        found: Value = value
        while isinstance(found, Live) and found.name in self.writes:
            source, wrote = self.writes[found.name]
            apart = any(d == e and (stop <= a or b <= start) for d, start, stop in reads for e, a, b in wrote)
            if not apart:
                break
            found = source
        return found

    def from_state(self, value: Value | None) -> bool:
        """True when a tensor depends on an input that carries state."""
        behind = self.reached([value.name]) if isinstance(value, Live) else ()
        return any(self.tensors[name].role == "state" for name in behind)

    def unique(self, name: str) -> str:
        """`name`, or `name#2` and so on when it is taken."""
        self.names[name] = self.names.get(name, 0) + 1
        return name if self.names[name] == 1 else f"{name}#{self.names[name]}"

    def own(self, values: Sequence[Any], weights: bool = True) -> tuple[int, int]:
        """(parameters, bytes) among some values that no earlier operator has counted.

        Args:
            weights: whether constants written inside the graph are weights here; signs and scales are not.
        """
        params = size = 0
        for value in values:
            for name, numel, item, is_parameter in value.owned if isinstance(value, Const) else ():
                if name not in self.counted:
                    self.counted.add(name)
                    params += numel if is_parameter and (weights or name not in self.inline) else 0
                    size += numel * item
        return params, size


LAYERS = frozenset({"conv", "conv_transpose", "linear", "rnn", "norm", "pool", "upsample", "adaptive_pool"})


@dataclass
class Call:
    """One operator call: its arguments by name with nodes resolved to values, and where its results go."""

    builder: OperatorGraph
    node: str
    base: str
    source: str
    args: dict[str, Any]
    outs: list[tuple[Shape, int] | None]
    place: tuple[str, bool]
    results: list[Value] = field(default_factory=list)
    named: bool = False  # the place is the operator's own name, not that of the module around it

    def operands(self) -> list[Live | Const]:
        """All values among the arguments, lists taken apart."""
        listed = [one for v in self.args.values() for one in (v if isinstance(v, list | tuple) else (v,))]
        return [one for one in listed if isinstance(one, Live | Const)]

    def live(self) -> list[Live]:
        """All activations among the arguments."""
        return [one for one in self.operands() if isinstance(one, Live)]

    def consts(self) -> list[Const]:
        """All constants among the arguments."""
        return [one for one in self.operands() if isinstance(one, Const)]

    def arg(self, *names: str) -> Any:
        """The argument with the first of these names that the operator has."""
        return next((self.args[name] for name in names if name in self.args), None)

    def dim(self, rank: int, default: int = 0) -> int:
        """The dim that it works along, counted from the front."""
        given = self.numbers("dim")
        return dim_of(int(given[0]) if given else default, rank)

    def along(self, default: int = 0) -> tuple[Live, int]:
        """The first activation, and the dim of it that the operator works along."""
        return self.first(), self.dim(len(self.first().shape), default)

    def numbers(self, name: str) -> list[Any] | None:
        """An argument as a list of numbers; None where it is left out or not known."""
        given = self.args.get(name)
        if isinstance(given, Const):
            return None if given.values is None else given.values.reshape(-1).tolist()
        return None if given is None or isinstance(given, Live) else spread(given, 1)

    def first(self) -> Live:
        """The first activation among the arguments."""
        return self.live()[0]

    @property
    def others(self) -> list[Shape]:
        """The shapes of the outputs behind the first."""
        return [out[0] for out in self.outs[1:] if out]

    @property
    def shape(self) -> Shape:
        """The shape of the first output."""
        out = self.outs[0]
        return out[0] if out else ()

    def settle(self, rule: Callable[[Any], None], fixed: bool) -> None:
        """What the operator gives: by its rule, or a constant where it reads no activation or is `fixed`."""
        if self.live() and not fixed:
            rule(self)
        else:
            owned = tuple(dict.fromkeys(one for const in self.consts() for one in const.owned))
            self.results = [Const(out[0], owned, out[1]) if out else Const((), owned, 0) for out in self.outs]

    def constant(self, value: Const) -> Live:
        """A constant as a tensor of the graph, where its size matters."""
        name = self.builder.unique(f"{self.node}.constant")
        self.builder.tensors[name] = Tensor(name, value.shape, "constant", value.item_bytes or 4)
        return Live(name, value.shape, value.item_bytes or 4)

    def emit(
        self, kind: str, inputs: Sequence[Live], shape: Shape | None = None, more: Sequence[Shape] = (), **settings: Any
    ) -> Live:
        """Add one operator; the answer is its first output. Parameters among the arguments are counted here.

        Args:
            shape: of its first output, that of the call's where it is not given; `more` has those behind it.
            settings: further fields of an `Op` by their names, and its attributes.
        """
        b = self.builder
        path, leaf = self.place
        own = kind in LAYERS or (leaf and kind in {"elementwise", "softmax", "identity", "pad", "unknown"})
        name = b.unique(path if path and (own or self.named) else f"{path}.{self.base}" if path else self.node)
        item = self.outs[0][1] if self.outs and self.outs[0] else 4
        shapes = [self.shape if shape is None else shape, *more]
        outputs = [Live(name if i == 0 else f"{name}:{i}", s, item) for i, s in enumerate(shapes)]
        fields, attrs = parted(settings)
        weighted = kind in LAYERS or kind == "einsum" or attrs.get("function") in {"add", "prelu", "batch_norm"}
        params, size = b.own(self.consts(), weighted)
        fields |= {"params": params, "weight_bytes": size, "attrs": attrs, "source": self.source}
        b.put(Op(kind, name, tuple(v.name for v in inputs), tuple(v.name for v in outputs), **fields), shapes, item)
        self.results = list(outputs)
        return outputs[0]


def by_name(*rows: tuple[str, T]) -> dict[str, T]:
    """A table in which every name of a row has the row's entry."""
    return {name: entry for names, entry in rows for name in names.split()}


def operators(reader: str, *homes: ModuleType) -> dict[str, Any]:
    """What reads each operator, by its name: functions of these modules, as `operators.toml` lists them."""
    rules = {home.__name__.rpartition(".")[2]: vars(home) for home in homes}
    listed = table("operators")[reader].items()
    return by_name(*((names, rules[home][rule]) for home, found in listed for rule, names in found.items()))


def spread(value: Any, count: int) -> list[Any]:
    """One entry per dim, where torch also takes a single number for all."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    return values * count if len(values) == 1 else values


def dim_of(dim: int, rank: int) -> int:
    """A dim counted from the front."""
    return dim + rank if dim < 0 else dim


def unknown_op(c: Call) -> None:
    c.emit("unknown", c.live(), more=c.others)
