"""The examples in docstrings of the light rooms do what they show."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import voxfield
from voxfield.cards import cards

ROOMS = ("audio", "cards", "features", "metrics", "runtime", "tasks")
NEEDS_A_MODEL = {"voxfield.tasks.enhance"}
MODULES = [
    module.name
    for room in ROOMS
    for module in pkgutil.walk_packages([f"{voxfield.__path__[0]}/{room}"], f"voxfield.{room}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in NEEDS_A_MODEL and not any(card.short_name == "crn-small" for card in cards()):
        pytest.skip("crn-small is not published in this checkout")
    assert doctest.testmod(import_module(name)).failed == 0
