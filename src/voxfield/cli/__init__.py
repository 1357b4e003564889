"""The command line. A command is a file here that defines a function of its own name; adding the file adds the command.

Only the command that was asked for is imported, so a slow one never delays another. Exit codes: 0 all done, 1 some of
the work failed, 2 wrong usage, 130 interrupted.
"""

import sys
from importlib import import_module
from importlib.util import find_spec

# In the order of `voxfield --help`; a command whose file is not installed is left out.
COMMANDS = (
    "enhance",
    "separate",
    "explain",
    "models",
    "doctor",
    "train",
    "evaluate",
    "export",
    "convert",
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: what follows the program's name; None takes `sys.argv`.
    """
    from voxfield.cli.app import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def installed() -> tuple[str, ...]:
    """Names of the commands whose file is there."""
    return tuple(name for name in COMMANDS if find_spec(f"voxfield.cli.{name}") is not None)


def command(name: str) -> object:
    """The function behind a command, imported now."""
    return getattr(import_module(f"voxfield.cli.{name}"), name)
