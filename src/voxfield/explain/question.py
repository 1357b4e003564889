"""What a question around pasted code asks for, as the keys of the paragraphs that answer it."""

from __future__ import annotations

import re

from .phrases import table

ASKS = re.compile(
    r"[?？吗呢]|为什么|为何|为啥|如何|怎么|怎样|多少|多大|多长|什么|几(?=个|毫秒|秒|帧|倍|层|点|维)|作用|含义|意思|解释|区别|求助|请问|还是|对比|相比|告诉|给出|求出|计算|列出|想知道"
    r"|\b(vs|versus|compared?|difference|why|whence|how|what|which|when|where|does|do|is|are|can|should|explain|meaning|purpose|compute|calculate"
    r"|tell|give|show|list|find|determine|estimate|want|need)\b",
    re.IGNORECASE | re.ASCII,  # a Chinese character next to a word does not belong to it
)
_WEAK = re.compile(  # what asks only where nothing else does: a statement has such words, too
    r"作用|含义|意思|解释|区别|还是|对比|相比|计算|列出"
    r"|\b(?:is|are|do|does|can|should|when|where|which|meaning|purpose|compute|show|list|need|want|difference)\b",
    re.IGNORECASE | re.ASCII,
)
_SENTENCE = re.compile(r"[^。！!？?\n]+?(?:[。！!？?]|\.(?=\s)|(?=\n)|$)")
TOPICS: dict[str, str] = table("topics")
_BESIDE = re.compile(  # what may stand beside a topic that is asked for in so many words: `latency at 8 kHz`
    r"\b(?:and|of|in|at|for|the|this|its|my|total|network|model|net|layers?|code|field|ms)\b|\d+(?:\.\d+)?\s*k?hz|的|和|与|这个|网络|模型|代码|[\W_]",
    re.IGNORECASE,
)
_FILLING = re.compile(  # what else may stand in a question that names no network
    r"\b(?:a|an|here|there|so|one|come|comes|from|used?|using|chosen|set|to|be|have|has|with|much|many|number|size|each|every|time|frequency|axis"
    r"|usual(?:ly)?|always|make|convolutions?|encoder|decoder|network|computed?|embed(?:s|ded)?|audio|produces?|vectors?|that|this|ms|\d+k|often|double[sd]?|doubling|grow|growing|increas(?:e|es|ing)|first|need(?:ed)?|add|put|get|samples?|it|they|these|those|s)\b"
    r"|设置?|成|来|去|取|选|用|要|是|个|数|量|会|有|这样|这么|而?后面|而?前面|第[一二三四五]|维度?|方向|里|到|每|卷积层|卷积|层|编码器|解码器|注意力|输入|输出|音频|分别|表示|采样率|在|使用|作用|加入|后|一般|通常|经常|往往|都|翻倍|加倍|增加|加|算|出|得|实现|做|我|想|知道|时间|频率|轴|采样点|你|呢|其|都|中|上",
    re.IGNORECASE | re.ASCII,
)
_GIVEN_AFTER = re.compile(  # a number that a sentence gives: `kernel size 3`, `步长为2`, `64 filters`
    r" ?(?:大小|尺寸|长度|sizes?|width|率|数)? ?(?:分别|依次|均|都)?(?:设置|设)?"
    r"(?:为|是|=|:|of|is|are)? ?[\[({]? ?\d",
    re.IGNORECASE,
)
_GIVEN_BEFORE = re.compile(r"\d\)? ?(?:个|的|input|output|in|out)? ?$", re.IGNORECASE)
_SETTINGS = {"kernel", "stride", "filters", "padding"}
_LAYERS_ASKED = re.compile(
    r"(?:为什么|为何|为啥|why)\W?(?:要|用|是|有|需要|采用|使用|选|设)*\s?$", re.I
)  # for 5 layers
_REASONS = re.compile(
    r"为什么|为何|为啥|作用|含义|意思|解释|区别|\b(?:why|whence|mean\w*|purpose|explain|difference)\b", re.I | re.ASCII
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
    asking = (one for one in _SENTENCE.findall(words) if one[-1] in "?？" or ASKS.search(_WEAK.sub(" ", one)))
    return topics("\n".join(asking)) or topics(words)


def topics(prose: str) -> tuple[str, ...]:
    """The topics that are named, asked for or not, in their order. Settings that the text gives numbers for are left
    out where it names others and asks for no reasons.

    >>> topics("ECAPA-TDNN receptive field"), topics("kernel size 7, stride 2: which output size?")
    (('kernel',), ('size',))
    """
    words = re.sub(r"[ \t]+", " ", prose.replace("_", " "))
    last: dict[str, int] = {}
    counted = False  # a number of layers that is given, not asked for
    found: dict[str, bool] = {}  # each topic, and whether all that is said of it is a number
    for match in _TOPIC.finditer(words):
        key = str(match.lastgroup)
        given = _GIVEN_AFTER.match(words, match.end()) or _GIVEN_BEFORE.search(words, 0, match.start())
        if key == "depth" and re.match(r"[一二三四五六七八九十\d]", match[0]):  # 3层
            counted = counted or not _LAYERS_ASKED.search(words, 0, match.start())
        last[key] = match.start()
        if key in TOPICS:
            found[key] = found.get(key, True) and bool((key in _SETTINGS and given) or (key == "depth" and counted))
    if counted and len(found) > 1:
        found.pop("depth")
    reason = _REASONS.search(words)
    if not reason and not all(found.values()):
        return tuple(key for key, given in found.items() if not given)
    begin, why = (words.rfind("\n", 0, reason.start()), reason.start()) if reason else (0, 0)
    return tuple(sorted(found, key=lambda key: begin < last[key] < why))  # why 257 bins comes before what is given


def wanted(prose: str) -> tuple[str, ...]:
    """What a description of a network asks for: a question's topics, or those that only a question names.

    >>> wanted("kernel 3, 32 channels to 64, parameters"), wanted("two layers with kernel 3 and stride 2")
    (('params',), ())
    """
    return asked(prose) or tuple(key for key in topics(prose) if key not in {*_SETTINGS, "streaming"})


def names_no_network(prose: str) -> bool:
    """Whether a question names its topics and nothing else that could be a network.

    >>> names_no_network("why 16, 32, 64, 128, 256 filters?"), names_no_network("why the filters of my U-Net?")
    (True, False)
    """
    left = prose.replace("_", " ")
    for known in (_TOPIC, ASKS, _FILLING, _BESIDE):
        left = known.sub(" ", left)
    return bool(asked(prose)) and not re.search(r"[A-Za-z\u4e00-\u9fff]", left)
