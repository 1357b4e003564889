"""The help of every command: all that is written there is shown, and alike."""

import re
from types import FunctionType

import pytest

from voxfield.cli.app import run
from voxfield.cli.discovery import FIRST, command, installed


@pytest.fixture
def help_of(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def shown(*words):
        assert run([*words, "--help"]) == 0
        return capsys.readouterr().out

    return shown


@pytest.mark.parametrize("name", installed())
def test_help_shows_what_is_written(name, help_of):
    shown = help_of(name)
    made = command(name)
    if isinstance(made, FunctionType):
        words = set(re.findall(r"\S+", " ".join(made.__doc__.split())))
        assert not {word for word in words if word not in shown}
    assert "......" not in shown and "...}..." not in shown and "[[" not in shown


@pytest.mark.parametrize("name", installed())
def test_examples_are_set_in(name, help_of):
    _, *examples = re.split(r"Examples?:", help_of(name))
    for line in re.findall(r"^.*voxfield " + name + r"\b.*$", "\n".join(examples), re.MULTILINE):
        if "Usage" not in line:
            assert line.startswith("   "), line


def test_the_list_of_commands_is_whole(help_of):
    assert sorted(FIRST) == sorted(installed())
    shown = help_of()
    assert all(re.search(rf"^. {name} ", shown, re.MULTILINE) for name in installed())
