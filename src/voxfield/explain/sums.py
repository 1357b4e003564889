"""What is said of parameters, multiply-accumulates and padding: sums and formulas with their numbers in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING

from .analysis import propagate
from .counts import GATES, recurrent_weights
from .graph import Op
from .numbers import in_row, plain, short
from .path import Step, power_of
from .report import AxisField

if TYPE_CHECKING:
    from .wording import Writer

MOST_FORMULAS = 6


def params_sentences(writer: Writer) -> list[str]:
    """The largest shares of the parameters, each as it comes about."""
    total = writer.report.costs.params
    if total.value is None:
        return []
    owners = [(op, op.params) for op in writer.graph.ops if op.params]
    listed = _largest(writer, owners, lambda op, n: plain(n) + _weights(writer, op), plain)
    kinds = {op.kind for op, _ in owners}
    rules = [writer.say("params_rule")] if kinds != {"rnn"} else []
    return [
        writer.say("params_sum", total=total.value, listed=listed),
        *rules,
        writer.say("params_rnn") if "rnn" in kinds else "",
    ]


def macs_sentences(writer: Writer) -> list[str]:
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


def grouped_sentence(writer: Writer, op: Op) -> str:
    """A convolution in groups against one that is not."""
    (inside, filters), taps = writer.graph.widths(op), prod(w.kernel for w in op.windows)
    if not inside or not filters or op.groups < 2:
        return ""
    cost, groups = taps * inside // op.groups * filters, op.groups
    stated = {"layer": op.name, "groups": groups, "each": inside // groups, "channels": inside, "filters": filters}
    return writer.say("grouped", cost=cost, standard=cost * groups, power=power_of(op.windows), **stated)


def padding_sentences(writer: Writer) -> list[str]:
    """What the padding of each layer does along each axis."""
    laid = [op for op in writer.graph.ops if op.kind == "pad"]
    found = []
    for field in writer.fields:
        steps = [s for s in writer.walks[field.axis].longest if s.op.kind in {"conv", "pool"} and s.window.reach > 1]
        alike: dict[tuple[str, ...], list[Step]] = {}
        for step in steps:
            w = step.window
            if laid and not w.pad_start and not w.pad_end:
                continue  # a layer before it may have padded for it
            alike.setdefault((str(w.reach), str(w.pad_start), str(w.pad_end)), []).append(step)
        found += [_padded(writer, field, alike_steps) for alike_steps in list(alike.values())[:MOST_FORMULAS]]
        source = next((one for one in writer.sources if one[1].name == field.axis), None)
        seen = propagate(writer.graph, *source) if source and laid else {}
        for op in laid:
            parts = seen[op.inputs[0]].parts if op.inputs[0] in seen else ()
            for dim, before, after in zip(op.dims, op.attr("before"), op.attr("after"), strict=True):
                if any(dim in part.moving for part in parts):
                    stated = {**writer.named(field), "layer": op.name, "start": before, "end": after}
                    found.append(writer.say("pad_own", **stated))
    return [*found, writer.say("pad_rule")] if found else []


def _padded(writer: Writer, field: AxisField, steps: Sequence[Step]) -> str:
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
