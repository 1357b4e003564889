"""Notes and errors in Chinese: each English sentence is found in `zh.toml` by its fixed words, its parts filled in."""

from __future__ import annotations

import re
from functools import cache

from .phrases import table


def translated(text: str, language: str) -> str:
    """A note, reason or error in a language; as it is where there is no translation.

    >>> translated("No stride was named: 1 was assumed.", "zh")
    '没有提到步长：假定为 1。'
    """
    if language != "zh":
        return text
    for pattern, shown in catalogue():
        match = pattern.fullmatch(text)
        if match is not None:
            return shown.format(*(translated(part, language) for part in match.groups()))
    return text


@cache
def catalogue() -> list[tuple[re.Pattern[str], str]]:
    """(what an English sentence looks like, the Chinese one), those with the most fixed words first."""
    rows = sorted(table("zh").items(), key=lambda row: len(row[0].replace("{}", "")), reverse=True)
    return [(re.compile(_pattern(key), re.DOTALL), shown) for key, shown in rows]


def _pattern(key: str) -> str:
    parts = [re.escape(part) for part in key.split("{}")]
    first = r"(\d+)" if key.startswith("line {}") else "(.*?)"
    return "(.*?)".join([first.join(parts[:2]), *parts[2:]]) if len(parts) > 1 else parts[0]
