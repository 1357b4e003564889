"""The examples in docstrings do what they show."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["api", "graph"])
def test_examples(name):
    results = doctest.testmod(import_module(f"voxfield.explain.{name}"))
    assert results.attempted and not results.failed
