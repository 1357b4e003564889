"""One table: for every operator kind, how it moves fields, what it multiplies, and what a stream must keep of it.

A new operator is one row of `RULES`, with three functions: `field` maps the fields of the inputs to those of the
outputs along one axis (see `moves` and `joins`), `macs` counts multiply-accumulates and `state` counts the values of
its streaming state (see `counts`). `None` from a count means that it cannot be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import counts, joins, moves
from .counts import CountRule
from .field import Field, LostError, TableTooLargeError, united
from .graph import Op
from .moves import FieldRule, Place, each


@dataclass(frozen=True)
class Rule:
    """What one operator kind does: `field`, `macs` and `state`, as the top of this file says."""

    field: FieldRule
    macs: CountRule = counts.nothing
    state: CountRule = counts.nothing


RULES: dict[str, Rule] = {
    "conv": Rule(each(moves.conv), counts.kernel_macs, counts.window_state),
    "conv_transpose": Rule(each(moves.conv), counts.kernel_macs, counts.window_state),
    "pool": Rule(each(moves.pool), state=counts.window_state),
    "adaptive_pool": Rule(each(moves.adaptive_pool)),
    "upsample": Rule(each(moves.upsample)),
    "pad": Rule(each(moves.pad)),
    "slice": Rule(each(moves.slice_)),
    "select": Rule(each(moves.select)),
    "gather": Rule(each(moves.gather)),
    "flip": Rule(each(moves.flip)),
    "roll": Rule(each(moves.roll)),
    "concat": Rule(joins.concat_field),
    "stack": Rule(joins.concat_field),
    "elementwise": Rule(joins.broadcast_field),
    "expand": Rule(joins.broadcast_field),
    "norm": Rule(each(joins.norm)),
    "softmax": Rule(each(joins.norm)),
    "reduce": Rule(each(joins.reduction)),
    "cumulative": Rule(each(joins.cumulative), state=counts.cumulative_state),
    "linear": Rule(each(joins.linear), counts.kernel_macs),
    "einsum": Rule(joins.einsum_field, counts.einsum_macs),
    "attention": Rule(joins.attention_field, counts.attention_macs, counts.attention_state),
    "rnn": Rule(joins.rnn_field, counts.kernel_macs, counts.rnn_state),
    "reshape": Rule(each(moves.reshape)),
    "permute": Rule(each(moves.permute)),
    "unfold": Rule(each(moves.unfold), state=counts.window_state),
    "fold": Rule(each(moves.fold), state=counts.window_state),
    "fft": Rule(each(joins.linear), counts.cannot_say),
    "identity": Rule(lambda place, fields: [fields[0] if fields else Field()] * len(place.outs)),
    "constant": Rule(lambda place, fields: [Field()] * len(place.outs)),
}
IRREGULAR = "an irregular rearrangement of"  # the axis: what follows may depend on any of it
UNKNOWN = Rule(joins.unknown_field, counts.cannot_say, counts.cannot_say)


def rule_for(op: Op) -> Rule:
    """The row of the table for an operator; operators without one are listed as unknown, never counted as zero."""
    return RULES.get(op.kind, UNKNOWN)


def fields_after(place: Place, fields: Sequence[Field]) -> list[Field]:
    """The fields of an operator's outputs; a movement too irregular to write down counts as "sees everything"."""
    try:
        return rule_for(place.op).field(place, fields)
    except LostError:
        gone = frozenset({place.op.name}).union(*(field.missing for field in fields))
        return [Field((), gone, lost=True)] * len(place.outs)
    except TableTooLargeError:
        cause = place.cause(IRREGULAR, False)
        shut = []
        for out in place.outs:
            parts = [
                joins.at_rest(p.fixed(shape, cause), len(out))
                for field, shape in zip(fields, place.ins, strict=False)
                for p in field.parts
            ]
            shut.append(replace(fields[0], parts=united(parts)))
        return shut
