"""What the calls in pasted code do to the graph: layers applied to tensors, joins, slices, functions and objects.

Which names mean a layer, and what its arguments are called, comes from the tables of the Keras and torch layers. The
functional operations of torch and TensorFlow are in `code_functions`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import ExplainError
from ..graph import Axis, Shape, axes_of
from ..shapes import shape_text
from . import code_functions
from .build import spread
from .code_builtins import HOME
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
    number_of,
    snake_case,
)
from .interpret import ASKED_OF_MODULES, REGISTERS, Interpreter
from .keras import fill_input
from .layer_call import LayerCall, is_whole
from .layer_kinds import ALIASES, LAYERS, NEUTRAL, WITHOUT_RULE, add_layer, keras_axes, torch_input
from .layers import LayerGraph, Origin, brief, positions_filled

PART = (56, 56, 64)  # assumed for a block from the middle of a network of pictures: that of a ResNet's first stage
FRAMES, BINS = 100, 161  # assumed for a pasted Keras Conv2D without an input: one second of hops of 10 ms, 161 bins
_IGNORED = (
    "compile summary fit build eval train to cuda cpu double half float requires_grad_ load_state_dict save "
    "save_weights load_weights predict evaluate parameters add_loss apply init_weights reset_parameters"
)
IGNORED_METHODS = frozenset(_IGNORED.split())
KNOWN_ANSWERS = {"is_available": False, "image_data_format": "channels_last"}  # no accelerator decides on a network
SETTINGS = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0, "groups": 1, "bias": True}  # usual ones
PER_AXIS = ("kernel_size", "stride", "padding", "dilation", "output_padding")
FORWARD = ("forward", "call", "__call__")
PASS_THROUGH = frozenset(
    {"Parameter", "weight_norm", "spectral_norm", "contiguous", "clone", "detach", "float", "double", "requires_grad_"}
)
# names of tensors that a layer is applied to
CALLED_WITH = frozenset(("x", "input", "inputs", "query", "key", "value"))
# functions that take outputs and are no part of a network
JUDGES = re.compile("loss|criterion|metric|accuracy|entropy", re.IGNORECASE)


class CodeCalls:
    """What calls, attributes and joins of one snippet mean; `net` grows as the code is read."""

    def __init__(self, net: LayerGraph, framework: str, given: Shape | None, layout: str | None) -> None:
        self.net = net
        self.framework = framework
        self.given = given
        self.layout = layout
        self.interpreter = Interpreter(self)
        self.bare: list[Layer | Chain] = []  # layers written down on a line of their own
        self.latest: Tensor | None = None
        self.lost: Missing | None = None  # what a tensor went through that cannot be read
        self.network: Network | None = None
        self.hints: list[Any] = []  # layers that may say what the input looks like
        self._free: tuple[str, Tensor] | None = None  # the name taken for the input, and what it stands for
        self._chained = False
        self.part = False  # a block from the middle of a network, whose input has channels of its own

    # the protocol of the interpreter

    def call(self, function: Any, args: list[Any], named: dict[str, Any], line: int) -> Any:
        """What calling `function` gives."""
        if isinstance(function, Layer | Chain):
            inputs = args[0] if args and isinstance(args[0], list | tuple) else args
            extra = {k: v for k, v in named.items() if k != "training" and v is not None and v is not False}
            if isinstance(function, Layer) and extra.pop("use_causal_mask", False):
                function = self.variant(function, {**function.values, "causal": True})
            if unknown := extra.keys() - CALLED_WITH:
                raise at(line, f"what {', '.join(sorted(unknown))} does to this layer is not known.")
            return self._noted(self.apply(function, [*inputs, *extra.values()], line))
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
            if not _holds_no_tensor(args) and not JUDGES.search(function.what):
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
            return setting_of(value, name)
        if isinstance(value, Class) and name in value.constants:
            return value.constants[name]
        if isinstance(value, tuple) and name == "values":  # of the pair that torch's max along a dim gives
            return value[0]
        return Method(value, name)

    def join(self, function: str, operands: Sequence[Any], line: int) -> Any:
        """Tensors (and plain numbers) joined value by value, or by a matrix product."""
        if function == "matmul":
            return self._noted(code_functions.functional(self, function, operands, {}, line))
        names = []
        for operand in operands:
            if isinstance(operand, Tensor):
                names.append(operand.name)
            elif not number_of(operand):
                names.append(self.tensor(operand, line).name)
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
        """Keeps the first name that the code gives to a tensor."""
        if isinstance(value, Tensor):
            self.net.variables.setdefault(value.name, (name, line))

    def is_layer(self, value: Any) -> bool:
        """True for the name of a known class of layers that a class of the code may derive from."""
        kind = value.last if isinstance(value, Free) else ""
        return kind == "Sequential" or ALIASES.get(kind, kind) in LAYERS[self.framework]

    # layers

    def apply(self, layer: Layer | Chain, args: Sequence[Any], line: int) -> Any:
        """The output of a layer or a chain of them for these inputs."""
        if isinstance(layer, Chain):
            rest = list(layer.layers)
            value: Any = args[0] if args else self.chain_input(layer, line)
            if rest and isinstance(rest[0], Tensor):
                rest.pop(0)
            for one in rest:
                if isinstance(one, Layer) and one.kind in {"InputLayer", "Input"}:
                    continue
                if isinstance(one, Instance):
                    value = self.run_instance(one, [value], {}, line)
                    continue
                if not isinstance(one, Layer | Chain):
                    raise self.unreadable(one, line)
                value = self.apply(one, [value[0] if isinstance(value, tuple) else value], one.line)
            return value
        if isinstance(function := layer.values.get("function"), Function) and layer.kind == "Lambda":
            return self.call(function, [self.tensor(arg, line) for arg in args], {}, line)
        given = [one for arg in args for one in (arg if isinstance(arg, tuple) else [arg])]
        inputs = [self.tensor(arg, line, layer).name for arg in given if not number_of(arg) and arg is not None]
        if not inputs:
            raise at(line, f"{layer.kind} is called without an input.")
        values = self.settled(layer)
        y = add_layer(self.net, layer.framework, layer.kind, values, inputs, self.origin(layer))
        if layer.framework == "torch" and layer.kind in {"LSTM", "GRU", "RNN"}:
            first, *states = map(Tensor, self.net.outputs_beside(y))
            return first, tuple(states) if len(states) > 1 else states[0]
        return Tensor(y)

    def origin(self, layer: Layer) -> Origin:
        """Where a layer comes from; it owns its weights however often it is applied."""
        name = layer.values.get("name") if layer.framework == "keras" else None
        shown = name if isinstance(name, str) else layer.name or snake_case(layer.kind)
        return Origin(shown, layer.kind, layer.line, layer.owner or layer)

    def variant(self, layer: Layer, values: dict[str, Any]) -> Layer:
        """A layer with other settings and the same weights."""
        return replace(layer, values=values, owner=layer.owner or layer)

    def final(self) -> Tensor | None:
        """The tensor made last, which is the output of code that names none.

        Raises:
            ExplainError: what came of it went through something that cannot be read.
        """
        if self.lost is not None:
            raise self.unreadable(self.lost, self.lost.line)
        return self.latest

    def settled(self, layer: Layer) -> dict[str, Any]:
        """A layer's settings, every one of them a known value.

        Raises:
            ExplainError: a name in them that the code does not define; its line is named.
        """
        open_ = {}
        for key, value in layer.values.items():
            if key in {"activation", "name", "dtype", "window", "window_fn", "function"} or key.endswith(
                ("initializer", "regularizer", "constraint")
            ):
                continue
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, Free):
                    open_[key] = one.what
                elif isinstance(one, Missing):
                    raise self.unreadable(one, layer.line)
        if len(open_) == 1:
            raise self.unreadable(Free(next(iter(open_.values())), layer.line), layer.line)
        if open_:
            listed = ", ".join(f"{key} = {path}" for key, path in open_.items())
            names = ", ".join(dict.fromkeys(open_.values()))
            raise at(
                layer.line,
                f"{layer.kind} needs values that the pasted code does not define: {listed}. Write them in place of "
                f"{names}, or paste the lines that set them, such as {next(iter(open_.values()))} = 64.",
            )
        values = dict(layer.values)
        if isinstance(act := values.get("activation"), Free):
            values["activation"] = act.last
        elif isinstance(act, Layer):
            values["activation"] = act.kind.lower()
        return values

    def unreadable(self, value: Any, line: int) -> ExplainError:
        """The error for a value that the code does not define."""
        if isinstance(value, Free):
            return at(
                line,
                f"the name '{value.what}' is not defined in the pasted code. Write its value, or paste the "
                "line that sets it.",
            )
        if isinstance(value, Missing):
            return at(
                line,
                f"'{value.what}' (line {value.line}) is not defined in the pasted code and cannot be worked "
                "out without running it. Write its value instead.",
            )
        return at(line, f"a tensor or a layer was expected here, not {brief(value)}.")

    # inputs

    def tensor(self, value: Any, line: int, hint: Layer | None = None) -> Tensor:
        """A value as a tensor; the first name that is not defined is taken for the network's input."""
        if isinstance(value, Tensor):
            return value
        if isinstance(value, tuple) and len(value) == 1:
            return self.tensor(value[0], line, hint)
        if isinstance(value, Free) and "." not in value.what:
            if self._free is None and not self.net.inputs:
                telling = sorted(self.hints, key=lambda layer: layer.kind == "Linear")  # which takes any number of dims
                made = self.assumed_input([*([hint] if hint else []), *telling], line, self._dims(value.what))
                self._free = value.what, made
                self.interpreter.scope[value.what] = made
            if self._free is not None and value.what == self._free[0]:
                found = self.interpreter.scope.get(value.what)
                return found if isinstance(found, Tensor) else self._free[1]
        raise self.unreadable(value, line)

    def _dims(self, name: str) -> int | None:
        """Dims of a parameter of the function being read, where the first use of it in a statement says so: after
        `b, c, h, w = x.shape`, as many; before `x = x.unsqueeze(1)`, -1 for one less than the layer takes."""
        home = self.interpreter.scope.get(HOME)
        body = home.node.body if home is not None and not isinstance(home.node, ast.Lambda) else []
        uses = (node for node in body if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node)))
        first = next(uses, None)
        match first:
            case ast.Assign([ast.Tuple(names)], ast.Attribute(_, "shape") | ast.Call(ast.Attribute(_, "size"), [])):
                return len(names)
            case ast.Assign([ast.Name()], ast.Call(ast.Attribute(ast.Name(), "unsqueeze"), [ast.Constant(1)])):
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

    def declared_input(self, shape: Sequence[Any], line: int, batch: Any = None) -> Tensor:
        """A Keras Input; sizes that are names are taken from --input."""
        known = self.given if not self.net.inputs else None
        sizes = [batch if isinstance(batch, int) else None, *shape]
        for size in sizes:
            if isinstance(size, Missing) and known is None:
                raise self.unreadable(size, line)
        own = tuple(size if isinstance(size, int) and not isinstance(size, bool) else None for size in sizes)
        return self.new_input(fill_input(own, known), line, keras=True)

    def chain_input(self, chain: Chain, line: int) -> Tensor:
        """What a Sequential starts from when it is not called on anything."""
        first = chain.layers[0] if chain.layers else None
        if isinstance(first, Chain):
            return self.chain_input(first, line)
        if isinstance(first, Tensor):
            return first
        return self.assumed_input(flat_layers(chain.layers), line)

    def assumed_input(self, hints: Sequence[Any], line: int, dims: int | None = None) -> Tensor:
        """The input that the first telling layer asks for, or the one given; what was assumed is said aloud.

        Args:
            dims: how many the code itself says it has; -1 for no channels, -2 for (batch, samples).
        """
        if dims == -2:
            return self.new_input(positions_filled((1, None), self.given, False), line, keras=False)
        layers = [layer for layer in flat_layers(hints) if isinstance(layer, Layer)]
        keras = self.framework == "keras"
        for layer in layers:
            asked = self._asked(layer)
            if asked is None or (layer.kind == "Linear" and self.given and len(self.given) > len(asked)):
                continue
            if dims == -1 and len(asked) > 2 and asked[1] == 1:
                asked = (asked[0], *asked[2:])
            elif dims is not None and 2 <= len(asked) != dims > 2 and not keras:
                asked = (1, asked[1], *(None,) * (dims - 2))
            shape = positions_filled(asked, self.given, keras)
            if layer.kind == "Embedding":
                return Tensor(self.net.input(shape, (Axis("time", 1),)))
            assumed = asked in {(1, FRAMES, BINS, 1), (1, 1, FRAMES, BINS)}
            if self.given is None and layer.framework == "keras" and assumed:
                self.net.note(f"No input was given: {FRAMES} frames of {BINS} bins and 1 channel were assumed.")
            elif self.given is None and layer.framework == "keras" and not layer.values.get("input_shape"):
                self.net.note(f"No input was given: {shape_text(shape)} was assumed, channels last.")
            return self.new_input(shape, line, keras=keras)
        if self.given is not None:
            whole = self.given if len(self.given) > 2 else (1, *self.given)
            return self.new_input(tuple(whole), line, keras=keras)
        raise at(
            line,
            "the shape of the network's input is not in the code. Give it with --input, such as --input 1,16000 "
            "(channels, samples) for torch or --input 100,161,1 (frames, bins, channels) for Keras.",
        )

    def _asked(self, layer: Layer) -> Shape | None:
        values = self.settled(layer)
        if layer.framework == "torch":
            return torch_input(LayerCall(self.net, layer.kind, values, (), self.origin(layer), torch=True))
        shape = values.get("batch_input_shape") or values.get("batch_shape")
        if isinstance(shape, list | tuple):
            return (1, *shape[1:])
        shape = values.get("input_shape") or values.get("shape")
        if isinstance(shape, list | tuple):
            return (1, *shape)
        kind = ALIASES.get(layer.kind, layer.kind)
        if kind == "Embedding":
            return (1, None)
        if kind.startswith("Conv") and kind.endswith("Transpose"):  # the way up starts from the channels it makes
            channels = layer.values.get("filters") if isinstance(layer.values.get("filters"), int) else 16
            return (1, None, channels) if "1D" in kind else (1, FRAMES, BINS // 2, channels)
        if kind.endswith("Conv1D"):
            return (1, None, 1)
        if kind.endswith("Conv2D") and self.part and self.given is None:
            return (1, *PART)
        first = values.get("data_format") == "channels_first"
        return ((1, 1, FRAMES, BINS) if first else (1, FRAMES, BINS, 1)) if kind.endswith("Conv2D") else None

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
            return self._input(args, named, line)
        if kind == "Sequential":
            layers = args[0] if args and isinstance(args[0], list | tuple) and not torch else args
            if torch and len(args) == 1 and isinstance(args[0], list):
                layers = args[0]
            layers = [v[1] if _named_pair(v) else v for v in named.get("layers", layers)]
            return Chain(layers, "torch" if torch else "keras", line, None)
        if kind in {"Model", "Functional"} and not torch:
            return self._model(args, named, line)
        if kind in KNOWN_ANSWERS:
            return KNOWN_ANSWERS[kind]
        if kind in {"ModuleList", "OrderedDict", "ModuleDict"}:
            return args[0] if args else []
        framework = "torch" if torch else "keras"
        if kind in WITHOUT_RULE[framework]:
            return Layer(
                kind, {**({"function": args[0]} if kind == "Lambda" and args else {}), **named}, framework, line
            )
        if ALIASES.get(kind, kind) in LAYERS[framework]:
            return self.layer(kind, framework, args, named, line)
        if function.what == "__import__" or kind in {"eval", "exec", "open"}:
            raise at(line, f"'{function.what}(...)' is never run; paste the layers alone.")
        if kind in PASS_THROUGH and args:
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
        if kind[:1].isupper() and function.what != kind and _holds_no_tensor(args) and kind not in {"Adam", "Variable"}:
            lone = function.root in {"layers", "keras", "tf", "nn", "torch", "L", "tfl"}
            if lone and not (set(function.what.split(".")) & {"optim", "optimizers", "losses", "callbacks", "metrics"}):
                raise at(
                    line,
                    f"the layer '{kind}' is not known; known are the usual convolution, pooling, recurrent, dense, "
                    "normalisation, padding, reshaping and merging layers of Keras and torch.",
                )
        if not _holds_no_tensor(args) or not _holds_no_tensor(list(named.values())):
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

    def _input(self, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
        batch = named.get("batch_shape") or named.get("batch_input_shape")
        if isinstance(batch, list | tuple):
            return self.declared_input(list(batch)[1:], line, batch[0])
        shape = named.get("shape", named.get("input_shape", args[0] if args else None))
        if isinstance(shape, list | tuple):
            return self.declared_input(list(shape), line, named.get("batch_size"))
        if self.given is not None and not self.net.inputs:
            return self.new_input((1, *self.given) if len(self.given) < 4 else self.given, line, keras=True)
        raise self.unreadable(shape, line)

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
            return (
                self._noted(self.apply(made.layer, args[:1], line)) if made.layer else Missing(f"super().{name}", line)
            )
        if isinstance(owner, Chain | list):
            entries = owner.layers if isinstance(owner, Chain) else owner
            if name in {"add", "append", "add_module"} and args:
                return entries.append(args[-1])
            if name == "extend" and args:
                return entries.extend(self.interpreter.items(args[0], line))
            if name == "insert" and len(args) == 2 and isinstance(args[0], int):
                return entries.insert(*args)
            if name == "pop" and entries and all(isinstance(one, int) for one in args):
                return entries.pop(*args)
        if isinstance(owner, Layer) and name == "_conv_forward":
            return self._noted(self.apply(owner, args[:1], line))
        if isinstance(owner, Instance) and isinstance(owner.layer, Chain) and name == "add_module" and args:
            return owner.layer.layers.append(args[-1])
        if isinstance(owner, Instance) and name in REGISTERS and len(args) > 1 and isinstance(args[0], str):
            owner.attributes[args[0]] = args[1]
            return None
        if isinstance(owner, Instance) and name in ASKED_OF_MODULES:  # to count or to initialise, but for `children`
            values = list(owner.attributes.values()) if name == "children" else []
            return [v for v in values if isinstance(v, Layer | Chain | Instance)]
        if isinstance(owner, dict) and name in {"items", "values", "keys"}:
            return list(getattr(owner, name)())
        if isinstance(owner, Tensor):
            if name in PASS_THROUGH or name in {"to", "cuda", "cpu"}:
                return owner
            found = code_functions.functional(self, name, [owner, *args], named, line, torch=True)
            if found is not code_functions.NO_SUCH:
                return self._noted(found)
            raise at(line, f"the tensor method '{name}' cannot be followed.")
        if isinstance(owner, Network | Chain | Layer | Instance) and name in IGNORED_METHODS:
            return owner if name in {"to", "cuda", "cpu", "eval", "train", "double", "half", "float"} else None
        return Missing(f"{name}(...)", line)

    def _noted(self, value: Any) -> Any:
        first = value[0] if isinstance(value, tuple | list) and value else value
        if isinstance(first, Tensor):
            self.latest = first
        return value


def setting_of(layer: Layer, name: str) -> Any:
    """A setting of a layer as its own code sees it: sizes of a convolution as one entry per axis."""
    value = layer.values.get(name, SETTINGS.get(name))
    per_axis = layer.framework == "torch" and layer.kind.startswith("Conv") and name in PER_AXIS
    return tuple(spread(value, int(layer.kind[-2]))) if per_axis and not isinstance(value, str) else value


def _named_pair(value: Any) -> bool:
    """True for ("name", layer), as OrderedDict takes them."""
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)


def _holds_no_tensor(values: Sequence[Any]) -> bool:
    return not any(
        isinstance(v, Tensor) or (isinstance(v, list | tuple) and not _holds_no_tensor(list(v))) for v in values
    )
