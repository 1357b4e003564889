"""Every error that Voxfield raises on purpose.

    VoxfieldError
    ├── InputError          (ValueError)         what was given cannot be used: an argument, a shape, a combination
    │   └── AudioError                           a recording that cannot be read or written
    ├── OutputError         (OSError)            a result that cannot be put where it was asked for
    ├── CardError           (ValueError)         a model file without a readable card, or a card that does not hold
    │   └── IntegrityError                       a file whose sha256 is not the one on its card
    ├── DownloadError       (OSError)            weights that are not here and could not be fetched
    ├── UnknownModelError   (KeyError)           a name that no card carries
    ├── ExplainError        (ValueError)         a network that cannot be read or analysed; names the line or node
    ├── CheckpointError     (ValueError)         weights that do not fit the network they were offered to
    ├── RecipeError         (ValueError)         a training recipe with an unknown key or an impossible value
    └── MissingExtraError   (ImportError)        an optional dependency that is not installed; carries the install line

A message says what was given, what is needed, and what to do next.
"""

from importlib import import_module
from typing import Any


class VoxfieldError(Exception):
    """Base of every error that Voxfield raises on purpose."""


class InputError(VoxfieldError, ValueError):
    """An argument, shape or combination that cannot be used."""


class AudioError(InputError):
    """A recording that cannot be read or written."""


class OutputError(VoxfieldError, OSError):
    """A result that cannot be put where it was asked for."""


class CardError(VoxfieldError, ValueError):
    """A model file without a readable card, or a card that does not describe its file."""


class IntegrityError(CardError):
    """A file whose sha256 is not the one on its card."""


class DownloadError(VoxfieldError, OSError):
    """Weights that are not here and could not be fetched."""


class UnknownModelError(VoxfieldError, KeyError):
    """A model name that no card carries."""

    def __str__(self) -> str:  # KeyError would show the message in quotes
        return str(self.args[0]) if self.args else ""


class ExplainError(VoxfieldError, ValueError):
    """A network that cannot be read or analysed; the message names the line or node."""


class CheckpointError(VoxfieldError, ValueError):
    """Weights that do not fit the network they were offered to."""


class RecipeError(VoxfieldError, ValueError):
    """A training recipe with an unknown key or an impossible value."""


class MissingExtraError(VoxfieldError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str, purpose: str, more: str = "") -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed: pip install 'voxfield[{extra}]'{more}"
        )


def needed(module: str, extra: str, purpose: str) -> Any:
    """A module of a package that an extra brings.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError((error.name or module).partition(".")[0], extra, purpose) from error
