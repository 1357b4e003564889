"""A Keras model from a `.keras` archive or a `to_json()` file, read without TensorFlow or Keras.

Sequential, functional (branches, several inputs, shared layers) and nested models; the forms of Keras 2 and 3. Of an
archive only `config.json` is read, in memory and up to a limit: nothing is unpacked and no weight is touched. A file is
someone else's: odd archives, absurd sizes and broken JSON end in an ExplainError.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import ExplainError
from ..axes import keras_axes, settled_axes
from ..graph import Axis, Graph, Shape
from .layer_kinds import add_layer
from .layers import LayerGraph, Origin, is_whole

LARGEST_CONFIG_BYTES = 64 * 1024 * 1024
MOST_MEMBERS = 10_000
DEEPEST_NESTING = 20
MODELS = {"Sequential", "Functional", "Model"}

Inputs = Mapping[str, Any]


def read_keras(path: Path, input_shape: Shape | None = None, axes: tuple[Axis, ...] | None = None) -> Graph:
    """The graph of a saved Keras model.

    Args:
        path: a `.keras` archive or a JSON file written by `model.to_json()`.
        input_shape: sizes for the dims that the model leaves open, with or without the batch; None keeps them open.
        axes: which dims of the input to follow; None takes time, time and frequency, or height and width.

    Raises:
        ExplainError: not such a file, an archive that is not safe to read, or a layer that cannot be.
    """
    config = _load(path)
    try:
        return _model(config, path.name, input_shape, axes)
    except ExplainError:
        raise
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise ExplainError(
            f"{path.name}: its configuration does not have the form Keras writes ({type(error).__name__}: {error}). "
            "Save the model again with model.save('model.keras') or model.to_json()."
        ) from error


def _load(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head[:2] == b"PK":
            text = _config_of_archive(path)
        elif head == b"\x89HDF":
            raise ExplainError(f"{path.name} is an HDF5 file. Save it as model.save('model.keras') or model.to_json().")
        elif path.stat().st_size > LARGEST_CONFIG_BYTES:
            raise ExplainError(f"{path.name}: {path.stat().st_size} bytes of JSON; at most {LARGEST_CONFIG_BYTES}.")
        else:
            text = path.read_bytes()
    except OSError as error:
        raise ExplainError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        config = json.loads(text)
        if isinstance(config, str):  # json.dump(model.to_json(), file) quotes it twice
            config = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise ExplainError(f"{path.name}: not a Keras model: its JSON cannot be read ({error}).") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise ExplainError(f"{path.name}: not a Keras model: no 'class_name' and 'config' in its JSON.")
    return config


def _config_of_archive(path: Path) -> bytes:
    """The text of config.json, after the whole list of members was looked at."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise ExplainError(f"{path.name}: {len(members)} members in the archive; at most {MOST_MEMBERS}.")
            for member in members:
                name = PurePosixPath(member.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts or ":" in member.filename:
                    raise ExplainError(
                        f"{path.name}: the archive holds a member called '{member.filename[:80]}', which points "
                        "outside of it. Keras never writes such names: do not trust this file."
                    )
            found = [member for member in members if member.filename == "config.json"]
            if len(found) != 1:
                raise ExplainError(f"{path.name}: {len(found)} members called config.json; a .keras archive has one.")
            if found[0].flag_bits & 1:
                raise ExplainError(f"{path.name}: its config.json is encrypted.")
            if found[0].file_size > LARGEST_CONFIG_BYTES:
                raise ExplainError(
                    f"{path.name}: config.json unpacks to {found[0].file_size} bytes; at most {LARGEST_CONFIG_BYTES}."
                )
            with archive.open(found[0]) as file:
                text = file.read(LARGEST_CONFIG_BYTES + 1)
    except ExplainError:
        raise
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ExplainError(f"{path.name}: a broken archive ({error}).") from error
    if len(text) > LARGEST_CONFIG_BYTES:
        raise ExplainError(f"{path.name}: config.json is longer than it says; at most {LARGEST_CONFIG_BYTES} bytes.")
    return text


def _model(config: Mapping[str, Any], title: str, given: Shape | None, axes: tuple[Axis, ...] | None) -> Graph:
    net = LayerGraph(title)
    inner = config["config"]
    layers = inner if isinstance(inner, list) else inner["layers"]
    shapes = [shape for layer in layers if (shape := _input_shape(layer)) is not None and _is_input(layer)]
    if not shapes:
        first = _input_shape(layers[0]) if layers else None
        if first is None and isinstance(inner, Mapping) and inner.get("build_input_shape"):
            first = tuple(inner["build_input_shape"])
        if first is None and given is None:
            raise ExplainError(f"{title}: the model was never built and does not know its input. Give it with --input.")
        shapes = [first if first is not None else tuple(given or ())]
    inputs = []
    for i, shape in enumerate(shapes):
        filled = fill_input(shape, given if i == 0 else None)
        inputs.append(net.input(filled, (axes if i == 0 else None) or keras_axes(filled)))
    outputs = _run(net, config, inputs, "", 0)
    graph = net.finished(outputs)
    return settled_axes(graph) if axes is None else graph


def fill_input(shape: Shape, given: Shape | None) -> Shape:
    """`shape` (batch included) with what `given` says about it, the batch taken as one.

    Raises:
        ExplainError: a given size that contradicts the model's own, or another number of dims.
    """
    own = (1 if shape[0] is None else shape[0], *shape[1:])
    if given is None:
        return own
    whole = given if len(given) == len(own) else (1, *given)
    if len(whole) != len(own):
        raise ExplainError(
            f"--input has {len(given)} sizes; the model takes {len(own) - 1} (and the batch): {own[1:]}."
        )
    for mine, theirs in zip(own[1:], whole[1:], strict=True):
        if mine is not None and theirs is not None and mine != theirs:
            raise ExplainError(f"--input says {theirs} where the model has {mine}: its input is {own[1:]}.")
    return (whole[0] or 1, *(t if m is None else m for m, t in zip(own[1:], whole[1:], strict=True)))


def _is_input(layer: Mapping[str, Any]) -> bool:
    return str(layer.get("class_name")) == "InputLayer"


def _input_shape(layer: Mapping[str, Any]) -> Shape | None:
    """The input shape, batch included, that a layer carries (its own in Keras 3, `batch_input_shape` in Keras 2)."""
    config = layer.get("config", {})
    if not isinstance(config, Mapping):
        return None
    found = config.get("batch_shape") or config.get("batch_input_shape")
    if found is None and layer.get("class_name") in MODELS and isinstance(config.get("layers"), list):
        return next((s for inner in config["layers"][:1] if (s := _input_shape(inner))), None)
    if found is None and isinstance(build := layer.get("build_config"), Mapping):
        found = build.get("input_shape")
    if not isinstance(found, list | tuple) or not all(v is None or is_whole(v) for v in found):
        return None
    return tuple(found)


def _run(net: LayerGraph, config: Mapping[str, Any], inputs: list[str], prefix: str, depth: int) -> list[str]:
    """The outputs of a model of layers applied to some tensors."""
    if depth > DEEPEST_NESTING:
        raise ExplainError(f"{prefix}: models nested more than {DEEPEST_NESTING} deep.")
    inner = config["config"]
    layers = inner if isinstance(inner, list) else inner["layers"]
    if config.get("class_name") == "Sequential" or isinstance(inner, list) or "input_layers" not in inner:
        x = inputs
        for layer in layers:
            if not _is_input(layer):
                x = _apply(net, layer, x, prefix, depth)
        return x
    return _functional(net, inner, inputs, prefix, depth)


def _apply(net: LayerGraph, layer: Mapping[str, Any], xs: list[str], prefix: str, depth: int) -> list[str]:
    kind, values = str(layer["class_name"]), layer["config"]
    name = str(values.get("name") or layer.get("name") or kind.lower()) if isinstance(values, Mapping) else kind.lower()
    if kind in MODELS and isinstance(values, Mapping) and "layers" in values:
        return _run(net, layer, xs, f"{prefix}{name}.", depth + 1)
    origin = Origin(f"{prefix}{name}", kind, None, f"{prefix}{name}")
    return [add_layer(net, "keras", kind, values, xs, origin)]


def _functional(net: LayerGraph, inner: Mapping[str, Any], inputs: list[str], prefix: str, depth: int) -> list[str]:
    """Runs every call of every layer as soon as what it reads is there, whatever order the file lists them in."""
    made: dict[tuple[str, int, int], str] = {}
    for reference, tensor in zip(_references(inner["input_layers"]), inputs, strict=True):
        made[reference] = tensor
    waiting = [
        (layer, number, _references(node))
        for layer in inner["layers"]
        if not _is_input(layer)
        for number, node in enumerate(layer["inbound_nodes"])
    ]
    while waiting:
        later = []
        for layer, number, needs in waiting:
            if not all(reference in made for reference in needs):
                later.append((layer, number, needs))
                continue
            for i, tensor in enumerate(_apply(net, layer, [made[r] for r in needs], prefix, depth)):
                made[str(layer.get("name") or layer["config"]["name"]), number, i] = tensor
        if len(later) == len(waiting):
            lost = ", ".join(str(layer.get("name")) for layer, _, _ in later[:5])
            raise ExplainError(f"These layers read tensors that no other layer makes, or each other: {lost}.")
        waiting = later
    return [made[reference] for reference in _references(inner["output_layers"])]


def _references(found: Any) -> list[tuple[str, int, int]]:
    """The tensors named in a list, in a dict or by one call of a layer, in order: [name, node, tensor], which Keras 3
    wraps in the config of a `__keras_tensor__`."""
    if isinstance(found, Mapping):
        inside = [inner for key, inner in found.items() if key not in {"mask", "training"}]
    elif isinstance(found, list | tuple):
        if len(found) > 2 and isinstance(found[0], str) and is_whole(found[1]) and is_whole(found[2]):
            return [(found[0], found[1], found[2])]
        inside = list(found)
    else:
        inside = []
    return [reference for inner in inside for reference in _references(inner)]
