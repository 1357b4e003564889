"""How operators that combine elements join fields: sums, concatenations, norms, products, recurrences.

What contracts a dim that moves makes the result depend on everything along it; the `Cause` names the operator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from math import lcm
from operator import or_

from ..errors import ExplainError
from .field import STILL, UNKNOWN, Copies, Field, Gather, LostError, Part, Span, Step, entry, hull, united
from .graph import Shape, Size
from .moves import Place, contract, shift_gather, shown
from .report import Cause


class RatesDifferError(ExplainError):
    """Branches that advance at different rates meet; `first` and `second` say which operands."""

    def __init__(self, first: int, second: int, rates: tuple[Fraction, Fraction]) -> None:
        super().__init__(f"operands {first} and {second} advance {rates[0]} and {rates[1]} input positions per element")
        self.first, self.second, self.rates = first, second, rates


def met(operands: Sequence[Field], sizes: Sequence[Size], cause: Cause) -> Field:
    """The field where operands of one shape meet element by element.

    Raises:
        RatesDifferError: two of them move along the same dim at different rates.
    """
    first = operands[0].parts if operands else ()
    missing = frozenset[str]().union(*(f.missing for f in operands))
    lost = any(f.lost for f in operands)
    if len(first) == 1 and all(not o.parts or o.parts == first for o in operands):  # nothing to bring together
        return Field(first, missing, lost)
    parts: list[Part] = []
    seen: dict[int, tuple[int, Step]] = {}
    for number, operand in enumerate(operands):
        for part in operand.parts:
            kept = part
            for dim in part.moving:
                rate = part.rates[dim]
                other, known = seen.setdefault(dim, (number, rate))
                if known == (rate[0], -rate[1]):  # one of them runs backwards: every element sees both ends
                    kept = part.fixed(sizes, cause)
                elif known != rate and other != number:
                    raise RatesDifferError(other, number, (Fraction(known[1], known[0]), part.hops[dim]))
            parts.append(kept)
    return Field(united(parts), missing, lost)


def aligned(part: Part, shape: Shape, out: Shape, cause: Cause) -> Part:
    """A broadcast operand's part, seen from the dims of the result."""
    for _ in range(len(out) - len(shape)):
        part = part.inserted(0)
    for dim, (size, wanted) in enumerate(zip((1,) * (len(out) - len(shape)) + shape, out, strict=True)):
        if size == 1 and wanted != 1:
            part = part.frozen(dim, 0, cause)
    return part


def broadcast_field(place: Place, fields: Sequence[Field]) -> list[Field]:
    out = place.outs[0]
    cause = place.cause("one position is shared by all of", True)
    if any(shape != out for shape in place.ins):
        fields = [
            field.map(lambda part, s=shape: aligned(part, s, out, cause))  # type: ignore[misc]
            for field, shape in zip(fields, place.ins, strict=True)
        ]
    return [met(fields, out, place.cause("a reversed copy is joined to", False))] * len(place.outs)


def concat_field(place: Place, fields: Sequence[Field]) -> list[Field]:
    dim, shapes = place.op.dims[0], place.ins
    if place.op.kind == "stack":
        fields = [field.map(lambda part: part.inserted(dim)) for field in fields]
        shapes = tuple((*shape[:dim], 1, *shape[dim:]) for shape in shapes)
    return [joined(place, fields, [shape[dim] for shape in shapes], dim)]


def reads(field: Field) -> bool:
    """True when some element depends on the axis at all."""
    return any(span is not None for part in field.parts for span in part.table)


def joined(place: Place, fields: Sequence[Field], sizes: Sequence[Size], dim: int) -> Field:
    """The field of a concatenation. Along a moving dim short operands beside a long one are edges: padding, context or
    state. Without such a long one each index has an entry of its own, or nothing is known where sizes are not."""
    out, offset, placed = place.outs[0], 0, []
    cause = place.cause("a reversed copy is joined to", False)
    for field, size in zip(fields, sizes, strict=True):
        placed.append((field, size, offset))
        offset += UNKNOWN if size is None else size
    moving = [(part, size, at) for field, size, at in placed for part in field.parts if part.steps[dim][1]]
    rest = [replace(f, parts=tuple(p for p in f.parts if not p.steps[dim][1])) for f in fields]
    parts: list[Part] = []
    if moving:
        total = None if None in sizes else offset
        shifted = [part.gathered(dim, shift_gather(-at), size, total) for part, size, at in moving]
        lengths = [UNKNOWN if size is None else size for _, size, _ in moving]
        main = lengths.index(max(lengths))
        longest = shifted[main]
        same = [(p.steps, p.table) == (longest.steps, longest.table) for p in shifted]
        alone = sum(map(reads, fields)) == 1  # everything beside it is state, context or padding
        alike = all(abs(p.hops[dim]) == abs(longest.hops[dim]) for p in shifted)
        long = alike and 4 * sum(n for n, one in zip(lengths, same, strict=True) if one) >= 3 * sum(lengths)
        if alone or all(same) or long:
            part, size, at = moving[main]
            before = at % UNKNOWN  # a context of unknown length counts as none
            beside = [(p, n, o) for (p, n, o), q in zip(moving, shifted, strict=True) if q.table[0] != longest.table[0]]
            for number, (f, n) in enumerate(zip(rest, sizes, strict=True)):
                if n is not None and 4 * n <= offset:  # one value of the whole axis beside it
                    beside += [(p, n, placed[number][2]) for p in f.parts if p.stopped]
                    rest[number] = replace(f, parts=tuple(p for p in f.parts if not p.stopped))
            part = part.gathered(dim, shift_gather(-before), size, total).blamed(shifted)
            copies = [laid(place, dim, moving[main], one, total) for one in beside]
            parts.append(replace(part, copies=reduce(or_, copies, part.copies)))
        elif None in sizes:
            raise LostError
        else:
            parts.extend(in_turn([([part], size, at) for part, size, at in moving], dim, offset))
    check = met(rest, out, cause)  # refuses branches at different rates
    if None in sizes:
        parts.extend(check.parts)
    else:
        blank = sum(size or 0 for field, size, _ in placed if not field.parts)
        pieces = [(f.parts, s, at) for f, (_, s, at) in zip(rest, placed, strict=True)]
        parts.extend(in_turn(pieces, dim, offset, blank))
    return replace(check, parts=united(parts))


def laid(place: Place, dim: int, main: tuple[Part, Size, int], beside: tuple[Part, Size, int], total: Size) -> Copies:
    """What a short operand shows beside the long one."""
    (long, length, at), (part, size, spot) = main, beside
    bounds = [long.standing(dim, i) for i in (0, (UNKNOWN if length is None else length) - 1)]
    if size is None or total is None:
        seen = hull(part.standing(dim, i) for i in (0, (UNKNOWN if size is None else size) - 1))
        rows: list[list[Span]] = [[seen] * (spot < at), [seen] * (spot > at)]
        return shown(place, long.steps[dim][1], bounds, *rows).anywhere()
    row = [part.standing(dim, i) for i in range(size)]
    before, after = [None] * spot + row, [None] * (total - spot - size) + row[::-1]
    rows = [before * (spot < at), after * (spot > at)]
    return shown(place, long.steps[dim][1], bounds, *rows)


def in_turn(pieces: Sequence[tuple[Sequence[Part], Size, int]], dim: int, total: int, blank: int = 0) -> list[Part]:
    """Parts laid one after the other along a dim: one entry per index, united where they move alike elsewhere.

    `blank` of the `total` elements are constants, padding or state, which see nothing and stand for more of the same.
    """
    groups: dict[tuple[object, ...], list[tuple[Part, int, int]]] = {}
    for parts, size, at in pieces:
        for part in parts:
            key = (part.stopped, *(rate for d, rate in enumerate(part.rates) if d != dim))
            groups.setdefault(key, []).append((part, size or 0, at))
    found: list[Part] = []
    for members in groups.values():
        one, covered = members[0][0], sum(size for _, size, _ in members)
        alike = all(part.steps == one.steps and part.table == one.table for part, _, _ in members)
        if alike and covered + blank == total and (len(members) == 1 or one.steps[dim] == STILL):
            found.append(one.blamed(part for part, _, _ in members))
            continue
        periods = [lcm(*(part.steps[d][0] for part, _, _ in members)) for d in range(len(members[0][0].steps))]
        rows: list[list[Span]] = []
        for part, size, at in members:
            own = [p if d != dim else part.steps[d][0] for d, p in enumerate(periods)]
            long = part.repeated(own)
            for r, row in enumerate(long.row(dim)):
                if r == len(rows):
                    rows.append([None] * total)
                for i in range(size):
                    rows[r][at + i] = hull((rows[r][at + i], entry(row, long.steps[dim], i)))
        first = members[0][0]
        own = [p if d != dim else first.steps[d][0] for d, p in enumerate(periods)]
        base = first.repeated(own).blamed(part for part, _, _ in members)
        found.append(base.with_rows(dim, (total, 0), rows).straightened(dim, total))
    return found


def norm(place: Place, part: Part) -> Part:
    """Normalisation: the value itself passes; mean and variance bring in everything they were taken over."""
    op, sizes = place.op, place.ins[0]
    softmax = op.kind == "softmax"
    over, grouped = (op.dims, 1) if softmax else (op.attr("over"), op.groups)
    cause = place.cause("softmax over" if softmax else "mean and variance over", True)
    moves = any(part.steps[dim][1] for dim in over)
    if moves and part.elsewhere(over, sizes):  # statistics of one stretch of the axis: still a bounded field
        for dim in over:
            part = part.contracted(dim, sizes, cause)
        return part
    if moves or folded(part, over):
        part = part.flagged([size if d in over else 1 for d, size in enumerate(sizes)], "whole", cause)
    for dim in over:
        size = sizes[dim]
        if part.steps[dim][1] or part.steps[dim] == STILL or folded(part, over):
            continue
        if dim == op.channel_dim and grouped > 1 and size is not None:
            wide = size // grouped
            gather = Gather(wide, wide, lambda n, e=wide: range(n // e * e, n // e * e + e))  # type: ignore[misc]
            part = part.gathered(dim, gather, size, size)
        else:
            part = part.contracted(dim, sizes, cause)
    return part


def folded(part: Part, dims: Sequence[int]) -> bool:
    """True when positions of the axis lie folded into one of these dims, one entry per index."""
    return not part.stopped and not part.moving and any(part.steps[dim] != STILL for dim in dims)


def reduction(place: Place, part: Part) -> Part:
    dims = place.op.dims
    part = contract(place, part, dims, f"{place.op.attr('function', 'mean')} over", True)
    for dim in () if place.op.attr("keepdim", False) else sorted(dims, reverse=True):
        part = part.dropped(dim)
    return part


def cumulative(place: Place, part: Part) -> Part:
    dim, cause, shape = place.op.dims[0], place.cause("running sums over", True), place.ins[0]
    advance, size = part.steps[dim][1], shape[dim]
    if not advance:
        return part
    if part.elsewhere((dim,), shape) and size is not None:
        return part.prefixed(dim, size, False)
    return part.flagged(shape, "future" if advance < 0 else "past", cause)


def linear(place: Place, part: Part) -> Part:
    return contract(place, part, place.op.dims, "one weight for each position of", False)


def einsum_field(place: Place, fields: Sequence[Field]) -> list[Field]:
    op, out = place.op, place.op.attr("output")
    seen = []
    for field, labels, shape in zip(fields, op.attr("labels"), place.ins, strict=True):
        cause = place.cause("a product over all of", False)
        shared = place.cause("one position is shared by all of", True)

        def change(part: Part, labels: str = labels, shape: Shape = shape, c: Cause = cause, s: Cause = shared) -> Part:
            sizes = list(shape)
            for dim in reversed(range(len(labels))):
                if labels[dim] not in out:
                    part = part.contracted(dim, sizes, c).dropped(dim)
                    del sizes[dim]
                elif shape[dim] == 1 and place.outs[0][out.index(labels[dim])] != 1:
                    part = part.frozen(dim, 0, s)
            kept = [label for label in labels if label in out]
            part = part.permuted([kept.index(label) for label in out if label in kept])
            for dim, label in enumerate(out):
                if label not in kept:
                    part = part.inserted(dim)
            return part

        seen.append(field.map(change))
    return [met(seen, place.outs[0], place.cause("a reversed copy is joined to", False))]


def attention_field(place: Place, fields: Sequence[Field]) -> list[Field]:
    """Queries stay where they are; keys and values come from every position (or every earlier one)."""
    op, seq = place.op, place.op.dims[0]
    cause = place.cause("attention over", False)
    seen = []
    for number, (field, shape) in enumerate(zip(fields[:3], place.ins, strict=False)):

        def change(part: Part, shape: Shape = shape, query: bool = number == 0) -> Part:
            if op.channel_dim is not None:
                part = part.contracted(op.channel_dim, shape, cause)
            if query or part.steps[seq] == STILL:
                return part
            if op.attr("causal") and part.steps[seq][1]:
                return part.flagged(shape, "future" if part.steps[seq][1] < 0 else "past", cause)
            return part.contracted(seq, shape, cause)

        seen.append(field.map(change))
    return [met(seen, place.outs[0], cause)] * len(place.outs)


def rnn_field(place: Place, fields: Sequence[Field]) -> list[Field]:
    op, seq, shape = place.op, place.op.dims[0], place.ins[0]
    past, both, reverse = place.cause("recurrence over", False), op.attr("bidirectional"), bool(op.attr("reverse"))
    whole = place.cause("recurrence in both directions over", False)

    def change(part: Part) -> Part:
        if op.channel_dim is not None:
            part = contract(place, part, (op.channel_dim,), "features hold every position of", False)
        advance, size = part.steps[seq][1], shape[seq]
        if not advance:  # one step of a stream: its state carries the past in
            stream = op.attr("stateful") and part.pace is not None and place.axis == "time"
            return part.flagged((), "past", past) if stream else part
        if part.elsewhere((seq,), shape) and size is not None:  # it starts anew in every stretch
            return part.contracted(seq, shape, whole) if both else part.prefixed(seq, size, reverse)
        if both:
            return part.flagged(shape, "whole", whole)
        part = part.filled(seq, reverse)
        return part.flagged(shape, "future" if (advance < 0) != reverse else "past", past)

    seen = fields[0].map(change)
    last = seen.map(lambda part: contract(place, part, (seq,), "the last state has seen all of", False))
    ranks = map(len, place.outs[1:])
    return [seen, *(last.map(lambda part, n=rank: at_rest(part, n)) for rank in ranks)]  # type: ignore[misc]


def at_rest(part: Part, rank: int) -> Part:
    """A part whose movement has ended, in a tensor of another rank."""
    return replace(part, steps=(STILL,) * rank, table=(hull(part.table),))


REORDERS = re.compile(r"gather|index|sort|top_?k|roll|scatter|take|permut|shuffle|flip|rot\d|revers", re.IGNORECASE)


def unknown_field(place: Place, fields: Sequence[Field]) -> list[Field]:
    """Without a rule: passed on when the shape stays (and said so), lost when it changes or elements change places."""
    name = frozenset({place.op.name})
    found = []
    for out in place.outs:
        like = [field for field, shape in zip(fields, place.ins, strict=False) if shape == out]
        like = [] if REORDERS.search(place.op.source) else like
        if like:
            both = met(like, out, place.cause("a reversed copy is joined to", False))
            found.append(replace(both, missing=both.missing | name))
        else:
            found.append(Field((), name.union(*(f.missing for f in fields)), lost=True))
    return found
