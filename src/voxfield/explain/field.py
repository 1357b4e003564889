"""Which input positions every element of a tensor depends on, exactly and without running anything.

Along one axis of one input, the dependence of a tensor is a sum of `Part`s. In one part, the element at index
(n_0, n_1, ...) depends on the input positions

    table[n_0 mod p_0, n_1 mod p_1, ...]  +  (n_0 div p_0) * a_0 + (n_1 div p_1) * a_1 + ...

where every entry of the table is an interval (start, end) of whole numbers, or None for "nothing". (p_d, a_d) is the
`Step` of dim d: after p_d elements everything has moved by a_d input positions, so the hop along that dim is the exact
fraction a_d / p_d. A convolution, a pooling, a slice, an upsampling, a transposed convolution: each gathers elements
along one dim (`Gather`), and gathering keeps this form. So does splitting, merging or permuting dims, which is how
fields are followed through reshapes, channel splits and overlapping windows.

Intervals are those of an output far from the edges: positions before 0 and after the end count as existing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, reduce
from itertools import product, zip_longest
from math import gcd, lcm, prod
from operator import or_
from typing import Literal

from .graph import Size
from .report import Cause

Span = tuple[int, int] | None
Step = tuple[int, int]  # (period, advance)
Beyond = Literal["whole", "past", "future"]  # what of the axis an element depends on beyond its interval
STILL: Step = (1, 0)
LARGEST_TABLE = 1_000_000
LONGEST_PATTERN = 4096
UNKNOWN = 10**12  # stands for a size that is not known, which is a long one


def hull(spans: Iterable[Span]) -> Span:
    """The smallest interval that holds all of them; None when all are None."""
    found: Span = None
    for span in spans:
        if span is not None:
            found = span if found is None else (min(found[0], span[0]), max(found[1], span[1]))
    return found


def moved(span: Span, by: int) -> Span:
    """The interval shifted by some positions."""
    return None if span is None else (span[0] + by, span[1] + by)


def entry(row: Sequence[Span], step: Step, index: int) -> Span:
    """What an index along a dim sees, by a row of the table: what one a period before sees, further on."""
    period, advance = step
    return moved(row[index % period], index // period * advance)


@dataclass(frozen=True)
class Gather:
    """Output n reads the inputs `taps(n)`; for n + out_period it reads the same ones, in_period further on."""

    out_period: int
    in_period: int
    taps: Callable[[int], Sequence[int]]


@dataclass(frozen=True)
class Copies:
    """Other elements that were laid before the first element and after the last one, along the dim that moves."""

    by: frozenset[str] = frozenset()  # the operators that did so
    before: tuple[int, ...] = ()  # for each of the first elements, the input positions that it needs for copies
    after: tuple[int, ...] = ()  # the same for the last elements, counted from the end
    needs: int = 0  # the same where it is not known which elements show them
    first: bool = False  # True where what lies before position 0 shows the other end of the axis
    last: bool = False  # the same for what lies after its end

    def __or__(self, other: Copies) -> Copies:
        rows = ((self.before, other.before), (self.after, other.after))
        before, after = (tuple(map(max, zip_longest(*pair, fillvalue=0))) for pair in rows)
        needs, first, last = max(self.needs, other.needs), self.first or other.first, self.last or other.last
        return Copies(self.by | other.by, before, after, needs, first, last)

    def anywhere(self) -> Copies:
        """The same copies after a change that does not keep track of where they lie."""
        return replace(self, before=(), after=(), needs=max(self.needs, *self.before, 0))

    def gathered(self, gather: Gather, in_size: Size, out_size: Size, forwards: bool) -> Copies:
        """The copies that are left after a gather along the dim; `forwards` where the axis moves up along it."""
        if not self.before and not self.after:
            return self
        if -min(gather.taps(0), default=0) > LARGEST_TABLE or (gather.in_period < 0 and None in (in_size, out_size)):
            return self.anywhere()
        rows, period = [self.before, self.after], gather.out_period
        if in_size is None or out_size is None:
            before, after = _edge(self.before, gather.taps, period, out_size), self.after
        else:
            most, end = in_size - 1, out_size - 1
            if gather.in_period > 0:
                before = _edge(self.before, gather.taps, period, out_size)
                after = _edge(self.after, lambda n: [most - t for t in gather.taps(end - n)], period, out_size)
            else:
                before = _edge(self.after, lambda n: [most - t for t in gather.taps(n)], period, out_size)
                after = _edge(self.before, lambda n: gather.taps(end - n), period, out_size)
                rows.reverse()
        gone = [bool(old and not new) for old, new in zip(rows, (before, after), strict=True)]
        low, high = gone if forwards == (gather.in_period > 0) else gone[::-1]
        first, last = self.first and not low, self.last and not high
        return replace(self, before=before, after=after, first=first, last=last)


def _edge(row: Sequence[int], taps: Callable[[int], Sequence[int]], period: int, size: Size) -> tuple[int, ...]:
    """What the first outputs need that read elements of a row; of `period` outputs one at least reads something."""
    found: list[int] = []
    last = 0
    while size is None or len(found) < size:
        reads = [taps(n) for n in range(len(found), len(found) + period)]
        if all(min(read, default=len(row)) >= len(row) for read in reads):
            break
        found += [max((row[t] for t in read if 0 <= t < len(row)), default=0) for read in reads]
        last = next((n for n in range(len(found), last, -1) if found[n - 1]), last)
    return tuple(found[: last if size is None else min(last, size)])


@dataclass(frozen=True)
class Part:
    """A quasi-affine map from element indices to input intervals; see the top of this file."""

    steps: tuple[Step, ...]
    table: tuple[Span, ...]  # row-major over the periods
    causes: frozenset[tuple[Beyond, Cause]] = frozenset()  # what makes it depend on more than the table says
    reach: Span = None
    stopped: bool = False  # True once every element sees the same stretch, whatever its index
    pace: Fraction | None = None  # positions it moved per element when its only element was squeezed out
    copies: Copies = Copies()

    @cached_property
    def hops(self) -> tuple[Fraction, ...]:
        """Input positions per element, for every dim."""
        return tuple(Fraction(a, p) for p, a in self.steps)

    @cached_property
    def rates(self) -> tuple[Step, ...]:
        """The same as steps in lowest terms, which are quicker to make and to compare than fractions."""
        return tuple([(p, a) if p == 1 else (p // gcd(p, a), a // gcd(p, a)) for p, a in self.steps])

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """The dims along which the input position moves."""
        return tuple([d for d, (_, a) in enumerate(self.steps) if a])

    def leading(self, sizes: Sequence[Size]) -> int | None:
        """The dim that the axis runs along in a tensor of these sizes: the one that covers most of it; of two that
        cover about as much (few frames of long windows) the one of larger steps."""
        if len(self.moving) < 2:
            return self.moving[0] if self.moving else None
        spans = {d: abs(self.hops[d]) * (UNKNOWN if sizes[d] is None else sizes[d] or 1) for d in self.moving}
        widest = max(spans.values())
        return max((d for d in spans if 2 * spans[d] >= widest), key=lambda d: (abs(self.hops[d]), spans[d], d))

    def at(self, index: Sequence[int]) -> Span:
        """The interval of one element."""
        place, shift = 0, 0
        for (p, a), n in zip(self.steps, index, strict=True):
            q, r = divmod(n, p)
            place, shift = place * p + r, shift + q * a
        return moved(self.table[place], shift)

    def standing(self, dim: int, index: int) -> Span:
        """What one index of a dim sees, wherever one looks along the others."""
        return hull(entry(row, self.steps[dim], index) for row in self.row(dim))

    def row(self, dim: int) -> Iterator[tuple[Span, ...]]:
        """The table cut into rows along one dim, in the order of the other dims."""
        if len(self.table) == 1:
            yield self.table
            return
        inner = prod(p for p, _ in self.steps[dim + 1 :])
        length = self.steps[dim][0]
        for start in range(0, len(self.table), inner * length):
            for i in range(start, start + inner):
                yield self.table[i : i + inner * length : inner]

    def with_rows(self, dim: int, step: Step, rows: Sequence[Sequence[Span]]) -> Part:
        """The part whose rows along `dim` are replaced; all of them `step[0]` long."""
        return self._with_rows(dim, step, rows).shortened(dim)

    def _with_rows(self, dim: int, step: Step, rows: Sequence[Sequence[Span]]) -> Part:
        if step[0] * len(rows) > LARGEST_TABLE:
            raise TableTooLargeError
        inner = prod(p for p, _ in self.steps[dim + 1 :])
        starts = range(0, len(rows), inner)
        table = tuple([rows[start + i][k] for start in starts for k in range(step[0]) for i in range(inner)])
        return replace(self, steps=(*self.steps[:dim], step, *self.steps[dim + 1 :]), table=table)

    def shortened(self, dim: int) -> Part:
        """The same map with the smallest period along `dim`."""
        period, advance = self.steps[dim]
        if period == 1:
            return self
        rows = list(self.row(dim))
        for p in range(1, period):
            if period % p or (advance * p) % period:
                continue
            a = advance * p // period
            if all(row[i + p] == moved(row[i], a) for row in rows for i in range(period - p)):
                return self.with_rows(dim, (p, a), [row[:p] for row in rows])
        return self

    def gathered(self, dim: int, gather: Gather, in_size: Size, out_size: Size) -> Part:
        """The field after an operator that gathers along one dim."""
        period, advance = self.steps[dim]
        if advance == 0 and period == 1:  # only gaps matter here: outputs that read nothing
            full = [bool(gather.taps(n)) for n in range(gather.out_period)]
            if all(full):
                return self
            rows = [[row[0] if read else None for read in full] for row in self.row(dim)]
            return self.with_rows(dim, (len(full), 0), rows)
        if advance == 0:  # one entry per index: outside the tensor there is only padding
            if in_size is None or out_size is None:
                return self.with_rows(dim, STILL, [[hull(row)] for row in self.row(dim)])
            inside = range(in_size)
            step = (max(1, out_size), 0)
            self._fits(step[0], period)
            rows = [
                [hull(row[i % period] for i in gather.taps(n) if i in inside) for n in range(step[0])]
                for row in self.row(dim)
            ]
            return self.with_rows(dim, step, rows).straightened(dim, out_size)
        times = period // gcd(period, gather.in_period)
        step = (gather.out_period * times, advance * gather.in_period * times // period)
        self._fits(step[0], period)
        reads = [_extremes(gather.taps(n), period) for n in range(step[0])]
        rows = [[hull(entry(row, self.steps[dim], i) for i in taps) for taps in reads] for row in self.row(dim)]
        made = self.with_rows(dim, step, rows)
        if len(self.moving) > 1:
            return replace(made, copies=self.copies.anywhere())
        return replace(made, copies=self.copies.gathered(gather, in_size, out_size, advance > 0))

    def _fits(self, period: int, instead_of: int) -> None:
        """Raises before a table is built that would be too large."""
        if period * (len(self.table) // instead_of) > LARGEST_TABLE:
            raise TableTooLargeError

    def frozen(self, dim: int, index: int, cause: Cause) -> Part:
        """The field when only one index of a dim is kept, wherever one looks along it."""
        period, advance = self.steps[dim]
        if advance == 0 and period == 1:
            return self
        part = self.with_rows(dim, STILL, [[entry(row, self.steps[dim], index)] for row in self.row(dim)])
        return part if advance == 0 and self.moving else part._stopped_by(cause)

    def squeezed(self, dim: int) -> Part:
        """The field when a dim of one element loses its meaning: nothing is combined, and nothing moves any more."""
        hop = abs(self.hops[dim])
        part = self.with_rows(dim, STILL, [[row[0]] for row in self.row(dim)])
        if part.moving or not hop:
            return part
        return replace(part, stopped=True, pace=hop, reach=hull((part.reach, *part.table)))

    def contracted(self, dim: int, sizes: Sequence[Size], cause: Cause) -> Part:
        """The field when all elements along a dim of a tensor are combined; the dim stays, with one meaning."""
        (period, advance), size = self.steps[dim], sizes[dim]
        if self.steps[dim] == STILL:
            return self
        if advance == 0 or size is None:  # of an unknown length it cannot be said how far it goes
            used = period if size is None else min(period, size)
            part = self.with_rows(dim, STILL, [[hull(row[:used])] for row in self.row(dim)])
            return part if advance == 0 and self.moving else part._stopped_by(cause)
        indices = _extremes(range(size), period)
        rows = [[hull(entry(row, self.steps[dim], i) for i in indices)] for row in self.row(dim)]
        part = self.with_rows(dim, STILL, rows)
        if dim == self.leading(sizes):  # what is left are places inside stretches, all of which have now been combined
            for other in part.moving:
                part = part.with_rows(other, STILL, [[hull(row)] for row in part.row(other)])
        return part._stopped_by(cause)

    def elsewhere(self, dims: Sequence[int], sizes: Sequence[Size]) -> bool:
        """True when the axis runs along another dim: these hold one stretch of it, not all of it."""
        leading = self.leading(sizes)
        return leading is not None and leading not in dims

    def filled(self, dim: int, backwards: bool) -> Part:
        """The map where elements that see nothing see what the one before them (after them) sees."""
        period, advance = self.steps[dim]
        if None not in self.table:
            return self
        rows = []
        for row in self.row(dim):
            line = [entry(row, (period, advance), i) for i in range(-period, 2 * period)]
            order = range(len(line) - 2, -1, -1) if backwards else range(1, len(line))
            for i in order:
                line[i] = line[i] or line[i + 1 if backwards else i - 1]
            rows.append(line[period : 2 * period])
        return self.with_rows(dim, (period, advance), rows)

    def prefixed(self, dim: int, size: int, backwards: bool) -> Part:
        """The field when every element along a dim also sees those before it (after it, `backwards`)."""
        rows = []
        for row in self.row(dim):
            found: list[Span] = []
            for i in reversed(range(size)) if backwards else range(size):
                here = entry(row, self.steps[dim], i)
                found.append(hull((found[-1], here)) if found else here)
            rows.append(found[::-1] if backwards else found)
        return self.with_rows(dim, (size, 0), rows)

    def _stopped_by(self, cause: Cause) -> Part:
        """Called when the last dim that moves (or holds one position per index) has been combined or cut off."""
        if self.stopped or self.moving:
            return self
        return replace(self.flagged((), "whole", cause), reach=hull((self.reach, *self.table)), stopped=True)

    def dropped(self, dim: int) -> Part:
        """The part without a dim that does not matter (period 1, no movement)."""
        return replace(self, steps=(*self.steps[:dim], *self.steps[dim + 1 :]))

    def inserted(self, dim: int) -> Part:
        """The part with a new dim that does not matter."""
        return replace(self, steps=(*self.steps[:dim], STILL, *self.steps[dim:]))

    def permuted(self, order: Sequence[int]) -> Part:
        """The part with its dims in another order."""
        steps = tuple(self.steps[d] for d in order)
        if sum(p > 1 for p, _ in steps) < 2:
            return replace(self, steps=steps)
        strides = [prod(p for p, _ in self.steps[d + 1 :]) for d in range(len(self.steps))]
        spots = product(*(range(p) for p, _ in steps))
        table = tuple(self.table[sum(i * strides[d] for i, d in zip(spot, order, strict=True))] for spot in spots)
        return replace(self, steps=steps, table=table)

    def repeated(self, periods: Sequence[int]) -> Part:
        """The same map written with longer periods, each a multiple of the present one."""
        if tuple(periods) == tuple(p for p, _ in self.steps):
            return self
        return self.tabulated([(n, a * (n // p)) for n, (p, a) in zip(periods, self.steps, strict=True)], self.at)

    def tabulated(self, steps: Sequence[Step], see: Callable[[Sequence[int]], Span]) -> Part:
        """The part of other steps, whose table holds what `see` says of each place."""
        if prod(p for p, _ in steps) > LARGEST_TABLE:
            raise TableTooLargeError
        return replace(self, steps=tuple(steps), table=tuple(map(see, product(*(range(p) for p, _ in steps)))))

    def merged_dims(self, dim: int, outer: Size, inner: Size) -> Part:
        """The part with dims `dim` (outer) and `dim + 1` (inner, `inner` long) read as one."""
        if self.steps[dim + 1] == STILL and (inner == 1 or self.steps[dim] == STILL):
            return self.dropped(dim + 1)
        if outer == 1 and self.steps[dim] == STILL:
            return self.dropped(dim)
        if inner is None:
            raise TableTooLargeError
        self._fits(inner, self.steps[dim + 1][0])
        rows = [[entry(row, self.steps[dim + 1], j) for j in range(inner)] for row in self.row(dim + 1)]
        period, advance = self.steps[dim]
        steps = (*self.steps[:dim], (period * inner, advance), *self.steps[dim + 2 :])
        part = replace(self._with_rows(dim + 1, (inner, 0), rows), steps=steps).shortened(dim)
        return part.straightened(dim, None if outer is None else outer * inner)

    def split_dim(self, dim: int, outer: Size, inner: Size) -> Part:
        """The part with one dim read as two, the second `inner` long."""
        period, advance = self.steps[dim]
        if outer == 1 or (period, advance) == STILL:
            return self.inserted(dim)
        if inner == 1:
            return self.inserted(dim + 1)
        if inner is None:
            raise TableTooLargeError
        before, after = self.steps[:dim], self.steps[dim + 1 :]
        if inner != period and inner % period == 0:  # whole turns of the pattern, which goes on in the inner dim
            steps = (*before, (1, advance * (inner // period)), (period, advance), *after)
            return replace(self, steps=steps).straightened(dim + 1, inner)
        turns = lcm(period, inner) // inner
        longer = self.repeated([turns * inner if d == dim else p for d, (p, _) in enumerate(self.steps)])
        part = replace(longer, steps=(*before, (turns, longer.steps[dim][1]), (inner, 0), *after))
        return part.shortened(dim).shortened(dim + 1).straightened(dim + 1, inner)

    def straightened(self, dim: int, size: Size) -> Part:
        """The same map with a movement recognised where one entry per index was kept: 0, 2, 4 ... moves by 2."""
        period, advance = self.steps[dim]
        if advance or size is None or period != size or period < 2 or self.moving:
            return self  # beside a dim that moves these are channels that look elsewhere, not positions
        rows = list(self.row(dim))
        for p in range(1, min(period // 2, LONGEST_PATTERN) + 1):
            first = next(((row[i], row[i + p]) for row in rows for i in range(p) if row[i] and row[i + p]), None)
            if first is None or first[0] is None or first[1] is None:
                continue
            a = first[1][0] - first[0][0]
            if a and all(row[i + p] == moved(row[i], a) for row in rows for i in range(period - p)):
                made = self.with_rows(dim, (p, a), [row[:p] for row in rows])
                return made if made.even(dim) else self
        return self

    def even(self, dim: int) -> bool:
        """True when no element of a period is far from where even steps would put it: two halves that changed places
        repeat, but they do not move."""
        period, advance = self.steps[dim]
        off = [[span[0] * period - i * advance for i, span in enumerate(row) if span] for row in self.row(dim)]
        return all(2 * (max(row) - min(row)) <= 3 * abs(advance) * period for row in off if row)

    def blamed(self, others: Iterable[Part]) -> Part:
        """The same map with the causes of other parts added to its own."""
        every = (self, *others)
        if not any(p.causes or p.reach or p.pace or p.copies != Copies() for p in every[1:]):
            return self
        return replace(
            self,
            causes=frozenset().union(*(p.causes for p in every)),
            reach=hull(p.reach for p in every),
            pace=max((p.pace for p in every if p.pace is not None), default=None),
            copies=reduce(or_, (p.copies for p in every)),
        )

    def fixed(self, sizes: Sequence[Size], cause: Cause) -> Part:
        """Everything this part can reach, as one stretch that every element sees."""
        part, hops = self, self.hops
        for dim in sorted(range(len(sizes)), key=lambda d: abs(hops[d]) * (sizes[d] or UNKNOWN)):
            part = part.contracted(dim, sizes, cause)
        return part

    def because(self, beyond: Beyond) -> frozenset[Cause]:
        """The causes of one kind."""
        return frozenset(cause for one, cause in self.causes if one == beyond)

    def flagged(self, sizes: Sequence[Size], beyond: Beyond, cause: Cause) -> Part:
        """The part with a cause added; "whole" also notes how far it reaches.

        What carries along the past (the future) from where copies of the other end lie brings in everything.
        """
        if (beyond == "past" and self.copies.first) or (beyond == "future" and self.copies.last):
            beyond = "whole"
        part = replace(self, causes=self.causes | {(beyond, cause)})
        if beyond != "whole" or None in sizes:
            return part
        return replace(part, reach=hull((part.reach, self.fixed(sizes, cause).reach)))


class LostError(Exception):
    """Nothing can be said behind an operator, because a size that decides is not known."""


class TableTooLargeError(Exception):
    """A map too irregular to write down; the caller falls back to "depends on everything"."""


def _extremes(taps: Sequence[int], period: int) -> Sequence[int]:
    """The taps that decide the ends of an interval: further ones of the same phase lie in between."""
    if len(taps) <= 2 * period or not isinstance(taps, range):
        return taps
    return (*taps[:period], *taps[-period:])


@dataclass(frozen=True)
class Field:
    """The dependence of one tensor on one axis of one input: parts that move differently, and what is not known."""

    parts: tuple[Part, ...] = ()
    missing: frozenset[str] = frozenset()  # operators without a rule on the way; their effect is not in the parts
    lost: bool = False  # True when after such an operator nothing can be said any more

    def map(self, change: Callable[[Part], Part]) -> Field:
        """The field with every part changed; parts that came to move alike are united."""
        return Field(united([change(part) for part in self.parts]), self.missing, self.lost)


def united(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts that move alike along every dim, written as one."""
    parts = tuple(parts)
    if len(parts) == 1 and None not in parts[0].table:
        return parts
    found: dict[tuple[tuple[Step, ...], bool], Part] = {}
    for part in parts:
        if all(span is None for span in part.table):  # what reads nothing has no reason to read more
            part = replace(part, causes=frozenset(), reach=None)
        key = part.rates, part.stopped
        found[key] = part if key not in found else _union(found[key], part)
    return tuple(found.values())


def _union(a: Part, b: Part) -> Part:
    if a.steps == b.steps and a.table == b.table:
        return a.blamed((b,))
    periods = [lcm(p, q) for (p, _), (q, _) in zip(a.steps, b.steps, strict=True)]
    left, right = a.repeated(periods), b.repeated(periods)
    part = replace(left, table=tuple(hull(pair) for pair in zip(left.table, right.table, strict=True))).blamed((b,))
    for dim in range(len(periods)):
        part = part.shortened(dim)
    return part
