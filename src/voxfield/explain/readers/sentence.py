"""A network from a sentence: kernel and stride lists in English or Chinese, fairseq lists, or only its kind.

`kernel sizes 10, 8, 4 and strides 5, 4, 2`, `nine layers with kernel size three`, `[(512, 10, 5)] + [(512, 3, 2)] * 4`,
`filters 16、32、64`. What a sentence leaves out is taken from a well-known network of the kind it names, and every such
assumption is a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ...errors import ExplainError
from ..phrases import patterns, table
from ..question import asked, names_no_network
from .arrows import chain
from .number_lists import MARKS, MOST_LAYERS, TIMES, Found, Values, lists_of, repeats_of, tables_as_lists
from .scan import FULL_WIDTH, triples_in
from .stated import channels_last, stated_input

_P = patterns("sentence")

STACKS = {"context": "context network", "decoder": "decoder"}
SPEECH_RATE_HZ = 16000
TWO_EACH = "Each block of a TCN of keras-tcn was taken as two convolutions of the same dilation."

_TABLE = table("kinds")
_HALVED = [(1, 2)]  # the strides of the CRN for enhancement


@dataclass(frozen=True)
class Kind:
    """A kind of network with a well-known example: its layers as `text` of kernel/stride, or Python code."""

    name: str
    pattern: str
    text: str
    about: str
    weak: str = ""  # the same for a text that names no other kind
    axes: int = 1
    counted: str = ""  # how the number of layers in its name comes about
    input: Sequence[int] = ()  # its sizes; -1 for one that is open


KINDS = tuple(Kind(name, **row) for name, row in _TABLE["kinds"].items())


@dataclass(frozen=True)
class Described:
    """Layers as text for `read_text`, with the input they start from and what was assumed on the way."""

    text: str
    input_shape: tuple[int | None, ...] | None = None
    picture: bool = False
    freq_first: bool = False  # where the first of two axes is frequency
    samples: bool = False
    notes: list[str] = field(default_factory=list)
    example: bool = False  # of the kind that is named, and not made of what the sentence gives
    facts: Mapping[str, object] = field(default_factory=dict)  # more for the words, as attributes of the first layer


def described(text: str, rate_hz: float | None = None) -> Described | None:
    """The network that a sentence describes; None when it names neither layers nor a kind of network. A rate says how
    many samples the milliseconds of frames are.

    >>> described("kernel sizes (10; 8; 4), strides (5; 4; 2)").text
    '10/5 8/4 4/2'
    >>> described("[(512, 10, 5)] + [(512, 3, 2)] * 2").text
    '10/5@512 3/2@512 3/2@512'
    """
    said = tables_as_lists(text.translate(FULL_WIDTH).translate(str.maketrans("；{}", ";()")))
    for pattern, plain in _TABLE["rewritten"].items():
        said = re.sub(pattern, plain, said)
    said = _P["powers"].sub(lambda m: ", ".join(str(2**i) for i in range(int(m[2]), min(int(m[3]), 16) + 1)), said)
    kind = _named(said)
    if kind is not None and kind.name.startswith("resnet") and any(one.startswith("cbam") for one in asked(said)):
        kind = next(one for one in KINDS if one.name == "resnet")  # whose filters are known
    if (other := _P["network"].search(said)) and not any(re.search(k.pattern, other[0], re.IGNORECASE) for k in KINDS):
        kind = None  # what is known of its kind is not known of it
    if kind is not None and kind.name == "mobilenet":
        for pattern, plain in _TABLE["mobilenet"].items():
            said = re.sub(pattern, plain, said)
    if triples := triples_in(said)[:MOST_LAYERS]:
        layers = " ".join(f"{kernel}/{stride}@{width}" for width, kernel, stride in triples)
        read_as = "The list was read as (channels, kernel, stride), as fairseq has it."
        return Described(layers, samples=True, notes=[read_as])
    if (linked := chain(said)) is not None:
        layers, picture, notes = linked
        inputs = lists_of(said).lists.get("inputs", [])
        layers = _biased(layers, said, notes) if "params" in asked(said) else layers
        sizes = (inputs[0][0], *(None,) * (2 if picture else 1)) if inputs else None
        picture = picture and not _P["spectral"].search(said)
        return Described(layers, sizes, picture, samples="x" not in layers, notes=notes)
    if seen := _seen(said):
        return seen
    if (stacks := _stacks(said, rate_hz)) is not None:
        return stacks
    said, times = repeats_of(said)
    found = lists_of(said)
    found.times = times
    if (of := _P["of_strides"].search(said)) and found.runs.count("stride") == 1:
        many = int(next(filter(None, of.groups()), "2"))
        found.lists["kernel"] = [tuple(many * size for size in sizes) for sizes in found.lists["stride"]]
    kernels = found.lists.get("kernel")
    if not kernels and (kind is None or _P["of_frames"].search(said)) and (framed := _frames(said, rate_hz)):
        return framed
    if kind is None and (example := _example(said, found)):
        return example
    if not kernels and kind is None and len(found.lists.get("stride", [])) < 2:
        return None
    if kind is not None and kind.name == "mobilenet" and len(kernels or ()) < 2:
        return _separable(found, kind, said)
    if kernels:
        if kind and _quotes(found, kind, said):
            return _of_kind(Found(), kind)
        try:
            return _of_lists(found, kind, said)
        except ExplainError:
            if kind and found.lists.get("dilation") and _shows(kind, found):
                return _of_kind(Found(), kind)
            stated = "".join(one for one in _P["clauses"].findall(said) if not asked(one))
            if stated == said or not (told := lists_of(stated)).lists.get("kernel"):
                raise
            return _of_lists(told, kind, stated)  # a question names some of its numbers again
    known = [] if kind is None else re.findall(r"/(\d+)", kind.text)
    if kind is not None and known and [_by(one) for one in found.lists.get("stride", [])] == known:
        return _of_kind(found, kind)
    if (found.count or kind is None) and found.lists.get("stride"):
        raise ExplainError(
            "The sentence gives strides but no kernel: write kernel/stride per layer, such as '3/2 3/2'."
        )
    return _of_kind(found, kind) if kind else None


def _seen(text: str) -> Described | None:
    """Layers by the frames that each looks at, as TDNNs are written: `[-2, 2], {-2, 0, 2}, {0}`."""
    rows = [[int(n) for n in re.findall(r"[-+]?\d+", one.replace("−", "-"))] for one in _P["seen"].findall(text)]
    layers = []
    for row in rows:
        steps = {b - a for a, b in pairwise(row)}
        whole = len(row) == 2 and row[0] < 0 < row[1]  # from the first to the last
        if len(steps) > 1 or row[0] > 0 or min(steps, default=1) < 1:
            return None
        layers.append(f"{row[1] - row[0] + 1}" if whole else f"{len(row)}:{min(steps, default=1)}")
    if len(layers) < 2 or not any(row[0] < 0 for row in rows):
        return None
    notes = ["Each row of frames was taken for what a layer looks at, without padding."]
    return Described(" ".join(layers), notes=notes)


def _stacks(text: str, rate_hz: float | None) -> Described | None:
    """An encoder and the context network or the decoder behind it, where a text gives the kernels of both."""
    for key, mark in (("context", ""), ("decoder", "^")):
        parts = _P[key].split(text, maxsplit=1)
        if len(parts) < 2 or not all(lists_of(part).lists.get("kernel") for part in parts):
            continue
        first, second = (described(_P["up" if mark else key].sub(" ", part), rate_hz) for part in parts)
        if first is None or second is None:
            continue
        told = f"The {STACKS[key]} was taken to stand behind the encoder."
        notes = dict.fromkeys((*first.notes, *second.notes, told))
        layers = " ".join(mark + layer for layer in second.text.split())
        return replace(first, text=f"{first.text} {layers}", notes=[*notes])
    return None


def _frames(text: str, rate_hz: float | None) -> Described | None:
    """Frames as a window that slides over samples; None where a text does not give both."""
    said = [_P[key].search(text) for key in ("window", "hop")]
    rate, sizes = rate_hz or SPEECH_RATE_HZ, list[int]()
    for match in filter(None, said):
        number, unit = next((match[i], match[i + 1]) for i in range(1, match.re.groups, 2) if match[i])
        sizes.append(round(float(number) * rate / 1000) if unit else round(float(number)))
    if len(sizes) < 2 or 0 in sizes:
        return None
    window, hop = sizes
    notes = [f"Frames of {window} samples every {hop} samples were taken for a kernel and its stride."]
    points = _P["transform"].search(text)
    facts = {"transform": int(points[1] or points[2]) if points else window}
    return Described(f"{window}/{hop}", (1, None), samples=True, notes=notes, facts=facts)


def _named(text: str) -> Kind | None:
    """The kind of network that a text names; what several have in common names one only where nothing else does."""
    patterns = [(k, k.pattern) for k in KINDS] + [(k, k.weak) for k in KINDS if k.weak]
    return next((k for k, pattern in patterns if re.search(pattern, text, re.IGNORECASE | re.ASCII)), None)


def _example(text: str, found: Found) -> Described | None:
    """The network that answers a question which names none; None where the question says more than that network has."""
    wanted, row, decoder = asked(text), _P["row"].search(text), _P["up"].search(text) is not None
    given = dict(found.lists)
    widths = given.pop("filters", [])
    if row is not None and "filters" in wanted:
        widths = [(int(width),) for width in re.findall(r"\d+", row[0])]
        if "stride" not in given:
            given.pop("kernel", None)  # that of the example
    if decoder or (len(widths) == 1 and widths[0][0] in {16, 32, 64, 128, 256}):
        widths = []  # it only names a layer of the example
    kinds = {kind.name: kind for kind in KINDS}
    if "bins" in wanted and not given.get("kernel") and (bins := _P["bins"].search(text)):
        about = kinds["enhancement"].about.replace("161", bins[0])
        return _of_kind(Found(), replace(kinds["enhancement"], input=(1, 100, int(bins[0])), about=about))
    if given.pop("stride", _HALVED) not in (_HALVED, [(1,)]) or given or found.unread or len(widths) == 1:
        return None
    if (found.count and "depth" not in wanted) or not names_no_network(text):
        return None
    for name, asks in _TABLE["examples"].items():
        if {*asks.get("topics", "").split()} & {*wanted} or re.search(asks.get("words", "$^"), text, re.IGNORECASE):
            return _of_kind(Found({"filters": widths}), kinds[name])
    return _of_kind(Found({"filters": widths}), kinds["wav2vec"])


def _quotes(found: Found, kind: Kind, text: str) -> bool:
    """Whether a question only names a layer of the well-known network: `why (1, 3) in the first layer of a CRN?`"""
    counted = found.count is None or f"{found.count}*" in kind.text
    single = all(len(values) < 2 for values in found.lists.values())
    return bool(asked(text)) and counted and found.times == 1 and single and _shows(kind, found)


def _shows(kind: Kind, found: Found) -> bool:
    """Whether all numbers of a sentence are those of the well-known network."""
    shown = {"kernel": r"(?:^|[\s*x])([\dx]+)", "stride": r"/([\dx]+)", "filters": r"@(\d+)", "dilation": r":(\d+)"}
    return all(
        key in shown and all(_by(one) in re.findall(shown[key], kind.text) for one in values)
        for key, values in found.lists.items()
        if values
    )


def _by(sizes: tuple[int, ...]) -> str:
    """Sizes as the text of layers has them: 2x3."""
    return "x".join(map(str, sizes))


def _of_lists(found: Found, kind: Kind | None, text: str) -> Described:
    """Layers of the lists in the sentence, one after the other."""
    lists = {key: values for key, values in found.lists.items() if values}
    inputs = lists.pop("inputs", [])
    pooled = _P["pooled"].search(text)
    text = text if pooled is None else _P["pooled"].sub(" ", text)
    if (left_out := _P["left_out"].search(text)) is not None:
        raise ExplainError(
            f"The sentence speaks of '{left_out[0]}' beside its convolutions, and does not say where it stands. Write "
            "the layers as kernel/stride, such as '5/2 max2 3 ^4/2', or paste their code."
        )
    doubled = _P["doubled"].search(text) if len(lists.get("dilation", [])) < 2 else None
    if said := _not_read(found, lists, text, doubled is not None):
        raise ExplainError(
            f"What '{said}' says of the layers is not read from a sentence. Write them as kernel/stride, such as "
            "'5/2 3:2 3:4', or paste their code."
        )
    tcn, per = _P["keras_tcn"].search(text), _P["per_block"].search(text)
    if len(lists.get("dilation", [])) > 1 and (tcn or per):
        word = (per[1] or per[2]).lower() if per else "2"
        many = int(word) if word.isdigit() else TIMES[word]
        lists = {k: [v for v in values for _ in range(many)] if values[1:] else values for k, values in lists.items()}
        found.count = max(map(len, lists.values()))
        found.notes += [TWO_EACH] if tcn else []
    whole = (found.count or max(map(len, lists.values()))) * found.times
    if not 1 <= whole <= MOST_LAYERS:
        raise ExplainError(f"{whole} layers in the sentence; 1 to {MOST_LAYERS} can be read.")
    if doubled:
        start = (1,) if _P["power"].search(doubled[0]) else lists.get("dilation", [(1,)])[0]
        lists["dilation"] = [tuple(n * 2**i for n in start) for i in range(found.count or 1)]
        grown = f"The dilation was taken to double from layer to layer: {', '.join(map(_by, lists['dilation']))}."
    if (others := _P["others"].search(text)) and 2 in {len(values) for values in lists.values()}:
        rest = next(filter(None, others.groups()), "")
        many = int(rest) if rest.isdigit() else TIMES.get(rest.lower(), (found.count or 2) - 1)
        found.count = many + 1
        lists = {key: [v[0]] + [v[1]] * many if len(v) == 2 else v for key, v in lists.items()}
    pairs = [v for v in (lists.get("kernel", []), lists.get("stride", [])) if v]
    triples = len(pairs) == 2 and all(len(v) == 1 and len(v[0]) == 3 for v in pairs)
    if triples and not re.search("3d", text, re.IGNORECASE):
        lists |= {key: [(n,) for n in lists[key][0]] for key in ("kernel", "stride")}
    if _P["picture"].search(text):
        lists["kernel"] = [v * 2 if len(v) == 1 else v for v in lists["kernel"]]
    axes = max(len(v) for key in ("kernel", "stride", "dilation", "padding") for v in lists.get(key, [(0,)]))
    most = max(len(values) for values in lists.values())
    count = found.count or most
    if found.times > 1 and most * found.times == count:  # 6 layers, dilation 1, 2, 4 repeated twice
        lists = {key: values * found.times if len(values) == most else values for key, values in lists.items()}
    elif found.times > 1:
        lists = {key: (values * (count if len(values) == 1 else 1)) * found.times for key, values in lists.items()}
        count *= found.times
    if kind is not None and kind.axes == 2 and kind.name == "enhancement" and len(lists["kernel"]) == 2 and axes == 2:
        return _of_kind(found, kind)
    columns = {}
    for key, values in lists.items():
        if len(values) not in (1, count):
            raise ExplainError(
                f"The sentence gives {len(values)} values for '{key}' and {count} layers. Give one for each layer, or "
                "one for all of them."
            )
        columns[key] = values * count if len(values) == 1 else values

    def each(key: str, i: int, mark: str) -> str:
        return mark + _by(columns[key][i]) if key in columns else ""

    mode = next((word for word, said in _TABLE["padded"].items() if re.search(said, text, re.IGNORECASE)), "")
    layers = ["".join(each(key, i, mark) for key, mark in MARKS.items()) + mode for i in range(count)]
    if pooled is not None:
        size = re.search(r"\d", pooled[0])
        pool = ("avg" if re.search("(?i)av|平均", pooled[0]) else "max") + _by((int(size[0]) if size else 2,) * axes)
        layers = [one for layer in layers for one in (layer, pool)]
    features = _P["features"].search(text)
    wide = inputs[0][0] if inputs else int(features[1]) if features and features[1] else None
    channels = None if wide is None else (wide, *(None,) * axes)
    freq_first = axes == 2 and bool(_P["spectral"].search(text)) and strided_first(columns.get("stride", []))
    if axes == 2 and wide is None and (bins := _P["counted_bins"].search(text)):
        channels = (1, int(bins[1]), None) if freq_first else (1, None, int(bins[1]))
    padded = f", with '{mode}' padding" if mode else "" if "padding" in columns else ", without padding"
    notes = [f"The layers were read from the sentence, one after the other{padded}.", *found.notes]
    notes += [grown] if doubled else []
    if found.times > 1:
        notes.append(f"They were taken {found.times} times in a row: {count} layers.")
    if "stride" not in columns:
        notes.append("No stride was named: 1 was assumed.")
    if kind is not None and axes == 1 and re.search(r"context net|上下文网络|aggregator", text, re.IGNORECASE):
        encoder = next(one for one in KINDS if one.name == "wav2vec")
        alone = sum((k[0] - 1) for k in columns["kernel"]) + 1
        notes.append(
            f"A context network stands behind an encoder, which the sentence does not give: {encoder.about} was put "
            f"before it. By itself it looks over {alone} of the encoder's outputs."
        )
        return Described(" ".join([re.sub("@512", "", encoder.text), *layers]), samples=True, notes=notes)
    whole_text = " ".join(layers)
    if inputs or "params" in asked(text):
        whole_text = _biased(whole_text, text, notes)
    picture, samples = bool(_P["picture"].search(text)) and axes == 2, axes == 1 and not features and not inputs
    return Described(
        whole_text, channels, picture=picture and not freq_first, freq_first=freq_first, samples=samples, notes=notes
    )


def _biased(layers: str, text: str, notes: list[str]) -> str:
    """The layers with a bias for each filter, unless the sentence says otherwise; both is said."""
    if "@" not in layers:
        return layers
    bare = _P["unbiased"].search(text)
    notes.append("Without bias, as the sentence says." if bare else "One bias for each filter was assumed.")
    return layers if bare else re.sub(r"@\S+", r"\g<0>b", layers)


def strided_first(strides: Sequence[tuple[int, ...]]) -> bool:
    """Whether only the first of two axes is strided, which then is frequency in networks that keep every frame."""
    moving = [one for one in strides if one[0] > 1 or one[-1] > 1]
    return bool(moving) and all(len(one) == 2 and one[-1] == 1 for one in moving)


def _not_read(found: Found, lists: Mapping[str, Values], text: str, doubles: bool) -> str:
    """Words that make layers differ in a way that lists of numbers do not give; empty where there are none."""
    whole = found.count or max(map(len, lists.values()))
    if whole == 1 and (second := _P["second"].search(text)):
        return second[0]
    plain = _P["doubled"].sub(" ", text) if doubles else text
    single = [key for key, values in lists.items() if len(values) == 1]
    if unread := _P["unread"].search(plain):
        return unread[0]
    if doubles and (found.count or 0) < 2:
        return "dilation"
    if not single or whole < 2:
        return found.unread
    most = max(map(found.runs.count, lists))
    apart = (
        key for key in single if found.runs.count(key) == 1 < most
    )  # said of one of the layers that are told apart
    placed = _P["placed"].search(plain)
    return found.unread or (placed[0] if placed else next(apart, ""))


def _separable(found: Found, kind: Kind, text: str) -> Described:
    """A depthwise-separable block of the channels, filters and kernel that the sentence names."""
    given = {key: values[0][0] for key in ("inputs", "filters") if (values := found.lists.get(key))}
    widths = found.lists.get("filters", [])
    if "inputs" not in given and len(widths) == 2:  # depthwise on 16 channels, pointwise to 32
        given = {"inputs": widths[0][0], "filters": widths[1][0]}
    if "inputs" not in given and len(of := stated_input(text) or ()) == 3 and None not in of:
        given["inputs"] = (of[-1] if channels_last(of) else of[0]) or 1
    kernel = found.lists.get("kernel", [(3, 3)])[0]
    if not given and kernel in {(3, 3), (3,)}:
        return _of_kind(Found(), kind)
    wide, filters = given.get("inputs", 32), given.get("filters", 64)
    taps = kernel * 2 if len(kernel) == 1 else kernel
    pads = _by(tuple(k // 2 for k in taps))
    mapped = _P["mapped"].search(text)
    sizes = tuple(int(one) for one in mapped.groups() if one) if mapped else (112, 112)
    note = (
        f"A depthwise-separable block of {wide} channels and {filters} filters was taken, on "
        f"{sizes[0]} x {sizes[1]} positions."
    )
    layers = f"{_by(taps)}@{wide}g{wide}p{pads} {_by((1,) * len(taps))}@{filters}"
    return Described(layers, (wide, *sizes[: len(taps)]), picture=len(taps) == 2, notes=[note])


def _of_kind(found: Found, kind: Kind) -> Described:
    """The well-known network of a kind, with the filters that the sentence names when they fit."""
    layers = kind.text.split()
    widths = [v[0] for v in found.lists.get("filters", []) if len(v) == 1]
    if len(widths) > 1:
        layers = [
            re.sub(r"@\d+", f"@{wide}", layers[min(i, len(layers) - 1)]) for i, wide in enumerate(widths[:MOST_LAYERS])
        ]
    kernels = [_by(v) for v in found.lists.get("kernel", []) if len(v) == kind.axes]
    if kernels and len(kernels) in (1, 2, len(layers)):  # one for all; the first and all others; one each
        each = kernels if len(kernels) == len(layers) else [kernels[0]] + [kernels[-1]] * (len(layers) - 1)
        layers = [re.sub(r"^[\dx]+", kernel, layer) for kernel, layer in zip(each, layers, strict=True)]
    notes = [f"There is no code in the question: {kind.about} was taken as an example."]
    sizes = tuple(None if size < 0 else size for size in kind.input)
    picture = kind.axes == 2 and kind.name not in {"enhancement", "crn_decoder", "speaker_resnet"}
    samples = kind.name.startswith(("wav2vec", "tasnet", "separation"))
    facts = {"counted": kind.counted} if kind.counted else {}
    return Described(
        " ".join(layers), sizes or None, picture=picture, samples=samples, notes=notes, example=True, facts=facts
    )
