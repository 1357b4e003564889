"""What a question around pasted code asks for, as the keys of the paragraphs that answer it."""

from __future__ import annotations

import re

from .phrases import table

ASKS = re.compile(
    r"[?？吗呢]|为什么|为何|为啥|如何|怎么|怎样|多少|多大|多长|什么|几个|作用|含义|意思|解释|区别|求助|请问|还是|对比|相比|告诉|给出|求出|计算|列出|想知道"
    r"|\b(vs|versus|compared?|difference|why|whence|how|what|which|when|where|does|do|is|are|can|should|explain|meaning|purpose|compute|calculate"
    r"|tell|give|show|list|find|determine|estimate|want|need)\b",
    re.IGNORECASE | re.ASCII,  # a Chinese character next to a word does not belong to it
)
TOPICS: dict[str, str] = table("topics")
_BESIDE = re.compile(  # what may stand beside a topic that is asked for in so many words: `latency at 8 kHz`
    r"\b(?:and|of|in|at|for|the|this|its|my|total|network|model|net|layers?|code|field|ms)\b|\d+(?:\.\d+)?\s*k?hz|的|和|与|这个|网络|模型|代码|[\W_]",
    re.IGNORECASE,
)
_FILLING = re.compile(  # what else may stand in a question that names no network
    r"\b(?:a|an|here|there|so|one|come|comes|from|used?|using|chosen|set|to|be|have|has|with|much|many|number|size|each|every|time|frequency|axis"
    r"|double[sd]?|doubling|grow|growing|increas(?:e|es|ing)|first|need(?:ed)?|add|put|get|samples?|it|they|these|those|s)\b"
    r"|设置?|成|来|去|取|选|用|要|是|个|数|量|会|有|这样|这么|里|到|每|层|翻倍|加倍|增加|加|算|出|得|实现|做|我|想|知道|时间|频率|轴|采样点|你|呢|其|都|中|上",
    re.IGNORECASE | re.ASCII,
)
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
    if not ASKS.search(prose):  # lines that only name what is wanted
        words = "\n".join(line for line in words.split("\n") if not _BESIDE.sub("", _TOPIC.sub("", line)))
    return topics(words)


def topics(prose: str) -> tuple[str, ...]:
    """The topics that are named, asked for or not, in their order.

    >>> topics("ECAPA-TDNN receptive field")
    ('kernel',)
    """
    named = (str(match.lastgroup) for match in _TOPIC.finditer(prose.replace("_", " ")))
    return tuple(dict.fromkeys(key for key in named if key in TOPICS))


def names_no_network(prose: str) -> bool:
    """Whether a question names its topics and nothing else that could be a network.

    >>> names_no_network("why 16, 32, 64, 128, 256 filters?"), names_no_network("why the filters of my U-Net?")
    (True, False)
    """
    left = prose.replace("_", " ")
    for known in (_TOPIC, ASKS, _FILLING, _BESIDE):
        left = known.sub(" ", left)
    return bool(asked(prose)) and not re.search(r"[A-Za-z\u4e00-\u9fff]", left)
