"""One table: for every operator kind, how it moves fields, what it multiplies, and what a stream must keep of it.

A new operator is one row of `RULES`, with three functions: `field` maps the fields of the inputs to those of the
outputs along one axis (see `moves` and `joins`), `macs` counts multiply-accumulates and `state` counts the values of
its streaming state (see `counts`). `None` from a count means that it cannot be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .counts import (
    CountRule,
    attention_macs,
    attention_state,
    cannot_say,
    conv_macs,
    cumulative_state,
    einsum_macs,
    linear_macs,
    no_macs,
    no_state,
    rnn_macs,
    rnn_state,
    window_state,
)
from .field import Field, TableTooLargeError, united
from .graph import Op
from .joins import (
    at_rest,
    attention_field,
    broadcast_field,
    concat_field,
    cumulative_field,
    einsum_field,
    linear_field,
    no_field,
    norm_field,
    reduce_field,
    rnn_field,
    same_field,
    unknown_field,
)
from .moves import (
    FieldRule,
    Place,
    adaptive_field,
    conv_field,
    flip_field,
    fold_field,
    gather_field,
    pad_field,
    permute_field,
    pool_field,
    reshape_field,
    roll_field,
    select_field,
    slice_field,
    unfold_field,
    upsample_field,
)


@dataclass(frozen=True)
class Rule:
    """What one operator kind does: `field`, `macs` and `state`, as the top of this file says."""

    field: FieldRule
    macs: CountRule = no_macs
    state: CountRule = no_state


RULES: dict[str, Rule] = {
    "conv": Rule(conv_field, conv_macs, window_state),
    "conv_transpose": Rule(conv_field, conv_macs, window_state),
    "pool": Rule(pool_field, state=window_state),
    "adaptive_pool": Rule(adaptive_field),
    "upsample": Rule(upsample_field),
    "pad": Rule(pad_field),
    "slice": Rule(slice_field),
    "select": Rule(select_field),
    "gather": Rule(gather_field),
    "flip": Rule(flip_field),
    "roll": Rule(roll_field),
    "concat": Rule(concat_field),
    "stack": Rule(concat_field),
    "elementwise": Rule(broadcast_field),
    "expand": Rule(broadcast_field),
    "norm": Rule(norm_field),
    "softmax": Rule(norm_field),
    "reduce": Rule(reduce_field),
    "cumulative": Rule(cumulative_field, state=cumulative_state),
    "linear": Rule(linear_field, linear_macs),
    "einsum": Rule(einsum_field, einsum_macs),
    "attention": Rule(attention_field, attention_macs, attention_state),
    "rnn": Rule(rnn_field, rnn_macs, rnn_state),
    "reshape": Rule(reshape_field),
    "permute": Rule(permute_field),
    "unfold": Rule(unfold_field, state=window_state),
    "fold": Rule(fold_field, state=window_state),
    "fft": Rule(linear_field, cannot_say),
    "identity": Rule(same_field),
    "constant": Rule(no_field),
}
UNKNOWN = Rule(unknown_field, cannot_say, cannot_say)


def rule_for(op: Op) -> Rule:
    """The row of the table for an operator; operators without one are listed as unknown, never counted as zero."""
    return RULES.get(op.kind, UNKNOWN)


def fields_after(place: Place, fields: Sequence[Field]) -> list[Field]:
    """The fields of an operator's outputs; a movement too irregular to write down counts as "sees everything"."""
    try:
        return rule_for(place.op).field(place, fields)
    except TableTooLargeError:
        cause = place.cause("an irregular rearrangement of", False)
        shut = []
        for out in place.outs:
            parts = [
                at_rest(p.fixed(shape, cause), len(out))
                for field, shape in zip(fields, place.ins, strict=False)
                for p in field.parts
            ]
            shut.append(replace(fields[0], parts=united(parts)))
        return shut
