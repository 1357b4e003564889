"""Output shapes of operators: what a reader without shapes of its own, and a what-if, need to know.

`output_shape` is the forward rule of one operator; `follow` is the rule for an operator that was already there with
other shapes before an edit, so that reshapes and slices keep their meaning when a size upstream changes. A size of None
means "not known" and stays unknown through every rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod

from ..errors import ExplainError
from .graph import Op, Shape, Size, Window, product

MOST_TAPS = 4_000_000

_KEEP = {"elementwise", "norm", "softmax", "cumulative", "identity", "flip", "roll", "attention"}


def conv_size(size: Size, window: Window, where: str) -> Size:
    """Output positions of a convolution or pooling along one dim.

    Raises:
        ExplainError: the kernel reaches further than the padded input; `where` names the operator.
    """
    if size is None:
        return None
    padded = size + window.pad_start + window.pad_end
    if padded < window.reach:
        padding = f" (with padding {padded})" if padded != size else ""
        raise ExplainError(
            f"{where}: a kernel reaching over {window.reach} positions is larger than its input of {size}{padding}. "
            "Give a longer input with --input, or a smaller kernel."
        )
    free = padded - window.reach
    count = -(-free // window.stride) + 1 if window.ceil else free // window.stride + 1
    if window.ceil and (count - 1) * window.stride >= size + window.pad_start:
        count -= 1
    return count


def transposed_size(size: Size, window: Window, where: str) -> Size:
    """Output positions of a transposed convolution along one dim; padding is what is cropped from its full output."""
    if window.kernel * window.stride > MOST_TAPS:
        raise ExplainError(
            f"{where}: a transposed kernel of {window.kernel} with stride {window.stride}; no layer has that."
        )
    if size is None:
        return None
    full = (size - 1) * window.stride + window.reach
    found = full - window.pad_start - window.pad_end + window.output_padding
    if found < 1:
        raise ExplainError(f"{where}: its padding crops all of its {full} output positions. Give less padding.")
    return found


def broadcast(shapes: Sequence[Shape], where: str) -> Shape:
    """The shape that arrays of these shapes take together.

    Raises:
        ExplainError: two sizes that do not fit; both are named.
    """
    rank = max((len(s) for s in shapes), default=0)
    found: list[Size] = []
    for i in range(rank):
        sizes = [s[i - rank + len(s)] for s in shapes if i - rank + len(s) >= 0]
        known = {size for size in sizes if size is not None and size != 1}
        if len(known) > 1:
            shown = " and ".join(shape_text(s) for s in shapes)
            raise ExplainError(
                f"{where}: it joins {shown}, which differ in dim {i}. Branches that meet need equal sizes: compare "
                "their strides and padding."
            )
        if known:
            found.append(known.pop())
        else:
            found.append(None if None in sizes else 1)
    return tuple(found)


def join(shapes: Sequence[Shape], dim: int, where: str) -> Shape:
    """The shape of a concatenation along `dim`."""
    rest = [(*s[:dim], 1, *s[dim + 1 :]) for s in shapes]
    if len({len(s) for s in shapes}) != 1:
        raise ExplainError(f"{where}: it concatenates {' and '.join(map(shape_text, shapes))}, of different ranks.")
    for i in range(len(shapes[0])):
        sizes = {s[i] for s in rest if s[i] is not None}
        if len(sizes) > 1:
            raise ExplainError(
                f"{where}: it concatenates {' and '.join(map(shape_text, shapes))} along dim {dim}, but they differ in "
                f"dim {i}. Branches that meet need equal sizes: compare their strides and padding."
            )
    whole = broadcast(rest, where)
    parts = [s[dim] for s in shapes]
    total = None if None in parts else sum(p for p in parts if p is not None)
    return (*whole[:dim], total, *whole[dim + 1 :])


def label_sizes(labels: Sequence[str], shapes: Sequence[Shape], known: Mapping[str, Size]) -> dict[str, Size]:
    """The sizes of the dims of some arrays by their letters; dims that share one meet, and a size of 1 is spread.

    Args:
        known: sizes in the arrays that are weights, for letters that the others have not.
    """
    sizes: dict[str, Size] = {}
    for letters, shape in zip(labels, shapes, strict=True):
        for label, size in zip(letters, shape, strict=True):
            before = sizes.get(label)
            sizes[label] = size if before in (None, 1) or size is None else before
    return sizes | {label: size for label, size in known.items() if sizes.get(label, 1) == 1}


def rearrangement(
    pattern: str, shape: Shape, given: Mapping[str, Size], where: str
) -> tuple[Shape, tuple[int, ...], Shape]:
    """(sizes of the dims taken apart, their new order, sizes once merged) by a pattern of einops, `b (h d) -> h b d`.

    Args:
        given: sizes of what is taken apart, by name.

    Raises:
        ExplainError: not such a pattern, or one that does not name every dim.
    """
    named = len(_groups(pattern.partition("->")[0].replace("...", "")))
    rest = " ".join(f"dim{i}" for i in range(len(shape) - named))
    sides = [_groups(side) for side in pattern.replace("...", rest).split("->")]
    names = [[part for group in side for part in group] for side in sides]
    if len(sides) != 2 or len(sides[0]) != len(shape) or sorted(names[0]) != sorted(names[1]):
        raise ExplainError(
            f"{where} needs a pattern such as 'b c f t -> b t (c f)' that names every dim of its tensor."
        )
    sizes = dict(given)
    for group, size in zip(sides[0], shape, strict=True):
        open_ = [part for part in group if part not in sizes]
        known = product(sizes[part] for part in group if part in sizes)
        if len(open_) > 1:
            raise ExplainError(
                f"{where} takes {' '.join(group)} apart; give the size of all but one, such as {open_[0]}=8."
            )
        sizes.update({part: size // known if size is not None and known else None for part in open_})
    apart, together = names
    merged = tuple(product(sizes[part] for part in group) for group in sides[1])
    return tuple(sizes[part] for part in apart), tuple(apart.index(part) for part in together), merged


def _groups(side: str) -> list[list[str]]:
    """The dims of one side of a pattern, each as the parts it is made of; `1` is made of none."""
    found = re.findall(r"\(([^)]*)\)|(\S+)", side)
    return [joined.split() if joined else [] if alone in {"", "1"} else [alone] for joined, alone in found]


def same_total(size: int, reach: int, stride: int) -> int:
    """Positions that `same` adds to an input in all, for as many outputs as input / stride."""
    return max(0, (-(-size // stride) - 1) * stride + reach - size)


def output_shape(op: Op, shapes: Sequence[Shape], channels: Size = None) -> Shape:
    """The shape of the first output of `op`.

    Args:
        op: the operator; for conv, linear and unfold kinds `channels` is the size of its output features.
        shapes: the shapes of its inputs.

    Raises:
        ExplainError: shapes that the operator cannot take, or a kind whose output shape is not a function of these.
    """
    where = f"{op.name}" + (f" (line {op.line})" if op.line else "")
    first = list(shapes[0]) if shapes else []
    for dim in op.dims:
        if op.kind not in {"stack"} and not 0 <= dim < len(first):
            raise ExplainError(f"{where}: it works on dim {dim}, but its input has shape {shape_text(tuple(first))}.")
    if op.kind in {"conv", "conv_transpose", "pool"}:
        measure = transposed_size if op.kind == "conv_transpose" else conv_size
        for dim, window in zip(op.dims, op.windows, strict=True):
            first[dim] = measure(first[dim], window, where)
        if op.channel_dim is not None and op.kind != "pool":
            first[op.channel_dim] = channels
    elif op.kind == "linear":
        first[op.dims[0]] = channels
    elif op.kind == "rnn" and op.channel_dim is not None:
        first[op.channel_dim] = int(op.attrs["hidden"]) * op.ways
    elif op.kind == "adaptive_pool":
        for dim, fixed in zip(op.dims, op.attrs["sizes"], strict=True):
            first[dim] = first[dim] if fixed is None else fixed
    elif op.kind == "upsample":
        for dim, scale in zip(op.dims, op.attrs["scale"], strict=True):
            here = first[dim]
            first[dim] = None if here is None else int(here * scale)
    elif op.kind == "pad":
        for dim, before, after in zip(op.dims, op.attrs["before"], op.attrs["after"], strict=True):
            here = first[dim]
            first[dim] = None if here is None else here + before + after
            if here is not None and here + before + after < 1:
                raise ExplainError(f"{where}: it crops all of the {here} positions of dim {dim}.")
    elif op.kind == "slice":
        for dim, start, stop, step in zip(op.dims, op.attrs["start"], op.attrs["stop"], op.attrs["step"], strict=True):
            here = first[dim]
            end = here if stop is None else stop if here is None else min(stop, here)
            first[dim] = None if end is None else max(0, -(-(end - start) // step))
    elif op.kind == "select":
        del first[op.dims[0]]
    elif op.kind == "gather":
        first[op.dims[0]] = len(op.attrs["indices"])
    elif op.kind == "concat":
        return join([tuple(s) for s in shapes], op.dims[0], where)
    elif op.kind == "stack":
        first = list(broadcast(shapes, where))
        first.insert(op.dims[0], len(shapes))
    elif op.kind == "elementwise":
        return broadcast(shapes, where)
    elif op.kind == "reduce":
        for dim in sorted(op.dims, reverse=True):
            if op.attr("keepdim"):
                first[dim] = 1
            else:
                del first[dim]
    elif op.kind == "permute":
        first = [first[i] for i in op.attrs["order"]]
    elif op.kind == "unfold":
        for dim, window in zip(op.dims, op.windows, strict=True):
            first[dim] = conv_size(first[dim], window, where)
            first.append(window.kernel)
    elif op.kind == "einsum":
        sizes = label_sizes(op.attrs["labels"], shapes, op.attr("weight_sizes", {}))
        return tuple(sizes[label] for label in op.attrs["output"])
    elif op.kind not in _KEEP:
        raise ExplainError(f"{where}: the output shape of the operator '{op.kind}' cannot be worked out.")
    return tuple(first)


def follow(op: Op, before: Sequence[Shape], after: Sequence[Shape], old: Shape, channels: Size) -> Shape:
    """The output shape of `op` when its inputs changed from `before` to `after`; `old` was its shape until now."""
    if tuple(before) == tuple(after) and op.kind not in {"conv", "conv_transpose", "pool", "linear", "rnn", "pad"}:
        return old
    if op.kind == "reshape":
        return reshape_again(before[0], old, after[0], op.name)
    if op.kind == "expand":
        return expand_again(before[0], old, after[0], op.name)
    if op.kind == "constant":
        return old
    return output_shape(op, after, channels)


def reshape_again(was: Shape, made: Shape, now: Shape, where: str) -> Shape:
    """What a reshape from `was` to `made` does to `now`: merged dims stay merged, split dims keep their inner parts.

    Raises:
        ExplainError: dims that were split in more than one way that fits.
    """
    if was == now:
        return made
    cannot = ExplainError(
        f"{where}: it reshapes {shape_text(was)} to {shape_text(made)}, and it is not clear what it would make of "
        f"{shape_text(now)}. Try an edit that keeps that size."
    )
    if len(was) != len(now):
        raise cannot
    found: list[Size] = []
    i = 0
    for olds, news in factor(was, made):
        old, new, parts = was[i : i + len(olds)], now[i : i + len(olds)], made[len(found) : len(found) + len(news)]
        i += len(olds)
        if old == new:
            found += parts
            continue
        wide = [place for place, size in enumerate(parts) if size != 1] or list(range(len(parts)))[:1]
        if prod(olds) != prod(news) or len(wide) != 1:
            raise cannot
        found += [product(new) if place == wide[0] else size for place, size in enumerate(parts)]
    return tuple(found)


def expand_again(was: Shape, made: Shape, now: Shape, where: str) -> Shape:
    """What an expansion from `was` to `made` does to `now`: it keeps the sizes it added and follows the others."""
    lead = len(made) - len(was)
    if len(now) != len(was) or lead < 0:
        raise ExplainError(f"{where}: it spreads {shape_text(was)} and cannot follow {shape_text(now)}.")
    return (*made[:lead], *(n if a == b else b for a, b, n in zip(was, made[lead:], now, strict=True)))


UNKNOWN_SIZE = 1_000_003  # stands for a size that is not known: a prime, so that it only matches itself


def factor(was: Shape, made: Shape) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The shortest runs of dims on both sides of a reshape that hold the same number of elements."""
    before, after = ([UNKNOWN_SIZE if size is None else size for size in shape] for shape in (was, made))
    pairs, i, j = [], 0, 0
    while i < len(before) or j < len(after):
        olds, news = list(before[i : i + 1]), list(after[j : j + 1])
        i, j = i + 1, j + 1
        while prod(olds) != prod(news) and (i < len(before) or j < len(after)):
            if (prod(olds) < prod(news) and i < len(before)) or j >= len(after):
                olds.append(before[i])
                i += 1
            else:
                news.append(after[j])
                j += 1
        pairs.append((tuple(olds), tuple(news)))
    return pairs


def shape_text(shape: Shape) -> str:
    """A shape as people write it: (1, 16, ?, 80)."""
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"
