"""Which commands there are: each is a file in `commands` that defines `command`, a function or a group of them."""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from voxfield.cli import commands

FIRST = (  # in --help
    "enhance", "separate", "embed", "verify", "diarize", "enroll", "identify", "speakers", "threshold",
    "noise", "tokenize", "detokenize", "sample", "represent", "spot", "explain", "listen", "serve",
    "batch", "models", "doctor", "train", "evaluate", "export", "convert",
)  # fmt: skip


def installed() -> tuple[str, ...]:
    """Names of the commands, those of `FIRST` before the others."""
    found = {module.name for module in iter_modules(commands.__path__)}
    return (*(name for name in FIRST if name in found), *sorted(found - set(FIRST)))


def command(name: str) -> Any:
    """The function behind a command, or the typer application behind a group of them, imported now."""
    return import_module(f"{commands.__name__}.{name}").command
