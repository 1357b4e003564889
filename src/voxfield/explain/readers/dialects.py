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
_SLIM = re.compile(r"\b(?:slim|tf\.contrib\.layers)\.(conv2d|max_pool2d|avg_pool2d|fully_connected|flatten)\s*(?=\()")
_OPERATION = re.compile(r"\btf\.nn\.(conv[12]d)\s*(?=\()")  # on weights of the code
_WEIGHTS = r"\b{}\b\s*[=:][^\n\[]{{0,80}}\[\s*(\d+(?:\s*,\s*\d+){{2,3}})\s*\]"  # W = tf.ones([5, 5, 1, 32])
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
    told = []
    for name, pattern in (("tf.layers", _FIRST_TENSORFLOW), ("slim", _SLIM), ("tf.nn", _OPERATION)):
        found, at = "", 0
        while match := pattern.search(text, at):
            end, inner = balanced(text, match.end())
            call = _on_weights(text, match[1], inner) if name == "tf.nn" else _applied(match[1], inner, name == "slim")
            found, at = found + text[at : match.start()] + (call or text[match.start() : end]), end
            told += [f"{name} was read as the layers of Keras."] * bool(call)
        text = found + text[at:]
    return text, [*dict.fromkeys(told)]


def _on_weights(text: str, name: str, arguments: str) -> str:
    """`tf.nn.conv2d(x, W, [1, 2, 2, 1], "SAME")` with the sizes that the text gives for W; else empty."""
    call = _call(arguments)
    if call is None:
        return ""
    given = dict(zip(("input", "filter", "strides", "padding"), map(ast.unparse, call.args), strict=False))
    given |= {
        {"filters": "filter", "value": "input"}.get(str(one.arg), str(one.arg)): ast.unparse(one.value)
        for one in call.keywords
    }
    sizes = re.search(_WEIGHTS.format(re.escape(given.get("filter", "?"))), text)
    *kernel, channels, filters = re.findall(r"\d+", sizes[1]) if sizes else ("", "", "")
    steps = re.findall(r"\d+", given.get("strides", given.get("stride", "1")))
    if not sizes or "input" not in given or len(kernel) != int(name[-2]):
        return ""
    strides = steps[1:-1] if len(steps) == len(kernel) + 2 else steps  # batch and channels come first and last
    padding = given.get("padding", "'valid'").lower()
    settings = (
        f"{filters}, ({', '.join(kernel)},), strides=({', '.join(strides)},), padding={padding}, use_bias=False, "
    )
    settings += f"input_shape=({'None, ' * len(kernel)}{channels})"
    return f"layers.Conv{name[-2]}D({settings})({given['input']})"


def _call(arguments: str) -> ast.Call | None:
    tree = parsed(f"f{arguments}")
    call = tree.body[0].value if tree and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr) else None
    return call if isinstance(call, ast.Call) else None


def _applied(name: str, arguments: str, slim: bool) -> str:
    """`conv2d` of `(x, 16, 3)` as a layer that is made and applied; empty for what is no such call. TF-slim has `same`
    padding unless it says otherwise, and calls the strides of a layer its stride."""
    name = {"fully_connected": "dense", "max_pool2d": "max_pooling2d", "avg_pool2d": "average_pooling2d"}.get(
        name, name
    )
    match = re.fullmatch(r"([a-z_]+?)([123]d)?(_transpose)?", name)
    call = _call(arguments)
    if match is None or match[1] not in _KERAS_NAMES or call is None:
        return ""
    named = {one.arg: one for one in call.keywords}
    inputs = call.args[0] if call.args else named["inputs"].value if "inputs" in named else None
    if inputs is None:
        return ""
    rest = [*map(ast.unparse, call.args[1:]), *(ast.unparse(one) for key, one in named.items() if key != "inputs")]
    if slim:
        rest = [
            re.sub(r"^stride=", "strides=", one)
            for one in rest
            if not one.startswith(("scope=", "activation_fn=", "normalizer"))
        ]
        rest += ["padding='same'"] if name.startswith("conv") and "padding" not in named else []
    kind = _KERAS_NAMES[match[1]] + (match[2] or "").upper() + ("Transpose" if match[3] else "")
    return f"layers.{kind}({', '.join(rest)})({ast.unparse(inputs)})"
