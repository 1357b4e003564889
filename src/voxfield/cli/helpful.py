"""How commands show their help."""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class _PlainSwitches:
    """Switches are listed without a type: they take no value."""

    def get_params(self, context: Any) -> list[Any]:
        found: list[Any] = super().get_params(context)  # type: ignore[misc]
        for parameter in found:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        return found


class Command(_PlainSwitches, TyperCommand):
    """One command."""


class Commands(_PlainSwitches, TyperGroup):
    """All commands."""
