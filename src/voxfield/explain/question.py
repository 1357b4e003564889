"""What a question around pasted code asks for, as the keys of the paragraphs that answer it."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

from .phrases import patterns, table

if TYPE_CHECKING:
    from .report import Report

_P = patterns("question")

_TABLE = table("topics")
ROLES, PARTS, FIXES, _ROLE = (_TABLE.pop(key) for key in ("roles", "parts", "fixes", "role"))
TOPICS: dict[str, str] = {key: _ROLE.replace("{}", words) for key, words in ROLES.items()} | _TABLE
MOST_FILLING = 5  # Chinese characters of a question whose words are not known
_SETTINGS = {"kernel", "stride", "filters", "padding"}
_TOPICS = "|".join(f"(?P<{key}>{pattern})" for key, pattern in TOPICS.items())
_TOPIC = re.compile(f"(?:{_TOPICS})[A-Za-z]*", re.IGNORECASE | re.ASCII)


def asked(prose: str) -> tuple[str, ...]:
    """The topics of a question in the order they are named; empty for prose that asks nothing.

    >>> asked("为什么 kernel_size设置为(1,3) strides设置为 (1, 2)")
    ('kernel', 'stride')
    >>> asked("the encoder of the paper"), asked("latency at 8 kHz")
    ((), ('latency',))
    """
    words = prose.replace("_", " ")
    if not _P["asks"].search(prose):  # lines that only name what is wanted
        words = "\n".join(line for line in words.split("\n") if not _P["beside"].sub("", _TOPIC.sub("", line)))
    asking = (
        one for one in _P["sentence"].findall(words) if one[-1] in "?？" or _P["asks"].search(_P["weak"].sub(" ", one))
    )
    return topics("\n".join(asking)) or topics(words)


def topics(prose: str) -> tuple[str, ...]:
    """The topics that are named, asked for or not, in their order. Settings that the text gives numbers for are left
    out where it names others and asks for no reasons.

    >>> topics("ECAPA-TDNN receptive field"), topics("kernel size 7, stride 2: which output size?")
    (('kernel',), ('size',))
    """
    words = re.sub(r"[ \t]+", " ", prose.replace("_", " "))
    last: dict[str, int] = {}
    clauses = [one.span() for one in re.finditer(r"[^,，;；\n]+", words) if _P["asks"].search(one[0])]
    questioned = set[str]()  # named where something is asked
    counted = False  # a number of layers that is given, not asked for
    found: dict[str, bool] = {}  # each topic, and whether all that is said of it is a number
    reason = _P["reasons"].search(words)
    for match in _TOPIC.finditer(words):
        key, near = str(match.lastgroup), max(0, match.start() - 40)  # what is said of it stands close by
        if key == "bins" and not reason and re.search(r"\d", match[0]) and not re.search("怎么|从哪|come", match[0]):
            continue  # a number of bins that is given
        given = _P["given_after"].match(words, match.end()) or _P["given_before"].search(words, near, match.start())
        if key == "depth" and re.match(r"[一二三四五六七八九十\d]", match[0]):  # 3层
            counted = counted or not _P["layers_asked"].search(words, near, match.start())
        last[key] = match.start()
        questioned |= {key} if any(a < match.end() and match.start() < b for a, b in clauses) else set()
        if key in TOPICS:
            found[key] = found.get(key, True) and bool(
                (key in _SETTINGS and (given or re.match(r"\d(?!.*(?:怎么|how|come))", match[0])))
                or (key == "depth" and counted)
            )
    if "wider" in found:
        found.pop("filters", None)
    if counted and len(found) > 1:
        found.pop("depth")
    if len(found) > 1 and not _P["adds"].search(words):
        found.pop("cbam", None)
    if not reason and not all(found.values()):
        return tuple(sorted((key for key in found if not found[key]), key=lambda key: key not in questioned))
    if reason and _P["meaning"].match(reason[0]):
        return tuple(found)  # padding='same' 是什么意思: what is asked for stands before the word
    begin, why = (words.rfind("\n", 0, reason.start()), reason.start()) if reason else (0, 0)
    return tuple(sorted(found, key=lambda key: begin < last[key] < why))  # why 257 bins comes before what is given


def wanted(prose: str) -> tuple[str, ...]:
    """What a description of a network asks for: a question's topics, or those that only a question names.

    >>> wanted("kernel 3, 32 channels to 64, parameters"), wanted("two layers with kernel 3 and stride 2")
    (('params',), ())
    """
    named = tuple(key for key in topics(prose) if key not in {*_SETTINGS, "streaming"})
    return asked(prose) or (*("kernel",) * bool(_P["field"].search(prose)), *named)


def figures_asked(prose: str, report: Report) -> tuple[str, ...]:
    """The topics whose figures are the numbers that a question asks about: `why is it 26?`, `465 怎么来的`."""
    named = [int((one[1] or one[2] or one[3]).replace(",", "")) for one in _P["why_number"].finditer(prose)]
    sizes = {field.out_size for layer in report.layers for field in layer.fields}
    made = (layer.out_shape[1:] for layer in report.layers)
    figures: dict[str, set[object]] = {
        "kernel": {field.rf for field in report.fields},
        "size": {*sizes, *(prod(size or 0 for size in shape) for shape in made)},
        "stride": {field.hop for field in report.fields},
        "params": {report.costs.params.value, *(layer.params for layer in report.layers)},
        "macs": {report.costs.macs.value, *(layer.macs.value for layer in report.layers)},
    }
    asked_ms = {float(one[1] or one[2]) for one in _P["why_ms"].finditer(prose)}
    steps = ["stride"] * any(field.ms(field.hop) in asked_ms for field in report.fields)
    found = (key for one in named for key, known in figures.items() if one > 9 and one in known)
    return tuple(dict.fromkeys([*steps, *found]))


def names_no_network(prose: str) -> bool:
    """Whether a question names its topics and nothing else that could be a network.

    >>> names_no_network("why 16, 32, 64, 128, 256 filters?"), names_no_network("why the filters of my U-Net?")
    (True, False)
    """
    left = prose.replace("_", " ")
    for known in (_TOPIC, _P["asks"], _P["filling"], _P["beside"]):
        left = known.sub(" ", left)
    more = re.findall(r"[A-Za-z]+|[\u4e00-\u9fff]", left)
    return bool(asked(prose)) and len(more) <= MOST_FILLING and not any(word[0].isascii() for word in more)
