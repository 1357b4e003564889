"""Reads the weights out of Keras's files without Keras: `.keras`, `.weights.h5`, and the older `.h5`.

Keras 3 numbers layers and variables (`layers/conv2d_1/vars/0`); the layer's name is in an attribute or, in files of its
first versions, in the configuration of `.keras` alone. Keras 2, and Keras 3 when asked for `.h5`, list layers and
variables by name. All become `layer/variable`, in the order of the model. A file is someone else's: links are not
followed, sizes are bounded, and the configuration is JSON, never code.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from voxfield.errors import CheckpointError, needed

HDF5 = b"\x89HDF"
WEIGHTS, CONFIG = "model.weights.h5", "config.json"
LARGEST_CONFIG_BYTES = 64 * 2**20
LARGEST_RATIO = 200  # weights hardly compress: a file that promises more than this is made to fill the memory
CONVOLUTION = ("kernel", "bias")
VARIABLES = {  # class of layer as Keras 3 names its group -> its variables in their order
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "layer_normalization": ("gamma", "beta"),
    "cell": ("kernel", "recurrent_kernel", "bias"),
    "separable_conv1d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    **dict.fromkeys(("conv1d", "conv2d", "conv1d_transpose", "conv2d_transpose"), CONVOLUTION),
    **dict.fromkeys(("depthwise_conv1d", "depthwise_conv2d"), CONVOLUTION),
}
Named = Iterator[tuple[str, Any]]  # name, dataset


def is_keras(path: Path) -> bool:
    """Whether a file is HDF5, or an archive with Keras's weights in it."""
    with path.open("rb") as file:
        if file.read(4) == HDF5:
            return True
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return WEIGHTS in archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):  # a damaged list of contents
        return False


def read_keras(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors by `layer/variable`, and the configuration of each layer by its name where the file has one.

    Raises:
        CheckpointError: damaged, not Keras's, or larger than it can honestly be.
        MissingExtraError: h5py is not installed.
    """
    h5py = needed("h5py", "keras", "reading a file of Keras")
    most_bytes = LARGEST_RATIO * path.stat().st_size
    try:
        source: Any = path
        config: Any = None
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                source = io.BytesIO(_member(archive, WEIGHTS, most_bytes))
                config = _member(archive, CONFIG, LARGEST_CONFIG_BYTES) if CONFIG in archive.namelist() else None
        with h5py.File(source, "r") as file:
            config = config or file.attrs.get("model_config")
            settings = {} if config is None else dict(_layers(json.loads(config)))
            content = _content(file, h5py, most_bytes)
            tensors: dict[str, Tensor] = {}
            for name, dataset in _by_name(content) if _layer_names(content) else _by_number(content, settings):
                if name in tensors:
                    raise CheckpointError(f"holds '{name}' twice: save a model that is inside another by itself")
                tensors[name] = torch.from_numpy(np.asarray(dataset[()], dtype=np.float32))
        return tensors, settings
    except CheckpointError as error:
        raise CheckpointError(f"{path} {error}") from error
    except Exception as error:  # a file can be broken in more ways than h5py has exceptions for
        raise CheckpointError(f"{path} is not a file that Keras wrote, or is damaged") from error


def _member(archive: zipfile.ZipFile, name: str, most_bytes: int) -> bytes:
    if (size := archive.getinfo(name).file_size) > most_bytes:
        raise CheckpointError(f"unpacks {name} to {size} bytes; at most {most_bytes} are read")
    return archive.read(name)  # which checks the size and the checksum


class _Content(NamedTuple):
    """What an HDF5 file itself holds, by path."""

    arrays: dict[str, Any]
    attributes: dict[str, dict[str, Any]]  # of its groups


def _content(file: Any, h5py: Any, most_bytes: int) -> _Content:
    found = _Content({}, {"": dict(file.attrs)})

    def visit(path: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            found.attributes[path] = dict(item.attrs)
        elif isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            if item.external or item.is_virtual:
                raise CheckpointError(f"keeps {path} in another file, which is not read")
            found.arrays[path] = item

    file.visititems(visit)  # which follows no link, so that what it finds lies in this file
    if (total := sum(item.nbytes for item in found.arrays.values())) > most_bytes:
        raise CheckpointError(f"promises {total} bytes of weights; at most {most_bytes} fit in a file of its size")
    return found


# Keras 2, and the .h5 of Keras 3


def _layer_names(content: _Content) -> list[str]:
    return _texts(content.attributes[_root(content)], "layer_names")


def _root(content: _Content) -> str:
    return "model_weights" if "model_weights" in content.attributes else ""


def _by_name(content: _Content) -> Named:
    for layer in _layer_names(content):
        group = f"{_root(content)}/{layer}".lstrip("/")
        for weight in _texts(content.attributes.get(group, {}), "weight_names"):
            if f"{group}/{weight}" not in content.arrays:
                raise CheckpointError(f"lists {weight} of the layer {layer} but does not hold it")
            yield f"{layer}/{weight.rpartition('/')[2].partition(':')[0]}", content.arrays[f"{group}/{weight}"]


def _texts(attributes: Mapping[str, Any], key: str) -> list[str]:
    """A list of texts, which Keras cuts into `key0`, `key1` ... where it is long."""
    keys = [key] if key in attributes else takewhile(attributes.__contains__, (f"{key}{i}" for i in count()))
    return [text.decode() if isinstance(text, bytes) else str(text) for part in keys for text in attributes[part]]


# Keras 3


def _by_number(content: _Content, settings: Mapping[str, Mapping[str, Any]]) -> Named:
    names = _names(settings)
    for path in sorted(content.arrays, key=_natural):
        group, _, number = path.rpartition("/")
        if not group.endswith("/vars") or not number.isdigit():
            continue
        owner, _, last = group.removesuffix("/vars").rpartition("/")
        kind = re.sub(r"_\d+$", "", last)
        if kind == "seed_generator":  # of a dropout
            continue
        owner = owner if kind == "cell" else f"{owner}/{last}"
        layer = content.attributes.get(f"{owner}/vars", {}).get("name") or names.get(owner) or owner.rpartition("/")[2]
        variables = VARIABLES.get(kind, ())
        name = variables[int(number)] if int(number) < len(variables) else number
        yield f"{layer}/{name}", content.arrays[path]


def _names(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Names of layers by the groups in which Keras 3 keeps them: the class, and its number among those before."""
    found: dict[str, str] = {}
    numbers: Counter[str] = Counter()
    for name, layer in settings.items():
        spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", layer["class_name"])
        kind = re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()
        found[f"layers/{kind}" + (f"_{numbers[kind]}" if numbers[kind] else "")] = name
        numbers[kind] += 1
    return found


def _natural(path: str) -> list[tuple[str, int]]:
    """Sorts `conv2d`, `conv2d_1`, `conv2d_2`, `conv2d_10`."""
    parts = (re.fullmatch(r"(.*?)_?(\d*)", part) for part in path.split("/"))
    return [(part[1], int(part[2] or 0)) for part in parts if part]


def _layers(config: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(Name, settings with the class as `class_name`) of every layer of a model's JSON, those of models in it too."""
    inside = config.get("config") if isinstance(config, dict) else None
    layers = inside.get("layers") if isinstance(inside, dict) else inside
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict) and isinstance(settings := layer.get("config"), dict):
            yield from _layers(layer)
            yield str(settings.get("name", "")), {**settings, "class_name": str(layer.get("class_name", ""))}
