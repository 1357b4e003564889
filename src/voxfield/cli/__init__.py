"""The command line. A command is a file in `commands` that defines `command`; adding the file adds the command.

Only the command that was asked for is imported, so a slow one never delays another. Exit codes: 0 all done, 1 some of
the work failed, 2 wrong usage, 130 interrupted.
"""

import sys
from importlib import import_module
from pkgutil import iter_modules

FIRST = ("enhance", "separate", "explain", "models", "doctor", "train", "evaluate", "export", "convert")  # in --help


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    Args:
        arguments: what follows the program's name; None takes `sys.argv`.
    """
    from voxfield.cli.app import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def installed() -> tuple[str, ...]:
    """Names of the commands, those of `FIRST` before the others."""
    from voxfield.cli import commands

    found = {module.name for module in iter_modules(commands.__path__)}
    return (*(name for name in FIRST if name in found), *sorted(found - set(FIRST)))


def command(name: str) -> object:
    """The function behind a command, imported now."""
    return import_module(f"voxfield.cli.commands.{name}").command
