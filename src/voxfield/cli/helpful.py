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
    """The text with a line for each paragraph, as typer's markup; brackets and lines that are set in stay.

    >>> unwrapped("One\\ntwo [three].\\n\\n  four")
    'One two \\\\[three].\\n\\n[b][/b]  four'
    """
    plain = re.sub(r"\[(?=[a-z#/@])", r"\\[", text)  # what else would be a tag
    return re.sub(r"^(?= )", "[b][/b]", re.sub(r"(?<=\S)\n(?=\S)", " ", plain), flags=re.MULTILINE)  # typer dedents


class Command(_Plain, TyperCommand):
    """One command."""


class Commands(_Plain, TyperGroup):
    """All commands."""
