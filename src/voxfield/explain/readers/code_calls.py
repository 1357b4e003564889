"""What the calls in pasted code do to the graph: layers applied to tensors, joins, slices, functions and objects.

Which names mean a layer, and what its arguments are called, comes from the tables of the Keras and torch layers. The
functional operations of torch and TensorFlow are in `code_functions`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ...errors import ExplainError
from ..axes import keras_axes
from ..graph import Axis, Shape, axes_of
from ..phrases import NAMES
from . import code_functions
from .code_builtins import HOME
from .code_inputs import asked_by, assumed_input, chain_input, declared_input
from .code_values import (
    Chain,
    Class,
    Free,
    Function,
    Instance,
    Layer,
    Method,
    Missing,
    Network,
    Super,
    Tensor,
    at,
    christen,
    copied,
    flat_layers,
    holds_tensor,
    number_of,
    unreadable,
)
from .interpret import Interpreter
from .layer_kinds import ALIASES, LAYERS, NEUTRAL, WITHOUT_RULE, add_layer
from .layers import LayerGraph, Origin, is_whole

INPUT = re.compile(r"(?i)inp(?:ut)?s?_?\d+")  # of one branch of several, each of which has its own
KNOWN_ANSWERS = {"is_available": False, "image_data_format": "channels_last"}  # no accelerator decides on a network
FORWARD = ("forward", "call", "__call__")
# names of tensors that a layer is applied to, in the order in which it takes them
CALLED_WITH = {"torch": ("x", "input", "query", "key", "value"), "keras": ("x", "inputs", "query", "value", "key")}
STAYS = re.compile("norm|(?<![a-z])bn|act(?:ivation)?_?(?:fn|layer)?[(]|nonlinear", re.IGNORECASE)  # what moves nothing
# functions that take outputs and are no part of a network
JUDGES = re.compile("loss|criterion|metric|accuracy|entropy", re.IGNORECASE)


Fitting = tuple[tuple[int, ...], tuple[str, int]]  # the sizes of an input; the layer that asks for them, its features


class CodeCalls:
    """What calls, attributes and joins of one snippet mean; `net` grows as the code is read."""

    def __init__(self, net: LayerGraph, framework: str, given: Shape | None, layout: str | None) -> None:
        self.net = net
        self.framework = framework
        self.given = given
        self.layout = layout
        self.interpreter = Interpreter(self)
        self.bare: list[Layer | Chain] = []  # layers written down on a line of their own
        self.behind: list[Layer | Chain] = []  # those of them that come after the last tensor
        self.loose: list[Layer] = []  # layers that were given a name outside of functions
        self.latest: Tensor | None = None
        self.lost: Missing | None = None  # what a tensor went through that cannot be read
        self.network: Network | None = None
        self.hints: list[Any] = []  # layers that may say what the input looks like
        self.fitting: Fitting | None = None  # the input that a Linear behind convolutions asks for
        self.written: list[ast.Call] = []  # calls of the code that may make layers, read or not yet
        self._free: tuple[str, Tensor] | None = None  # the name taken for the input, and what it stands for
        self._chained = False
        self.triples: list[tuple[int, int, int]] = []  # (channels, kernel, stride) that stand in the text
        self.said: dict[str, int] = {}  # numbers that the words around the code give to names
        self.part = False  # a block from the middle of a network, whose input has channels of its own

    # the protocol of the interpreter

    def call(self, function: Any, args: list[Any], named: dict[str, Any], line: int) -> Any:
        """What calling `function` gives."""
        if isinstance(function, Layer | Chain):
            inputs = args[0] if args and isinstance(args[0], list | tuple) else args
            idle = NAMES["without_effect"]
            extra = {k: v for k, v in named.items() if k not in idle and v is not None and v is not False}
            if isinstance(function, Layer) and extra.pop("use_causal_mask", False):
                function = function.variant({**function.values, "causal": True})
            order = CALLED_WITH[function.framework]
            if unknown := extra.keys() - {*order}:
                raise at(line, f"what {', '.join(sorted(unknown))} does to this layer is not known.")
            return self._noted(self.apply(function, [*inputs, *(extra[k] for k in order if k in extra)], line))
        if isinstance(function, Function):
            return self.interpreter.enter(function, args, named, line)
        if isinstance(function, Class):
            return self.create(function, args, named, line)
        if isinstance(function, Instance):
            return self.run_instance(function, args, named, line)
        if isinstance(function, Method):
            return self._method(function, args, named, line)
        if isinstance(function, Network):
            raise at(line, "a model applied to another tensor cannot be followed; write its layers as a function.")
        if isinstance(function, Free):
            return self._free_call(function, args, named, line)
        if isinstance(function, Missing):
            if len(args) == 1 and isinstance(args[0], Tensor) and STAYS.search(function.what):
                self.net.note(f"{function.what} is not in the code: it was taken to move nothing, its cost is unknown.")
                origin = Origin(function.what.split("(")[0].rpartition(".")[2], "", line)
                left_out = self.net.add("elementwise", [args[0].name], origin, function="unknown", uncounted=True)
                return self._noted(Tensor(left_out))
            if holds_tensor(args) and not JUDGES.search(function.what):
                self.lost = function
            return function
        raise at(line, "this is called but is neither a layer nor a function.")

    def attribute(self, value: Any, name: str, line: int) -> Any:
        """An attribute of a value that is not an object of the code."""
        if isinstance(value, Tensor) and name == "shape":
            return tuple(self.net.shape(value.name))
        if isinstance(value, Tensor) and name in {"T", "real", "imag"}:
            return code_functions.functional(self, "permute" if name == "T" else name, [value], {}, line)
        if isinstance(value, Layer) and name == "weight":
            return value
        if isinstance(value, Layer) and name in LAYERS[value.framework][ALIASES.get(value.kind, value.kind)].arguments:
            return value.setting(name)
        if isinstance(value, Class) and name in value.constants:
            return value.constants[name]
        if isinstance(value, tuple) and name == "values":  # of the pair that torch's max along a dim gives
            return value[0]
        return Method(value, name)

    def join(self, function: str, operands: Sequence[Any], line: int) -> Any:
        """Tensors (and plain numbers) joined value by value, or by a matrix product."""
        if function == "matmul":
            return self._noted(code_functions.functional(self, function, operands, {}, line))
        names = [self.tensor(operand, line).name for operand in operands if not number_of(operand)]
        return self._noted(Tensor(self.net.elementwise(names, Origin(function, function, line), function)))

    def cut(self, tensor: Tensor, keys: Sequence[Any], line: int) -> Tensor:
        """`x[..., a:b]`, `x[:, 0]`, `x[:, None]`."""
        self.latest = code_functions.cut(self, tensor, keys, line)
        return self.latest

    def statement(self, value: Any, node: ast.expr) -> None:
        """A line whose value nobody keeps: a layer by itself, or one applied to the running `x`."""
        for one in value if isinstance(value, tuple | list) else [value]:
            if isinstance(one, Layer | Chain):
                self.bare.append(one)
                self.behind += [one] if self.latest is not None else []
        if isinstance(value, Missing):
            return
        if isinstance(value, Tensor) and isinstance(node, ast.Call) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Name) and self._free is not None and first.id == self._free[0]:
                if self._chained:
                    self.net.note(f"The results are not assigned: the lines were read as a chain through '{first.id}'.")
                self._chained = True
                self.interpreter.scope[first.id] = value

    def bound(self, value: Any, name: str, line: int) -> None:
        """Keeps the first name that the code gives to a tensor, and every layer that is given one."""
        if isinstance(value, Tensor):
            self.net.variables.setdefault(value.name, (name, line))
        elif isinstance(value, Layer) and len(self.interpreter.scopes) == 1:
            self.loose.append(value)

    def stated(self, name: str, line: int) -> Any:
        """What a name stands for that no code sets: a number that the words around it give, or itself."""
        if name in self.said:
            self.net.note(f"{name} = {self.said[name]} was taken from the text.")
        return self.said.get(name, Free(name, line))

    def is_layer(self, value: Any) -> bool:
        """True for the name of a known class of layers that a class of the code may derive from."""
        kind = value.last if isinstance(value, Free) else ""
        return kind == "Sequential" or ALIASES.get(kind, kind) in LAYERS[self.framework]

    # layers

    def apply(self, layer: Layer | Chain, args: Sequence[Any], line: int) -> Any:
        """The output of a layer or a chain of them for these inputs."""
        if isinstance(layer, Chain):
            value: Any = args[0] if args else chain_input(self, layer, line)
            for number, one in enumerate(layer.layers):
                if isinstance(one, Layer | Chain):
                    value = self.apply(one, [value[0] if isinstance(value, tuple) else value], one.line)
                elif isinstance(one, Instance):
                    value = self.run_instance(one, [value], {}, line)
                elif number or not isinstance(one, Tensor):
                    raise unreadable(one, line)
            return value
        if isinstance(function := layer.values.get("function"), Function) and layer.kind == "Lambda":
            return self.call(function, [self.tensor(arg, line) for arg in args], {}, line)
        given = [one for arg in args for one in (arg if isinstance(arg, tuple) else [arg])]
        inputs = [self.tensor(arg, line, layer).name for arg in given if not number_of(arg) and arg is not None]
        if not inputs:
            raise at(line, f"{layer.kind} is called without an input.")
        values = layer.settled()
        y = add_layer(self.net, layer.framework, layer.kind, values, inputs, layer.origin)
        if layer.framework == "torch" and layer.kind in {"LSTM", "GRU", "RNN"}:
            first, *states = map(Tensor, self.net.outputs_beside(y))
            return first, tuple(states) if len(states) > 1 else states[0]
        return (Tensor(y), Missing("attention weights", line)) if layer.kind == "MultiheadAttention" else Tensor(y)

    def final(self) -> Tensor | None:
        """The tensor made last, which is the output of code that names none.

        Raises:
            ExplainError: what came of it went through something that cannot be read.
        """
        if self.lost is not None:
            raise unreadable(self.lost, self.lost.line)
        return self.latest

    # inputs

    def tensor(self, value: Any, line: int, hint: Layer | None = None) -> Tensor:
        """A value as a tensor; the first name that is not defined is taken for the network's input."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, tuple) and len(value) == 1:
            return self.tensor(value[0], line, hint)
        if isinstance(value, Free) and "." not in value.what:
            if self._free is None and len(self.net.inputs) == 1 and not self.net.ops:
                made = Tensor(next(iter(self.net.inputs)))  # of an Input that nobody gave a name
                self._free = value.what, made
                self.interpreter.scope[value.what] = made
            elif self._free is None and not self.net.inputs:
                makes = self.hints if self.hints or (hint and asked_by(self, hint)) else self._ahead()
                telling = sorted(makes, key=lambda layer: layer.kind == "Linear")  # which takes any number of dims
                home = self.interpreter.scope.get(HOME)
                dims = None if home is None else home.dims_of(value.what)
                made = assumed_input(self, [*([hint] if hint else []), *telling], line, dims)
                self._free = value.what, made
                self.interpreter.scope[value.what] = made
            if self._free is not None and value.what == self._free[0]:
                found = self.interpreter.scope.get(value.what)
                return found if isinstance(found, Tensor) else self._free[1]
            if self._free is not None and INPUT.fullmatch(value.what) and INPUT.fullmatch(self._free[0]):
                shape = self.net.shape(self._free[1].name)
                branch = self.new_input(shape, line, keras=self.framework == "keras")
                self.interpreter.scope[value.what] = branch
                return branch
        raise unreadable(value, line)

    def _ahead(self) -> list[Layer]:
        """The layers that the code makes further on, as far as they can be read already."""
        found: list[Layer] = []
        for node in self.written:
            if getattr(node.func, "attr", getattr(node.func, "id", "")) in LAYERS[self.framework]:
                with suppress(ExplainError):
                    found += [one for one in [self.interpreter.value(node)] if isinstance(one, Layer)]
        return found

    def takes(self, name: str) -> bool:
        """True for a parameter of the function being read that is, or may still become, the network's input."""
        home = self.interpreter.scope.get(HOME)
        free = not self.net.inputs if self._free is None else self._free[0] == name
        return free and isinstance(home, Function) and name in {one.arg for one in home.node.args.args}

    def new_input(self, shape: Shape, line: int, *, keras: bool) -> Tensor:
        """An input of the network, batch included in `shape`."""
        try:
            if self.layout is None and (keras or len(shape) == 2):
                axes: tuple[Axis, ...] = keras_axes(shape)
            else:
                axes = axes_of(len(shape), self.layout)
            return Tensor(self.net.input(shape, axes))
        except ExplainError as error:
            raise at(line, str(error)) from error

    # calls

    def create(self, cls: Class, args: list[Any], named: dict[str, Any], line: int) -> Instance:
        """An object of a class of the code, its __init__ read."""
        made = Instance(cls, attributes=cls.constants)
        start = cls.method("__init__", made)
        if start is not None:
            self.interpreter.enter(start, args, named, line)
        elif cls.layer is not None:
            made.layer = self._free_call(cls.layer, args, named, line)
        else:  # a dataclass
            made.attributes.update({**dict(zip(cls.constants, args, strict=False)), **named})
        return made

    def run_instance(self, owner: Instance, args: list[Any], named: Mapping[str, Any], line: int) -> Any:
        """What an object of the code gives when it is called: its `forward` or `call`."""
        found = [owner.owner.method(n, owner) for n in FORWARD] if owner.owner is not None else []
        method = next((one for one in found if one is not None), None)
        if method is None and owner.layer is None:
            name = owner.owner.node.name if owner.owner else "self"
            raise at(line, f"the class {name} has no forward or call method in the pasted code.")
        if not self.hints:
            self.hints = flat_layers([owner])
        if not self.interpreter.scopes[1:] or owner.name:
            christen(owner, owner.name or "")
        if method is None or owner.owner is None:
            return self._noted(self.apply(owner.layer, args, line))  # type: ignore[arg-type]
        kept = {k: v for k, v in named.items() if k != "training"}
        return self.interpreter.enter(method, args, kept, line)

    def _free_call(self, function: Free, args: list[Any], named: dict[str, Any], line: int) -> Any:
        kind, torch = function.last, self._is_torch(function)
        if kind in {"Input", "InputLayer"} and not torch:
            return declared_input(self, args, named, line)
        if kind == "Sequential":
            listed = bool(args) and isinstance(args[0], list | tuple) and (len(args) == 1 or not torch)
            layers = named.get("layers", args[0] if listed else args)
            pairs = [
                isinstance(v, tuple) and len(v) == 2 and isinstance(v[0], str) for v in layers
            ]  # of an OrderedDict
            layers = [v[1] if pair else v for v, pair in zip(layers, pairs, strict=True)]
            return Chain(layers, "torch" if torch else "keras", line)
        if kind in {"Model", "Functional"} and not torch:
            return self._model(args, named, line)
        if kind in KNOWN_ANSWERS:
            return KNOWN_ANSWERS[kind]
        if kind in {"ModuleList", "OrderedDict", "ModuleDict"}:
            return args[0] if args else []
        framework = "torch" if torch else "keras"
        if torch and kind not in LAYERS["torch"] and (alike := re.sub(r"(?<=[123])D", "d", kind)) in LAYERS["torch"]:
            self.net.note(f"{kind} is not in the code: torch's {alike} was taken.")
            kind = alike
        if kind in WITHOUT_RULE[framework]:
            own = {"function": args[0]} if kind == "Lambda" and args else {}
            return Layer(kind, own | named, framework, line)
        if ALIASES.get(kind, kind) in LAYERS[framework]:
            return self.layer(kind, framework, args, named, line)
        if function.what == "__import__" or kind in {"eval", "exec", "open"}:
            raise at(line, f"'{function.what}(...)' is never run; paste the layers alone.")
        if kind in NAMES["pass_through"] and args:
            layer = args[0].layer if isinstance(args[0], Instance) else args[0]
            if kind == "weight_norm" and isinstance(layer, Layer):
                if layer.kind in {"GRU", "LSTM", "RNN"}:
                    raise at(line, f"the lengths that weight_norm adds to a {layer.kind} are not counted yet.")
                dim = named.get("dim", args[2] if len(args) > 2 else 0)
                layer.values["weight_norm"] = -1 if dim is None else dim
            elif kind == "Parameter" and isinstance(layer, Tensor):
                self.net.train(layer.name)
            return args[0]
        if kind == "deepcopy" and len(args) == 1:
            return copied(args[0])
        found = code_functions.functional(self, kind, args, named, line, torch=function.root == "torch")
        if found is not code_functions.NO_SUCH:
            return self._noted(found)
        if kind[:1].isupper() and function.what != kind and not holds_tensor(args) and kind not in {"Adam", "Variable"}:
            lone = function.root in {"layers", "keras", "tf", "nn", "torch", "L", "tfl"}
            if lone and not (set(function.what.split(".")) & {"optim", "optimizers", "losses", "callbacks", "metrics"}):
                raise at(
                    line,
                    f"the layer '{kind}' is not known; known are the usual convolution, pooling, recurrent, dense, "
                    "normalisation, padding, reshaping and merging layers of Keras and torch.",
                )
        if holds_tensor(args) or holds_tensor(named.values()):
            raise at(line, f"'{function.what}' is neither defined in the pasted code nor a layer that is known.")
        return Missing(f"{function.what}(...)", line)

    def _is_torch(self, function: Free) -> bool:
        parts = function.what.split(".")
        if parts[0] in {"tf", "keras", "layers", "tfl", "L"} or "keras" in parts:
            return False
        return self.framework == "torch" or "nn" in parts or "torch" in parts

    def layer(self, kind: str, framework: str, args: Sequence[Any], named: Mapping[str, Any], line: int) -> Layer:
        """A layer with its positional arguments under their names."""
        names = LAYERS[framework][ALIASES.get(kind, kind)].arguments
        rows_apart = kind == "Convolution2D" and len(args) > 2 and is_whole(args[2])
        if rows_apart:  # as Keras 1 took them: filters, rows, columns
            args = [args[0], tuple(args[1:3]), *args[3:]]
        unknown = [key for key in named if key not in names and not NEUTRAL.fullmatch(key)]
        if unknown:
            raise at(line, f"what {unknown[0]} does to {kind} is not known; its settings are {', '.join(names)}.")
        if len(args) > len(names):
            raise at(line, f"{kind} with {len(args)} positional arguments; known are {', '.join(names) or 'none'}.")
        twice = next((key for key in names[: len(args)] if key in named), None)
        if twice is not None:
            raise at(line, f"{kind} is given {twice} twice.")
        return Layer(kind, {**dict(zip(names, args, strict=False)), **named}, framework, line)

    def _model(self, args: list[Any], named: dict[str, Any], line: int) -> Network:
        ends = []
        for i, keys in enumerate((("inputs", "input"), ("outputs", "output"))):
            value = next((named[k] for k in keys if k in named), args[i] if len(args) > i else None)
            listed = value if isinstance(value, list | tuple) else [value]
            if not all(isinstance(one, Tensor) for one in listed):
                raise at(line, "Model(...) takes the input and the output tensors made above.")
            ends.append(tuple(listed))
        self.network = Network(ends[0], ends[1])
        return self.network

    def _method(self, method: Method, args: list[Any], named: dict[str, Any], line: int) -> Any:
        owner, name = method.value, method.name
        if isinstance(owner, Super):
            made = owner.self_
            if name == "__init__" and isinstance(owner.parent, Free):
                made.layer = self._free_call(owner.parent, args, named, line)
                return None
            if made.layer is None:
                return Missing(f"super().{name}", line)
            return self._noted(self.apply(made.layer, args[:1], line))
        if isinstance(owner, Chain | list):
            entries = owner.layers if isinstance(owner, Chain) else owner
            if name in {"add", "append", "add_module"} and args:
                return entries.append(args[-1])
            if name in {"extend", "insert", "pop"}:
                given = [self.interpreter.items(args[0], line)] if name == "extend" and args else args
                with suppress(TypeError, IndexError):
                    return getattr(entries, name)(*given)
        if isinstance(owner, Layer) and name == "_conv_forward":
            return self._noted(self.apply(owner, args[:1], line))
        if isinstance(owner, Instance) and isinstance(owner.layer, Chain) and name == "add_module" and args:
            return owner.layer.layers.append(args[-1])
        if isinstance(owner, Instance) and name in NAMES["registers"] and len(args) > 1 and isinstance(args[0], str):
            owner.attributes[args[0]] = args[1]
            return None
        if (
            isinstance(owner, Instance) and name in NAMES["asked_of_modules"]
        ):  # to count or to initialise, but for `children`
            values = list(owner.attributes.values()) if name == "children" else []
            return [v for v in values if isinstance(v, Layer | Chain | Instance)]
        if isinstance(owner, dict) and name in {"items", "values", "keys"}:
            return list(getattr(owner, name)())
        if isinstance(owner, Tensor):
            if name in NAMES["pass_through"] or name in {"to", "cuda", "cpu"}:
                return owner
            found = code_functions.functional(self, name, [owner, *args], named, line, torch=True)
            if found is not code_functions.NO_SUCH:
                return self._noted(found)
            raise at(line, f"the tensor method '{name}' cannot be followed.")
        if isinstance(owner, Network | Chain | Layer | Instance) and name in NAMES["ignored"]:
            return owner if name in {"to", "cuda", "cpu", "eval", "train", "double", "half", "float"} else None
        return Missing(f"{name}(...)", line)

    def _noted(self, value: Any) -> Any:
        first = value[0] if isinstance(value, tuple | list) and value else value
        if isinstance(first, Tensor):
            self.latest = first
        return value
