"""Reads checkpoint files of other programs without running anything in them.

Such files are pickles, and a pickle may call any function. torch's restricted reader refuses all but tensors and plain
values; published files hold four harmless things more, for which it is given stand-ins that cannot do anything else:
numbers of numpy, the version of torch, the settings of a command line as Python's argparse keeps them, and the wrapper
object that the authors of the CRN put around their weights.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import safe_globals

from voxfield.errors import CheckpointError
from voxfield.export.convert.keras_file import is_keras, read_keras

CONTAINERS = ("state_dict", "model_state_dict", "net_state_dict", "model_state", "model", "net", "weights")
PREFIXES = ("module.", "model.", "_orig_mod.")
KERAS_LAYERS = "keras_layers"  # settings of a file of Keras: those of each layer by its name
STORED_SETTINGS = ("model_args", "config", "hparams", "hyper_parameters", "args", "conf")


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors in single precision, the settings stored beside them, and stored pairs of input and output."""

    path: Path
    tensors: dict[str, Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    cases: list[Any] = field(default_factory=list)

    def tensor(self, name: str, *axes: int) -> Tensor:
        """A tensor that decides the configuration, with one of these numbers of axes.

        Raises:
            CheckpointError: it is not there, or has another number of axes.
        """
        if name not in self.tensors:
            raise CheckpointError(f"{self.path} lacks {name}, which decides the configuration; was it cut or renamed?")
        found = self.tensors[name]
        if found.ndim not in axes or not found.numel():
            needed = " or ".join(map(str, axes))
            raise CheckpointError(f"{name} in {self.path} has shape {tuple(found.shape)}; {needed} axes are needed")
        return found

    def pairs(self, given: str, wanted: str) -> Iterator[tuple[str, Tensor, Tensor]]:
        """(What it is called, input, output) of each stored case that has tensors of these names."""
        for number, case in enumerate(self.cases):
            try:
                x, y = case["input"][given], case["output"][wanted]
            except (TypeError, KeyError, IndexError):
                continue  # of another kind
            if torch.is_tensor(x) and torch.is_tensor(y):
                yield f"stored case {number}", x, y


def read(path: str | Path) -> Checkpoint:
    """The content of a checkpoint file: tensors in safetensors, a pickle that torch saved, or a file of Keras.

    Raises:
        CheckpointError: no such file, damaged, not a checkpoint, or one that holds more than tensors and plain values.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}")
    if is_keras(path):
        tensors_of_keras, layers = read_keras(path)
        return Checkpoint(path, tensors_of_keras, {KERAS_LAYERS: layers})
    content = _content(path)
    if isinstance(content, _Wrapper):
        content = vars(content)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}; a state dict of named tensors is needed")
    settings = {str(key): value for key, value in content.items() if isinstance(value, str | int | float | bool)}
    for key in STORED_SETTINGS:
        settings |= _settings(content.get(key))
    settings |= _settings(_settings(content.get("cfg")).get("model"))
    tensors: Mapping[Any, Any] = content
    for key in CONTAINERS:
        if isinstance(content.get(key), Mapping) and any(torch.is_tensor(value) for value in content[key].values()):
            tensors = content[key]
            break
    found = {str(name): _plain(value) for name, value in tensors.items() if torch.is_tensor(value)}
    if not found:
        raise CheckpointError(f"{path} holds no named tensors; a state dict is needed")
    if wrong := [name for name, value in found.items() if not value.isfinite().all()]:
        raise CheckpointError(f"{path} holds values that are not numbers, in {wrong[0]}; take an earlier checkpoint")
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    cases = content.get("cases")
    return Checkpoint(path, found, settings, cases if isinstance(cases, list) else [])


def _settings(value: Any) -> dict[str, Any]:
    """What a table or the settings of a command line hold by name; nothing of anything else."""
    value = vars(value) if isinstance(value, _Namespace) else value
    return {str(key): part for key, part in value.items()} if isinstance(value, Mapping) else {}


def _content(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as file:
                if damaged := file.testzip():
                    raise CheckpointError(f"{path} is damaged: {damaged} in it fails its checksum; get the file again")
        with safe_globals(list(_STAND_INS)), warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # a file can be broken in more ways than torch has exceptions for
        if refused := re.search(r"GLOBAL ([\w.]+)|unrecognized function <\w+ ([\w.]+)", str(error)):
            raise CheckpointError(
                f"{path} holds more than tensors and plain values ({refused[1] or refused[2]}), and nothing in a "
                "checkpoint is run here; save its state_dict() alone and convert that"
            ) from error
        if "TorchScript" in str(error):
            raise CheckpointError(
                f"{path} is a TorchScript archive, which is not run here; save its state_dict() alone and convert that"
            ) from error
        raise CheckpointError(f"{path} is not a checkpoint that torch or safetensors wrote, or is damaged") from error


def _plain(tensor: Tensor) -> Tensor:
    """As data alone, in single precision where it is a number with a fraction."""
    tensor = tensor.detach().to_dense()
    return tensor.float() if tensor.is_floating_point() else tensor


class _Wrapper:
    """Stands in for `CheckPoint`, in which the authors of the CRN keep `net_state_dict` beside the optimiser's."""


class _Namespace:
    """Stands in for `argparse.Namespace`, the settings of a command line."""


class _Version(str):
    """Stands in for `TorchVersion`, a text."""


class _Kind:
    """Stands in for `numpy.dtype`: the letter and size of a number, and the order of its bytes."""

    def __init__(self, code: str, *_: Any) -> None:
        if not re.fullmatch(r"[biufc]\d{1,2}", str(code)):
            raise CheckpointError(f"a checkpoint may hold numbers of numpy, not values of its type '{code}'")
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = ">" if state[1] == ">" else "="


def _number(kind: _Kind, content: bytes) -> Any:
    """Stands in for numpy's `scalar`: a number of Python."""
    return np.frombuffer(content, np.dtype(f"{kind.order}{kind.code}"), 1)[0].item()


_STAND_INS: tuple[tuple[Callable[..., Any], str], ...] = (
    (_Wrapper, "utils.models.CheckPoint"),
    (_Namespace, "argparse.Namespace"),
    (_Version, "torch.torch_version.TorchVersion"),
    (_Kind, "numpy.dtype"),
    (_number, "numpy.core.multiarray.scalar"),
    (_number, "numpy._core.multiarray.scalar"),
)
