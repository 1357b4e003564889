"""How commands show their help."""

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup


class _Plain:
    """Paragraphs fill the width of the terminal, and switches are listed without a type: they take no value."""

    def __init__(self, *arguments: Any, help: str | None = None, **options: Any) -> None:
        super().__init__(*arguments, help=unwrapped(help or ""), **options)  # type: ignore[call-arg]

    def get_params(self, context: Any) -> list[Any]:
        found: list[Any] = super().get_params(context)  # type: ignore[misc]
        for parameter in found:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        return found


def unwrapped(text: str) -> str:
    """The text with a line for each paragraph; lines that are set in stay.

    >>> unwrapped("One\\ntwo.\\n\\n  three")
    'One two.\\n\\n  three'
    """
    return re.sub(r"(?<=\S)\n(?=\S)", " ", text)


class Command(_Plain, TyperCommand):
    """One command."""


class Commands(_Plain, TyperGroup):
    """All commands."""
