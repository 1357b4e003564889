"""Code of programs whose layers are those of torch or Keras under other names, written with their names."""

from __future__ import annotations

import ast
import re

from ..phrases import table
from .layer_kinds import KERAS_NAMES, LAYERS
from .scan import balanced, calls_a_layer, parsed, pieces

_TABLE = table("dialects")
_MANY = re.compile(r"\s*[x×]\s*(\d{1,2})\b")  # Conv1D(32, 5) x3
_TWO = re.compile(r"(?:\b(two)\s+(?:stacked\s+)?|([2两])\s*个\s*)$")  # two nn.Conv1d(16, 16, 3)
_CALLS = {program: re.compile(pattern) for program, pattern in _TABLE["calls"].items()}


def in_torch_or_keras(text: str) -> tuple[str, list[str]]:
    """The text with the layers of PaddlePaddle as torch's and those of `tf.layers` as Keras's, and what is said of it.

    >>> in_torch_or_keras("tf.layers.conv2d(x, 16, (1, 3), strides=(1, 2))")[0]
    'layers.Conv2D(16, (1, 3), strides=(1, 2))(x)'
    """
    if re.search(r"\b(?:paddle|fluid)\b", text) and "nn." in text:
        for pattern, name in _TABLE["paddle"].items():
            text = re.sub(pattern, name, text)
        return text, ["The layers of PaddlePaddle were read as torch's of the same name."]
    text, told = _with_cbam(_in_full(text))
    text, recurrent = _with_recurrence(text)
    told += recurrent
    for piece in reversed(pieces(text)):
        many = _MANY.match(text, piece.end)
        times = int(many[1]) if many else 2 if _TWO.search(text[: piece.start]) else 1
        if times > 1 and piece.kind == "call" and calls_a_layer(piece.text):
            text = text[: piece.end] + f"; {piece.text}" * (times - 1) + text[many.end() if many else piece.end :]
    if re.search(r"(?a)\bstack1\b", text) and not re.search(r"\b(?:stack1|block1)\s*\(", text):
        text += "\nx = stack1(x, 64, 3)"  # a question about it: that of the ResNets
    for program, pattern in _CALLS.items():
        for match in reversed(list(pattern.finditer(text))):
            end, inner = balanced(text, match.end())
            if call := _applied(text, match[1], inner, program):
                text = text[: match.start()] + call + text[end:]
                told.append(f"{program} was read as the layers of Keras.")
    return text, [*dict.fromkeys(told)]


def _in_full(text: str) -> str:
    """The text with the settings of each layer under their whole names."""
    for match in reversed(list(re.finditer(r"\b([A-Z]\w+)\s?(?=\()", text))):
        if not calls_a_layer(f"{match[1]}("):
            continue
        end, inner = balanced(text, match.end())
        program = "keras" if match[1] in KERAS_NAMES and match[1] not in LAYERS["torch"] else "torch"
        short = inner
        for pattern, name in {**_TABLE["short"], **_TABLE[f"short_{program}"]}.items():
            short = re.sub(pattern, name, short)
        text = text[: match.start(1)] + match[1] + short + text[end:] if short != inner else text
    return text


def _with_recurrence(text: str) -> tuple[str, list[str]]:
    """A sentence about an LSTM or a GRU by itself with the line of torch that makes it, and what is said of that.

    >>> _with_recurrence("an LSTM with input size 100 and hidden size 256")[0].split("\\n")[1]
    'nn.LSTM(100, 256)'
    """
    words = _TABLE["recurrent"]
    kind = re.search(words["kind"], text)
    sizes = [next(filter(None, (re.search(one, text) for one in words[key])), None) for key in ("input", "hidden")]
    if kind is None or None in sizes or re.search(words["other"], text) or "(" in text:
        return text, []
    made = f"nn.{kind[1]}({', '.join(size[1] for size in sizes if size)})"
    return f"{text}\n{made}", [f"It was read as torch's {made}, which has two biases for each gate and hidden value."]


def _with_cbam(text: str) -> tuple[str, list[str]]:
    """Lines of CBAM's channel attention with the layers that they apply before them, and what is said of that."""
    if "def " in text or not re.search(r"(?i)avg|average", text) or not re.search(r"(?i)max", text):
        return text, []
    program = "torch" if "self." in text else "keras"
    own = r"self\." if program == "torch" else ""
    used = dict.fromkeys(re.findall(rf"(?<![\w.]){own}([A-Za-z_]\w*)\s?\(", text))
    made = {
        name: next((code for known, code in _TABLE["cbam"][program].items() if re.fullmatch(known, name)), "")
        for name in used
        if not re.search(rf"\b{name}\s*=", text) and (own or re.fullmatch("shared\\w*|mlp", name))
    }
    if not any("64, 4" in code or "Dense" in code for code in made.values()) or "" in made.values():
        return text, []
    lines = [f"{'self.' if own else ''}{name} = {code}" for name, code in reversed(made.items())]
    note = f"Made elsewhere: {', '.join(made)}. That of CBAM over 64 channels was taken, ratio {16 if own else 8}."
    return "\n".join([*lines, text]), [note]


def _applied(text: str, name: str, arguments: str, program: str) -> str:
    """`conv2d` of `(x, 16, 3)` as a layer that is made and applied; empty for what is no such call."""
    match, tree = re.fullmatch(r"([a-z_]+?)([123]d)?(_transpose)?", name), parsed(f"f{arguments}")
    call = tree.body[0].value if tree and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) else None
    if match is None or match[1] not in _TABLE["keras"] or not isinstance(call, ast.Call):
        return ""
    named = {_TABLE["settings"].get(str(one.arg), str(one.arg)): ast.unparse(one.value) for one in call.keywords}
    inputs, *rest = [*map(ast.unparse, call.args)] or [named.pop("inputs", "")]
    if program == "slim":  # with `same` padding unless it says otherwise
        named = {
            key: value for key, value in named.items() if not re.fullmatch("scope|activation_fn|normalizer_.*", key)
        }
        named |= {"padding": named.get("padding", "'same'")} if match[1] == "conv" else {}
    if program == "tf.nn":
        named |= dict(zip(("filters", "strides", "padding"), rest, strict=False))
        rest, named = [], _of_weights(text, named)
    if not inputs or (program == "tf.nn" and not named):
        return ""
    kind = _TABLE["keras"][match[1]] + (match[2] or "").upper() + ("Transpose" if match[3] else "")
    return f"layers.{kind}({', '.join([*rest, *map('='.join, named.items())])})({inputs})"


def _of_weights(text: str, given: dict[str, str]) -> dict[str, str]:
    """Settings of `tf.nn.conv2d(x, W, [1, 2, 2, 1], "SAME")`, with the sizes of W in the text; none without them."""
    sizes = re.search(_TABLE["weights"]["pattern"].format(re.escape(given.get("filters", "?"))), text)
    if sizes is None:
        return {}
    *kernel, channels, filters = re.findall(r"\d+", sizes[1])
    steps = re.findall(r"\d+", given.get("strides", "1"))
    strides = steps[1:-1] if len(steps) == len(kernel) + 2 else steps  # batch and channels come first and last
    rows = {"kernel_size": kernel, "strides": strides, "input_shape": [*["None"] * len(kernel), channels]}
    made = {key: row[0] if len(row) == 1 else f"({', '.join(row)})" for key, row in rows.items()}
    return {"filters": filters, **made, "padding": given.get("padding", "'valid'").lower(), "use_bias": "False"}
