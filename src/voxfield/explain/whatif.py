"""What would change: edits such as `layer2.stride=2` applied to a graph, and the figures before and after.

    layer2.stride=2   layer1.kernel=20   layer5.dilation=2   layer1.padding=4,0   layer3.filters=64   layer4.groups=8
    layer3=depthwise-separable           drop layer5         causal           cbam           layer3=cbam
    cbam-resnet                          layer2=cbam-resnet

A layer is called by its number among the layers with weights or windows, as the table shows it, or by its own name;
several numbers (`1x2`) are one per axis. Edits apply one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from ..errors import ExplainError
from .analysis import propagate, sources, time_dims
from .attention import cbam
from .graph import Graph, Op, Placed, Size, Window
from .rebuild import item_bytes, rebuilt

COUNTED = frozenset({"conv", "conv_transpose", "pool", "linear", "rnn", "attention"})
SETTINGS = ("kernel", "stride", "dilation", "padding", "filters", "groups", "hidden", "bidirectional")
EXAMPLES = (
    "Edits look like layer2.stride=2, layer3=depthwise-separable, 'drop layer5', layer1.kernel=20, causal, cbam or "
    "cbam-resnet."
)
LARGEST = 1_000_000
LONGEST_BRANCH = 8  # convolutions of a residual branch


def layers_of(graph: Graph) -> list[Op]:
    """The operators that people count as layers, in order; layer 1 is the first."""
    return [op for op in graph.ops if op.kind in COUNTED]


def edited(graph: Graph, edits: Sequence[str]) -> Graph:
    """The graph after some edits.

    Raises:
        ExplainError: an edit that is not understood, names no layer, or leaves a network that does not fit together.
    """
    for edit in edits:
        text = edit.translate(str.maketrans("＝，：（）", "=,:()")).strip()
        try:
            graph = _applied(graph, text)
        except ExplainError as error:
            raise ExplainError(f"After the edit '{edit}': {error}") from error
    return graph


def separable_formula(graph: Graph, edit: str) -> tuple[Op, int, int] | None:
    """(layer, N, taps) of a depthwise-separable edit on this graph: the costs are as 1/N + 1/taps; else None."""
    target, _, value = edit.partition("=")
    if not _is_separable(value):
        return None
    op = _layer(graph, target.strip())
    channels = None if op.channel_dim is None else graph.shape(op.outputs[0])[op.channel_dim]
    return None if channels is None else (op, channels, prod(w.kernel for w in op.windows))


def _applied(graph: Graph, edit: str) -> Graph:
    change = _Change(graph, list(graph.ops), list(graph.outputs), {one.op.name: one for one in graph.placed})
    lowered = edit.lower()
    if lowered in {"causal", "因果"}:
        _causal(change)
    elif lowered in BLOCKS:
        for op in BLOCKS[lowered](graph):
            _insert(change, op, lowered)
    elif lowered.startswith(("drop ", "remove ", "去掉")):
        _drop(change, _layer(graph, re.sub(r"^(drop|remove)\s+|^去掉\s*", "", edit, flags=re.IGNORECASE)))
    elif "=" in edit:
        target, _, value = edit.partition("=")
        target, value = target.strip(), value.strip()
        if _is_separable(value):
            _separate(change, _layer(graph, target))
        elif value.lower() in BLOCKS:
            _insert(change, _layer(graph, target), value.lower())
        else:
            name, _, setting = target.rpartition(".")
            if setting not in SETTINGS or not name:
                raise ExplainError(f"'{target}' is no setting; known are {', '.join(SETTINGS)}. {EXAMPLES}")
            _set(change, _layer(graph, name), setting, value)
    else:
        raise ExplainError(f"It is not understood. {EXAMPLES}")
    if not change.ops:
        raise ExplainError("No layer would be left.")
    return rebuilt(graph, change.ops, change.outputs, change.past, change.filters)


@dataclass
class _Change:
    graph: Graph
    ops: list[Op]
    outputs: list[str]
    past: dict[str, Placed]
    filters: dict[str, Size] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)

    def put(self, op: Op) -> None:
        """Replaces the operator of the same name; used before any operator is dropped or added."""
        if not self._places:
            self._places.update({one.name: i for i, one in enumerate(self.ops)})
        self.ops[self._places[op.name]] = op


def _is_separable(value: str) -> bool:
    return value.strip().lower().replace("_", "-") in {"depthwise-separable", "separable", "深度可分离"}


def _layer(graph: Graph, name: str) -> Op:
    name = name.strip()
    for op in graph.ops:
        if op.name == name:
            return op
    counted = layers_of(graph)
    match = re.fullmatch(r"(?:layer|第|#)?\s*(\d{1,6})\s*层?", name, re.IGNORECASE)
    if match and 1 <= int(match[1]) <= len(counted):
        return counted[int(match[1]) - 1]
    shown = ", ".join(f"{i} {op.name}" for i, op in enumerate(counted[:12], 1)) + (" ..." if len(counted) > 12 else "")
    raise ExplainError(f"there is no layer '{name}'. There are {len(counted)} in all: {shown}.")


def _numbers(text: str, setting: str) -> list[int]:
    parts = re.split(r"[x×,\s]+", text.strip("()[] "))
    if not all(re.fullmatch(r"-?\d{1,9}", part) for part in parts):
        raise ExplainError(f"{setting}={text}: a whole number is needed, or one per axis such as 1x2.")
    return [int(part) for part in parts]


SINGLE = {  # settings of one value, and the kinds of operators that have them; others are one per axis of a window
    **dict.fromkeys(("filters", "groups"), ("conv", "conv_transpose", "linear")),
    **dict.fromkeys(("hidden", "bidirectional"), ("rnn",)),
}
YES, NO = {"true", "yes", "1"}, {"false", "no", "0"}


def _set(change: _Change, op: Op, setting: str, value: str) -> None:
    single, count = SINGLE.get(setting), len(op.windows)
    if op.kind not in single if single else not count:
        raise ExplainError(f"{op.name} is a {op.kind} and has no {setting}.")
    if setting == "bidirectional":
        if value.lower() not in YES | NO:
            raise ExplainError(f"bidirectional={value}: true or false.")
        return change.put(op.with_(attrs={**op.attrs, setting: value.lower() in YES}))
    numbers, least = _numbers(value, setting), 0 if setting == "padding" else 1
    if min(numbers) < least or max(numbers) > LARGEST:
        raise ExplainError(f"{setting}={value}: numbers from {least} to {LARGEST} are possible.")
    both_ends = setting == "padding" and len(numbers) == 2 and count == 1
    wanted = 1 if single else count
    numbers = numbers * wanted if len(numbers) == 1 else numbers
    if len(numbers) != wanted and not both_ends:
        wrong = ExplainError(f"{setting}={value}: one number is needed.")
        raise wrong if single else ExplainError(f"{setting}={value}: {op.name} has {count} axes.")
    if single and op.kind != "rnn" and op.weight_values is None:
        raise ExplainError(f"{op.name}: its channels are not known, so {setting} cannot be changed.")
    if setting == "filters":
        change.filters[op.name] = numbers[0]
    elif setting == "groups":
        change.put(op.with_(groups=numbers[0]))
    elif setting == "hidden":
        change.put(op.with_(attrs={**op.attrs, setting: numbers[0]}))
    else:
        rows: list[dict[str, Any]] = [{setting: n} for n in numbers]
        if setting == "padding":
            ends = [(numbers[0], numbers[1])] if both_ends else [(n, n) for n in numbers]
            rows = [{"pad_start": before, "pad_end": after} for before, after in ends]
        change.put(op.with_(windows=tuple(replace(w, **row) for w, row in zip(op.windows, rows, strict=True))))
    return None


def _drop(change: _Change, op: Op) -> None:
    source = op.inputs[0]
    change.ops = [
        one.with_(inputs=tuple(source if t in op.outputs else t for t in one.inputs))
        for one in change.ops
        if one.name != op.name
    ]
    change.outputs = [source if t in op.outputs else t for t in change.outputs]


def _separate(change: _Change, op: Op) -> None:
    """A standard convolution becomes one kernel per channel and then a mix of channels at each position, with its
    bias."""
    graph = change.graph
    if op.kind != "conv" or op.groups != 1 or op.channel_dim is None:
        raise ExplainError(f"{op.name} is no standard convolution (kind {op.kind}, groups {op.groups}).")
    channels = graph.shape(op.inputs[0])[op.channel_dim]
    if channels is None or op.weight_values is None:
        raise ExplainError(f"{op.name}: its channels are not known. Give them, as in '8/4@64' with --input 1,16000.")
    middle, shapes = f"{op.name}.depthwise:0", ((graph.shape(op.inputs[0]),), (graph.shape(op.outputs[0]),))
    bias = op.params - op.weight_values if op.params else 0
    bare = op.with_(params=op.params - bias, weight_bytes=op.weight_bytes - bias * item_bytes(op))
    depth = op.with_(name=f"{op.name}.depthwise", outputs=(middle,), groups=channels)
    point = op.with_(name=f"{op.name}.pointwise", inputs=(middle,), windows=(Window(),) * len(op.windows))
    change.filters[depth.name] = channels
    change.past |= {depth.name: Placed(bare, *shapes), point.name: Placed(op, *shapes)}
    at = change.ops.index(op)
    change.ops[at : at + 1] = [depth, point]


def _convolutions(graph: Graph) -> list[Op]:
    """Every standard convolution over two axes that looks at more than one place.

    Raises:
        ExplainError: there is none.
    """
    found = [op for op in graph.ops if op.kind == "conv" and len(op.windows) == 2 and op.groups == 1]
    wide = [op for op in found if prod(w.kernel for w in op.windows) > 1]
    if not wide:
        raise ExplainError("the network has no convolution over two axes that a CBAM block could follow.")
    return wide


def conv_behind(made: Mapping[str, Op], tensor: str) -> Op | None:
    """The convolution that makes a tensor, with norms and functions of one value in between."""
    op = made.get(tensor)
    while op is not None and op.kind in {"elementwise", "norm"} and len(op.inputs) == 1:
        op = made.get(op.inputs[0])
    return op if op is not None and op.kind == "conv" else None


def additions(graph: Graph) -> dict[str, Op]:
    """The residual additions of a network over two axes: the convolution that ends each branch, by the addition's name.

    The shortcut is the tensor that the branch starts from, or one convolution of it.
    """
    made = {name: op for op in graph.ops for name in op.outputs}

    def up(tensor: str) -> Op | None:
        op = conv_behind(made, tensor)
        return op if op is not None and len(op.windows) == 2 else None

    found: dict[str, Op] = {}
    for op in graph.ops:
        if op.kind != "elementwise" or op.attr("function") != "add" or len(op.inputs) != 2:
            continue
        for branch, shortcut in (op.inputs, op.inputs[::-1]):
            last, beside = up(branch), up(shortcut)
            starts, now = {shortcut, *(beside.inputs if beside else ())}, last
            steps = 0
            while now is not None and steps < LONGEST_BRANCH and not starts & set(now.inputs):
                now, steps = up(now.inputs[0]), steps + 1
            if last is not None and now is not None and (steps or beside is None):
                found[op.name] = last
                break
    return found


def _places(graph: Graph) -> list[Op]:
    """Where residual blocks go: behind the pools, or behind the convolutions where there are none.

    Where a network has residual blocks already, behind the convolution that ends each branch.
    """
    wide = _convolutions(graph)
    dims = {op.dims for op in wide}
    pools = [op for op in graph.ops if op.kind == "pool" and op.dims in dims]
    spread = [op for op in pools if any(graph.shape(op.outputs[0])[d] != 1 for d in op.dims)]
    return list(additions(graph).values()) or spread or wide


BLOCKS: dict[str, Callable[[Graph], list[Op]]] = {"cbam": _convolutions, "cbam-resnet": _places}


def _insert(change: _Change, op: Op, block: str) -> None:
    """A block behind a convolution or a pool, and the norm and activation after it.

    CBAM is a gate per channel, then one per place; a residual block carries it unless the network's own blocks do.
    """
    graph, channel_dim = change.graph, op.channel_dim
    if op.kind == "pool":
        channel_dim = next((one.channel_dim for one in graph.ops if one.kind == "conv" and one.dims == op.dims), None)
    if op.kind not in {"conv", "pool"} or len(op.windows) != 2 or channel_dim is None:
        raise ExplainError(f"{op.name} is no convolution over two axes (kind {op.kind}); CBAM follows one.")
    last = op
    while (after := _only_user(change.ops, last)) is not None and after.kind in {"elementwise", "norm"}:
        if after.attr("function") == "dropout":
            break
        last = after
    inside = block == "cbam-resnet" and op not in additions(graph).values()
    place = last.outputs[0], graph.shape(last.outputs[0]), channel_dim, op.dims
    made = cbam(*place, f"{op.name}.cbam_block" if inside else f"{op.name}.cbam", inside)
    end = made[-1].op.outputs[0]
    change.past |= {one.op.name: one for one in made}
    at = [one.name for one in change.ops].index(last.name) + 1
    rest = [one.with_(inputs=tuple(end if t == last.outputs[0] else t for t in one.inputs)) for one in change.ops[at:]]
    change.ops[at:] = [*(one.op for one in made), *rest]
    change.outputs = [end if t == last.outputs[0] else t for t in change.outputs]


def _only_user(ops: Sequence[Op], op: Op) -> Op | None:
    users = [one for one in ops if op.outputs[0] in one.inputs]
    return users[0] if len(users) == 1 and len(users[0].inputs) == 1 else None


def _causal(change: _Change) -> None:
    """All padding along time moved to the past, recurrences made one-way, attention limited to the past."""
    graph = change.graph
    time = time_dims(graph, {source: propagate(graph, *source) for source in sources(graph)})
    if not any(time.values()):
        raise ExplainError("the network has no time axis that could be made causal.")
    users: dict[str, list[Op]] = {}
    for op in graph.ops:
        for name in op.inputs:
            users.setdefault(name, []).append(op)
    lead: dict[str, int] = {}  # positions already added before a tensor by a padding operator
    for op in graph.ops:
        dims = time.get(op.inputs[0], frozenset()) if op.inputs else frozenset()
        if op.kind == "pad":
            pairs = list(zip(op.dims, op.attrs["before"], op.attrs["after"], strict=True))
            moved = [(a + max(0, b), min(0, b)) if d in dims else (a, b) for d, a, b in pairs]
            lead[op.outputs[0]] = sum(a for (d, _, _), (a, _) in zip(pairs, moved, strict=True) if d in dims)
            before, after = tuple(a for a, _ in moved), tuple(b for _, b in moved)
            change.put(op.with_(attrs={**op.attrs, "before": before, "after": after}))
        elif op.kind in {"conv", "conv_transpose", "pool"} and not _cut_after(op, users, graph, dims):
            windows = [
                _causal_window(w, op.kind, lead.get(op.inputs[0], 0)) if d in dims else w
                for d, w in zip(op.dims, op.windows, strict=True)
            ]
            change.put(op.with_(windows=tuple(windows)))
        elif op.kind == "rnn" and op.attr("bidirectional") and op.dims[0] in dims:
            change.put(op.with_(attrs={**op.attrs, "bidirectional": False}))
        elif op.kind == "attention" and op.dims[0] in dims:
            change.put(op.with_(attrs={**op.attrs, "causal": True}))


def _causal_window(w: Window, kind: str, lead: int) -> Window:
    need = max(0, w.reach - w.stride)
    total = w.pad_start + w.pad_end
    if kind == "conv_transpose":
        return replace(w, pad_start=0, pad_end=max(total, need), output_padding=0 if total < need else w.output_padding)
    if not w.pad_end and w.pad_start + lead >= need:
        return w
    return replace(w, pad_start=max(total, need - lead), pad_end=0)


def _cut_after(op: Op, users: dict[str, list[Op]], graph: Graph, dims: frozenset[int]) -> bool:
    """True when the layer's late outputs are sliced off right behind it: it is causal already."""
    followers = users.get(op.outputs[0], [])
    if len(followers) != 1 or followers[0].kind != "slice":
        return False
    shape, cut = graph.shape(op.outputs[0]), followers[0]
    for dim, start, stop in zip(cut.dims, cut.attrs["start"], cut.attrs["stop"], strict=True):
        size = shape[dim]
        if dim in dims and start == 0 and size is not None and stop is not None and stop < size:
            return True
    return False
