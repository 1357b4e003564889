"""Networks as frameworks print them: `print(module)` of torch, `model.summary()` of Keras, torchsummary, torchinfo.

None says how layers are connected, so they are taken in the order printed; a summary gives sizes and parameters,
from which kernels and strides are worked out. Both is said in notes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from math import prod

from ...errors import ExplainError
from ..graph import Shape
from ..phrases import patterns
from ..shapes import shape_text
from .code_values import snake_case
from .layer_kinds import ALIASES, KERAS_NAMES, LAYERS, function_of
from .scan import LARGEST_TEXT, balanced

_P = patterns("printed")
_LINE, _ROW, _REPEATED = _P["line"], _P["row"], _P["repeated"]
USUAL_SIDES = (224, 32, 28, 64, 128, 256, 16_000, 8_000, 48_000)  # of inputs, taken where several fit
LARGEST_KERNEL, LARGEST_STRIDE = 1024, 64


def is_printed_module(text: str) -> bool:
    """True for what `print(module)` gives."""
    return bool(_LINE.search(text)) and "def " not in text


def is_summary(text: str) -> bool:
    """True for a table of layers, sizes and parameters."""
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
    """One line of a summary: sizes without the batch, channels last, None for those that are open."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    params: int
    torch: bool = False
    before: tuple[int | None, ...] = ()  # what goes in, where the table says so
    kernel: tuple[int, ...] = ()

    @property
    def placed(self) -> bool:
        """True for a layer that slides along positions."""
        return self.kind.startswith(("Conv", "ZeroPadding", "UpSampling", "MaxPool", "AvgPool"))


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
    """(code of the layers in a summary, notes).

    Raises:
        ExplainError: branches, or a layer whose settings do not follow from its sizes and parameters.
    """
    columns = re.findall(r"(Input|Output|Kernel) Shape", text)
    rows = [row for m in _ROW.finditer(_joined(text)) if (row := _row(m, columns))]
    notes = ["A summary shows sizes and parameters; kernels, strides and padding were worked out from them."]
    if not rows or (rows[-1].torch and not any(row.params for row in rows)):
        raise ExplainError("No layer of the summary is known. Paste what print(model) gives, or the code.")
    if rows[0].kind == "InputLayer":
        now, rest = rows[0].shape, rows[1:]
    elif rows[0].before:
        now, rest = rows[0].before, rows
    else:
        now, rest = _input_of(rows[0], float(size[1]) if (size := _P["megabytes"].search(text)) else None), rows
        shown = shape_text((*now[-1:], *now[:-1]) if rows[0].torch else now)
        notes.append(f"The summary does not show the input: {shown} was worked out from the first layer.")
    if any(row.kind == "InputLayer" for row in rest) or any(r.kind in {"Add", "Concatenate", "Multiply"} for r in rest):
        raise ExplainError(
            "The summary has several inputs or branches, and it does not say what each layer is connected to in a form "
            "that can be read. Paste the code of the network, or give its .keras file."
        )
    torch = rows[0].torch
    lines = [f"x = torch.randn{(1, *now[-1:], *now[:-1])}" if torch else f"x = Input(shape={now})"]
    for row in rest:
        layer = _layer(row, row.before or now, notes)
        if row.kind == "Linear" and len(row.shape) < len(row.before or now):
            lines.append("x = nn.Flatten()(x)")
        lines.append(f"{row.name} = nn.{layer}\nx = {row.name}(x)" if torch else f"x = {layer}(x)")
        now = row.shape
    return "\n".join(lines), notes


def _row(match: re.Match[str], columns: list[str]) -> Row | None:
    """A line of a summary; None for one of a block of torch, whose own layers have lines of their own."""
    kind = match["torch"]
    params = int(match["params"].replace(",", "").replace("--", "0"))
    shapes = [
        tuple(None if part == "None" else int(part) for part in re.findall(r"None|-?\d+", one))
        for one in _P["shape"].findall(match["shapes"])
    ]
    if kind is None:
        return Row(match["name"], _whole(match["kind"], match["name"]), shapes[0][1:], params)
    if kind not in LAYERS["torch"]:
        return None
    said = dict(zip(columns if len(columns) == len(shapes) else ["Output"], shapes, strict=False))
    before, after = ((*said.get(key, ())[2:], *said.get(key, ())[1:2]) for key in ("Input", "Output"))
    name = match["own"] or f"{snake_case(kind)}_{match['number'].replace('-', '_')}"
    kernel = tuple(size or 1 for size in said.get("Kernel", ()))
    return Row(name.replace(".", "_"), kind, after, params, True, before, kernel)


def _whole(kind: str, name: str) -> str:
    """The class of a layer; where a summary cuts it off, that which its default name stands for."""
    if kind not in KERAS_NAMES:
        stem = re.sub(r"_\d+$", "", name)
        kind = next((one for one in sorted(KERAS_NAMES) if one.startswith(kind) and snake_case(one) == stem), kind)
    return ALIASES.get(kind, kind)


def _input_of(row: Row, megabytes: float | None) -> tuple[int | None, ...]:
    """The input of a recurrence or a matrix by its parameters; the smallest that a first convolution can have had, with
    the kernel of its parameters: `valid`, stride 1, or one whose side is usual."""
    filters = (row.shape or (None,))[-1] or 1
    axes = len(row.shape) - 1
    gates, own = {"LSTM": (4, filters + 1), "GRU": (3, filters + 2), "Dense": (1, 1), "Linear": (1, 1)}.get(
        row.kind, (0, 0)
    )
    if gates and not row.params % (gates * filters):
        return (*(row.shape[:-1] or (None,) * (gates > 1)), row.params // (gates * filters) - own)
    for channels, bias in product((1, 3, 2, 4, 40, 64, 80, 128), (True, False)) if row.kind.startswith("Conv") else ():
        taps, left = divmod(row.params - filters * bias, filters * channels)
        side = round(taps ** (1 / axes)) if axes and taps > 0 else 0
        if left or side < 2 or side**axes != taps or (not bias and channels > 4):
            continue
        valid = (*(None if s is None else s + side - 1 for s in row.shape[:-1]), channels)
        if not row.torch or None in valid:
            return valid
        fits = [
            tried
            for stride, pad in product((1, 2, 4), range(side // 2 + 1))
            for more in range(stride)
            if min(tried := (*((s - 1) * stride + side - 2 * pad + more for s in row.shape[:-1] if s), channels)) > 0
            and (megabytes is None or any(abs(prod(tried) * 4 / unit - megabytes) < 0.006 for unit in (2**20, 10**6)))
        ]
        return min(fits, key=lambda one: (*(s not in USUAL_SIDES for s in one[:-1]), one), default=valid)
    raise ExplainError(
        "The summary does not show its input, and it does not follow from the first layer. Add the input's line."
    )


def _layer(row: Row, before: tuple[int | None, ...], notes: list[str]) -> str:
    name = "" if row.torch else f"name='{row.name}'"
    if not row.shape or not before or 0 in (*row.shape, *before) or (row.placed and len(row.shape) != len(before)):
        raise ExplainError(f"{row.name}: its sizes {row.shape} do not follow from {before}. Paste its code.")
    wide = row.shape[-1]
    if row.kind.startswith("Conv") and row.kind.lower().endswith(("1d", "2d")):
        kernel, stride, padding, bias, groups = _window(row, before, notes)
        if row.torch:
            settings = f"stride={stride}, padding={padding}, groups={groups}, bias={bias}"
            return f"{row.kind}({before[-1]}, {wide}, {kernel}, {settings})"
        return f"{row.kind}({wide}, {kernel}, strides={stride}, padding='{padding}', use_bias={bias}, {name})"
    if row.kind in {"Dense", "Linear"}:
        features, left = divmod(row.params, wide or 1)
        bias = not left and features - 1 in {before[-1], prod(size or 0 for size in before)}
        if not row.torch:
            return f"Dense({wide}, use_bias={row.params == ((before[-1] or 0) + 1) * (wide or 0)}, {name})"
        return f"Linear({features - bias}, {wide}, bias={bias})"
    if row.kind.startswith("BatchNorm") and row.torch:
        return f"{row.kind}({wide}, affine={bool(row.params)})"
    if row.kind.startswith("Adaptive"):
        return f"{row.kind}({row.shape[:-1]})"
    if row.kind in {"LSTM", "GRU", "SimpleRNN"} and not row.torch:
        return f"{row.kind}({wide}, return_sequences={len(row.shape) > 1}, {name})"
    if row.kind == "Reshape":
        return f"Reshape({row.shape}, {name})"
    if row.kind == "Activation":
        return f"Activation('relu', {name})"
    if row.placed and not row.kind.startswith("Conv"):
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
        if row.torch:
            return f"{row.kind}({size}{'' if exact else ', ceil_mode=True'})"
        return f"{row.kind}({size}, padding='{'valid' if exact else 'same'}', {name})"
    if row.torch and row.params:
        raise ExplainError(f"{row.name}: the settings of {row.kind} do not follow from its line. Paste its code.")
    return f"{row.kind}({name})"


def _window(
    row: Row, before: tuple[int | None, ...], notes: list[str]
) -> tuple[tuple[int, ...], tuple[int, ...], str | tuple[int, ...], bool, int]:
    """(kernel, stride, padding, bias, groups) of a convolution that gives these sizes with these parameters."""
    filters, channels = row.shape[-1] or 1, before[-1] or 1
    axes = len(row.shape) - 1
    transposed = "Transpose" in row.kind
    alone = row.torch and channels > 1 and filters % channels == 0  # one kernel for each channel
    for bias, groups in product((True, False), (1, channels) if alone else (1,)):
        taps, left = divmod(row.params - filters * bias, filters * channels // groups)
        if left or taps < 1:
            continue
        fits = [
            (kernel, strides, padding)
            for kernel in ([row.kernel] if row.kernel else _kernels(taps, axes))
            for padding in _paddings(kernel, row.torch)
            if prod(kernel) == taps
            and 0 not in (strides := _strides(kernel, before[:-1], row.shape[:-1], padding, transposed))
        ]
        if fits:
            best = min(fits, key=lambda fit: (len(set(fit[0])) > 1, sum(fit[1]), fit[2] == "same"))
            if len(fits) > 1:
                notes.append(
                    f"{row.name}: {len(fits)} settings fit its line; kernel {best[0]}, stride {best[1]} was taken."
                )
            return (*best, bias, groups)
    raise ExplainError(
        f"{row.name}: no kernel and stride fit {row.params} parameters and the sizes {row.shape}. Paste its code."
    )


def _paddings(kernel: tuple[int, ...], torch: bool) -> list[str | tuple[int, ...]]:
    """What may be laid around: by name for Keras; for torch none, or what keeps the size, along each axis."""
    if not torch:
        return ["valid", "same"]
    return [*dict.fromkeys(product(*((0, (k - 1) // 2, k // 2) for k in kernel)))]


def _kernels(taps: int, axes: int) -> list[tuple[int, ...]]:
    if axes == 1:
        return [(taps,)]
    return [(a, taps // a) for a in range(1, min(taps, LARGEST_KERNEL) + 1) if taps % a == 0]


def _strides(
    kernel: tuple[int, ...], before: Shape, after: Shape, padding: str | tuple[int, ...], transposed: bool
) -> tuple[int, ...]:
    """The smallest stride per axis that turns the sizes before into those after; 0 where there is none."""

    def makes(size: int, k: int, stride: int, pad: str | int) -> int:
        if isinstance(pad, int):
            return (size - 1) * stride + k - 2 * pad if transposed else (size + 2 * pad - k) // stride + 1
        if transposed:
            return size * stride if pad == "same" else (size - 1) * stride + max(k, stride)
        return -(-size // stride) if pad == "same" else (size - k) // stride + 1

    pads: tuple[str | int, ...] = (padding,) * len(kernel) if isinstance(padding, str) else padding
    return tuple(
        1
        if a is None or b is None or k is None
        else next((s for s in range(1, LARGEST_STRIDE) if makes(a, k, s, pad) == b), 0)
        for k, a, b, pad in zip(kernel, before, after, pads, strict=True)
    )
