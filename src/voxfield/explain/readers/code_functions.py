"""Functions and methods on tensors in pasted code: `F.relu(x)`, `torch.cat`, `x.view`, `tf.concat`, `x[..., a:b]`."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..graph import Shape
from ..shapes import rearrangement
from .build import operators, spread
from .code_values import Layer, Missing, Tensor, at, unreadable
from .layers import LayerGraph, Origin, brief, fill_reshape, is_whole
from .vocabulary import product_labels

if TYPE_CHECKING:
    from .code_calls import CodeCalls


@dataclass(frozen=True)
class Use:
    """A function called by its name somewhere in the code, or a method with its tensor as the first argument."""

    calls: CodeCalls
    name: str
    args: Sequence[Any]
    named: Mapping[str, Any]
    line: int
    torch: bool = False

    @property
    def net(self) -> LayerGraph:
        return self.calls.net

    @property
    def origin(self) -> Origin:
        return Origin(self.name, self.name, self.line)

    @property
    def x(self) -> str:
        """The tensor that it works on."""
        return self.calls.tensor(self.args[0] if self.args else None, self.line).name

    @property
    def xs(self) -> list[str]:
        """The tensors of a list."""
        listed = self.given(0, "tensors", "values", default=[])
        if not isinstance(listed, list | tuple) or not listed:
            raise at(self.line, "a list of tensors was expected.")
        return [self.calls.tensor(one, self.line).name for one in listed]

    def given(self, place: int, *names: str, default: Any = None) -> Any:
        """An argument by any of its names or by its place."""
        found = [self.named[name] for name in names if name in self.named]
        return found[0] if found else self.args[place] if len(self.args) > place else default

    def dim(self, place: int, default: Any = None) -> Any:
        return self.given(place, "dim", "axis", default=default)

    def numbers(self, place: int, *names: str) -> list[Any]:
        """Arguments from a place on, written one after the other or as one list."""
        found = self.given(place, *names) if any(name in self.named for name in names) else self.args[place:]
        return list(found[0]) if len(found) == 1 and isinstance(found[0], list | tuple) else list(found)

    def add(self, kind: str, x: str, **fields: Any) -> Tensor:
        """One operator on a tensor."""
        return Tensor(self.net.add(kind, [x], self.origin, **fields))

    def reshaped(self, x: str, shape: Shape) -> Tensor:
        return Tensor(self.net.reshape(x, self.origin, shape))


NO_SUCH = object()  # what a function gives that is not known
JOINS = {"sub": "subtract", "mul": "multiply", "div": "divide"}
LAYERS = {"interpolate": "Upsample", "stft": "STFT", "glu": "GLU"}  # other names are those of the layers in lower case
USUAL = {"Softmax": {"dim": -1}, "LogSoftmax": {"dim": -1}, "Flatten": {"start_dim": 0}}  # unlike those of the layers


def functional(
    calls: CodeCalls, name: str, args: Sequence[Any], named: Mapping[str, Any], line: int, *, torch: bool = False
) -> Any:
    """What the function called `name` gives, NO_SUCH when it is not one of these; `torch` where it is one of torch."""
    name = name.rstrip("_")  # relu_ and add_ put the result where the input was
    rule = OPERATORS.get(name)
    return NO_SUCH if rule is None else rule(Use(calls, name, args, named, line, torch))


def pointwise(u: Use) -> Tensor:
    return Tensor(u.net.elementwise([u.x], u.origin, u.name))


def join(u: Use) -> Any:
    listed = u.args[0] if u.args and isinstance(u.args[0], list | tuple) else u.args
    return u.calls.join(JOINS.get(u.name, u.name), [v for v in listed if not isinstance(v, str)], u.line)


def as_layer(u: Use) -> Any:
    """F.softmax, F.max_pool1d, F.interpolate: the layers of the same settings."""
    kind = LAYERS.get(u.name, "".join(word.capitalize() for word in u.name.split("_")))
    if re.match("(?:avg|max)_pool", u.name) and u.args[1:] and {*spread(u.args[1], 1)} == {None}:  # over all of it
        u, kind = replace(u, args=[u.args[0], 1], named={}), f"Adaptive{kind}"
    named = {"dim" if key == "axis" else key: value for key, value in u.named.items()}
    layer = u.calls.layer(kind, "torch", u.args[1:], named, u.line)
    layer.values, layer.name = USUAL.get(kind, {}) | layer.values, u.name
    return u.calls.apply(layer, u.args[:1] or [None], u.line)


def extreme(u: Use) -> Any:
    """max and min: of two arrays value by value; of one along a dim, where torch also says which indices."""
    if len(u.args) > 1 and isinstance(u.args[1], Tensor):
        return u.calls.join(f"{u.name}imum", u.args[:2], u.line)
    found = reduce(u)
    along = len(u.args) > 1 or "dim" in u.named
    return (found, Missing("indices", u.line)) if u.torch and along else found


def reduce(u: Use) -> Tensor:
    function = u.name.removeprefix("reduce_").replace("amax", "max").replace("amin", "min")
    u = replace(u, name=function)
    x, value = u.x, u.dim(1)
    listed = list(value) if isinstance(value, list | tuple) else [value]
    dims = range(u.net.rank(x)) if value is None else [u.net.dim(x, d, u.origin) for d in listed]
    keep = bool(u.named.get("keepdim", u.named.get("keepdims", False)))
    return u.add("reduce", x, dims=tuple(sorted(set(dims))), keepdim=keep, function=u.name)


def concat(u: Use) -> Tensor:
    """Tensors one after the other along a dim that is there, or stacked along a new one."""
    xs, stacked = u.xs, u.name == "stack"
    given = u.dim(1, -1 if u.name == "concatenate" else 0)
    dim = _new_dim(u, xs[0], given) if stacked else u.net.dim(xs[0], given, u.origin)
    return Tensor(u.net.add("stack" if stacked else "concat", xs, u.origin, dims=(dim,)))


def _new_dim(u: Use, x: str, dim: Any) -> int:
    """The place of a dim that is put in."""
    rank = u.net.rank(x) + 1
    if not is_whole(dim) or not -rank <= dim < rank:
        raise at(u.line, f"{u.name} at dim {brief(dim)}.")
    return int(dim % rank)


def product_of(u: Use) -> Tensor:
    """torch.matmul, torch.bmm and `@`: over the last dim of one and the last but one of the other; torch.einsum."""
    equation, *rest = (*u.args, *u.named.values()) if u.name == "einsum" else ("", *u.args, *u.named.values())
    operands = rest[0] if len(rest) == 1 and isinstance(rest[0], list | tuple) else rest
    xs = [u.calls.tensor(one, u.line).name for one in operands]
    ranks = [u.net.rank(x) for x in xs]
    if u.name == "einsum":
        left, arrow, output = str(equation).replace(" ", "").partition("->")
        labels = left.split(",")
        sizes = [len({*text}) if text.isalpha() else 0 for text in labels]
        if not arrow or not ranks == sizes == [len(text) for text in labels] or not {*output} <= {*left} - {","}:
            raise at(u.line, f"einsum by {brief(equation)} is not followed: a letter for each dim, and '->'.")
    elif len(xs) != 2 or min(ranks) < 2:
        raise at(u.line, f"{u.name} needs two tensors of two dims or more.")
    else:
        labels, output = product_labels(*ranks)
    return Tensor(u.net.add("einsum", xs, u.origin, labels=tuple(labels), output=output, weight_sizes={}))


def conv(u: Use) -> Any:
    """F.conv1d(x, self.weight, ...): the layer that owns the weight, with the settings of the call."""
    weight, transposed = u.given(1, "weight"), "transpose" in u.name
    if isinstance(weight, Tensor) and u.net.fixed(weight.name):
        weight = _of_weight(u, weight.name, transposed)
    if not isinstance(weight, Layer):
        return NO_SUCH
    names = ["bias", "stride", "padding", "dilation", "groups"]
    names[3:] = ["output_padding", "groups", "dilation"] if transposed else names[3:]
    given = {name: u.given(place, name) for place, name in enumerate(names, 2)}
    own = {"padding_mode": "zeros", "stride": 1, "padding": 0, "dilation": 1}
    values = {**weight.values, **own, **{k: v for k, v in given.items() if v is not None and k != "bias"}}
    return u.calls.apply(weight.variant(values), u.args[:1], u.line)


def _of_weight(u: Use, weight: str, transposed: bool) -> Layer | None:
    """The convolution whose weights are an array of the code, which then counts them."""
    first, second, *kernel = u.net.shape(weight)
    groups = u.given(5 if transposed else 6, "groups", default=1)
    ends = (first, second * groups) if transposed else (second * groups, first)
    u.net.drop(weight)
    names = ("in_channels", "out_channels", "kernel_size", "bias")
    values = dict(zip(names, (*ends, tuple(kernel), u.given(2, "bias") is not None), strict=True))
    return Layer(f"Conv{'Transpose' * transposed}{len(kernel)}d", values, "torch", u.line, u.name)


def pad(u: Use) -> Tensor:
    ends = u.given(1, "pad", "paddings")
    if not isinstance(ends, list | tuple):
        raise unreadable(ends, u.line)
    if ends and isinstance(ends[0], list | tuple):  # tf.pad: a pair for every dim, first dim first
        ends = [value for pair in reversed(ends) for value in pair]
    mode = str(u.given(2, "mode", default="constant")).lower()
    return Tensor(u.net.pad_from_the_end(u.x, u.origin, list(ends), mode))


def view(u: Use) -> Tensor:
    x, sizes = u.x, u.numbers(1)
    for size in sizes:
        if size is not None and not isinstance(size, int):
            raise unreadable(size, u.line)
    have = u.net.shape(x)
    shape = fill_reshape(have, sizes)
    if None in have and shape.count(None) > have.count(None):
        raise at(u.line, "this reshape depends on a size that is not known. Give the whole input shape with --input.")
    return u.reshaped(x, shape)


def permute(u: Use) -> Tensor:
    """permute, transpose and `.T`: the dims in another order, without one in reverse."""
    x, rest = u.x, u.numbers(1, "perm", "axes", "dims")
    rank = u.net.rank(x)
    dims = [u.net.dim(x, d, u.origin) for d in rest or reversed(range(rank))]
    if u.name == "transpose" and len(dims) == 2 < rank:
        (a, b), dims = dims, list(range(rank))
        dims[a], dims[b] = b, a
    if sorted(dims) != list(range(rank)):
        raise at(u.line, f"{tuple(rest)} is not an order of {rank} dims.")
    return replace(u, name="permute").add("permute", x, order=tuple(dims))


def squeeze(u: Use) -> Tensor:
    x, dim = u.x, u.dim(1)
    shape = u.net.shape(x)
    gone = range(len(shape)) if dim is None else [u.net.dim(x, dim, u.origin)]
    return u.reshaped(x, tuple(s for d, s in enumerate(shape) if d not in gone or s != 1))


def unsqueeze(u: Use) -> Tensor:
    x = u.x
    dim, shape = _new_dim(u, x, u.dim(1)), u.net.shape(x)
    return u.reshaped(x, (*shape[:dim], 1, *shape[dim:]))


def size_of(u: Use) -> Any:
    x, dim = u.x, u.dim(1)
    shape = u.net.shape(x)
    return shape if dim is None else shape[u.net.dim(x, dim, u.origin)]


def chunk(u: Use) -> list[Tensor]:
    x, parts = u.x, u.given(1, "chunks", "split_size")
    dim = u.net.dim(x, u.dim(2, 0), u.origin)
    size = u.net.shape(x)[dim]
    if not isinstance(parts, int) or parts < 1 or size is None:
        raise at(u.line, f"{u.name} needs a whole number of parts of a known size.")
    each = -(-size // parts) if u.name == "chunk" else parts
    ends = [(start, min(size, start + each)) for start in range(0, size, each)]
    return [u.add("slice", x, dims=(dim,), start=(start,), stop=(stop,), step=(1,)) for start, stop in ends]


def expand(u: Use) -> Tensor:
    """x.expand_as(y), and x.expand(-1, -1, 8, 8), where -1 keeps a size."""
    x = u.x
    own = u.net.shape(x)
    if u.name == "expand_as":
        return u.add("expand", x, shape=u.net.shape(u.calls.tensor(u.given(1), u.line).name))
    sizes = u.numbers(1)
    if len(sizes) < len(own) or not all(size is None or isinstance(size, int) for size in sizes):
        raise at(u.line, "expand needs a size for each dim, -1 to keep one.")
    own = (*(1,) * (len(sizes) - len(own)), *own)
    return u.add("expand", x, shape=tuple(had if size == -1 else size for had, size in zip(own, sizes, strict=True)))


def rearrange(u: Use) -> Tensor:
    """einops: `rearrange(x, "b c f t -> b t (c f)")`; sizes of what is taken apart by name."""
    x, sizes = u.x, {key: value for key, value in u.named.items() if isinstance(value, int)}
    shape = u.net.shape(x)
    where = f"line {u.line}: {u.name}"
    parts, order, merged = rearrangement(str(u.given(1, default="")), shape, sizes, where)
    if parts != shape:
        x = u.reshaped(x, parts).name
    made = replace(u, name="permute").add("permute", x, order=order)
    return made if merged == tuple(parts[i] for i in order) else u.reshaped(made.name, merged)


def made(u: Use) -> Any:
    """torch.randn(1, 1, 16000), tf.zeros((1, 100, 161, 1)): an example input, or a constant inside the network."""
    calls, sizes = u.calls, u.numbers(0)
    if not sizes or not all(map(is_whole, sizes)):
        return Missing(f"{u.name}(...)", u.line)
    if u.net.inputs or len(calls.interpreter.scopes) > 1:  # inside a function it is a constant, not what goes in
        return Tensor(u.net.add("constant", [], u.origin, shape=tuple(sizes)))
    given = calls.given
    whole = tuple(sizes) if given is None else given if len(given) == len(sizes) else (1, *given)
    return calls.new_input(whole, u.line, keras=calls.framework == "keras")


def cut(calls: CodeCalls, tensor: Tensor, keys: Sequence[Any], line: int) -> Tensor:
    """Slicing and indexing, one key per dim; an Ellipsis stands for the dims not named."""
    net, x, dim = calls.net, tensor.name, 0
    rank = net.rank(x)
    used = sum(1 for k in keys if k is not None and k is not Ellipsis)
    for key in [one for k in keys for one in ([slice(None)] * (rank - used) if k is Ellipsis else [k])]:
        shape = net.shape(x)
        if key is None:
            x = net.reshape(x, Origin("unsqueeze", "unsqueeze", line), (*shape[:dim], 1, *shape[dim:]))
        elif dim >= len(shape):
            raise at(line, f"more indices than the {rank} dims of the tensor.")
        elif isinstance(key, slice):
            x = _sliced(net, x, dim, key, line)
        elif is_whole(key):
            size = shape[dim]
            if size is None and key < 0:
                raise at(line, "this index depends on a size that is not known. Give the shape with --input.")
            if size is not None and not -size <= key < size:
                raise at(line, f"index {key} of {size} positions.")
            index = key if size is None else key % size
            x = net.add("select", [x], Origin("slice", "slice", line), dims=(dim,), index=index)
            continue
        else:
            raise unreadable(key, line)
        dim += 1
    return Tensor(x)


def _sliced(net: LayerGraph, x: str, dim: int, key: slice, line: int) -> str:
    if key == slice(None):
        return x
    origin, shape = Origin("slice", "slice", line), net.shape(x)
    size, start, stop, step = shape[dim], key.start or 0, key.stop, 1 if key.step is None else key.step
    if isinstance(stop, Missing):
        if min(start, step - 1) < 0:
            raise at(line, "this slice depends on a size that is not known, or runs backwards. Give --input.")
        opened = (*shape[:dim], None, *shape[dim + 1 :])
        return net.add("slice", [x], origin, shape=opened, dims=(dim,), start=(start,), stop=(None,), step=(step,))
    if size is None and step == 1 and start >= 0 and isinstance(stop, int) and stop < 0:
        return net.pad(x, origin, dims=[dim], pairs=[(-start, stop)], mode="constant")
    if step < 1 or (size is None and (start < 0 or (stop is not None and stop < 0))):
        raise at(line, "this slice depends on a size that is not known, or runs backwards. Give --input.")
    if size is not None:
        start, stop, step = key.indices(size)
        if stop <= start:
            raise at(line, f"this slice of {size} positions is empty.")
    return net.add("slice", [x], origin, dims=(dim,), start=(start,), stop=(stop,), step=(step,))


OPERATORS: dict[str, Callable[[Use], Any]] = operators("code", sys.modules[__name__])
