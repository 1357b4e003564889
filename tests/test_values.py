"""Values of recipes: each is of its key's type, or an error that says what is needed."""

from typing import Any, Literal

import pytest

from voxfield.errors import RecipeError
from voxfield.values import convert


@pytest.mark.parametrize(
    "kind, value, expected",
    [
        (tuple[float, float], [-5, 20], (-5.0, 20.0)),
        (tuple[str, ...], [], ()),
        (tuple[int, ...], [1, 2, 2], (1, 2, 2)),
        (float, 1, 1.0),
        (bool | Literal["auto"], True, True),
        (bool | Literal["auto"], "auto", "auto"),
        (float | None, None, None),
        (Any, [1, "a"], [1, "a"]),
    ],
)
def test_values_that_fit(kind, value, expected):
    found = convert(kind, value, "key")
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    "kind, value, needed",
    [
        (tuple[float, float], 5, r"\[0\.5, 0\.5\] is needed"),
        (tuple[float, float], [1.0], r"\[0\.5, 0\.5\] is needed"),
        (tuple[float, float], [1.0, "2"], r"\[0\.5, 0\.5\] is needed"),
        (tuple[str, ...], "dir", r'\["one"\] is needed'),
        (tuple[str, ...], ["a", 1], r'\["one"\] is needed'),
        (int, True, "an integer is needed"),
        (int, 1.5, "an integer is needed"),
        (float, True, "a number is needed"),
        (bool, 1, "true or false is needed"),
        (bool | Literal["auto"], "yes", "true or false or 'auto' is needed"),
        (str, 1, "a string is needed"),
        (float | None, "high", "key = 'high': a number is needed"),
    ],
)
def test_values_that_do_not_fit(kind, value, needed):
    with pytest.raises(RecipeError, match=needed):
        convert(kind, value, "[table] key")
