"""Paragraphs that are sums and formulas with their numbers in: parameters, multiply-accumulates, what groups save,
padding, depth, widths and frequency bins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from .analysis import propagate
from .counts import GATES, recurrent_weights
from .graph import Op
from .numbers import in_row, plain, ratio_text, short
from .path import Step, power_of
from .report import AxisField

if TYPE_CHECKING:
    from .wording import Writer

MOST_FORMULAS, LONGEST_LIST = 6, 12


def params(writer: Writer) -> list[str]:
    """The largest shares of the parameters, each as it comes about."""
    total = writer.report.costs.params
    if total.value is None:
        return taps(writer)
    owners = [(op, op.params) for op in writer.graph.ops if op.params]
    listed = _largest(writer, owners, lambda op, n: plain(n) + _weights(writer, op), plain)
    kinds = {op.kind for op, _ in owners}
    rules = [writer.say("params_rule")] * bool(kinds & {"conv", "conv_transpose"})
    rules += [writer.say("params_rnn")] * ("rnn" in kinds)
    norms = [op for op, _ in owners if op.attr("function") == "batch_norm"]
    rules += [writer.say("params_norm")] * any(op.weight_bytes == 8 * op.params for op in norms)  # as many buffers
    return [writer.say("params_sum", total=total.value, listed=listed), *rules]


def taps(writer: Writer) -> list[str]:
    """The weights of a stack of convolutions against one as wide as their receptive field, for one pair of channels."""
    ops, rf = writer.graph.ops, [f.rf or 0 for f in writer.report.fields]
    plain_ones = all(op.kind == "conv" and op.groups == 1 and not op.params for op in ops)
    if len(ops) < 2 or not plain_ones or any(w.stride > 1 or w.dilation > 1 for op in ops for w in op.windows):
        return []
    stack = sum(prod(w.kernel for w in op.windows) for op in ops)
    return [writer.say("params_taps", taps=stack, field=in_row(rf, " x "), single=prod(rf))]


def macs(writer: Writer) -> list[str]:
    """The largest shares of the multiply-accumulates, each as it comes about; per position where sizes are open."""
    total = writer.report.costs.macs
    costs = [(op, writer.report.layer(op.name).macs.value) for op in writer.graph.ops]
    counted = [(op, int(n)) for op, n in costs if n]
    if total.value and counted:
        listed = _largest(writer, counted, lambda op, n: short(n) + _times(writer, op, n), short)
        return [writer.say("macs_sum", total=short(total.value), listed=listed), writer.say("macs_rule")]
    each = [(op, prod(parts)) for op in writer.graph.ops if (parts := _parts(writer, op))]
    if not each:
        return []
    listed = _largest(writer, each, lambda op, n: f"{plain(n)} = {in_row(_parts(writer, op), ' x ')}", plain)
    return [writer.say("macs_open", listed=listed), writer.say("macs_rule")]


def _largest(
    writer: Writer, shares: Sequence[tuple[Op, int]], shown: Callable[[Op, int], str], sized: Callable[[int], str]
) -> str:
    """The largest shares in a row, and the sum of all others."""
    ordered = sorted(shares, key=lambda row: row[1], reverse=True)
    stated = [f"{op.name} {shown(op, n)}" for op, n in ordered[:MOST_FORMULAS]]
    rest = ordered[MOST_FORMULAS:]
    more = [writer.say("params_rest", rest=sized(sum(n for _, n in rest)))] if rest else []
    return writer.phrases["semicolon"].join([*stated, *more])


def _parts(writer: Writer, op: Op) -> list[int]:
    """The factors of a layer's weights, kernel x input channels x filters; none where they are something else."""
    inside, outside = writer.graph.widths(op)
    if op.kind not in {"linear", "conv", "conv_transpose"} or not op.weight_values or not inside or not outside:
        return []
    parts = [*(w.kernel for w in op.windows), inside // op.groups, outside]
    return parts if prod(parts) == op.weight_values else []


def _weights(writer: Writer, op: Op) -> str:
    """` = kernel x channels x filters + bias`, in numbers; empty where it is another sum."""
    parts = _parts(writer, op)
    formula = in_row(parts, " x ") if parts else _recurrent(writer, op)
    bias = op.params - (op.weight_values or 0)
    return f" = {formula}{f' + {plain(bias)}' if bias else ''}" if formula and bias >= 0 else ""


def _recurrent(writer: Writer, op: Op) -> str:
    """gates x hidden x (input + hidden) for each layer and direction; empty for what is no plain recurrence."""
    inside = (
        writer.graph.size(op.inputs[0], op.channel_dim) if op.kind == "rnn" and op.channel_dim is not None else None
    )
    cell, hidden, layers = op.attr("cell"), op.attr("hidden", 0), op.attr("layers", 1)
    if not inside or cell not in GATES or recurrent_weights(cell, inside, hidden, layers, op.ways) != op.weight_values:
        return ""
    later = op.ways * hidden
    runs = [(layers, inside)] if inside == later else [(1, inside), *([(layers - 1, later)] if layers > 1 else [])]
    terms = [
        in_row([n for n in (count, op.ways) if n > 1] + [GATES[cell], hidden], " x ")
        + f" x ({plain(size)} + {plain(hidden)})"
        for count, size in runs
    ]
    return " + ".join(terms)


def _times(writer: Writer, op: Op, macs: int) -> str:
    """` = weights x positions`, in numbers; empty where the cost is something else."""
    parts = _parts(writer, op)
    if not parts or macs % prod(parts):
        return ""
    return f" = {in_row([*parts, macs // prod(parts)], ' x ')}"


def separable(writer: Writer) -> list[str]:
    """The first depthwise layer that a 1 x 1 convolution follows, against one standard convolution."""
    convs = [op for op in writer.graph.ops if op.kind == "conv"]
    for op, point in pairwise(convs):
        (channels, between), filters = writer.graph.widths(op), writer.graph.widths(point)[1]
        taps = prod(w.kernel for w in op.windows)
        if channels is None or op.groups != channels or channels == 1 or taps == 1:
            continue
        if point.groups != 1 or prod(w.kernel for w in point.windows) != 1:
            continue
        if filters is None or between != channels:
            break
        costs = [writer.report.layer(one.name).macs.value for one in (op, point)]
        key = "separable_each" if None in costs else "separable"
        costs = [taps * channels, channels * filters] if None in costs else costs  # of one position
        cost, standard = sum(int(c or 0) for c in costs), int(costs[0] or 0) * filters
        stated = {"filters": filters, "taps": taps, "channels": channels, "power": power_of(op.windows)}
        stated |= {"cost": short(cost), "standard": short(standard), "ratio": ratio_text(cost / standard)}
        return [writer.say(key, depthwise=op.name, pointwise=point.name, **stated)]
    grouped = next((op for op in convs if op.groups > 1), None)
    return [_grouped(writer, grouped)] if grouped and "separable" in writer.asked else []


def _grouped(writer: Writer, op: Op) -> str:
    """A convolution in groups against one that is not."""
    (inside, filters), groups = writer.graph.widths(op), op.groups
    if not inside or not filters:
        return ""
    cost = prod(w.kernel for w in op.windows) * inside // groups * filters
    stated = {"layer": op.name, "groups": groups, "each": inside // groups, "channels": inside, "filters": filters}
    return writer.say("grouped", cost=cost, standard=cost * groups, **stated)


def padding(writer: Writer) -> list[str]:
    """What the padding of each layer does along each axis."""
    laid = [op for op in writer.graph.ops if op.kind == "pad"]
    found = []
    met = set[str]()  # the layers of padding that are right before a window
    for field in writer.fields:
        path = writer.walks[field.axis].longest
        alike: dict[tuple[int, int, int], list[Step]] = {}
        for step in (s for s in path if s.op.kind in {"conv", "pool"} and s.window.reach > 1):
            w = step.window
            before = next((op for op in laid if op.outputs[0] == step.op.inputs[0]), None)
            met.update([before.name] if before else [])
            start, end = _ends(before, step.dim) if before else (0, 0)
            if before and (start or end):
                w = replace(w, pad_start=w.pad_start + max(0, start), pad_end=w.pad_end + max(0, end))
                step = replace(step, window=w, op=step.op.with_(name=f"{before.name} + {step.op.name}"))
            elif laid and not before and not w.pad_start and not w.pad_end:
                continue  # a layer before it may have padded for it
            alike.setdefault((w.reach, w.pad_start, w.pad_end), []).append(step)
        found += [
            writer.say(
                key,
                layers=s.op.name,
                start=w.pad_start,
                end=w.pad_end,
                extra=w.output_padding,
                stride=w.stride,
                **writer.named(field),
            )
            for s in path
            if s.op.kind == "conv_transpose"
            for w in [s.window]
            for key, there in (("pad_crop", w.pad_start or w.pad_end), ("pad_output", w.output_padding))
            if there
        ][:MOST_FORMULAS]
        found += [_padded(writer, field, group) for group in list(alike.values())[:MOST_FORMULAS]]
        source = next((one for one in writer.sources if one[1].name == field.axis), None)
        seen = propagate(writer.graph, *source) if source and laid else {}
        rest: dict[tuple[int, int], list[str]] = {}
        for op in (op for op in laid if op.name not in met):
            parts = seen[op.inputs[0]].parts if op.inputs[0] in seen else ()
            for dim in (dim for dim in op.dims if any(dim in part.moving for part in parts)):
                rest.setdefault(_ends(op, dim), []).append(op.name)
        for start, end in [ends for ends in rest if any(ends)][:MOST_FORMULAS]:
            stated = {**writer.named(field), "layers": writer.listed(rest[start, end]), "start": start, "end": end}
            found.append(writer.say("pad_cut" if end < 0 == start else "pad_own", less=-end, **stated))
    return [*found, writer.say("pad_rule")] if found else []


def _ends(op: Op, dim: int) -> tuple[int, int]:
    """What a layer of padding puts before and after along a dim."""
    at = op.dims.index(dim) if dim in op.dims else None
    return (0, 0) if at is None else (op.attr("before")[at], op.attr("after")[at])


def _padded(writer: Writer, field: AxisField, steps: Sequence[Step]) -> str:
    """What the same padding in front of the same kernel does, in all layers that have it."""
    w = steps[0].window
    need, total = w.reach - 1, w.pad_start + w.pad_end
    stated = {**writer.named(field), "layers": writer.listed([s.op.name for s in steps]), "need": need}
    stated |= {"start": w.pad_start, "end": w.pad_end, "less": need - total, "more": total - need}
    stated["ahead"] = need - w.pad_start
    if not total:
        return writer.say("pad_none", **stated)
    if w.pad_start >= need:
        return writer.say("pad_causal" if total == need else "pad_causal_more", **stated)
    return writer.say("pad_even" if total == need else "pad_less" if total < need else "pad_more", **stated)


def depth(writer: Writer) -> list[str]:
    """How field and hop grow from layer to layer."""
    counted = writer.graph.ops[0].attr("counted")
    found = [writer.say("depth_counted", sum=counted)] if counted else []
    for field in writer.fields:
        names = {step.op.name for step in writer.walks[field.axis].longest}
        seen = [
            one
            for layer in writer.report.layers
            if layer.name in names
            for one in layer.fields
            if (one.axis, one.input) == (field.axis, field.input) and one.rf and one.hop
        ]
        if 1 < len(seen) <= LONGEST_LIST:
            rows = {"fields": in_row(one.rf for one in seen), "hops": in_row(one.hop for one in seen)}
            found.append(writer.say("depth_grows", count=len(seen), **rows, **writer.named(field)))
    return [*found, writer.say("depth_choice")] if found else []


def powers(writer: Writer) -> list[str]:
    """Why widths are powers of two, and which of these are no multiple of 8."""
    made = [(op.name, writer.graph.widths(op)[1]) for op in writer.graph.ops if op.kind in {"conv", "conv_transpose"}]
    odd = [f"{name} ({width})" for name, width in made if width and width % 8]
    return [writer.say("powers_rule"), *([writer.say("powers_odd", layers=writer.listed(odd))] if odd else [])]


def wider(writer: Writer) -> list[str]:
    """That filters do not reach further."""
    return [writer.say("filters_not_field")] if any(op.kind == "conv" for op in writer.graph.ops) else []


def branches(writer: Writer) -> list[str]:
    """What each concatenation of channels puts side by side, and what keeps branches of several inputs apart."""
    graph = writer.graph
    made = {name: op.name for op in graph.ops for name in op.outputs}
    over = {axis.dim for axes in graph.axes.values() for axis in axes}
    joined = [op for op in graph.ops if op.kind == "concat" and not over & {*op.dims}]
    found = []
    for op in joined[:MOST_FORMULAS]:
        widths = [graph.shape(name)[op.dims[0]] for name in op.inputs]
        if None not in widths:
            row = in_row(widths, " + ")
            names = writer.listed([made.get(name, name) for name in op.inputs])
            found.append(writer.say("branches_join", join=op.name, layers=names, sum=row, total=sum(widths)))
    behind: dict[str, set[str]] = {name: {name} for name in graph.inputs}  # the inputs that each tensor comes from
    for op in graph.ops:
        behind |= dict.fromkeys(op.outputs, set().union(*(behind.get(name, set()) for name in op.inputs)))
    ends = [behind[name] for op in joined[:1] for name in op.inputs]
    shared = any(op.weight_values and not op.params for op in graph.ops)
    if (
        found
        and len(graph.inputs) > 1
        and sorted(map(sorted, ends)) == [[name] for name in sorted(graph.inputs)]
        and not shared
    ):
        found.append(writer.say("branches_apart", count=len(graph.inputs), join=joined[0].name))
    return found


def bias(writer: Writer) -> list[str]:
    """What a norm of each channel does to a bias before it."""
    made = {name: op for op in writer.graph.ops for name in op.outputs}
    for norm in (op for op in writer.graph.ops if op.attr("function") == "batch_norm"):
        op = made.get(norm.inputs[0])
        if op is not None and op.kind in {"conv", "conv_transpose"} and (filters := writer.graph.widths(op)[1]):
            return [writer.say("bias_shifted", layer=op.name, norm=norm.name, filters=filters)]
    return []


def bins(writer: Writer) -> list[str]:
    """Where a number of frequency bins comes from."""
    if (points := writer.graph.ops[0].attr("transform")) and writer.time:
        stated = {"points": points, "bins": points // 2 + 1}
        apart = writer.time.rate_hz and writer.say("bins_apart", hz=writer.time.rate_hz / points)
        return [writer.say("bins_transform", apart=apart or "", **stated)]
    size = next((f.in_size for f in writer.fields if f.axis == "freq" and f.in_size and f.in_size % 2), None)
    return [] if size is None else [writer.say("bins_rule", bins=size, window=2 * (size - 1), ms=(size - 1) / 8)]
