"""The sentences of `words` and the headings of the tables, in English and Chinese: read from `phrases.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

LANGUAGES = ("en", "zh")
_SAID = tomllib.loads(Path(__file__).with_name("phrases.toml").read_text(encoding="utf-8"))
PHRASES: Mapping[str, Mapping[str, str]] = {
    language: {key: said[language] for key, said in _SAID.items()} for language in LANGUAGES
}
EN, ZH = PHRASES["en"], PHRASES["zh"]
