"""The values that pasted code is made of while it is read: layers, tensors of the graph, functions, names unknown here.

Plain numbers, strings, lists and dicts are themselves. Nothing here is ever executed as Python.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import ExplainError
from .build import spread
from .layers import Origin, brief

MOST_LAYERS = 20_000
UNREAD_SETTING = re.compile(
    r"activation|name|dtype|window|window_fn|function|\w*(?:initializer|regularizer|constraint)"
)
SETTINGS = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0, "groups": 1, "bias": True}  # usual ones
PER_AXIS = ("kernel_size", "stride", "padding", "dilation", "output_padding")


@dataclass(eq=False)
class Layer:
    """One layer that was written down, not yet applied to anything."""

    kind: str
    values: dict[str, Any]
    framework: str  # "keras" | "torch"
    line: int
    name: str | None = None
    owner: Layer | None = None  # the layer whose weights it uses, where that is another one

    @property
    def origin(self) -> Origin:
        """Where it comes from; it owns its weights however often it is applied."""
        name = self.values.get("name") if self.framework == "keras" else None
        shown = name if isinstance(name, str) else self.name or snake_case(self.kind)
        return Origin(shown, self.kind, self.line, self.owner or self)

    def variant(self, values: dict[str, Any]) -> Layer:
        """The layer with other settings and the same weights."""
        return replace(self, values=values, owner=self.owner or self)

    def setting(self, name: str) -> Any:
        """A setting as its own code sees it: sizes of a convolution as one entry per axis."""
        value = self.values.get(name, SETTINGS.get(name))
        per_axis = self.framework == "torch" and self.kind.startswith("Conv") and name in PER_AXIS
        return tuple(spread(value, int(self.kind[-2]))) if per_axis and not isinstance(value, str) else value

    def settled(self) -> dict[str, Any]:
        """Its settings, every one of them a known value.

        Raises:
            ExplainError: a name in them that the code does not define; its line is named.
        """
        open_ = {}
        for key, value in self.values.items():
            if UNREAD_SETTING.fullmatch(key):
                continue
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, Free):
                    open_[key] = one.what
                elif isinstance(one, Missing):
                    raise unreadable(one, self.line)
        if len(open_) == 1:
            raise unreadable(Free(next(iter(open_.values())), self.line), self.line)
        if open_:
            listed = ", ".join(f"{key} = {path}" for key, path in open_.items())
            names = ", ".join(dict.fromkeys(open_.values()))
            raise at(
                self.line,
                f"{self.kind} needs values that the pasted code does not define: {listed}. Write them in place of "
                f"{names}, or paste the lines that set them, such as {next(iter(open_.values()))} = 64.",
            )
        act = self.values.get("activation")
        named = act.last if isinstance(act, Free) else act.kind.lower() if isinstance(act, Layer) else act
        return self.values | ({} if act is None else {"activation": named})


@dataclass(eq=False)
class Chain:
    """Layers applied one after the other: Sequential."""

    layers: list[Any]
    framework: str
    line: int
    name: str | None = None


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph being built."""

    name: str


@dataclass(frozen=True)
class Network:
    """A functional Keras model: from these inputs to these outputs."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Missing:
    """What a call or an operation gave that cannot be read; an error once something depends on it."""

    what: str
    line: int

    def followed(self) -> Missing:
        """What an operation on it gives."""
        return Missing(self.what, self.line)


@dataclass(frozen=True)
class Free(Missing):
    """A name that the code does not define: a module (`nn.functional`), the input (`x`), or something missing."""

    @property
    def last(self) -> str:
        return self.what.rsplit(".", 1)[-1]

    @property
    def root(self) -> str:
        return self.what.split(".", 1)[0]


@dataclass(frozen=True, eq=False)
class Function:
    """A function defined in the code; `self_` is the object it is bound to."""

    node: ast.FunctionDef | ast.Lambda
    self_: Any = None
    home: Class | None = None  # the class that defines it, for super()
    around: Mapping[str, Any] | None = None  # names of the function that it is defined in

    @property
    def name(self) -> str:
        return "<lambda>" if isinstance(self.node, ast.Lambda) else self.node.name

    def dims_of(self, name: str) -> int | None:
        """Dims of a parameter, where the first use of it in a statement says so: after `b, c, h, w = x.shape`, as
        many; before `x = x.unsqueeze(1)`, -1 for one less than the layer takes; before an stft, -2."""
        body = [] if isinstance(self.node, ast.Lambda) else self.node.body
        uses = (node for node in body if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node)))
        first = next(uses, None)
        match first:
            case ast.Assign([ast.Tuple(names)], ast.Attribute(_, "shape") | ast.Call(ast.Attribute(_, "size"), [])):
                return len(names)
            case ast.Assign([ast.Name()], ast.Call(ast.Attribute(ast.Name(), "unsqueeze"), [*_, ast.Constant(1)])):
                return -1
        for node in ast.walk(first) if first is not None else ():
            match node:
                case ast.Subscript(ast.Name(found), ast.Tuple(keys)) if found == name:
                    return len(keys) if all(isinstance(key, ast.Slice) for key in keys) else None
                case ast.Call(ast.Attribute(_, "stft"), [ast.Name(found), *_]) if found == name:
                    return -2
                case ast.Call(ast.Attribute(ast.Name(found), "permute"), keys) if found == name and len(keys) > 2:
                    return len(keys)
                case ast.Call(ast.Attribute(ast.Name(found), "transpose"), [ast.Constant(1), ast.Constant(2)]):
                    return 3 if found == name else None
        return None


@dataclass(frozen=True, eq=False)
class Class:
    """A class defined in the code; `parent` is the one it derives from, when that is defined there too."""

    node: ast.ClassDef
    own: dict[str, ast.FunctionDef]
    parent: Class | None = None
    layer: Any = None  # the known layer that it derives from, such as nn.Conv1d
    fields: Mapping[str, Any] = field(default_factory=dict)  # set in its body; Missing where only their type stands

    @property
    def constants(self) -> dict[str, Any]:
        """What its body and those of its parents set."""
        return {**(self.parent.constants if self.parent else {}), **self.fields}

    def method(self, name: str, self_: Any) -> Function | None:
        """A method bound to an object, the class's own or inherited."""
        home: Class | None = self
        while home is not None:
            if name in home.own:
                return Function(home.own[name], self_, home)
            home = home.parent
        return None


@dataclass(frozen=True)
class Super:
    """What super() gives inside a method: the object, seen as one of its parent class."""

    self_: Any
    parent: Class | Free


@dataclass(eq=False)
class Instance:
    """An object of a class defined in the code, or the `self` of methods pasted without their class."""

    owner: Class | None
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    layer: Layer | Chain | None = None  # what it is itself, where its class derives from a known layer


@dataclass(frozen=True)
class Method:
    """A method of a value that is not an Instance, such as `x.view` or `model.add`."""

    value: Any
    name: str


def at(line: int, text: str) -> ExplainError:
    """An error that names the line of the pasted code."""
    return ExplainError(f"line {line}: {text}")


def unreadable(value: Any, line: int) -> ExplainError:
    """The error for a value that is no tensor, or that the code does not define."""
    if isinstance(value, Free):
        return at(
            line,
            f"the name '{value.what}' is not defined in the pasted code. Write its value, or paste the line that sets "
            "it.",
        )
    if isinstance(value, Missing):
        return at(
            line,
            f"'{value.what}' (line {value.line}) is not defined in the pasted code and cannot be worked out without "
            "running it. Write its value instead.",
        )
    return at(line, f"a tensor or a layer was expected here, not {brief(value)}.")


def holds_tensor(values: Iterable[Any]) -> bool:
    """True where one of some values, or of those in its lists, is a tensor."""
    return any(isinstance(v, Tensor) or (isinstance(v, list | tuple) and holds_tensor(v)) for v in values)


def number_of(value: Any) -> bool:
    """True for plain numbers, booleans left out."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def snake_case(kind: str) -> str:
    """Keras's default names: Conv2DTranspose is called conv2d_transpose."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()


def parts_of(value: Any) -> list[tuple[str, Any]]:
    """What a chain, a list or an object holds, each with the name that torch gives it there."""
    if isinstance(value, Instance):
        return [*value.attributes.items(), *([("", value.layer)] if value.layer else [])]
    inside = value.layers if isinstance(value, Chain) else value if isinstance(value, list | tuple) else ()
    return [(str(i), one) for i, one in enumerate(inside)]


def christen(value: Any, path: str) -> None:
    """Gives every layer inside a value the name that torch would give it: blocks.0.conv.1."""
    if isinstance(value, Layer | Instance):
        value.name = path or None
    for name, inner in parts_of(value):
        christen(inner, f"{path}.{name}" if path and name else path or name)


def copied(value: Any) -> Any:
    """A value with layers of its own, which own their weights."""
    if isinstance(value, Layer):
        return replace(value, values=dict(value.values), name=None)
    if isinstance(value, Chain):
        return replace(value, layers=copied(value.layers), name=None)
    if isinstance(value, Instance):
        attributes = {name: copied(one) for name, one in value.attributes.items()}
        return replace(value, attributes=attributes, name=None, layer=copied(value.layer))
    return [copied(one) for one in value] if isinstance(value, list) else value


def flat_layers(values: Sequence[Any]) -> list[Any]:
    """Every layer in lists, chains and objects, in the order written."""
    found: list[Any] = []
    for value in values:
        if len(found) > MOST_LAYERS:
            break
        found += [value] if isinstance(value, Layer) else flat_layers([one for _, one in parts_of(value)])
    return found
