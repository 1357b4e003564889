"""Keras 3 files written by hand: the JSON of a model and the archive around it. Keras itself is not needed."""

import json
import zipfile
from pathlib import Path
from typing import Any

Node = dict[str, Any]


def layer(kind: str, name: str, config: dict[str, Any], inputs: list[str] | list[list[str]]) -> Node:
    """One layer of a functional model as Keras 3 writes it; a nested list is one argument holding several tensors."""

    def tensor(source: str) -> Node:
        return {"class_name": "__keras_tensor__", "config": {"shape": [None], "keras_history": [source, 0, 0]}}

    args = [[tensor(s) for s in one] if isinstance(one, list) else tensor(one) for one in inputs]
    nodes = [{"args": args, "kwargs": {}}] if inputs else []
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "registered_name": None,
        "name": name,
        "inbound_nodes": nodes,
    }


def input_layer(shape: list[int | None], name: str = "input_layer") -> Node:
    return layer("InputLayer", name, {"batch_shape": [None, *shape]}, [])


def functional(layers: list[Node], output: str) -> Node:
    config = {
        "name": "functional",
        "trainable": True,
        "layers": layers,
        "input_layers": [layers[0]["name"], 0, 0],
        "output_layers": [output, 0, 0],
    }
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def sequential(layers: list[Node]) -> Node:
    plain = [{k: v for k, v in one.items() if k not in {"name", "inbound_nodes"}} for one in layers]
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "sequential", "layers": plain}}


def conv1d(filters: int, kernel: int, stride: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "filters": filters,
        "kernel_size": [kernel],
        "strides": [stride],
        "padding": "valid",
        "data_format": "channels_last",
        "dilation_rate": [1],
        "groups": 1,
        "activation": "linear",
        "use_bias": False,
        **more,
    }


def archive(path: Path, config: Node | bytes) -> Path:
    """A `.keras` archive as Keras 3 lays it out, without real weights."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("metadata.json", '{"keras_version": "3.8.0", "date_saved": "2025-01-01@00:00:00"}')
        made.writestr("config.json", text)
        made.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n")
    return path
