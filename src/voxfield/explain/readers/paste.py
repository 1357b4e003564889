"""Whatever people paste: code, code with a question, printed modules and summaries, or a question alone.

The text is cleaned of what pages put into it, handed to the reader that fits, and its question is separated from it.
"""

from __future__ import annotations

import builtins
import html
import re
from contextlib import suppress
from dataclasses import dataclass, replace

from ...errors import ExplainError
from ..axes import lasting
from ..graph import Graph, Shape, axes_of
from ..numbers import plain
from ..phrases import patterns
from ..question import asked, topics, wanted
from .code_values import at
from .dialects import in_torch_or_keras
from .printed import is_printed_module, is_summary, module_code, summary_code
from .python_lines import looks_like_code, python_of
from .scan import calls_a_layer, pieces
from .sentence import SPEECH_RATE_HZ, Described, described, strided_first
from .snippet import read_snippet
from .stated import LENGTH, channels_last, layout_of, other_order, remark_note, stated_input, stated_of
from .text import read_text

_P = patterns("paste")

_LONG_SPACE, _LONG_NUMBER = re.compile(r" {100,}"), re.compile(r"\d{1000}")  # no code and no prose has such
_ABOUT = 60
PRINTED = (("printed module", is_printed_module, module_code), ("summary", is_summary, summary_code))
SAMPLES_RATE = "The rate in the text is that of samples, and the network reads frames: --rate with --hop gives times."
LEFT_OUT = "Left out, as what the text compares with: {}. --against puts it beside this."
BY_WORDS = "The dims of the input were taken for {}, by the words of the text; --layout says otherwise."
FORMS = (
    "Give layers as kernel/stride ('10/5 8/4 4/2'), pasted Keras or torch code, a .keras, .json (Keras) or .onnx file, "
    "FILE.py:NAME for a torch module, or the name of a model from `voxfield models`."
)


@dataclass(frozen=True)
class Paste:
    """What was read from a paste: its graph, its question and what that asks for, the rate that it names or that is
    assumed."""

    graph: Graph
    question: str = ""
    asked: tuple[str, ...] = ()
    rate_hz: float | None = None


def read_paste(text: str, input_shape: Shape | None = None, layout: str | None = None) -> Paste:
    """The network in a pasted text, and the question around it.

    Raises:
        ExplainError: there is no network in it; what is missing is named.
    """
    text, told = in_torch_or_keras(cleaned(text))
    text, others = _without_others(text)
    told = [*told, *others]
    graph, question, topic, samples = _network(text, input_shape, layout)
    rate, notes = _clock(text, graph)
    sizes = graph.shape(graph.main_input)
    on_samples = samples or (_P["in_ms"].search(text) and len(sizes) < 4 and (len(sizes) == 2 or 1 in sizes[1:]))
    if rate is None and not notes and on_samples:
        rate, notes = SPEECH_RATE_HZ, [f"No rate was given: {SPEECH_RATE_HZ} Hz was assumed; --rate says otherwise."]
    said = _P["seconds"].search(text) if input_shape is None and "size" in topic else None
    if said and (shape := lasting(graph, float(said[1] or 1), rate)):
        graph = _noted(_network(text, shape, layout)[0], [remark_note(shape[1:])])
    return Paste(replace(graph, notes=(*told, *graph.notes, *notes)), question, topic, rate)


def _network(text: str, input_shape: Shape | None, layout: str | None) -> tuple[Graph, str, tuple[str, ...], bool]:
    """(the network in a cleaned text, its question, what that asks for, whether it is one of a sentence about
    samples)."""
    printed = next(((title, code_of) for title, fits, code_of in PRINTED if fits(text)), None)
    if printed is not None or calls_a_layer(text):
        words = prose(text) if printed is None else _before(text)
        code, told = (text, list[str]()) if printed is None else printed[1](text)
        title = "pasted code" if printed is None else printed[0]
        layout = layout or layout_of(text)
        sizes, graph = input_shape, None
        for tried in _orders(stated_of(code, words)) if input_shape is None and "randn" not in code else []:
            with suppress(ExplainError):  # the sizes in the words may be of something else
                sizes, graph = tried, read_snippet(code, tried, layout, title)
                break
        graph = graph or read_snippet(code, input_shape, layout, title)
        is_picture = [(axis.name, axis.dim) for axis in graph.axes[graph.main_input]] == [("h", 2), ("w", 3)]
        if layout is None and _P["on_time"].search(text) and not _P["in_pictures"].search(text) and is_picture:
            strides = [tuple(w.stride for w in op.windows) for op in graph.ops if op.kind == "conv"]
            order = "BCFT" if strided_first(strides) and _P["in_bins"].search(text) else "BCTF"
            told.append(BY_WORDS.format(order))
            graph = read_snippet(code, sizes, order, title)
        if sizes is not None and input_shape is None:
            told = [remark_note(sizes), *told]
        return _noted(graph, told), words, asked(words), False
    if pieces(text) and (looks_like_code(text) or re.search(r"\w\s*=\s*[A-Za-z_]\w{2,}\(", text)):
        raise _no_layer(text)
    found = described(text, _rate(text))
    if found is not None:
        graph = _described_graph(text, found, input_shape)
        if found.facts:
            first, *rest = graph.ops
            graph = replace(graph, ops=(first.with_(attrs={**first.attrs, **found.facts}), *rest))
        if found.picture:
            graph = replace(graph, axes={graph.main_input: axes_of(4, "BCHW")})
        if found.freq_first:
            graph = replace(graph, axes={graph.main_input: axes_of(4, "BCFT")})
            found.notes.append(BY_WORDS.format("BCFT"))
        return _noted(graph, found.notes), text, topics(text) if found.example else wanted(text), found.samples
    if not looks_like_code(text) and "=" not in text:
        raise ExplainError(
            f"There is no network in '{text.strip()[:_ABOUT]}', neither layers nor a question about a kind of network. "
            f"{FORMS}"
        )
    words = prose(text)
    return read_snippet(text, input_shape, layout), words, asked(words), False


def _orders(sizes: Shape | None) -> list[Shape]:
    """The sizes as they are said, and with the channels at the other end."""
    return [] if sizes is None else [sizes, *filter(None, [other_order(sizes)])]


def _described_graph(text: str, found: Described, input_shape: Shape | None) -> Graph:
    """The network of a sentence, on the input that it states where that fits."""
    stated = stated_input(text) if input_shape is None else None
    length = LENGTH.search(text) if input_shape is None and stated is None else None
    axes = len(found.text.split()[0].split("/")[0].split("@")[0].split("x"))
    if stated is None and axes == 2 and not found.picture and (turned := _P["turned"].search(text)):
        stated = (None, int(turned[1]))
    if length is not None and int(length[1]) and stated is None:
        stated = (int(length[1]),) * axes if axes == 1 or found.picture else (None, int(length[1]))
    if stated is not None and len(stated) in (axes, axes + 1):
        found.notes.append(remark_note(stated))
        if len(stated) == axes:
            stated = ((found.input_shape or (1,))[0] or 1, *stated)
        elif len(stated) == 3 and stated[0] is not None and channels_last(stated):
            stated = (stated[-1], *stated[:-1])
        return read_text(found.text, stated)
    return read_text(found.text, input_shape or found.input_shape)


def cleaned(text: str) -> str:
    """The text without what pages and terminals add: prompts, fences, line numbers, other kinds of spaces."""
    if re.search(r"&(nbsp|gt|lt|quot|amp|#39);", text):
        text = html.unescape(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").expandtabs(4)
    text = _LONG_SPACE.sub(" " * 100, _P["nothing"].sub("", _P["spaces"].sub(" ", text)))
    if _LONG_NUMBER.search(text):
        raise ExplainError("The text holds a number of more than 1000 digits; it is not the size of a layer.")
    lines = ["" if line.strip().startswith(("```", "~~~")) else _P["prompt"].sub("", line) for line in text.split("\n")]
    numbers = [_P["numbered"].match(line) for line in lines if line.strip()]
    counted = [int(match[1]) for match in numbers if match]
    if len(counted) == len(numbers) > 1 and counted == list(range(counted[0], counted[0] + len(counted))):
        lines = [_P["numbered"].sub("", line) for line in lines]
    return "\n".join(lines).replace("`", " ")


def prose(text: str) -> str:
    """The text without its code: what a question is looked for in."""
    code, skipped, _ = python_of(text)
    if "\n" in text.strip() and code.count("\n") == text.count("\n"):  # lines of Python, and those that are none
        lines, remarks = text.split("\n"), re.findall(r"#([^\n]*)", code)
        words = [line for line in lines if re.fullmatch(r"[\w\s,，、。?？]*", line)]  # words may be names, too
        kept = zip(lines, code.split("\n"), strict=True)
        mended = [line for line, read in kept if read.strip() and line.strip() != read.strip()]
        words += [prose(line.strip()) if pieces(line) and "=" in line else line for line in mended]
        return "\n".join([*(lines[number - 1] for number in skipped), *filter(asked, remarks), *words])
    parts, at = [], 0
    for piece in pieces(text):
        before = text[text.rfind("\n", 0, piece.start) + 1 : piece.start]
        named = before.strip() or _P["setting"].match(piece.text)
        if named and piece.kind == "assign" and not calls_a_layer(piece.text):
            continue  # a setting that a sentence names, as in: what does kernel_size=(1, 3) mean?
        parts.append(text[at : piece.start])
        at = piece.end
    said = [part for part in (*parts, text[at:]) if not part.lstrip().startswith("#") or asked(part)]
    return "\n".join(said)


def _without_others(text: str) -> tuple[str, list[str]]:
    """The text without the layers that it compares its own with, and what is said of them."""
    layers = [piece for piece in pieces(text) if piece.kind == "call" and calls_a_layer(piece.text)]
    compares, notes = _P["compared"].search(text), list[str]()
    for match in [] if layers else reversed(list(_P["alike"].finditer(text))):
        text = f"{text[: match.start()]} {text[match.end() :]}"
        notes.append(LEFT_OUT.format(match[0].strip()))
    for piece in reversed(layers[1:]):
        line = text[max(0, piece.start - _ABOUT) : piece.start].rpartition("\n")[2]
        word = _P["against"].search(line) or (compares and _P["both"].search(line))
        if word and calls_a_layer(text[: piece.start]):
            text = text[: piece.start] + text[piece.end :]
            notes.append(LEFT_OUT.format(piece.text))
    return text, notes


def _before(text: str) -> str:
    """What is not the printed network itself: words before and after it."""
    text = re.sub(r"\w*\(\s*\([\w.\-]+\):.*\)", " ", text, flags=re.DOTALL)
    return "\n".join(line for line in text.split("\n") if not _P["printed"].search(line))


def _rate(text: str) -> float | None:
    """The sampling rate that a text names."""
    for match in _P["rate"].finditer(text):
        value = float(match[1] or match[3] or match[5]) * (1000 if match[2] or match[4] or match[6] else 1)
        if (1 if match[1] else 1000) <= value <= 384_000:
            return value
    return None


def _clock(text: str, graph: Graph) -> tuple[float | None, list[str]]:
    """(positions of the time axis a second by what the text says of samples and hops, what is said about that)."""
    rate, shape, axes = _rate(text), graph.shape(graph.main_input), graph.axes[graph.main_input]
    channels = [size for dim, size in enumerate(shape) if dim and dim not in {axis.dim for axis in axes}]
    framed = _P["spectra"].search(text) or (_P["window_ms"].search(text) and _P["hop_ms"].search(text))
    if _P["hop_ms"].search(text) and all(w.stride == 1 for op in graph.ops for w in op.windows):
        framed = framed or _P["hop_ms"].search(text)  # of its input: a network without strides makes none
    on_samples = (
        len(axes) == 1
        and not _P["frames_a_second"].search(text)
        and (len(shape) == 2 or not framed or channels in ([1], [2]))
    )
    if on_samples or "time" not in {axis.name for axis in axes}:
        return rate, []
    if said := _P["frames_a_second"].search(text):
        frames = max(float(said[1] or said[2]), 0.01)
    elif hop := _P["hop_ms"].search(text):
        frames = 1000 / max(float(hop[1] or hop[2]), 0.01)
    elif rate and (hop := _P["hop"].search(text)) and int(hop[1]):
        frames = rate / int(hop[1])
    else:
        return None, [SAMPLES_RATE] if rate else []
    return frames, [f"A frame every {plain(1000 / frames)} ms was taken from the text."]


def _noted(graph: Graph, notes: list[str]) -> Graph:
    return replace(graph, notes=(*notes, *graph.notes))


def _no_layer(text: str) -> ExplainError:
    """Code that only uses layers made elsewhere: what is used is named."""
    used = dict.fromkeys(re.findall(r"\bself\.[A-Za-z_]\w*", text))
    called = [name for name in used if re.search(rf"{re.escape(name)}\s*\(", text)]
    own = {*re.findall(r"\bdef\s+(\w+)", text), *dir(builtins)}
    called += [name for name in dict.fromkeys(re.findall(r"=\s*([A-Za-z_]\w{2,})\(", text)) if name not in own]
    line = next((i for i, one in enumerate(text.split("\n"), 1) if one.strip()), 1)
    if not called:
        return at(
            line,
            f"no layer was found in '{text.strip()[:_ABOUT]}'. Paste layers such as layers.Conv2D(16, (1, 3))(x) or "
            "nn.Conv1d(1, 512, 10, stride=5).",
        )
    sizes = [name for name in used if name not in called and not re.search(rf"{re.escape(name)}\s*=(?!=)", text)]
    also = f" Sizes that are set elsewhere too: {', '.join(sizes)}." if sizes else ""
    return at(
        line,
        f"there is no layer in this code: it applies {', '.join(called)}, which is made elsewhere. Paste the line that "
        f"makes it ({called[0]} = ...), or the whole class.{also}",
    )
