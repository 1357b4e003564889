"""What a speaker may be called: any visible text of one line."""

import unicodedata

from voxfield.cards.card import STEERING
from voxfield.errors import InputError

LONGEST_NAME = 200
UNKNOWN = "unknown"
_JOINERS = "\u200c\u200d"  # part of the spelling of Persian, and of many emoji


def clean_name(name: str) -> str:
    """The name as it is kept: without spaces around it, its accents composed.

    Raises:
        InputError: it is empty, too long, of several lines, or holds what cannot be seen.

    >>> clean_name(" 王芳 ")
    '王芳'
    """
    if not isinstance(name, str):
        raise InputError(f"a speaker's name is text, not {name!r}")
    kept = unicodedata.normalize("NFC", name).strip()
    if not kept or len(kept) > LONGEST_NAME:
        raise InputError(f"a speaker's name has 1 to {LONGEST_NAME} characters, not {len(kept)}")
    for character in kept:
        unseen = unicodedata.category(character) in {"Cc", "Cf", "Cs"} and character not in _JOINERS
        if unseen or STEERING.match(character):
            raise InputError(f"a speaker's name must not hold the invisible character {character!a}")
    if kept.casefold() == UNKNOWN:
        raise InputError(f"nobody can be called {kept}: it is the answer for who is not in the book")
    return kept
