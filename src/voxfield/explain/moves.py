"""How each kind of operator moves fields along one axis: from the fields of its inputs to those of its outputs.

Here are the kinds that gather along single dims (a convolution, a slice, an upsampling) and those that rearrange dims;
those that join and contract are in `joins`, the algebra is in `field`. Each function is named in one row of `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, gcd, lcm, prod

from .field import STILL, UNKNOWN, Copies, Field, Gather, LostError, Part, Span, Step, TableTooLargeError, entry, hull
from .graph import Placed, Size, Window
from .report import Cause
from .shapes import factor


@dataclass(frozen=True)
class Place(Placed):
    """One operator where it stands, and the axis whose fields are being followed."""

    axis: str

    def cause(self, why: str, statistics: bool) -> Cause:
        """A reason for far dependence, with this operator named."""
        return Cause(self.op.name, self.op.kind, f"{why} {self.axis}", statistics)


FieldRule = Callable[[Place, Sequence[Field]], list[Field]]
PartRule = Callable[[Place, Part], Part]


def each(rule: PartRule) -> FieldRule:
    """The rule of an operator that changes every part of its first input by itself; its outputs all see the same."""
    return lambda place, fields: [fields[0].map(lambda part: rule(place, part))] * len(place.outs)


def window_gather(w: Window) -> Gather:
    """Output n reads n * stride - padding + tap * dilation."""
    return Gather(
        1, w.stride, lambda n: range(n * w.stride - w.pad_start, n * w.stride - w.pad_start + w.reach, w.dilation)
    )


def transposed_gather(w: Window) -> Gather:
    """Output n is written by every input i with i * stride - padding + tap * dilation = n."""

    def taps(n: int) -> range:
        used = writing_taps(w, n, w.kernel)
        first = (n + w.pad_start - used.start * w.dilation) // w.stride
        step = w.dilation * used.step // w.stride
        return range(first, first - step * len(used), -step)

    return Gather(w.stride, 1, taps)


def writing_taps(w: Window, n: int, kernel: int) -> range:
    """The taps of a transposed convolution that reach output n: n + padding - tap * dilation is then on a stride."""
    common = gcd(w.dilation, w.stride)
    turn, place = w.stride // common, n + w.pad_start
    if place % common:
        return range(0, 0, turn)
    first = place // common * pow(w.dilation // common, -1, turn) % turn if turn > 1 else 0
    return range(first, kernel, turn)


def shift_gather(start: int, step: int = 1) -> Gather:
    """Output n reads start + n * step."""
    return Gather(1, step, lambda n: (start + n * step,))


def adaptive_gather(in_size: int, out_size: int) -> Gather:
    """Output n averages the n-th of `out_size` nearly equal stretches."""
    ratio = Fraction(in_size, out_size)
    return Gather(ratio.denominator, ratio.numerator, lambda n: range(floor(n * ratio), ceil((n + 1) * ratio)))


def upsample_gather(scale: Fraction, mode: str, align_corners: bool, in_size: Size, out_size: Size) -> Gather:
    """Output n reads the input positions that interpolation gives a weight to."""
    step = 1 / scale
    align_corners = align_corners and scale != 2  # which moves each place by a quarter at most, to between the same two
    if align_corners and in_size is not None and out_size is not None and out_size > 1 and mode != "nearest":
        step = Fraction(in_size - 1, out_size - 1)

    def taps(n: int) -> Sequence[int]:
        if mode == "zeros":
            return (int(n * step),) if (n * step).denominator == 1 else ()
        if mode == "nearest":
            return (floor(n * step),)
        if mode == "nearest_exact":
            return (floor((n + Fraction(1, 2)) * step),)
        place = n * step if align_corners else (n + Fraction(1, 2)) * step - Fraction(1, 2)
        low = floor(place)
        if place == low:
            return (low,)
        return (low, low + 1) if mode == "linear" else range(low - 1, low + 3)

    return Gather(step.denominator, step.numerator, taps)


def gather_along(place: Place, part: Part, gathers: Iterable[Gather]) -> Part:
    """The part after one gather per dim of the operator."""
    for dim, gather in zip(place.op.dims, gathers, strict=True):
        part = part.gathered(dim, gather, place.ins[0][dim], place.outs[0][dim])
    return part


def contract(place: Place, part: Part, dims: Sequence[int], why: str, statistics: bool) -> Part:
    """The part when all values along some dims are combined; the dims stay."""
    cause = place.cause(why, statistics)
    for dim in dims:
        part = part.contracted(dim, place.ins[0], cause)
    return part


def conv(place: Place, part: Part) -> Part:
    """Windows along places, after which every output channel reads all input channels of its group."""
    op, channel = place.op, place.op.channel_dim
    part = gather_along(
        place, part, map(transposed_gather if op.kind == "conv_transpose" else window_gather, op.windows)
    )
    if channel is None:
        return part
    inside, outside, groups = place.ins[0][channel], place.outs[0][channel], op.groups
    if groups == 1 or inside is None or outside is None:
        return contract(place, part, (channel,), "every channel holds a different position of", False)
    size_in, size_out = inside // groups, outside // groups
    group = Gather(size_out, size_in, lambda n: range(n // size_out * size_in, n // size_out * size_in + size_in))
    return part.gathered(channel, group, inside, outside)


def pool(place: Place, part: Part) -> Part:
    return gather_along(place, part, map(window_gather, place.op.windows))


def adaptive_pool(place: Place, part: Part) -> Part:
    for dim, out in zip(place.op.dims, place.op.attr("sizes"), strict=True):
        size = place.ins[0][dim]
        if out == 1:
            part = contract(place, part, (dim,), f"{place.op.attr('function', 'avg')} over the whole of", True)
        elif size is None:
            raise LostError
        else:
            part = part.gathered(dim, adaptive_gather(size, out), size, out)
    return part


def upsample(place: Place, part: Part) -> Part:
    op, gathers = place.op, []
    for dim, scale in zip(op.dims, op.attr("scale"), strict=True):
        sizes = place.ins[0][dim], place.outs[0][dim]
        gathers.append(upsample_gather(Fraction(scale), op.attr("mode"), bool(op.attr("align_corners")), *sizes))
    return gather_along(place, part, gathers)


def pad(place: Place, part: Part) -> Part:
    """Padding shifts what follows, and its edges may show other elements."""
    for dim, *counts in zip(place.op.dims, place.op.attr("before"), place.op.attr("after"), strict=True):
        gather, sizes = shift_gather(-counts[0]), (place.ins[0][dim], place.outs[0][dim])
        part = edged(place, part, dim, counts, part.gathered(dim, gather, *sizes))
    return part


def edged(place: Place, part: Part, dim: int, counts: Sequence[int], made: Part) -> Part:
    """`made` of a part by laying so many elements before it and after it, with what they show if they are copies."""
    mode, last = str(place.op.attr("mode", "circular")), (place.ins[0][dim] or UNKNOWN) - 1
    if mode == "constant" or not part.steps[dim][1]:
        return made
    before, after = (range(max(0, count)) for count in counts)
    shows: list[Sequence[int]]
    if mode.startswith(("circular", "wrap")):
        shows = [range(last + 1 - len(before), last + 1), range(len(after))[::-1]]
    elif mode.startswith("reflect"):
        shows = [range(len(before), 0, -1), range(last - len(after), last)]
    else:
        shows = [[0] * len(before), [last] * len(after)]
    rows = [[part.standing(dim, i) for i in indices] for indices in shows]
    bounds = part.standing(dim, 0), part.standing(dim, last)
    return replace(made, copies=made.copies | shown(place, part.steps[dim][1], bounds, *rows))


def shown(place: Place, advance: int, bounds: Sequence[Span], before: Sequence[Span], after: Sequence[Span]) -> Copies:
    """What lies before a dim that moves, and after it (from the end), against what its first and last element see."""
    low, high = map(hull, (before, after) if advance > 0 else (after, before))
    starts, ends = (sorted(span[side] for span in bounds if span) for side in (0, 1))
    first = bool(low and ends and 4 * (low[1] - ends[0]) >= 3 * (ends[-1] - ends[0]) > 0)
    last = bool(high and starts and 4 * (starts[-1] - high[0]) >= 3 * (starts[-1] - starts[0]) > 0)
    rows = [tuple(max(0, span[1] + 1) if span else 0 for span in row) for row in (before, after)]
    return Copies(frozenset({place.op.name}), rows[0], rows[1], first=first, last=last)


def slice_(place: Place, part: Part) -> Part:
    steps = place.op.attr("step") or (1,) * len(place.op.dims)
    return gather_along(place, part, map(shift_gather, place.op.attr("start"), steps))


def flip(place: Place, part: Part) -> Part:
    for dim in place.op.dims:
        size = place.ins[0][dim]
        if size is not None:
            part = part.gathered(dim, shift_gather(size - 1, -1), size, size)
        elif part.steps[dim][1]:
            part = contract(place, part, (dim,), "reverses an unknown length of", False)
    return part


def roll(place: Place, part: Part) -> Part:
    for dim, shift in zip(place.op.dims, place.op.attr("shifts"), strict=True):
        size = place.ins[0][dim]
        near = shift  # the short way round
        if size is not None:
            near = shift % size if 2 * (shift % size) <= size else shift % size - size
        if size is None or (part.steps[dim][1] and 4 * abs(near) <= size):
            part = edged(place, part, dim, (near, -near), part.gathered(dim, shift_gather(-near), size, size))
        else:
            part = picked(part, dim, [(n - shift) % size for n in range(size)])
    return part


def select(place: Place, part: Part) -> Part:
    dim, index = place.op.dims[0], place.op.attr("index")
    size = place.ins[0][dim]
    if size == 1:
        return part.squeezed(dim).dropped(dim)
    index = index + size if index < 0 and size is not None else index
    return part.frozen(dim, index, place.cause(f"only position {index} is kept of", True)).dropped(dim)


def gather(place: Place, part: Part) -> Part:
    dim, indices = place.op.dims[0], tuple(place.op.attr("indices"))
    size = place.ins[0][dim]
    if indices == tuple(range(size or 0)):
        return part
    return picked(part, dim, [i + size if i < 0 and size is not None else i for i in indices])


def picked(part: Part, dim: int, indices: Sequence[int]) -> Part:
    """The part whose index n along a dim is what stood at `indices[n]`."""
    if part.steps[dim] == STILL:
        return part
    rows = [[entry(row, part.steps[dim], i) for i in indices] for row in part.row(dim)]
    return part.with_rows(dim, (len(indices), 0), rows).straightened(dim, len(indices))


def reshape(place: Place, part: Part) -> Part:
    inserted, dropped = place.op.attr("inserted", ()), place.op.attr("dropped", ())
    if inserted or dropped:  # dims of one element, which sizes alone would not tell apart
        for dim in sorted(inserted):
            part = part.inserted(dim)
        for dim in sorted(dropped, reverse=True):
            part = part.squeezed(dim).dropped(dim)
        return part
    pairs = factor(place.ins[0], place.outs[0])
    if any(prod(olds) != prod(news) for olds, news in pairs):  # sizes that are not known changed
        raise LostError
    at = 0
    for olds, news in pairs:
        if olds == news:
            at += len(olds)
            continue
        for i, size in enumerate(olds):
            others = prod(olds) // size if size else 0
            if size == 1 and part.steps[at + i] != STILL and (others > 1 or not news):
                part = part.squeezed(at + i)
        if not olds:
            part = part.inserted(at)
        size = olds[0] if olds else 1
        for inner in olds[1:]:
            part = part.merged_dims(at, size, inner)
            size *= inner
        if not news:
            part = part.dropped(at)
        for i, outer in enumerate(news[:-1]):
            part = part.split_dim(at + i, outer, prod(news[i + 1 :]))
        at += len(news)
    return part


def permute(place: Place, part: Part) -> Part:
    return part.permuted(place.op.attr("order"))


def unfold(place: Place, part: Part) -> Part:
    """Windows cut out: dim becomes the window's number, and a new last dim the place inside it."""
    dim, w = place.op.dims[0], place.op.windows[0]
    period, advance = part.steps[dim]
    starts = lcm(period, w.stride) // w.stride
    taps = lcm(period, w.dilation) // w.dilation
    row_step = (starts, advance * starts * w.stride // period)
    tap_step: Step = (taps, advance * taps * w.dilation // period)
    steps: list[Step] = [*part.steps, tap_step]
    steps[dim] = row_step

    def seen(spot: Sequence[int]) -> Span:
        index = spot[dim] * w.stride + spot[-1] * w.dilation - w.pad_start
        return part.at((*spot[:dim], index, *spot[dim + 1 : -1]))

    return part.tabulated(steps, seen).shortened(dim).shortened(len(part.steps))


def fold(place: Place, part: Part) -> Part:
    """Overlap and add: dim is the window's number, the last dim the place inside it; their sum is the new position."""
    dim, w, last = place.op.dims[0], place.op.windows[0], len(part.steps) - 1
    if part.steps[dim] == STILL and part.steps[last] == STILL:
        return part.dropped(last)
    if not part.steps[dim][1]:
        raise TableTooLargeError
    steps = list(part.steps[:-1])
    steps[dim] = (w.stride * part.steps[dim][0], part.steps[dim][1])

    def seen(spot: Sequence[int]) -> Span:
        taps = writing_taps(w, spot[dim], place.ins[0][-1] or w.kernel)
        windows = ((k, (spot[dim] + w.pad_start - k * w.dilation) // w.stride) for k in taps)
        return hull(part.at((*spot[:dim], window, *spot[dim + 1 :], k)) for k, window in windows)

    return part.tabulated(steps, seen).shortened(dim)
