"""The torch module that a Python file makes: FILE.py:NAME. Running it is the caller's decision."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from ...errors import ExplainError


def load_module(path: Path, name: str) -> Any:
    """The torch module called `name` in a file: a module, or a class or function that makes one without arguments.

    Raises:
        ExplainError: the file or the call fails, or what is found is no torch module.
    """
    if not name.isidentifier():
        raise ExplainError(f"'{name}' after {path}: is not a name. Write FILE.py:NAME, such as net.py:Net.")
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        found = getattr(_executed(path), name, None)
        if found is None:
            raise ExplainError(f"{path} has nothing called '{name}'.")
        if not is_module(found):
            if not callable(found):
                raise ExplainError(f"{path}:{name} is a {type(found).__name__}, not a torch module.")
            try:
                found = found()
            except (Exception, SystemExit) as error:
                raise ExplainError(
                    f"{path}:{name}() failed: {type(error).__name__}: {error}. It is called without arguments: give "
                    "them defaults, or name a function that builds the network."
                ) from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    if not is_module(found):
        raise ExplainError(f"{path}:{name} makes a {type(found).__name__}, not a torch module.")
    return found


def _executed(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"_explained_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ExplainError(f"{path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while the file runs
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a user's file raises is the user's to read
        raise ExplainError(f"{path} could not be run: {type(error).__name__}: {error}") from error
    return module


def is_module(what: Any) -> bool:
    """True for a torch module; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(what, torch.nn.Module)
