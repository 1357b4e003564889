"""A network from pasted Keras or torch code: one layer, some lines, a function, a class, prose around it.

The text is parsed with `ast` and read by `interpret`; nothing in it is ever run. `python_lines` finds
the code in it; line numbers in errors are those of the pasted text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import ExplainError
from ..axes import rearranged, settled_axes, settled_dims
from ..graph import Graph, Shape
from ..numbers import plain
from ..phrases import table
from ..question import asked
from ..shapes import conv_size, shape_text
from . import code_functions
from .code_calls import FORWARD, CodeCalls, Fitting
from .code_inputs import ASSUMED
from .code_values import Chain, Class, Free, Function, Instance, Layer, Missing, Tensor, at, flat_layers, unreadable
from .interpret import ReturnedSignal
from .layer_kinds import KERAS_NAMES, LAYERS, WEIGHTED
from .layers import LayerGraph
from .python_lines import parse, python_of
from .scan import FULL_WIDTH, RESNET, triples_in

WAV2VEC = [(512, 10, 5), (512, 8, 4), (512, 4, 2), (512, 4, 2), (512, 4, 2)]  # its feature encoder
PICTURE = (1, 128, 128, 1)  # assumed where the frames and bins that are usual do not fit
DEEPEST_BRACKETS = 5  # within which a name is a setting
RESNET_CODE = Path(__file__).parent.parent / "resnet_keras.txt"
LARGEST_SIDE = 2_000  # of an input that is looked for
USUAL: dict[str, int] = table("layers")["usual"]
OWN_SETTINGS: dict[str, str] = table("layers")["own_settings"]
KERAS_ONLY = KERAS_NAMES - {*LAYERS["torch"]}
TORCH_ONLY = {*LAYERS["torch"]} - KERAS_NAMES
SAID = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\s*=\s*(\d{1,6})(?![\w.*/+-])")


def uses_resnet(text: str) -> str:
    """The function of a Keras ResNet that `text` calls and does not define; empty where there is none."""
    used = dict.fromkeys(re.findall(rf"(?<![\w.])({'|'.join(RESNET)})\s*\(", text))
    return next((name for name in used if not re.search(rf"\bdef\s+{name}\b", text)), "")


def read_snippet(
    text: str, input_shape: Shape | None = None, layout: str | None = None, title: str = "pasted code"
) -> Graph:
    """The graph of pasted code.

    Args:
        text: Keras or torch code, prose and comments around it allowed.
        input_shape: sizes of the input: positions only, with channels, or with the batch too; None takes what the code
            says and assumes, aloud, what it does not.
        layout: one letter per dim of the input, such as "BTFC"; None takes the framework's habit.

    Raises:
        ExplainError: no layer in it, a name that cannot be resolved, a layer that cannot be; the line is named.
    """
    source, skipped, guessed = python_of(text)
    try:
        tree = parse(_with_models(source))
    except SyntaxError as error:  # of statements that were put together again
        raise ExplainError(
            f"The code cannot be put together again: {error.msg} in '{(error.text or '').strip()[:80]}'. Paste it with "
            "its line breaks."
        ) from error
    if not tree.body:
        raise ExplainError(
            "There is no code in the text. Paste layers such as layers.Conv2D(16, (1, 3)) or nn.Conv1d(...)."
        )
    net = LayerGraph(title)
    calls = CodeCalls(net, framework_of(tree), input_shape, layout)
    calls.triples = triples_in(text)
    calls.said = _said(text.translate(FULL_WIDTH))
    if missing := uses_resnet(source):
        calls.interpreter.know(RESNET_CODE.read_text(encoding="utf-8"))
        net.note(f"{missing} is not defined in the text: that of the ResNets of keras.applications was taken.")
    filled = {*re.findall(r"(?m)^\s*(\w+)\.append\(", source)} - {*re.findall(r"\b(\w+)\s*[:=]", source)}
    calls.interpreter.scope.update({name: [] for name in filled})  # lists whose first line was left out
    try:
        outputs = _outputs(calls, tree)
    except RecursionError as error:
        raise ExplainError("The code is nested too deeply to be read. Paste the network alone.") from error
    except ExplainError:
        turned = rearranged(net.graph([])) if input_shape is None and net.inputs else None
        if turned is None and input_shape is None and net.inputs and net.shape(next(iter(net.inputs))) == ASSUMED:
            turned = PICTURE  # branches that meet may ask for sizes that can be halved
        if turned is None:
            raise
        if turned == PICTURE:
            found = read_snippet(text, turned, layout, title)
            return replace(
                found,
                notes=(
                    f"No input was given: {shape_text(PICTURE)} was assumed, channels last, so that the branches fit.",
                    *found.notes,
                ),
            )
        return read_snippet(text, turned, layout, title)
    if calls.fitting and input_shape is None:
        sizes, (layer, features) = calls.fitting
        found = read_snippet(text, sizes, layout, title)
        said, wide = " x ".join(map(str, sizes)), plain(features)
        note = f"The input {said} was worked out from {layer}: it is the smallest that gives it its {wide} features."
        return replace(found, notes=(note, *found.notes))
    lines = text.split("\n")
    skipped = [number for number in skipped if not asked(lines[number - 1])]  # a question is no code, but was read
    if skipped:
        listed = ", ".join(str(n) for n in skipped[:8]) + (" ..." if len(skipped) > 8 else "")
        net.note(f"Not Python and left out: line {listed}.")
    if guessed:
        net.note("The line breaks are lost: where the body of a loop or an `else` ends was guessed.")
    idle = [str(layer.name) for layer in calls.hints if calls.framework == "torch" and unused(net, layer)]
    if idle:
        net.note(f"Defined, but never used: {', '.join(idle)}. The parameters there are not counted.")
    names = [tensor.name for tensor in outputs]
    if calls.framework == "torch":
        graph = net.finished(names, keep_idle=True)
        turned = rearranged(graph) if input_shape is None else None
        return settled_dims(graph, layout) if turned is None else read_snippet(text, turned, layout, title)
    return net.finished(names) if layout else settled_axes(net.finished(names))


def _said(text: str) -> dict[str, int]:
    """The numbers that a text gives to names, those in brackets left out: they are settings of other layers."""
    for _ in range(DEEPEST_BRACKETS):
        text = re.sub(r"\([^()]*\)", " ", text)
    return {name: int(value) for name, value in SAID.findall(text)}


def unused(net: LayerGraph, layer: Layer) -> bool:
    """True for a layer with parameters that the code applies to nothing."""
    kind = LAYERS["torch"].get(layer.kind)
    return (kind is None or kind.family in WEIGHTED) and not net.owns(layer)


def _with_models(source: str) -> str:
    """The code with a Sequential for every `model.add(...)` whose model was left out."""
    used = dict.fromkeys(re.findall(r"(?m)^\s*(\w+)\.add\(", source) + re.findall(r"; (\w+)\.add\(", source))
    missing = [name for name in used if not re.search(rf"\b{name}\s*=(?!=)", source) and name != "self"]
    return "".join(f"{name} = Sequential(); " for name in missing) + source if missing else source


def framework_of(tree: ast.Module) -> str:
    """Whether the code is Keras or torch, by the names it uses."""
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    names |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {part for alias in node.names for part in alias.name.split(".")}
            names |= set((getattr(node, "module", None) or "").split("."))
        elif isinstance(node, ast.keyword):  # stride is a setting of torch, strides one of Keras
            names |= {program for program, own in OWN_SETTINGS.items() if node.arg in own.split()}
    torch = len(names & TORCH_ONLY) + 2 * len(names & {"torch", "Conv1d", "Conv2d"}) + ("nn" in names)
    keras = len(names & KERAS_ONLY) + 2 * len(names & {"keras", "tensorflow", "layers", "tf", *RESNET})
    return "torch" if torch > keras else "keras"


def _outputs(calls: CodeCalls, tree: ast.Module) -> Sequence[Tensor]:
    """The network's outputs: of a Model, what is returned, the last tensor made, or the layers written down."""
    written = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    calls.written = sorted(written, key=lambda node: (node.lineno, node.col_offset))
    try:
        calls.interpreter.run(tree.body)
    except ReturnedSignal as returned:
        return _tensors(returned.value, calls)
    if calls.network is not None:
        return calls.network.outputs
    defined = [v for v in calls.interpreter.scope.values() if isinstance(v, Class | Function)]
    unused = not calls.net.ops and any(isinstance(one, Class) for one in defined)  # x = torch.randn(...) alone
    if calls.net.inputs and (latest := calls.final()) and not unused:
        if calls.behind:  # F.pad(x, (2, 0)), and on the next line nn.Conv1d(16, 16, 3)
            calls.net.note("Layers that are applied to nothing were taken to come after what is before them.")
            chain = Chain(calls.behind, calls.framework, calls.behind[0].line)
            return _tensors(calls.apply(chain, [latest], chain.line), calls)
        read = {name for op in calls.net.ops for name in op.inputs}
        ends = [op.outputs[0] for op in calls.net.ops if not {*op.outputs} & read]
        apart = len(calls.net.inputs) == len(ends) > 1  # branches that the code does not join
        return [Tensor(name) for name in ends] if apart else [latest]
    scope = calls.interpreter.scope
    chains = [v for v in scope.values() if isinstance(v, Chain)]
    if calls.bare and not chains:
        return _tensors(_chain(calls, calls.bare), calls)
    if chains:
        chain = [*chains, *(v for v in calls.bare if isinstance(v, Chain))][-1]
        return _tensors(calls.apply(chain, [], chain.line), calls)
    roots = [v for v in scope.values() if isinstance(v, Instance) and v.owner is not None]
    if roots:
        return _tensors(roots[-1], calls)
    loose = [*dict.fromkeys([*calls.loose, *flat_layers(list(scope.values()))])]
    if loose:
        if len(loose) > 1:
            calls.net.note("The layers are not connected in the code: they were taken in the order written.")
        owners = [v.attributes for v in scope.values() if isinstance(v, Instance)]
        made = [one for row in (scope, *owners) for one in row.values() if type(one) is Missing]
        if lost := [one for one in made if one.what[:1].isupper()]:  # Block(...), which is made elsewhere
            calls.net.note(f"Not known and left out: {', '.join(dict.fromkeys(one.what for one in lost))}.")
            first = min(one.line for one in lost)
            loose = [layer for layer in loose if layer.line < first] or loose
        return _in_order(calls, sorted(loose, key=lambda layer: layer.line))
    if defined:
        return _definition(calls, defined, tree)
    last = tree.body[-1]
    raise at(
        last.lineno,
        "no layer was found in the text. Paste layers such as layers.Conv2D(16, (1, 3))(x) or "
        "nn.Conv1d(1, 512, 10, stride=5).",
    )


def _chain(calls: CodeCalls, layers: Sequence[Layer | Chain]) -> Any:
    return calls.apply(Chain(list(layers), calls.framework, layers[0].line), [], layers[0].line)


def _in_order(calls: CodeCalls, layers: Sequence[Layer]) -> Sequence[Tensor]:
    """Layers that nothing connects, one after the other as far as they fit; what does not is said."""
    value = _chain(calls, layers[:1])
    flattened, places = list[str](), False
    for at_, layer in enumerate(layers[1:], 1):
        before = layers[at_ - 1].kind
        places = before.startswith(("Conv", "MaxPool", "AvgPool")) or (places and before not in {"Flatten", "Linear"})
        try:
            if layer.kind == "Linear" and places and isinstance(value, Tensor):
                flattened.append(str(layer.name or layer.kind))
                calls.fitting = calls.fitting or _smallest_input(calls.net, value.name, layer)
                value = code_functions.functional(calls, "flatten", [value, 1], {}, layer.line)
            value = calls.apply(layer, [value[0] if isinstance(value, tuple) else value], layer.line)
        except ExplainError as error:
            rest = ", ".join(str(one.name or one.kind) for one in layers[at_:])
            calls.net.note(str(error))
            calls.net.note(f"Left out, as it does not fit: {rest}.")
            break
    if flattened:
        calls.net.note(f"A flattening that is not written was assumed before {', '.join(flattened)}.")
    return _tensors(value, calls)


def _smallest_input(net: LayerGraph, tensor: str, layer: Layer) -> Fitting | None:
    """The smallest input of equal sides, (channels, side ...), of which the layers so far leave what a Linear asks for,
    and that layer with its features; None where the sizes are known or none fits."""
    features, (_, channels, *places) = layer.settled().get("in_features"), net.shape(tensor)
    start = net.shape(next(iter(net.inputs)))
    if not isinstance(features, int) or not channels or None not in places or features % channels or not start[1]:
        return None
    windows = [op.windows[-1] for op in net.ops if op.kind in {"conv", "pool"} and op.windows]
    for side in range(1, LARGEST_SIDE):
        left: int | None = side
        for window in windows:
            fits = left and left + window.pad_start + window.pad_end >= window.reach
            left = conv_size(left, window, "") if fits else None
        if left and left ** len(places) * channels == features:
            return (start[1], *(side,) * len(places)), (str(layer.name or layer.kind), features)
    return None


def _definition(calls: CodeCalls, defined: Sequence[Class | Function], tree: ast.Module) -> Sequence[Tensor]:
    """Runs the class or function that none of the others uses; the last one when there are several."""
    used = {
        name.id
        for node in tree.body
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and name.id != getattr(node, "name", None)
    }
    able = [d for d in defined if isinstance(d, Function) or any(d.method(name, None) for name in FORWARD)]
    loose = [d for d in able if d.node.name not in used] or able  # type: ignore[union-attr]
    if not loose:
        made = [calls.create(cls, [], {}, cls.node.lineno) for cls in defined if isinstance(cls, Class)]
        if not flat_layers(made):
            raise at(tree.body[0].lineno, "the classes in the text define neither layers nor a forward method.")
        return _as_written(calls, made)
    root = next((d for d in reversed(loose) if _needs_nothing(d)), loose[-1])
    if others := [d.node.name for d in loose if d is not root]:  # type: ignore[union-attr]
        calls.net.note(f"Several networks stand side by side: {root.node.name} was read, not {', '.join(others)}.")  # type: ignore[union-attr]
    if isinstance(root, Class):
        start = root.method("__init__", root)
        given = {} if start is None else _assumed(root.node.name, 1, start, calls)
        owner = calls.create(root, [], given, root.node.lineno)
        return _tensors(owner, calls)
    own = [Instance(None)] if root.node.args.args[:1] and root.node.args.args[0].arg == "self" else []
    given = _assumed(root.name, len(own), root, calls)
    value = calls.interpreter.enter(root, list(own), given, root.node.lineno)
    if calls.network is not None:
        return calls.network.outputs
    return _as_written(calls, own) if value is None and flat_layers(own) else _tensors(value, calls)


def _as_written(calls: CodeCalls, made: Sequence[Instance]) -> Sequence[Tensor]:
    """What the layers of objects without a forward method make, one after the other."""
    calls.net.note("There is no forward method: the layers were taken in the order written.")
    return _tensors(_chain(calls, flat_layers(made)), calls)


def _assumed(title: str, skipped: int, start: Function, calls: CodeCalls) -> dict[str, Any]:
    """Usual values for the sizes that a function or a class asks for and nobody gives, each of them said."""
    needed = _required(start)[skipped:]
    takes_tensor = bool(needed) and start.name != "__init__" and not _sized(needed[0], needed)
    found: dict[str, Any] = {}
    for name in needed[takes_tensor:]:
        listed = _is_list(name, start)
        if listed and re.search("conv.*layers", name):  # (channels, kernel, stride), as fairseq has it
            found[name] = calls.triples or WAV2VEC
        elif (value := usual(name)) is not None:
            found[name] = [value] * 3 if listed else value
    if found:
        said = ", ".join(f"{name} = {value}" for name, value in found.items())
        calls.net.note(f"{title} is called nowhere: {said} was assumed. Add a call to it to say otherwise.")
        spec = start.node.args
        defaults = zip(spec.args[len(spec.args) - len(spec.defaults) :], spec.defaults, strict=True)
        kept = [f"{p.arg} = {d.value}" for p, d in defaults if isinstance(d, ast.Constant) and isinstance(d.value, int)]
        if kept:
            calls.net.note(f"Left at their defaults: {', '.join(kept)}.")
        calls.part = takes_tensor
    return found


def _required(function: Function) -> list[str]:
    """The parameters that have no default, `self` included."""
    spec = function.node.args
    only = [p.arg for p, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if default is None]
    return [p.arg for p in spec.args[: len(spec.args) - len(spec.defaults)]] + only


def _is_list(name: str, function: Function) -> bool:
    """Whether the function asks for the length, an entry or each entry of a parameter."""
    for node in ast.walk(function.node):
        match node:
            case ast.Call(func=ast.Name("len" | "enumerate" | "zip"), args=found) if name in [
                getattr(one, "id", "") for one in found
            ]:
                return True
            case ast.Subscript(value=ast.Name(id)) | ast.For(iter=ast.Name(id)) if id == name:
                return True
            case ast.comprehension(iter=ast.Name(id)) if id == name:
                return True
    return False


def usual(name: str) -> int | None:
    """The value assumed for a size that a function asks for; None for a name that says nothing."""
    return next((value for pattern, value in USUAL.items() if re.search(pattern, name.lower())), None)


def _sized(name: str, needed: Sequence[str]) -> bool:
    """True where the first of the parameters that a function needs is a size and not the tensor."""
    if name == "inp":
        return any(re.fullmatch(r"o(ut|up).*", other.lower()) for other in needed)
    return not re.fullmatch(
        r"x\d*|(?:inputs?|x|feature)_(?:features?|tensor|data|layer|maps?|in)|inputs?|tensor|features?|feats?|y|h",
        name.lower(),
    )


def _needs_nothing(definition: Class | Function) -> bool:
    """True for a class made without arguments, or a function of one tensor at most."""
    start = definition if isinstance(definition, Function) else definition.method("__init__", definition)
    return start is None or len(_required(start)) <= 1  # the tensor, or self


def _tensors(value: Any, calls: CodeCalls) -> Sequence[Tensor]:
    """The tensors that the code gives, or that the network that it gives makes."""
    if isinstance(value, Chain | Layer):
        value = _chain(calls, [value])
    if isinstance(value, Instance):
        forward = any(value.owner is not None and value.owner.method(name, value) for name in FORWARD)
        inherited = None if forward else value.layer  # of a class that adds nothing to a layer but its settings
        value = calls.run_instance(value, [], {}, 1) if inherited is None else _chain(calls, [inherited])
    listed = (
        list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, tuple | list) else [value]
    )
    found = [v for v in listed if isinstance(v, Tensor)]
    if found and not isinstance(listed[0], Missing):
        return found
    if value is None and (last := calls.final()):
        return [last]
    if value is None or isinstance(value, Free):
        raise ExplainError("The code was read but no tensor comes out of it. Paste the lines that apply the layers.")
    raise unreadable(value, 1)
