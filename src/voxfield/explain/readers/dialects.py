"""Code of programs whose layers are those of torch or Keras under other names, written with their names."""

from __future__ import annotations

import ast
import re

from .scan import balanced, parsed

_PADDLE = re.compile(r"\bpaddle\b|\bfluid\b")
_PADDLE_NAMES = (  # PaddlePaddle counts in the order of torch
    (re.compile(r"\bConv([123])DTranspose\b"), r"ConvTranspose\1d"),
    (re.compile(r"\b((?:Conv|(?:Adaptive)?(?:Max|Avg)Pool|BatchNorm|InstanceNorm|Dropout|Pad)[123])D\b"), r"\1d"),
    (re.compile(r"\bnn\.Layer\b"), "nn.Module"),
    (re.compile(r"\bbias_attr\s*="), "bias="),
    (re.compile(r"\bpaddle\."), "torch."),
)
_FIRST_TENSORFLOW = re.compile(r"\btf(?:\.compat\.v1)?\.layers\.([a-z_\d]+)\s*(?=\()")
_KERAS_NAMES = {"max_pooling": "MaxPooling", "average_pooling": "AveragePooling", "separable_conv": "SeparableConv"}
_KERAS_NAMES |= {"conv": "Conv", "dense": "Dense", "dropout": "Dropout", "flatten": "Flatten"}
_KERAS_NAMES |= {"batch_normalization": "BatchNormalization"}


def in_torch_or_keras(text: str) -> tuple[str, list[str]]:
    """The text with the layers of PaddlePaddle as torch's and those of `tf.layers` as Keras's, and what is said of it.

    >>> in_torch_or_keras("tf.layers.conv2d(x, 16, (1, 3), strides=(1, 2))")[0]
    'layers.Conv2D(16, (1, 3), strides=(1, 2))(x)'
    """
    if _PADDLE.search(text) and "nn." in text:
        for pattern, name in _PADDLE_NAMES:
            text = pattern.sub(name, text)
        return text, ["The layers of PaddlePaddle were read as torch's of the same name."]
    found, at = "", 0
    while match := _FIRST_TENSORFLOW.search(text, at):
        end, inner = balanced(text, match.end())
        call = _applied(match[1], inner)
        found += text[at : match.start()] + (call or text[match.start() : end])
        at = end
    return (found + text[at:], ["tf.layers was read as the layers of Keras."]) if at else (text, [])


def _applied(name: str, arguments: str) -> str:
    """`conv2d` of `(x, 16, 3)` as a layer that is made and applied; empty for what is no such call."""
    match = re.fullmatch(r"([a-z_]+?)([123]d)?(_transpose)?", name)
    tree = parsed(f"f{arguments}")
    call = tree.body[0].value if tree and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) else None
    if match is None or match[1] not in _KERAS_NAMES or not isinstance(call, ast.Call):
        return ""
    named = {one.arg: one for one in call.keywords}
    inputs = call.args[0] if call.args else named["inputs"].value if "inputs" in named else None
    if inputs is None:
        return ""
    rest = [*map(ast.unparse, call.args[1:]), *(ast.unparse(one) for key, one in named.items() if key != "inputs")]
    kind = _KERAS_NAMES[match[1]] + (match[2] or "").upper() + ("Transpose" if match[3] else "")
    return f"layers.{kind}({', '.join(rest)})({ast.unparse(inputs)})"
