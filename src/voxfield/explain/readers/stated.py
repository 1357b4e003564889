"""The sizes that words and remarks around a network give to its input: `输入为 224x224`, `# x: (B, 1, 257, T)`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..graph import Shape, Size
from ..phrases import patterns
from .scan import calls_a_layer, pieces

_P = patterns("stated")
LENGTH = _P["length"]


def remark_note(sizes: Sequence[Size]) -> str:
    """What is said of an input whose sizes stand in words or in a comment."""
    said = " x ".join("?" if size is None else str(size) for size in sizes)
    return f"The input {said} was taken from the remark in the text."


def stated_input(words: str) -> Shape | None:
    """The sizes of the input that a sentence names.

    >>> stated_input("an input of 3x224x224"), stated_input("input (None, None, 161, 1)"), stated_input("inputs")
    ((3, 224, 224), (1, None, 161, 1), None)
    """
    for form in ("input", "after", "turns"):
        if (found := _P[form].search(words)) and (sizes := sizes_of(next(filter(None, found.groups())))):
            return sizes
    return None


def sizes_of(dims: str) -> Shape | None:
    """The sizes in a row of numbers and names, the batch as 1; None where they are no sizes of an input."""
    parts = re.findall(r"(?i)none|batch\w*|time|[a-wyz?]|-1|\d+", dims)
    sizes = tuple(int(part) if part.isdigit() else None for part in parts)
    if 0 in sizes or not any(sizes):
        return None
    batch = re.fullmatch(r"(?i)none|batch\w*|[bn?]|-1", parts[0]) and len(sizes) > 1
    return (1, *sizes[1:]) if batch else sizes


def layout_of(text: str) -> str | None:
    """The layout that a shape such as (B, 1, 257, T) names; None where it names none, or says what is usual."""
    for found in _P["lettered"].finditer(text):
        first, second = found.groups()
        if {"T", "F"} & {first, second}:
            return "BCTF" if first == "T" or second == "F" else "BCFT"
    return None


def stated_of(text: str, words: str) -> Shape | None:
    """The sizes that words and remarks around code give to its input."""
    remarks = re.findall(r"#([^\n]*)", text)
    layers = [piece for piece in pieces(text) if calls_a_layer(piece.text)]
    alone = len(layers) == 1
    said = [(one, said == words) for said in (words, "\n".join(remarks)) for one in _P["named"].findall(said)]
    for (name, dims), told in said:
        sizes = sizes_of(dims)
        made = re.search(rf"(?m)(?<![\w.]){name}\s*=\s*[A-Za-z]", text)
        other = alone and sizes and str(sizes[-1]) not in re.findall(r"\d+", layers[0].text)  # not what it makes
        if sizes and re.search(rf"\(\s*{name}\s*\)", text) and (other or told or not made):
            return sizes
    first = next((one for one in text.split("\n") if calls_a_layer(one)), "").partition("#")[2]
    turned = _P["turns"].search("\n".join(remarks) if alone else first)
    noted = next((sizes for one in remarks if _P["input"].search(one) and (sizes := stated_input(one))), None)
    return (
        stated_input(words)
        or (sizes_of(turned["dims"] or turned["count"]) if turned else noted)
        or _length(text, words)
    )


def _length(text: str, words: str) -> Shape | None:
    """The side of a picture, or the length or else the channels of the input of layers over one axis, by the words."""
    if re.search(r"2[dD]\(", text) and (side := _P["side"].search(words)):
        return (int(side[1] or side[2]),) * 2
    if re.search(r"2[dD]\(", text) and (bins := _P["bins"].search(words)):
        return (None, int(bins[1]))
    if not re.search(r"1[dD]\(", text) or re.search(r"2[dD]\(", text):
        return None
    if (said := LENGTH.search(words)) and int(said[1]):
        return (int(said[1]),)
    wide = _P["channels"].search(words) if "Conv1D(" in text else None
    return (None, int(wide[1] or wide[2])) if wide else None


def other_order(sizes: Shape) -> Shape | None:
    """The sizes with the fewer, which are those of channels, at the other end; None where there is no other order."""
    ends = sizes[0], sizes[-1]
    if len(sizes) != 3 or None in ends or ends[0] == ends[1]:
        return None
    return (sizes[-1], *sizes[:-1]) if (ends[1] or 0) < (ends[0] or 0) else (*sizes[1:], sizes[0])


def channels_last(sizes: Shape) -> bool:
    """Whether the last of three sizes is that of the channels: the one beside two equal ones, or else the least.

    >>> channels_last((56, 56, 128)), channels_last((3, 224, 224)), channels_last((100, 161, 2))
    (True, False, True)
    """
    first, second, last = sizes
    if (first == second) != (second == last):
        return first == second
    return (last or 0) < (first or 0)
