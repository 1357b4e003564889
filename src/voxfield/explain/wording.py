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
from typing import Any

from ..errors import ExplainError
from .analysis import analyse, sources
from .clock import Frames, span_ms, time_first, unit_of
from .graph import Graph
from .numbers import in_bytes, in_row, plain, ratio_text, singular
from .path import Walk, walk
from .phrases import LANGUAGES, PHRASES
from .question import FIXES, PARTS, ROLES
from .report import AxisField, Cause, LayerReport, Report, Status
from .sizes import size
from .sums import (
    LONGEST_LIST,
    bias,
    bins,
    branches,
    depth,
    macs,
    padding,
    params,
    powers,
    separable,
    taps,
    wider,
)
from .to_paste import cbam_sentences
from .whatif import conv_behind, edited
from .zh import translated

MOST_NAMES = 5
NEARLY_CONSTANT = 1.5


@dataclass(frozen=True)
class Paragraph:
    """A question and its answer."""

    key: str
    question: str
    answer: str
    asked: bool = False
    code: str = ""  # to paste


def words(
    report: Report, graph: Graph, language: str = "en", frames: Frames | None = None, asked: Sequence[str] = ()
) -> tuple[Paragraph, ...]:
    """The paragraphs on a network.

    Args:
        report: what `analyse` found out about `graph`.
        graph: the network itself, on which changes are tried.
        language: "en" or "zh".
        frames: the frames that the time axis counts, when the network reads features.
        asked: keys of the paragraphs that a question asks for, which then come first.

    Raises:
        ExplainError: another language.
    """
    if language not in LANGUAGES:
        raise ExplainError(f"There are no words in '{language}': {', '.join(LANGUAGES)} are known.")
    if "lines" in asked:
        made = {str(op.attr("function") or op.kind) for op in graph.ops}
        there = [key for key, known in PARTS.items() if made & {*known.split()}]
        asked = [*dict.fromkeys(("kernel", "filters", *there, *(key for key in asked if key != "lines")))]
    writer = Writer(report, graph, language, frames, asked)
    timed = writer.time is not None
    usual = ["kernel", "stride", "size", "filters", "separable"] + ["latency", "streaming", "fix"] * timed
    found = []
    open_ = [name for f in writer.fields if f.status is Status.PARTIAL for name in f.missing]
    for key in dict.fromkeys([*asked, *usual]):
        said = [writer.say(f"{key}_role")] if key in ROLES else []
        said = said or (ELSEWHERE[key](writer) if key in ELSEWHERE else getattr(writer, key)())
        sentences = [one for one in said if one] or [writer.say("unanswered")] * (key in asked)
        if open_ and sentences and key in OF_FIELDS:
            sentences.append(writer.say("without", names=writer.listed(open_)))
        if sentences:
            space = " " if language == "en" else ""
            code = writer.code if key == "cbam_block" else ""
            found.append(Paragraph(key, writer.say(f"q_{key}"), space.join(sentences), key in asked, code))
    return tuple(found)


ELSEWHERE = {  # paragraphs that are written in other files
    "cbam": lambda writer: cbam_sentences(writer, "cbam"),
    "cbam_block": lambda writer: cbam_sentences(writer, "cbam-resnet"),
    **{
        one.__name__: one
        for one in (params, macs, separable, padding, depth, powers, bias, bins, branches, wider, size)
    },
}
OF_FIELDS = frozenset(["kernel", "stride", "size", "latency", "streaming"])


class Writer:
    def __init__(
        self, report: Report, graph: Graph, language: str, frames: Frames | None, asked: Sequence[str]
    ) -> None:
        self.report, self.graph, self.frames, self.asked = report, graph, frames, asked
        self.phrases = PHRASES[language]
        self.language = language
        self.code = ""  # that goes with the paragraph written last
        self.sources = sources(graph)
        self.labels: dict[str, str] = {}
        self.fields = self._unlike(time_first(f for f in report.fields if f.input == self.sources[0][0]))
        self.time = next((f for f in self.fields if f.axis == "time"), None)
        self.blocked = list(dict.fromkeys((*self.time.whole_input, *self.time.unbounded_future) if self.time else ()))
        self.walks: dict[str, Walk] = {axis.name: walk(graph, (name, axis)) for name, axis in reversed(self.sources)}

    def _unlike(self, fields: Sequence[AxisField]) -> list[AxisField]:
        """One field for each group of axes that are equal in everything that is said, under all of their names."""
        found: dict[str, list[AxisField]] = {}
        for f in fields:
            causes = f.whole_input, f.unbounded_past, f.unbounded_future
            key = (f.in_size, f.out_size, f.hop, f.phases, *([c.operator for c in one] for one in causes))
            found.setdefault(str(key), []).append(f)
        for alike in found.values():
            self.labels[alike[0].axis] = self.listed([self.phrases[f.axis] for f in alike])
        return [alike[0] for alike in found.values()]

    def say(self, key: str, **values: Any) -> str:
        """A sentence with its parts filled in: texts, and numbers as people read them."""
        stated = self.phrases[key].format(**{k: v if isinstance(v, str) else plain(v) for k, v in values.items()})
        return stated if self.language != "en" else singular(stated)

    def listed(self, names: Sequence[str]) -> str:
        """Names in a row, each once; of many only the first."""
        names = list(dict.fromkeys(names))
        if len(names) > MOST_NAMES:
            return self.phrases["comma"].join(names[:MOST_NAMES]) + " ..."
        if len(names) < 2:
            return "".join(names)
        return self.phrases["comma"].join(names[:-1]) + self.phrases["and"] + names[-1]

    def ms(self, field: AxisField, positions: int | Fraction | None, frames: Frames | None = None) -> str:
        """` (29.06 ms)`, or nothing without a rate."""
        value = span_ms(field, positions, frames)
        return "" if value is None else f" ({plain(value)} ms)"

    def named(self, field: AxisField) -> dict[str, Any]:
        return {"axis": self.labels[field.axis], "unit": self.phrases[unit_of(field, self.report)]}

    def causes(self, causes: Sequence[Cause]) -> str:
        return self.listed([cause.operator for cause in causes])

    def why(self, cause: Cause) -> str:
        if self.language == "en":
            return cause.why
        text, _, axis = cause.why.rpartition(" ")
        return translated(f"{text} {self.phrases.get(axis, axis)}", self.language)

    # why this kernel

    def kernel(self) -> list[str]:
        found = [stated for field in self.fields for stated in self._kernel_along(field)]
        stack = taps(self) if "kernel" in self.asked and "params" not in self.asked else []
        return [*found, self._points(), *stack] if found else []

    def _points(self) -> str:
        """What kernels of 1 are for, where there is nothing else or where the question is about kernels."""
        convs = [op for op in self.graph.ops if op.kind == "conv"]
        points = [op for op in convs if op.groups == 1 and all(w.kernel == 1 for w in op.windows)]
        alone = len(points) == len(convs) and any(field.rf == 1 for field in self.fields)
        if not points or not (alone or "kernel" in self.asked):
            return ""
        widths = {op.name: self.graph.widths(op) for op in points}
        named = [f"{name} ({inside} -> {outside})" for name, (inside, outside) in widths.items() if inside and outside]
        return self.say("kernel_points", layers=self.listed(named or [*widths]))

    def _kernel_along(self, field: AxisField) -> list[str]:
        blocked = (*field.whole_input, *field.unbounded_future)
        names = self.causes(blocked or field.unbounded_past)
        whole = self.say("kernel_whole_only", axis=self.labels[field.axis], names=names)
        if field.local_rf is None:
            return [whole, self._kernel_before(field)] if blocked else []
        near = self._kernel_near(field, field.local_rf, "kernels_alone" if names else "receptive_field")
        if blocked and field.local_rf == 1:
            return [whole] if near else []
        but = self.say("kernel_but_whole" if blocked else "kernel_but_past", names=names)
        return [near, but] if near and names else [near]

    def _kernel_before(self, field: AxisField) -> str:
        """What is left to say once every output depends on everything: how far the layers before that looked."""
        before = [
            (layer.name, seen.rf)
            for layer in self.report.layers
            for seen in layer.fields
            if layer.windows and (seen.axis, seen.input) == (field.axis, field.input) and seen.rf and seen.rf > 1
        ]
        if not before:
            return ""
        (first, start), (last, rf) = before[0], before[-1]
        own = self.say("kernel_start", layer=first, rf=start, ms=self.ms(field, start)) if len(before) > 1 else ""
        stated = {"layer": last, "rf": rf, "ms": self.ms(field, rf), "unit": self.named(field)["unit"]}
        return self.say("kernel_before", first=own, **stated)

    def _kernel_near(self, field: AxisField, local: int, called: str) -> str:
        """What the windows alone see, and what that is called."""
        path = self.walks[field.axis]
        wide = [step for step in path.longest if step.share]
        if local == 1 and not wide:
            return self.say("kernel_one", **self.named(field)) if path.longest else ""
        stated = {**self.named(field), "rf": local, "ms": self.ms(field, local, self.frames)}
        stated["field"] = self.say(called)
        if not wide:
            return self.say("kernel_only", **stated)
        most = max(wide, key=lambda step: (step.share, step.hop))
        if sum(step.share for step in path.chain) + 1 != local:
            key = "kernel_paths" if path.branches else "kernel_up"
            return self.say(key, layer=most.op.name, reach=most.reach, share=most.share, **stated)
        longest = self.say("kernel_longest") if path.branches else ""
        if len(wide) == 1:
            dilated = self.say("kernel_dilated", dilation=most.window.dilation) if most.window.dilation > 1 else ""
            return self.say("kernel_first", kernel=most.window.kernel, dilated=dilated, **stated) + longest
        terms = [(len(list(group)), share) for share, group in groupby(step.share for step in wide)]
        parts = [plain(share) if count == 1 else f"{count} x {plain(share)}" for count, share in terms]
        stated["sum"] = " + ".join(parts)
        if all(step.hop == 1 for step in wide):
            return self.say("kernel_flat", **stated) + longest
        late = self.say("kernel_late", hop=most.hop, **stated) if most.hop > 1 else ""
        return self.say("kernel_sum", share=most.share, layer=most.op.name, late=late, **stated) + longest

    # why this stride

    def stride(self) -> list[str]:
        found = [stated for f in self.fields if f.hop is not None for stated in self._stride_along(f, abs(f.hop))]
        still = [self.labels[f.axis] for f in self.fields if f.hop == 1]
        moving = [self.labels[f.axis] for f in self.fields if f.hop is not None and f.hop > 1]
        if still and moving:
            found.append(self.say("stride_axes", moving=self.listed(moving), still=self.listed(still)))
        return found

    def _stride_along(self, field: AxisField, hop: Fraction) -> list[str]:
        path = self.walks[field.axis]
        down = [s for s in path.longest if s.down > 1]
        up = [s for s in path.longest if s.up > 1]
        factor = prod(s.down for s in down)
        stated = {**self.named(field), "hop": hop, "ms": self.ms(field, hop), "factor": factor}
        stated["product"] = " x ".join(str(s.down) for s in down)
        if up or path.upsampled:
            key = "stride_mixed" if path.upsampled else "stride_updown" if down else "stride_up"
            stated["product"] += f" = {factor}" if len(down) > 1 else ""
            stated["up"] = " x ".join([*(str(s.up) for s in up), *(op.name for op in path.upsampled)])
            found = [self.say(key, rate=1 / hop, **stated)]
        elif not down and hop == 1:
            found = [self.say("stride_none", **stated)] if path.steps else []
        elif factor != hop:
            found = [self.say("stride_other", **stated)]
        else:
            found = [self.say("stride_one" if len(down) == 1 else "stride_chain", layer=down[0].op.name, **stated)]
        for op, side in path.joins:
            found.append(self.say("stride_joins", join=op.name, names=self.listed([s.op.name for s in side])))
        found.append(self._overlap(path))
        if field.tail_dropped and field.in_size:
            found.append(self.say("stride_tail", size=field.in_size, tail=field.tail_dropped, **stated))
        return found

    def _overlap(self, path: Walk) -> str:
        strided = [s for s in path.steps if s.down > 1]
        gaps = [s for s in strided if s.window.reach < s.window.stride]
        if gaps:
            w = gaps[0].window
            names = self.listed([s.op.name for s in gaps if (s.window.kernel, s.window.stride) == (w.kernel, w.stride)])
            return self.say("stride_gap", layer=names, kernel=w.kernel, stride=w.stride, gap=w.stride - w.reach)
        if not strided:
            return ""
        tight = min(strided, key=lambda s: Fraction(s.window.reach, s.window.stride))
        w = tight.window
        return self.say("stride_overlap", layer=tight.op.name, kernel=w.kernel, stride=w.stride)

    # why these filters

    def filters(self) -> list[str]:
        rows = []
        for op, layer in zip(self.graph.ops, self.report.layers, strict=True):
            if op.kind in {"conv_transpose", "rnn", "linear"}:
                break
            channels = self.graph.widths(op)[1]
            if op.kind == "conv" and channels is not None and op.groups == 1:
                rows.append((channels, layer))
        found = self._filters_first()
        other = next((f.axis for f in self.fields if f.axis != "time"), None)
        if self.time and 1 < len(rows) <= LONGEST_LIST:
            found += self._filters_frame(rows, other) if other else [self._filters_line(rows)]
        return [
            *found,
            *self._filters_joined(),
            self._filters_up(other),
            self.say("filters_not_field") if rows and "wider" not in self.asked else "",
            self._costliest(),
        ]

    def _filters_joined(self) -> list[str]:
        """The convolutions whose outputs are added up, which asks for as many filters of each."""
        if "filters" not in self.asked and "kernel" not in self.asked:
            return []
        producers = {name: op for op in self.graph.ops for name in op.outputs}
        found = []
        for op in (op for op in self.graph.ops if op.kind == "elementwise" and len(op.inputs) > 1):
            made = [one for name in op.inputs if (one := conv_behind(producers, name))]
            filters = {self.graph.widths(one)[1] for one in made}
            if len(made) == len(op.inputs) and len(filters) == 1 and None not in filters:
                names = self.listed([one.name for one in made])
                found.append(self.say("filters_joined", join=op.name, layers=names, filters=filters.pop()))
        return found[:2]

    def _filters_first(self) -> list[str]:
        """What the filters of the first convolution are: so many weighted sums of what its kernel covers."""
        op = next((op for op in self.graph.ops if op.kind == "conv"), None)
        if op is None or op.groups != 1 or not op.weight_values:
            return []
        channels, filters = self.graph.widths(op)
        if channels is None or filters is None:
            return []
        taps, params = prod(w.kernel for w in op.windows), op.params or op.weight_values
        stated: dict[str, Any] = {"layer": op.name, "filters": filters, "params": params, "double": params * 2}
        stated["taps"] = in_row([*(w.kernel for w in op.windows), channels], " x ")
        stated["covered"] = taps * channels
        more = filters - taps * channels
        told_of = self.say("filters_many" if more > 0 else "filters_few", **stated) if more else ""
        return [
            self.say("filters_first" if filters > 1 else "filters_single", **stated),
            told_of,
            self.say("filters_choice", **stated),
        ]

    def _filters_up(self, other: str | None) -> str:
        """The filters of the transposed convolutions, which bring the sizes back."""
        ups = [op for op in self.graph.ops if op.kind == "conv_transpose" and op.channel_dim is not None]
        axis = other or "time"
        if len(ups) == 1 and "filters" in self.asked and None not in self.graph.widths(ups[0]):
            channels, filters = self.graph.widths(ups[0])
            return self.say("filters_taken", layer=ups[0].name, channels=channels, filters=filters)
        if len(ups) < 2 or not any(f.axis == axis for f in self.fields):
            return ""
        widths = [self.graph.widths(op)[1] for op in ups]
        dims = [dict(zip(op.dims, op.windows, strict=False)) for op in ups]
        dim = next((d for d in reversed(ups[0].dims) if any(w[d].stride > 1 for w in dims if d in w)), None)
        sizes = [self.graph.size(ups[0].inputs[0], dim or 0), *(self.graph.size(op.outputs[0], dim or 0) for op in ups)]
        if dim is None or None in widths or None in sizes or len(ups) > LONGEST_LIST:
            return ""
        return self.say("filters_up", filters=in_row(widths), sizes=in_row(sizes, " -> "), axis=self.phrases[axis])

    def _filters_frame(self, rows: Sequence[tuple[int, LayerReport]], other: str) -> list[str]:
        values = [layer.values_per_frame.value for _, layer in rows]
        first = next(f for f in self.fields if f.axis == other)
        sizes = [first.in_size] + [layer.field(other).out_size for _, layer in rows]
        if None in values or None in sizes or not all(values) or len(set(sizes[1:])) == 1:
            return []
        ratio = float(max(v for v in values if v)) / float(min(v for v in values if v))
        constant = ratio <= NEARLY_CONSTANT and rows[-1][0] >= 2 * rows[0][0]
        stated = {"axis": self.phrases[other], "sizes": in_row(sizes, " -> "), "products": in_row(values)}
        stated |= {"filters": in_row(channels for channels, _ in rows), "ratio": ratio_text(ratio)}
        verdict = "filters_constant" if constant else "filters_changing"
        return [self.say("filters_frame", **stated), self.say(verdict, first=values[0], last=values[-1], **stated)]

    def _filters_line(self, rows: Sequence[tuple[int, LayerReport]]) -> str:
        hops = [layer.field("time").hop for _, layer in rows]
        if any(not hop for hop in hops) or len(set(hops)) == 1:
            return ""
        shape = self.graph.shape(self.sources[0][0])
        start = prod(s for dim, s in enumerate(shape) if dim not in (0, self.sources[0][1].dim) and s is not None)
        each = [channels / hop for (channels, _), hop in zip(rows, hops, strict=True) if hop]
        filters, values = in_row(channels for channels, _ in rows), in_row(map(float, each))
        return self.say("filters_line", filters=filters, values=values, start=start, last=float(each[-1] / start))

    def _costliest(self) -> str:
        total = self.report.costs.macs.value
        counted = [layer for layer in self.report.layers if layer.macs.value]
        if not total or len(counted) < 2:
            return ""
        most = max(counted, key=lambda layer: layer.macs.value or 0)
        share = f"{100 * float(most.macs.value or 0) / float(total):.0f} %"
        return self.say("filters_cost", layer=most.name, share=share, params=most.params)

    # latency and streaming

    def latency(self) -> list[str]:
        field = self.time
        if field is None or not field.streams:
            return [self.say("latency_axis" if field is None else "latency_whole")]
        if field.latency is None or field.block is None or field.lookahead is None:
            return []
        stated = {**self.named(field), "block": field.block, "look": field.lookahead, "latency": field.latency}
        stated |= {"first": field.first_output_needs or 0, "ms": self.ms(field, field.latency, self.frames)}
        found = [self.say("latency_sum" if field.lookahead else "latency_now", **stated)]
        if self.frames is not None:
            window = self.frames.window_samples * 1000 / self.frames.sample_rate_hz
            found.append(self.say("latency_window", window=window))
        steps = [s for s in self.walks["time"].longest if s.op.kind != "conv_transpose"]
        shares = sorted((s for s in steps if s.ahead > 0), key=lambda s: s.ahead, reverse=True)
        if not field.ahead or field.ahead <= 0:
            found.append(self.say("latency_none"))
        elif sum(s.ahead for s in steps) == field.ahead:
            named = [self.say("latency_share", layer=s.op.name, ahead=s.ahead) for s in shares]
            found.append(self.say("latency_layers", layers=self.listed(named)))
        trap = [s for s in steps if s.window.pad_end > s.window.pad_start and not s.window.kernel % 2 and s.down == 1]
        if trap:
            names, ahead = self.listed([s.op.name for s in trap]), sum(s.ahead for s in trap)
            found.append(self.say("trap", layers=names, ahead=ahead, **self.named(field)))
        return found

    def streaming(self) -> list[str]:
        field, blocked = self.time, self.blocked
        if field is None:
            return [self.say("latency_axis")]
        if not blocked and not field.phases and not field.unbounded_past:
            return []
        if blocked:
            names = [self.say("blocked_name", name=c.operator, why=self.why(c)) for c in blocked]
            key = "blocked_one" if len(names) == 1 else "blocked"
            return [self.say(key, count=len(names), names=self.listed(names))]
        if not field.streams:
            return [self.say("streams_not")]
        state, size = self.report.costs.state, self.report.costs.state_bytes
        if state.value is None or size.value is None:
            runs = self.say("streams_unknown")
        else:
            runs = self.say("streams", state=state.value, bytes=in_bytes(size.value))
        waits = {"ahead": field.lookahead, "ms": self.ms(field, field.lookahead), **self.named(field)}
        return [runs, self.say("ahead_only", **waits) if field.lookahead else ""]

    def fix(self) -> list[str]:
        if self.time is None:
            return []
        if not self.blocked:
            return [self.say("fix_none") if self.time.lookahead == 0 else self._shifted(self.time)]
        grouped: dict[str, list[Cause]] = {}
        for cause in self.blocked:
            grouped.setdefault(FIXES.get(cause.kind, "fix_other"), []).append(cause)
        return [
            self._one_way(causes) if key == "fix_rnn" else self.say(key, names=self.causes(causes))
            for key, causes in grouped.items()
        ]

    def _tried(self, edits: Sequence[str]) -> Report | None:
        """The report on the graph after some edits; None where they do not fit it."""
        try:
            return analyse(edited(self.graph, edits))
        except ExplainError:
            return None

    def _one_way(self, causes: Sequence[Cause]) -> str:
        """What recurrences in one direction would save."""
        both = [c for c in causes if self.graph.op(c.operator).attr("bidirectional")]
        edits = [f"{name}.bidirectional=false" for name in dict.fromkeys(c.operator for c in both)]
        after = self._tried(edits) if both else None
        if after is None:
            return self.say("fix_other", names=self.causes(causes))
        stated = {name: self._times(name, after) for name in ("macs", "params")}
        return self.say("fix_rnn", names=self.causes(both), edit=edits[0], **stated) if all(stated.values()) else ""

    def _times(self, cost: str, after: Report) -> str:
        """How many times as much of a cost there is after an edit; empty where it is not known."""
        old, new = (getattr(report.costs, cost).value for report in (self.report, after))
        return ratio_text(float(new) / float(old)) if old and new else ""

    def _shifted(self, field: AxisField) -> str:
        """What moving the padding to the past brings, tried on the graph."""
        after = self._tried(["causal"])
        if after is None:
            return ""
        new = next((f for f in after.fields if (f.axis, f.input) == (field.axis, field.input)), None)
        if new is None or new.lookahead is None or field.lookahead is None or new.lookahead >= field.lookahead:
            return ""
        times = self._times("macs", after) or "1"
        cost = self.say("cost_same") if times == "1" else self.say("cost_times", macs=times)
        padded = any(s.window.pad_end > 0 for s in self.walks["time"].steps)
        key = "fix_causal" if padded or any(op.kind == "pad" for op in self.graph.ops) else "fix_shift"
        key += "_part" if new.lookahead else ""
        return self.say(key, before=field.lookahead, after=new.lookahead, cost=cost, **self.named(field))
