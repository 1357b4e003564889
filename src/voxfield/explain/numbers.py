"""Numbers as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

Number = int | float | Fraction
_ONE = re.compile(
    r"(?<![\d.,/])1 ((?:different )?(?:weighted )?"
    r"(?:sample|frame|bin|pixel|filter|channel|value|parameter|weight|tap|output|input|position|sum|layer))s\b"
)


def singular(text: str) -> str:
    """`1 frames` as `1 frame`."""
    return _ONE.sub(r"1 \1", text)


def plain(value: Number) -> str:
    """1280 as 1,280; 10.0 as 10; 3/2 as 3/2; 29.0625 as 29.06."""
    if isinstance(value, Fraction):
        return f"{value.numerator:,}" if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
    if isinstance(value, int):
        return f"{value:,}"
    if value and abs(value) < 0.01:
        return f"{value:.3g}"
    text = f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: Number) -> str:
    """Counts with a letter for their size: 4.95 G, 79.5 M, 3,840."""
    amount = float(value)
    for factor, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(amount) >= factor:
            return f"{amount / factor:.3g} {letter}"
    return plain(value) if isinstance(value, int | Fraction) else plain(amount)


def in_bytes(value: Number) -> str:
    """Bytes in the unit that fits: 512 B, 20.5 KB, 21 MB (a KB is 1000 bytes)."""
    amount = float(value)
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if amount >= factor:
            return f"{amount / factor:.3g} {unit}"
    return f"{amount:.0f} B"


def ratio_text(value: float) -> str:
    """A ratio with four digits: 0.1189, 1, 2.5."""
    return f"{value:.4g}"


def in_row(values: Iterable[Number | None], between: str = ", ") -> str:
    """Numbers one after the other; those that are not known are left out."""
    return between.join(plain(value) for value in values if value is not None)
