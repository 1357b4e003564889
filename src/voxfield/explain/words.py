"""A paragraph for each question that people ask of a network, made from its figures, in English or Chinese.

Nothing is said that was not computed: a sentence whose figures are not known is left out. The sentences are in
`phrases`; the changes that the last paragraph weighs are tried on the graph first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from math import prod

from ..errors import ExplainError
from .analyse import analyse, propagate, sources
from .clock import Frames, span_ms, time_first, unit_of
from .graph import Axis, Graph, Op, Window
from .numbers import in_bytes, plain, ratio_text, short, singular
from .phrases import LANGUAGES, PHRASES
from .report import AxisField, Cause, LayerReport, Report
from .whatif import edited

MOST_NAMES = 5
LONGEST_LIST = 12
NEARLY_CONSTANT = 1.5

WHY_ZH = {
    "mean and variance over": "均值与方差统计了整个",
    "softmax over": "softmax 遍及整个",
    "recurrence in both directions over": "双向循环遍及整个",
    "recurrence over": "循环沿",
    "attention over": "注意力遍及整个",
    "one weight for each position of": "每个位置都有自己的权重：",
    "running sums over": "累积求和沿",
    "the last state has seen all of": "最后的状态看过整个",
    "a squeezed position of": "只取一个位置：",
    "one position is shared by all of": "同一位置供所有位置共用：",
    "a reversed copy is joined to": "与倒序的副本相连：",
    "a product over all of": "乘积遍及整个",
    "reverses an unknown length of": "倒转了长度未知的",
    "an irregular rearrangement of": "不规则重排了",
    "every channel holds a different position of": "每个通道各持一个位置：",
    "features hold every position of": "特征里含有所有位置：",
    "mean over": "平均遍及整个",
    "max over": "最大值遍及整个",
    "sum over": "求和遍及整个",
    "avg over the whole of": "平均遍及整个",
    "max over the whole of": "最大值遍及整个",
}


@dataclass(frozen=True)
class Paragraph:
    """A question and its answer."""

    key: str
    question: str
    answer: str


@dataclass(frozen=True)
class Step:
    """One operator's window along an axis, and how far apart its inputs are in positions of the network's input."""

    op: Op
    window: Window
    hop: Fraction

    @property
    def reach(self) -> int:
        """How many of its inputs one of its outputs spans."""
        w = self.window
        return -(-w.reach // w.stride) if self.op.kind == "conv_transpose" else w.reach

    @property
    def share(self) -> Fraction:
        """What it adds to the field of a chain, in input positions."""
        return (self.reach - 1) * self.hop

    @property
    def ahead(self) -> Fraction:
        """What it looks ahead by itself, in input positions."""
        return (self.window.reach - 1 - self.window.pad_start) * self.hop


def words(report: Report, graph: Graph, language: str = "en", frames: Frames | None = None) -> tuple[Paragraph, ...]:
    """The paragraphs on a network.

    Args:
        report: what `analyse` found out about `graph`.
        graph: the network itself, on which changes are tried.
        language: "en" or "zh".
        frames: the frames that the time axis counts, when the network reads features.

    Raises:
        ExplainError: another language.
    """
    if language not in LANGUAGES:
        raise ExplainError(f"There are no words in '{language}': {', '.join(LANGUAGES)} are known.")
    writer = _Writer(report, graph, language, frames)
    found = []
    for key, write in (
        ("kernel", writer.kernel),
        ("stride", writer.stride),
        ("filters", writer.filters),
        ("separable", writer.separable),
        ("latency", writer.latency),
        ("streaming", writer.streaming),
        ("fix", writer.fix),
    ):
        sentences = [one for one in write() if one]
        if sentences:
            space = " " if language == "en" else ""
            found.append(Paragraph(key, writer.say(f"q_{key}"), space.join(sentences)))
    return tuple(found)


def steps_along(graph: Graph, source: tuple[str, Axis]) -> list[Step]:
    """The windows of all operators along one axis, in the order they run."""
    fields = propagate(graph, *source)
    found = []
    for op in graph.ops:
        field = fields.get(op.inputs[0]) if op.inputs and op.windows else None
        if field is None:
            continue
        for dim, window in zip(op.dims, op.windows, strict=False):
            hops = [part.hops[dim] for part in field.parts if dim in part.moving]
            if hops:
                found.append(Step(op, window, max(hops)))
    return found


def power_of(windows: Sequence[Window]) -> str:
    """How the taps of a kernel are written in a formula: k, k^2, k^3, or taps when the axes differ."""
    if len({window.kernel for window in windows}) != 1:
        return "taps"
    return "k" if len(windows) == 1 else f"k^{len(windows)}"


class _Writer:
    def __init__(self, report: Report, graph: Graph, language: str, frames: Frames | None) -> None:
        self.report, self.graph, self.frames = report, graph, frames
        self.phrases = PHRASES[language]
        self.language = language
        self.sources = sources(graph)
        self.fields = time_first(f for f in report.fields if f.input == self.sources[0][0])
        self.steps = {axis.name: steps_along(graph, (name, axis)) for name, axis in reversed(self.sources)}

    def say(self, key: str, **values: str) -> str:
        told = self.phrases[key].format(**values)
        return told if self.language != "en" else singular(told)

    def listed(self, names: Sequence[str]) -> str:
        """Names in a row; of many only the first."""
        shown = list(names[:MOST_NAMES])
        if len(names) > MOST_NAMES:
            return self.phrases["comma"].join(shown) + " ..."
        if len(shown) < 2:
            return "".join(shown)
        return self.phrases["comma"].join(shown[:-1]) + self.phrases["and"] + shown[-1]

    def ms(self, field: AxisField, positions: int | Fraction | None) -> str:
        """` (29.06 ms)`, or nothing without a rate."""
        value = span_ms(field, positions, self.frames)
        return "" if value is None else f" ({plain(value)} ms)"

    def hop_ms(self, field: AxisField) -> str:
        value = field.ms(field.hop) if field.axis == "time" else None
        return "" if value is None else f" ({plain(value)} ms)"

    def named(self, field: AxisField) -> dict[str, str]:
        return {"axis": self.phrases[field.axis], "unit": self.phrases[unit_of(field, self.report)]}

    def causes(self, causes: Sequence[Cause]) -> str:
        return self.listed(list(dict.fromkeys(cause.operator for cause in causes)))

    def why(self, cause: Cause) -> str:
        if self.language == "en":
            return cause.why
        text, _, axis = cause.why.rpartition(" ")
        axis = self.phrases.get(axis, axis)
        return f"{WHY_ZH[text]}{axis}" if text in WHY_ZH else f"{text} {axis}"

    # why this kernel

    def kernel(self) -> list[str]:
        return [self._kernel_along(field) for field in self.fields]

    def _kernel_along(self, field: AxisField) -> str:
        blocked = (*field.whole_input, *field.unbounded_future)
        names = self.causes(blocked or field.unbounded_past)
        if field.local_rf is None:
            return self.say("kernel_whole_only", axis=self.phrases[field.axis], names=names) if blocked else ""
        near = self._kernel_near(field, field.local_rf)
        if not near or not names:
            return near
        far = self.say("kernel_but_whole" if blocked else "kernel_but_past", names=names)
        return near + (" " if self.language == "en" else "") + far

    def _kernel_near(self, field: AxisField, local: int) -> str:
        """What the windows alone see."""
        steps = self.steps.get(field.axis, [])
        wide = [step for step in steps if step.share]
        if local == 1 and not wide:
            return self.say("kernel_one", **self.named(field))
        told = {**self.named(field), "rf": plain(local), "ms": self.ms(field, local)}
        if not wide:
            return ""
        most = max(wide, key=lambda step: step.share)
        chain = all(step.op.kind != "conv_transpose" for step in steps)
        if not chain or sum(step.share for step in wide) + 1 != local:
            reach = plain(most.reach)
            return self.say("kernel_paths", layer=most.op.name, reach=reach, share=plain(most.share), **told)
        if len(wide) == 1:
            return self.say("kernel_first", kernel=plain(most.window.kernel), **told)
        terms = [(len(list(group)), share) for share, group in groupby(step.share for step in wide)]
        total = " + ".join(plain(share) if count == 1 else f"{count} x {plain(share)}" for count, share in terms)
        if most.hop == 1:
            return self.say("kernel_flat", sum=total, **told)
        shares = {"share": plain(most.share), "layer": most.op.name, "hop": plain(most.hop)}
        return self.say("kernel_sum", sum=total, **shares, **told)

    # why this stride

    def stride(self) -> list[str]:
        found = []
        for field in self.fields:
            if field.hop is None:
                continue
            steps = [s for s in self.steps.get(field.axis, []) if s.op.kind != "conv_transpose"]
            strided = [s for s in steps if s.window.stride > 1]
            told = {**self.named(field), "hop": plain(field.hop), "ms": self.hop_ms(field)}
            if not strided and field.hop == 1:
                found.append(self.say("stride_none", **told))
                continue
            if prod(s.window.stride for s in strided) == field.hop:
                product = " x ".join(str(s.window.stride) for s in strided)
                one = len(strided) == 1
                chain = {"layer": strided[0].op.name} if one else {"product": product}
                found.append(self.say("stride_one" if one else "stride_chain", **chain, **told))
            else:
                found.append(self.say("stride_up", rate=plain(1 / field.hop), **told))
            found.append(self._overlap(strided))
            if field.tail_dropped and field.in_size:
                sizes = {"size": plain(field.in_size), "tail": plain(field.tail_dropped)}
                found.append(self.say("stride_tail", unit=told["unit"], **sizes))
        return found

    def _overlap(self, strided: Sequence[Step]) -> str:
        if not strided:
            return ""
        tight = min(strided, key=lambda s: Fraction(s.window.reach, s.window.stride))
        w = tight.window
        told = {"layer": tight.op.name, "kernel": plain(w.kernel), "stride": plain(w.stride)}
        if w.reach < w.stride:
            return self.say("stride_gap", gap=plain(w.stride - w.reach), **told)
        return self.say("stride_overlap", **told)

    # why these filters

    def filters(self) -> list[str]:
        rows = []
        for op, layer in zip(self.graph.ops, self.report.layers, strict=True):
            if op.kind in {"conv_transpose", "rnn", "linear"}:
                break
            channels = None if op.channel_dim is None else layer.out_shape[op.channel_dim]
            if op.kind == "conv" and channels is not None and op.groups == 1:
                rows.append((channels, layer))
        found = []
        other = next((f.axis for f in self.fields if f.axis != "time"), None)
        timed = any(f.axis == "time" for f in self.fields)
        if timed and 1 < len(rows) <= LONGEST_LIST:
            found += self._filters_frame(rows, other) if other else [self._filters_line(rows)]
        return [*found, self._costliest()]

    def _filters_frame(self, rows: Sequence[tuple[int, LayerReport]], other: str) -> list[str]:
        values = [layer.values_per_frame.value for _, layer in rows]
        first = next(f for f in self.fields if f.axis == other)
        sizes = [first.in_size] + [layer.field(other).out_size for _, layer in rows]
        if None in values or None in sizes or not all(values):
            return []
        ratio = float(max(v for v in values if v)) / float(min(v for v in values if v))
        told = {
            "filters": ", ".join(plain(c) for c, _ in rows),
            "axis": self.phrases[other],
            "sizes": " -> ".join(plain(s) for s in sizes if s is not None),
            "products": ", ".join(plain(v) for v in values if v is not None),
        }
        if len(set(sizes[1:])) == 1:
            return []
        grows = rows[-1][0] >= 2 * rows[0][0]
        if ratio <= NEARLY_CONSTANT and grows:
            verdict = self.say("filters_constant", ratio=ratio_text(ratio))
        else:
            ends = {"first": plain(values[0] or 0), "last": plain(values[-1] or 0)}
            verdict = self.say("filters_changing", ratio=ratio_text(ratio), **ends)
        return [self.say("filters_frame", **told), verdict]

    def _filters_line(self, rows: Sequence[tuple[int, LayerReport]]) -> str:
        hops = [layer.field("time").hop for _, layer in rows]
        if any(not hop for hop in hops) or len(set(hops)) == 1:
            return ""
        shape = self.graph.shape(self.sources[0][0])
        start = prod(s for dim, s in enumerate(shape) if dim not in (0, self.sources[0][1].dim) and s is not None)
        each = [channels / hop for (channels, _), hop in zip(rows, hops, strict=True) if hop]
        told = {"filters": ", ".join(plain(c) for c, _ in rows), "values": ", ".join(plain(float(v)) for v in each)}
        return self.say("filters_line", start=plain(start), last=plain(float(each[-1] / start)), **told)

    def _costliest(self) -> str:
        total = self.report.costs.macs.value
        counted = [layer for layer in self.report.layers if layer.macs.value]
        if not total or not counted or len(counted) < 2:
            return ""
        most = max(counted, key=lambda layer: layer.macs.value or 0)
        share = f"{100 * float(most.macs.value or 0) / float(total):.0f} %"
        return self.say("filters_cost", layer=most.name, share=share, params=plain(most.params))

    def separable(self) -> list[str]:
        """The first depthwise layer that a 1 x 1 convolution follows, against one standard convolution."""
        for i, op in enumerate(self.graph.ops):
            channels = (
                None if op.channel_dim is None or op.kind != "conv" else self.graph.shape(op.inputs[0])[op.channel_dim]
            )
            taps = prod(w.kernel for w in op.windows)
            if channels is None or op.groups != channels or channels == 1 or taps == 1:
                continue
            point = next((o for o in self.graph.ops[i + 1 :] if o.kind == "conv"), None)
            if point is None or point.groups != 1 or prod(w.kernel for w in point.windows) != 1:
                continue
            filters = self.graph.shape(point.outputs[0])[point.channel_dim or 0]
            costs = [self.report.layer(o.name).macs.value for o in (op, point)]
            if filters is None or None in costs or self.graph.shape(op.outputs[0])[op.channel_dim or 0] != channels:
                return []
            cost, standard = sum(int(c or 0) for c in costs), int(costs[0] or 0) * filters
            told = {"depthwise": op.name, "pointwise": point.name, "taps": plain(taps), "channels": plain(channels)}
            ratio, power = ratio_text(cost / standard), power_of(op.windows)
            return [
                self.say(
                    "separable",
                    filters=plain(filters),
                    cost=short(cost),
                    standard=short(standard),
                    ratio=ratio,
                    power=power,
                    **told,
                )
            ]
        return []

    # latency and streaming

    def time(self) -> AxisField | None:
        return next((f for f in self.fields if f.axis == "time"), None)

    def latency(self) -> list[str]:
        field = self.time()
        if field is None:
            return [self.say("latency_axis")]
        if not field.streams:
            return [self.say("latency_whole")]
        if field.latency is None or field.block is None or field.lookahead is None:
            return []
        unit = self.phrases[unit_of(field, self.report)]
        told = {"unit": unit, "block": plain(field.block), "look": plain(field.lookahead)}
        found = [
            self.say(
                "latency_sum",
                latency=plain(field.latency),
                ms=self.ms(field, field.latency),
                first=plain(field.first_output_needs or 0),
                **told,
            )
        ]
        if self.frames is not None:
            window = self.frames.window_samples * 1000 / self.frames.sample_rate_hz
            found.append(self.say("latency_window", window=plain(window)))
        steps = [s for s in self.steps["time"] if s.op.kind != "conv_transpose"]
        shares = sorted((s for s in steps if s.ahead > 0), key=lambda s: s.ahead, reverse=True)
        if not field.ahead or field.ahead <= 0:
            found.append(self.say("latency_none"))
        elif sum(s.ahead for s in steps) == field.ahead:
            named = [self.say("latency_share", layer=s.op.name, ahead=plain(s.ahead)) for s in shares]
            found.append(self.say("latency_layers", layers=self.listed(named)))
        trap = [s for s in steps if s.window.pad_end > s.window.pad_start and s.window.stride == 1 and s.ahead > 0]
        if trap:
            names = self.listed([s.op.name for s in trap])
            found.append(self.say("trap", layers=names, ahead=plain(sum(s.ahead for s in trap)), unit=unit))
        return found

    def blockers(self) -> list[Cause]:
        field = self.time()
        return [] if field is None else list(dict.fromkeys((*field.whole_input, *field.unbounded_future)))

    def streaming(self) -> list[str]:
        field, blocked = self.time(), self.blockers()
        if field is None or (not blocked and not field.phases and not field.unbounded_past):
            return []
        if blocked:
            names = [self.say("blocked_name", name=c.operator, why=self.why(c)) for c in blocked]
            key = "blocked_one" if len(names) == 1 else "blocked"
            return [self.say(key, count=str(len(names)), names=self.listed(names))]
        state, size = self.report.costs.state, self.report.costs.state_bytes
        if state.value is None or size.value is None:
            found = [self.say("streams_unknown")]
        else:
            found = [self.say("streams", state=plain(state.value), bytes=in_bytes(size.value))]
        if field.lookahead:
            late = {"ahead": plain(field.lookahead), "unit": self.phrases[unit_of(field, self.report)]}
            value = field.ms(field.lookahead)
            found.append(self.say("ahead_only", ms="" if value is None else f" ({plain(value)} ms)", **late))
        return found

    def fix(self) -> list[str]:
        field, blocked = self.time(), self.blockers()
        if field is None:
            return []
        found = []
        kinds = {"norm": "fix_norm", "softmax": "fix_norm", "reduce": "fix_reduce", "adaptive_pool": "fix_reduce"}
        kinds.update({"attention": "fix_attention", "rnn": "fix_rnn"})
        grouped: dict[str, list[Cause]] = {}
        for cause in blocked:
            grouped.setdefault(kinds.get(cause.kind, "fix_other"), []).append(cause)
        for key, causes in grouped.items():
            if key == "fix_rnn":
                found += self._one_way(causes)
            else:
                found.append(self.say(key, names=self.causes(causes)))
        look = field.lookahead
        if not blocked and look == 0:
            return [self.say("fix_none")]
        return [*found, self._shifted(field)] if not blocked else found

    def _one_way(self, causes: Sequence[Cause]) -> list[str]:
        both = [c for c in causes if self.graph.op(c.operator).attr("bidirectional")]
        if not both:
            return [self.say("fix_other", names=self.causes(causes))]
        edits = [f"{name}.bidirectional=false" for name in dict.fromkeys(c.operator for c in both)]
        try:
            after = analyse(edited(self.graph, edits)).costs
        except ExplainError:
            return [self.say("fix_other", names=self.causes(causes))]
        before = self.report.costs
        if not before.macs.value or not after.macs.value or not before.params.value or not after.params.value:
            return []
        macs = ratio_text(float(after.macs.value) / float(before.macs.value))
        params = ratio_text(float(after.params.value) / float(before.params.value))
        return [self.say("fix_rnn", names=self.causes(both), edit=edits[0], macs=macs, params=params)]

    def _shifted(self, field: AxisField) -> str:
        """What moving the padding to the past brings, tried on the graph."""
        try:
            after = analyse(edited(self.graph, ["causal"]))
        except ExplainError:
            return ""
        new = next((f for f in after.fields if (f.axis, f.input) == (field.axis, field.input)), None)
        if new is None or new.lookahead is None or field.lookahead is None or new.lookahead >= field.lookahead:
            return ""
        macs = self.report.costs.macs.value, after.costs.macs.value
        times = ratio_text(float(macs[1]) / float(macs[0])) if macs[0] and macs[1] else "1"
        cost = self.say("cost_same") if times == "1" else self.say("cost_times", macs=times)
        key = "fix_causal" if new.lookahead == 0 else "fix_causal_part"
        unit = self.phrases[unit_of(field, self.report)]
        return self.say(key, before=plain(field.lookahead), after=plain(new.lookahead), unit=unit, cost=cost)
