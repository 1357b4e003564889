"""What a question around pasted code asks for, as the keys of the paragraphs that answer it."""

from __future__ import annotations

import re

ASKS = re.compile(
    r"[?？吗呢]|为什么|为何|为啥|如何|怎么|怎样|多少|多大|多长|什么|几个|作用|含义|意思|解释|区别|求助|请问|还是|对比|相比|告诉|给出|求出|计算|列出|想知道"
    r"|\b(vs|versus|compared?|difference|why|how|what|which|when|where|does|do|is|are|can|should|explain|meaning|purpose|compute|calculate"
    r"|tell|give|show|list|find|determine|estimate|want|need)\b",
    re.IGNORECASE | re.ASCII,  # a Chinese character next to a word does not belong to it
)
TOPICS = {
    "cbam_block": r"cbam.{0,12}(resnet|residual|残差)|(resnet|residual|残差).{0,12}cbam",
    "cbam": r"cbam|注意力模块|attention module",
    "separable": r"depth-?\s?wise|separable|\bstandard conv|标准卷积|深度可分离|逐通道|逐深度",
    "kernel": r"kernel|\brf\b|"
    r"卷积核(?!数|的数|个数)|核大小|filter (size|length|width)s?|receptive|感受野|dilat|膨胀|空洞|"
    r"毫秒|\bms\b|milliseconds?|窗长|帧长|how (far|much audio|long)|多长时间",
    "stride": r"strid|步长|步幅|帧移|\bhop\b|降采样|down-?sampl|pooling|池化",
    "filters": r"\bfilters?\b(?! (size|length|width))|滤波器|通道(?!注意)|卷积核(的)?(个)?数|channels?\b|"
    r"out_channels|feature maps?",
    "params": r"参数(量|个数|数|是|为|等于)|多少(个)?参数|parameters?\b|\bparams?\b|how many weights|Param #",
    "size": r"输出(的)?(大小|尺寸|形状|维度|长度)|多少帧|几帧|output (size|shape|length)|how many (frames|outputs)|"
    r"\d+ ?(frames|outputs|帧)|"
    r"\bshape\b|尺寸|维度|怎么(算|得|来)|变短|变小|shorter|smaller",
    "latency": r"延迟|时延|latency|delay|look-?ahead|how late",
    "streaming": r"流式|实时|在线|\bstream(?:s|ed|ing|able)?\b|real[- ]?time|causal|因果",
}
_BESIDE = re.compile(  # what may stand beside a topic that is asked for in so many words: `latency at 8 kHz`
    r"\b(?:and|of|in|at|for|the|this|its|my|total|network|model|net|layers?|code|field|ms)\b|\d+(?:\.\d+)?\s*k?hz|的|和|与|这个|网络|模型|代码|[\W_]",
    re.IGNORECASE,
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
    named = (str(match.lastgroup) for match in _TOPIC.finditer(words))
    return tuple(dict.fromkeys(key for key in named if key in TOPICS))
