"""The numbers of a sentence, each list under the word that it belongs to: kernels, strides, filters, layers.

`kernel sizes 10, 8, 4 and strides 5, 4, 2`, `nine layers with kernel size three`, `filters 16、32、64`, and tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...errors import ExplainError
from ..phrases import patterns, table

_P = patterns("number_lists")

Values = list[tuple[int, ...]]
MOST_LAYERS = 200
LARGEST_BARE = 11  # of a kernel that no word is said of
MARKS = {"kernel": "", "stride": "/", "dilation": ":", "filters": "@", "padding": "p"}  # in the text of layers

_DIGITS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_DIGITS |= {"eleven": 11, "twelve": 12, "sixteen": 16}
_HAN = {c: i for i, c in enumerate("一二三四五六七八九十", 1)} | {"两": 2}
TIMES = {"a": 1, "the": 1, "twice": 2, "thrice": 3, **_DIGITS, **_HAN}
_KEY = re.compile(
    "|".join(f"(?P<{key}>{pattern})" for key, pattern in table("kinds")["words"].items()), re.IGNORECASE | re.ASCII
)
_NUMBER = _P["number"]


@dataclass
class Found:
    """What the numbers of a sentence are of."""

    lists: dict[str, Values] = field(default_factory=dict)
    count: int | None = None
    times: int = 1  # how often all of the layers come, one after the other
    runs: list[str] = field(default_factory=list)  # what each row of numbers is of, in the order written
    unread: str = ""  # a number that belongs to none of them
    notes: list[str] = field(default_factory=list)


def lists_of(text: str) -> Found:
    """Every list of numbers under the word it belongs to: the one before it, or `nine layers`, `512 channels`."""
    text = _P["like"].sub("", _P["ordinal"].sub(" ", text))
    keys = [(m.start(), m.end(), str(m.lastgroup)) for m in _KEY.finditer(text)]
    found = Found()
    spent: tuple[int, int, str] | None = None  # the word that the numbers before it belong to
    at = 0
    bare: tuple[int, ...] = ()  # 3x3 that stands by itself
    while match := _NUMBER.search(text, at):
        run = [match[0]]
        end = match.end()
        opened = text[max(0, match.start() - 1)] in "[("
        while True:
            rest = _P["rest"].match(text, end)
            gap = rest or _P["glue"].match(text, end)
            begins = gap.end() if gap else end
            if gap and run[0][0] == "(" and "(" in gap[0] and len(_numbers(run[0])) < 4:
                begins = gap.start() + gap[0].rindex("(")  # (1, 3), (2, 3)
            more = _NUMBER.match(text, begins) if gap else None
            if (
                gap is None
                or more is None
                or not (gap[0].strip() or text[end : gap.end()].isspace())
                or more[0].lstrip("( ")[0].isdigit() != run[0].lstrip("( ")[0].isdigit()
                or (more[0][0] == "(") != (run[0][0] == "(")
            ):
                break
            if rest:
                run += _between(run, more[0])
            own = next(
                (one for one in keys if one[0] >= more.end() and not text[more.end() : one[0]].strip(" 个-")), None
            )
            if own and _P["introduces"].match(text, own[1]):
                own = None  # kernel 10, 8, 4, 4, 4 stride 5, 4, 2, 2, 2
            if own and not opened and (len(run) == 1 or more[0] == str(len(run))):
                break  # `kernel 3 and 64 filters`, `kernels 5, 3, 2 layers`
            run.append(more[0])
            end = more.end()
        at = end
        behind = next((one for one in keys if one[0] >= end and not text[end : one[0]].strip(" 个-")), None)
        if (
            behind
            and behind[2] == "kernel"
            and _numbers(run[0]) == (1,)
            and re.search("size|大小|尺寸|长度", text[behind[0] : behind[1]])
        ):
            behind = None  # a kernel_size = 3: of one layer
        if behind and re.match(r"\s*[=:]", text[behind[1] :]) and _P["introduces"].match(text, behind[1]):
            behind = None  # L_in = 16000 kernel_size = 400
        after = behind[2] if behind else None
        if behind and text[behind[0] : behind[1]].lower() == "kernels" and len(run) == len(_numbers(run[0])) == 1:
            after = "filters"  # 16 kernels
        near = next((one for one in reversed(keys) if one[1] <= match.start() and one != spent), None)
        linked = (
            near and _P["link"].fullmatch(text, near[1], match.start()) and not _P["lasts"].search(text, 0, near[0])
        )
        before = near[2] if near and linked else None
        counted = near and _P["counted"].fullmatch(text, near[1], match.start())
        values = [_numbers(one) for one in run]
        if before in {None, "filters"} and len(run) == 1 and len(values[0]) > 1 and _P["convolves"].match(text, end):
            before = "kernel"  # a 3x3 conv
        if after == "kernel" and text[end:].lstrip().startswith("个"):  # of them, not their size
            found.unread = f"{text[match.start() : end].strip()}个卷积核"
        elif before not in {None, "layers", "input"}:
            found.runs.append(str(before))
            found.lists.setdefault(str(before), []).extend(_flat(values, str(before)))
        elif len(run) == 1 and (after == "layers" or (before == "layers" and counted)):
            found.count = found.count or values[0][0]
        elif after == "filters" and before == "input" and len(run) == 1:  # input 3 channels
            found.lists.setdefault("inputs", []).extend(values)
        elif after == "filters" or (after in {"kernel", "inputs"} and len(run) == 1):
            found.lists.setdefault(after, []).extend(values)
        elif before != "input" and "x" in run[0] and max(values[0]) <= LARGEST_BARE:
            bare = bare or values[0]
            at = match.end()
        spent = behind if before in {None, "layers", "input"} else None
    if bare and (found.count or re.search("depth-?\\s?wise|separable|可分离", text)) and "kernel" not in found.lists:
        found.lists["kernel"] = [bare]
    return found


def _between(run: Sequence[str], last: str) -> list[str]:
    """The numbers that `1, 2, 4, ..., 512` leaves out: each by the step or the factor of those before it.

    Raises:
        ExplainError: it does not lead to the last one.
    """
    try:
        first, second, end = int(run[-2]), int(run[-1]), int(last)
    except (ValueError, IndexError):
        first = second = end = 0
    grown = [second]
    while 0 < first < second <= grown[-1] < end and len(grown) < MOST_LAYERS:
        geometric = second % first == 0 and (len(run) < 3 or int(run[-3]) * second == first * first)
        grown.append(grown[-1] * (second // first) if geometric else grown[-1] + second - first)
    if grown[-1] != end:
        raise ExplainError(
            f"'{', '.join(run)}, ..., {last}' does not say which numbers lie in between: write them out."
        )
    return [str(value) for value in grown[1:-1]]


def _flat(values: Values, key: str) -> Values:
    """`(10; 8; 4; 4; 4)` is a list of five; `(1, 3)` one kernel of two axes, unless they are filters."""
    if len(values) == 1 and (len(values[0]) > 3 or (key == "filters" and len(values[0]) > 1)):
        return [(n,) for n in values[0]]
    return values


def _numbers(text: str) -> tuple[int, ...]:
    if text.lower() in _DIGITS or text in _HAN:
        return (_DIGITS.get(text.lower()) or _HAN[text],)
    return tuple(int(part) for part in re.findall(r"\d+", text))


def tables_as_lists(text: str) -> str:
    """The text with its first table of layers as lists, the numbers of each column behind its heading."""
    lines = text.split("\n")
    rows = [[cell.strip() for cell in _P["cells"].split(line.strip(" |"))] for line in lines]
    for first, row in enumerate(rows):
        keys = {at: str(key.lastgroup) for at, cell in enumerate(row) if (key := _KEY.fullmatch(cell))}
        heads = [at for at, key in keys.items() if key in MARKS]
        end = first + 1
        while end < len(rows) and len(rows[end]) == len(row):
            end += 1
        body = [one for one in rows[first + 1 : end] if set("".join(one)) - {*"-:"}]
        filled = all(_NUMBER.search(one[at]) for one in body for at in heads)
        if "kernel" in keys.values() and len(body) > 1 and filled:
            columns = [f"{row[at]} {', '.join(one[at] for one in body)}" for at in heads]
            return "\n".join([*lines[:first], "; ".join(columns), *lines[end:]])
    return text


def repeats_of(text: str) -> tuple[str, int]:
    """The text without the words that say how often its layers come, and how often that is; several are left in."""
    said = list(_P["repeated"].finditer(text))
    word = next(filter(None, said[0].groups())).lower() if len(said) == 1 else ""
    times = int(word) if word.isdigit() else TIMES.get(word, 0)
    return (text[: said[0].start()] + " " + text[said[0].end() :], times) if times else (text, 1)
