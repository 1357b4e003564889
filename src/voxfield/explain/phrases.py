"""The tables beside this file, and the sentences of `words` and headings in `phrases.toml`, in English and Chinese."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def table(name: str) -> dict[str, Any]:
    """What `name`.toml beside this file holds."""
    return tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


LANGUAGES = ("en", "zh")
_SAID = table("phrases")
PHRASES: Mapping[str, Mapping[str, str]] = {
    language: {key: said[language] for key, said in _SAID.items()} for language in LANGUAGES
}
EN, ZH = PHRASES["en"], PHRASES["zh"]

NAMES: Mapping[str, frozenset[str]] = {key: frozenset(row.split()) for key, row in table("operators")["names"].items()}


def patterns(section: str) -> dict[str, re.Pattern[str]]:
    """The regular expressions of a part of `patterns.toml`, by name; `<<name>>` in one stands for another of its part,
    or for the words of `kinds.toml`."""
    parts = {**table("kinds")["words"], **(found := table("patterns")[section])}

    def whole(text: str) -> str:
        return re.sub("<<([a-z_]+)>>", lambda named: whole(parts[named[1]]), text)

    return {name: re.compile(whole(text)) for name, text in found.items()}
