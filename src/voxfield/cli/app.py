"""Parsing, and what every command shares: version, exit codes, errors as one line."""

import errno
import os
import sys
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from voxfield.cli.discovery import command, installed
from voxfield.cli.helpful import Command, Commands
from voxfield.cli.printable import visible
from voxfield.errors import ExplainError, InputError, RecipeError, UnknownModelError, VoxfieldError
from voxfield.files import home_spelt, reason_of

EXAMPLES = """Examples:

voxfield enhance noisy.wav -o clean.wav --report noisy.html

voxfield separate two_voices.wav -o voices/

voxfield explain "10/5 8/4 4/2 4/2 4/2" --rate 16000

voxfield models crn-small
"""
_NO_MORE = (errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EDQUOT)
_HERE = "the current folder"  # what an error without a name is of: it was removed
WRONG_USAGE = (InputError, ExplainError, UnknownModelError, RecipeError)


def run(arguments: list[str]) -> int:
    """Exit code of one command line."""
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    known = installed()
    names = known if wanted not in known or "_VOXFIELD_COMPLETE" in os.environ else (wanted,)
    try:
        build(names)(arguments, prog_name="voxfield")
    except VoxfieldError as error:
        print(f"voxfield: {visible(str(error))}", file=sys.stderr)
        return 2 if isinstance(error, WRONG_USAGE) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has gone; there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # what the system refuses where nothing else says so
        unnamed = error.filename is None and error.errno in _NO_MORE
        words = "standard output cannot be written" if unnamed else str(error.filename or _HERE)
        words = f"{words}: {reason_of(error)}"
        print(f"voxfield: {visible(words)}", file=sys.stderr)
        if unnamed:  # what Python still holds for it is given up without a word
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


def build(names: tuple[str, ...]) -> typer.Typer:
    """The typer application with these commands."""
    app = typer.Typer(
        cls=Commands,
        help="Convolutional speech networks: enhance and separate recordings, and explain the networks that do it.",
        epilog=EXAMPLES,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in names:
        made: Any = command(name)
        if isinstance(made, typer.Typer):  # a group of commands
            app.add_typer(made, name=name)
        else:
            app.command(name, cls=Command)(_with_homes(made))
    return app


def _with_homes(made: Any) -> Any:
    """The command, to whom `~` at the beginning of a path is spelt out, as shells do not everywhere."""

    @wraps(made)
    def command(**given: Any) -> None:
        made(**{name: home_spelt(value) if isinstance(value, Path) else value for name, value in given.items()})

    return command


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=lambda asked: _version(asked), is_eager=True, help="Version and weights."
        ),
    ] = False,
) -> None:
    """Convolutional speech networks: enhance and separate recordings, and explain the networks that do it."""


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        from voxfield.cards import cards

        print(f"voxfield {version('voxfield')}")
        for card in cards():
            if card.file is not None:
                print(f"{card.name} sha256 {card.file.sha256}")
        raise typer.Exit
