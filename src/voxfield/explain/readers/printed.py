"""Networks as frameworks print them: `print(module)` of torch and `model.summary()` of Keras.

Neither says how layers are connected, so they are taken in the order printed; a summary gives sizes and parameters,
from which kernels and strides are worked out. Both is said in notes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import ExplainError
from ..graph import Shape
from ..shapes import shape_text
from .code_values import snake_case
from .layer_kinds import ALIASES, KERAS_NAMES, LAYERS, function_of
from .scan import LARGEST_TEXT, balanced

_LINE = re.compile(r"\((?P<name>[\w.\-]+)\):\s*(?P<kind>[A-Za-z_]\w*)\(")
_REPEATED = re.compile(r"\((?P<first>\d+)(?:-\d+)?\):\s*(?P<times>\d+)\s*x\s*[A-Za-z_]\w*(?=\()")
_ROW = re.compile(
    r"^[\s│|┃]*(?P<name>[\w./-]+)\s*\((?P<kind>\w+)\)?[\s│|┃]+(?P<shape>[\[({].*?[\])}])[\s│|┃]+(?P<params>[\d,]+)",
    re.M,
)
LARGEST_KERNEL, LARGEST_STRIDE = 1024, 64


def is_printed_module(text: str) -> bool:
    """True for what `print(module)` gives."""
    return bool(_LINE.search(text)) and "def " not in text


def is_summary(text: str) -> bool:
    """True for what Keras's `model.summary()` gives."""
    return bool(_ROW.search(_joined(text)))


def module_code(text: str) -> tuple[str, list[str]]:
    """(code of the layers in the order printed, notes).

    Raises:
        ExplainError: none of its modules is a layer.
    """
    text = _written_out(text)
    made, names, unknown, flattened, places = [], [], [], [], False
    path: list[tuple[int, str]] = []
    for match in _LINE.finditer(text):
        line = text.rfind("\n", 0, match.start()) + 1
        opened = text.count("(", 0, match.start()) - text.count(")", 0, match.start())
        depth = match.start() - line if "\n" in text.strip() else opened
        while path and path[-1][0] >= depth:
            path.pop()
        path.append((depth, match["name"]))
        end = balanced(text, match.end() - 1)[0] - 1
        inner = text[match.end() : end]
        kind = match["kind"]
        if _LINE.search(inner) or (kind not in LAYERS["torch"] and "\n" in inner):
            continue
        if kind not in LAYERS["torch"]:
            unknown.append(kind)
            continue
        names.append(".".join(name for _, name in path))
        if kind == "Linear" and places:
            made.append("nn.Flatten()")
            flattened.append(names[-1])
        places = kind.startswith(("Conv", "MaxPool", "AvgPool", "Adaptive")) or (
            places and kind not in {"Flatten", "Linear"}
        )
        made.append(f"nn.{kind}({_arguments(kind, inner)})")
    if not made:
        raise ExplainError(
            f"No layer of the printed module is known ({', '.join(dict.fromkeys(unknown)) or 'none'}). Paste the "
            "code of the network instead."
        )
    notes = ["A printed module does not say how its layers are connected: they were taken in the order printed."]
    if flattened:
        notes.append(f"A flattening that is not printed was assumed before {', '.join(flattened)}.")
    if unknown:
        notes.append(f"Not known and left out: {', '.join(dict.fromkeys(unknown))}.")
    return f"nn.Sequential({', '.join(made)})", notes


def _written_out(text: str) -> str:
    """The text with each of the modules that `(1-4): 4 x Block(...)` stands for."""
    while match := _REPEATED.search(text):
        end, first = balanced(text, match.end())[0], int(match["first"])
        module = (
            re.sub(r"\d+\s*x\s*", "", text[match.start() : match.end()].partition(":")[2], count=1)
            + text[match.end() : end]
        )
        space = re.search(r"[ \t]*$", text[: match.start()])
        between = ("\n" if "\n" in text.strip() else "") + (space[0] if space else "")
        copies = [f"({first + i}):{module}" for i in range(int(match["times"]))]
        if len(text) + len(module) * len(copies) > LARGEST_TEXT:
            raise ExplainError("The printed module repeats its blocks too often. Paste the network alone.")
        text = text[: match.start()] + between.join(copies) + text[end:]
    return text


def _arguments(kind: str, inner: str) -> str:
    """The printed settings as arguments; those of functions of each value change no figure."""
    flat = "" if LAYERS["torch"][kind].family is function_of else " ".join(inner.split())
    return re.sub(r"\b(padding_mode|padding|mode)=([a-z_]+)", r"\1='\2'", flat)


@dataclass(frozen=True)
class Row:
    """One line of a Keras summary: sizes without the batch, None for those that are open."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    params: int


def _joined(text: str) -> str:
    """A summary whose shapes do not go on in the line below, as Keras breaks those that are too long."""
    lines = text.split("\n")
    for i, line in enumerate(lines[:-1]):
        cut = re.search(r"[\[(](?:None|\d)[\d, None]*?(?=\s{2,}\S|\s*$)", line)
        more = re.match(r"(\s+)([\d, None]*[)\]]+)", lines[i + 1])
        if cut and more and len(more[1]) >= cut.start() - 1 > 0:
            lines[i], lines[i + 1] = line[: cut.end()] + more[2] + line[cut.end() :], ""
    return "\n".join(lines)


def summary_code(text: str) -> tuple[str, list[str]]:
    """(code of the layers in a Keras summary, notes).

    Raises:
        ExplainError: branches, or a layer whose settings do not follow from its sizes and parameters.
    """
    rows = [
        Row(
            m["name"],
            _whole(m["kind"], m["name"]),
            tuple(None if part == "None" else int(part) for part in re.findall(r"None|\d+", m["shape"]))[1:],
            int(m["params"].replace(",", "")),
        )
        for m in _ROW.finditer(_joined(text))
    ]
    notes = ["A summary shows sizes and parameters; kernels, strides and padding were worked out from them."]
    if rows[0].kind == "InputLayer":
        now, rest = rows[0].shape, rows[1:]
    else:
        now, rest = _input_of(rows[0]), rows
        notes.append(f"The summary does not show the input: {shape_text(now)} was worked out from the first layer.")
    if any(row.kind == "InputLayer" for row in rest) or any(r.kind in {"Add", "Concatenate", "Multiply"} for r in rest):
        raise ExplainError(
            "The summary has several inputs or branches, and it does not say what each layer is connected to in a form "
            "that can be read. Paste the code of the network, or give its .keras file."
        )
    lines = [f"x = Input(shape={now})"]
    for row in rest:
        lines.append(f"x = {_layer(row, now, notes)}(x)")
        now = row.shape
    return "\n".join(lines), notes


def _whole(kind: str, name: str) -> str:
    """The class of a layer; where a summary cuts it off, that which its default name stands for."""
    if kind not in KERAS_NAMES:
        stem = re.sub(r"_\d+$", "", name)
        kind = next((one for one in sorted(KERAS_NAMES) if one.startswith(kind) and snake_case(one) == stem), kind)
    return ALIASES.get(kind, kind)


def _input_of(row: Row) -> tuple[int | None, ...]:
    """The input of a recurrence or a matrix by its parameters; the smallest that a first convolution can have had:
    `valid`, stride 1, the kernel of its parameters."""
    filters = (row.shape or (None,))[-1] or 1
    axes = len(row.shape) - 1
    gates, own = {"LSTM": (4, filters + 1), "GRU": (3, filters + 2), "Dense": (1, 1)}.get(row.kind, (0, 0))
    if gates and not row.params % (gates * filters):
        return (*(row.shape[:-1] or (None,) * (gates > 1)), row.params // (gates * filters) - own)
    for channels in (1, 3, 2, 4, 40, 64, 80, 128) if row.kind.startswith("Conv") else ():
        taps, left = divmod(row.params - filters, filters * channels)
        side = round(taps ** (1 / axes)) if axes and taps > 0 else 0
        if not left and side > 1 and side**axes == taps:
            return (*(None if s is None else s + side - 1 for s in row.shape[:-1]), channels)
    raise ExplainError(
        "The summary does not show its input, and it does not follow from the first layer. Add the input's line."
    )


def _layer(row: Row, before: tuple[int | None, ...], notes: list[str]) -> str:
    name = f"name='{row.name}'"
    placed = row.kind.startswith(("Conv", "ZeroPadding", "UpSampling", "MaxPool", "AvgPool"))
    if not row.shape or not before or 0 in (*row.shape, *before) or (placed and len(row.shape) != len(before)):
        raise ExplainError(f"{row.name}: its sizes {row.shape} do not follow from {before}. Paste its code.")
    if row.kind.startswith("Conv") and row.kind.endswith(("1D", "2D")):
        kernel, stride, padding, bias = _window(row, before, notes)
        return f"{row.kind}({row.shape[-1]}, {kernel}, strides={stride}, padding='{padding}', use_bias={bias}, {name})"
    if row.kind == "Dense":
        bias = row.params == ((before[-1] or 0) + 1) * (row.shape[-1] or 0)
        return f"Dense({row.shape[-1]}, use_bias={bias}, {name})"
    if row.kind in {"LSTM", "GRU", "SimpleRNN"}:
        return f"{row.kind}({row.shape[-1]}, return_sequences={len(row.shape) > 1}, {name})"
    if row.kind == "Reshape":
        return f"Reshape({row.shape}, {name})"
    if row.kind == "Activation":
        return f"Activation('relu', {name})"
    if row.kind.startswith(("ZeroPadding", "UpSampling", "MaxPool", "AvgPool")):
        pairs = [(a, b) for a, b in zip(before[:-1], row.shape[:-1], strict=True) if a is not None and b is not None]
        if len(pairs) < len(row.shape) - 1:
            raise ExplainError(f"{row.name}: its sizes are not known, so its settings are not known. Paste its code.")
        if row.kind.startswith("Up"):
            return f"{row.kind}({tuple(b // a for a, b in pairs)}, {name})"
        if row.kind.startswith("Zero"):
            return f"{row.kind}({tuple(((b - a) // 2, (b - a + 1) // 2) for a, b in pairs)}, {name})"
        size = tuple(max(1, round(a / b)) for a, b in pairs)
        exact = all(a // k == b for (a, b), k in zip(pairs, size, strict=True))
        notes.append(f"{row.name}: the pool size {size} is the ratio of its sizes; its window may be larger.")
        return f"{row.kind}({size}, padding='{'valid' if exact else 'same'}', {name})"
    return f"{row.kind}({name})"


def _window(
    row: Row, before: tuple[int | None, ...], notes: list[str]
) -> tuple[tuple[int, ...], tuple[int, ...], str, bool]:
    """(kernel, stride, padding, bias) of a convolution that gives these sizes with these parameters."""
    filters, channels = row.shape[-1] or 1, before[-1] or 1
    axes = len(row.shape) - 1
    transposed = "Transpose" in row.kind
    for bias in (True, False):
        taps, left = divmod(row.params - filters * bias, filters * channels)
        if left or taps < 1:
            continue
        fits = [
            (kernel, strides, padding)
            for kernel in _kernels(taps, axes)
            for padding in ("valid", "same")
            if 0 not in (strides := _strides(kernel, before[:-1], row.shape[:-1], padding, transposed))
        ]
        if fits:
            best = min(fits, key=lambda fit: (len(set(fit[0])) > 1, sum(fit[1]), fit[2] == "same"))
            if len(fits) > 1:
                notes.append(
                    f"{row.name}: {len(fits)} settings fit its line; kernel {best[0]}, stride {best[1]} was taken."
                )
            return (*best, bias)
    raise ExplainError(
        f"{row.name}: no kernel and stride fit {row.params} parameters and the sizes {row.shape}. Paste its code."
    )


def _kernels(taps: int, axes: int) -> list[tuple[int, ...]]:
    if axes == 1:
        return [(taps,)]
    return [(a, taps // a) for a in range(1, min(taps, LARGEST_KERNEL) + 1) if taps % a == 0]


def _strides(kernel: tuple[int, ...], before: Shape, after: Shape, padding: str, transposed: bool) -> tuple[int, ...]:
    """The smallest stride per axis that turns the sizes before into those after; 0 where there is none."""

    def makes(size: int, k: int, stride: int) -> int:
        if transposed:
            return size * stride if padding == "same" else (size - 1) * stride + max(k, stride)
        return -(-size // stride) if padding == "same" else (size - k) // stride + 1

    return tuple(
        1
        if a is None or b is None or k is None
        else next((s for s in range(1, LARGEST_STRIDE) if makes(a, k, s) == b), 0)
        for k, a, b in zip(kernel, before, after, strict=True)
    )
