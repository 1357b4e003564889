"""Functions and methods on tensors in pasted code: `F.relu(x)`, `torch.cat`, `x.view`, `tf.concat`, `x[..., a:b]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ...errors import ExplainError
from ..graph import Size
from ..shapes import Shape, product
from .code_values import Free, Layer, Missing, Tensor, at
from .layers import LayerGraph, Origin, brief
from .torch_layers import TORCH_LAYERS, TORCH_POSITIONAL, dim_of, flatten, glu, pad_from_the_end


class CodeCalls(Protocol):
    """What an operation needs of the snippet that is being read."""

    net: LayerGraph
    framework: str
    given: Shape | None
    interpreter: Any

    def tensor(self, value: Any, line: int) -> Tensor: ...
    def unreadable(self, value: Any, line: int) -> ExplainError: ...
    def join(self, function: str, operands: Sequence[Any], line: int) -> Any: ...
    def apply(self, layer: Any, args: Sequence[Any], line: int) -> Any: ...
    def new_input(self, shape: Shape, line: int, *, keras: bool) -> Tensor: ...
    def layer(
        self, kind: str, positional: str, framework: str, args: list[Any], named: dict[str, Any], line: int
    ) -> Layer: ...


Operation = Callable[[CodeCalls, str, list[Any], dict[str, Any], int], Any]

_ELEMENTWISE = (
    "relu relu6 leaky_relu elu selu celu gelu silu swish mish sigmoid tanh softplus softsign hardtanh "
    "hardswish dropout exp log log1p log10 sqrt rsqrt square abs neg negative clamp clip pow sign sin cos erf "
    "reciprocal logsigmoid hard_sigmoid hard_swish feature_dropout dropout1d dropout2d"
)
ELEMENTWISE = frozenset(_ELEMENTWISE.split())
JOINS = {
    "add": "add",
    "sub": "subtract",
    "subtract": "subtract",
    "mul": "multiply",
    "multiply": "multiply",
    "div": "divide",
    "divide": "divide",
    "maximum": "maximum",
    "minimum": "minimum",
    "average": "average",
}
REDUCTIONS = {"mean": "mean", "sum": "sum", "amax": "max", "amin": "min", "std": "std", "var": "var"}
REDUCTIONS.update({f"reduce_{name}": name for name in ("mean", "sum", "max", "min", "std", "variance")})

EXTREMES = {"max", "min"}  # of an array along a dim; of two arrays, value by value


def functional(
    calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int, *, torch: bool = False
) -> Any:
    """What the function called `name` gives, or None when it is not one of these; `torch` where it is one of torch."""
    if name in ELEMENTWISE:
        return _one(calls, name, args, line, lambda x, o: calls.net.elementwise([x], o, name))
    if name in JOINS:
        listed = args[0] if args and isinstance(args[0], list | tuple) else args
        return calls.join(JOINS[name], [v for v in listed if not isinstance(v, str)], line)
    if name in REDUCTIONS:
        return _reduce(calls, REDUCTIONS[name], args, named, line)
    if name in EXTREMES:
        if len(args) > 1 and isinstance(args[1], Tensor):
            return functional(calls, f"{name}imum", args, named, line)
        found = functional(calls, f"a{name}", args, named, line)
        along = len(args) > 1 or "dim" in named
        return (found, Missing("indices", line)) if torch and along else found
    operation = OPERATIONS.get(name)
    return None if operation is None else operation(calls, name, args, named, line)


def _origin(name: str, line: int) -> Origin:
    return Origin(name, name, line)


def _one(calls: CodeCalls, name: str, args: list[Any], line: int, make: Callable[[str, Origin], str]) -> Tensor:
    if not args:
        raise at(line, f"{name} is called without a tensor.")
    return Tensor(make(calls.tensor(args[0], line).name, _origin(name, line)))


def _dim(calls: CodeCalls, args: list[Any], named: dict[str, Any], place: int, default: int | None = None) -> Any:
    return named.get("dim", named.get("axis", args[place] if len(args) > place else default))


def _tensors(calls: CodeCalls, args: list[Any], named: dict[str, Any], line: int) -> list[str]:
    listed = args[0] if args else named.get("tensors", named.get("values", []))
    if not isinstance(listed, list | tuple) or not listed:
        raise at(line, "a list of tensors was expected.")
    return [calls.tensor(one, line).name for one in listed]


def _concat(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    xs = _tensors(calls, args, named, line)
    origin = _origin(name, line)
    default = -1 if name == "concatenate" else 0
    dim = dim_of(calls.net, xs[0], _dim(calls, args, named, 1, default), origin)
    return Tensor(calls.net.add("concat", xs, origin, dims=(dim,)))


def product_of(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    """torch.matmul, torch.bmm and `@`: over the last dim of one and the last but one of the other."""
    xs = [calls.tensor(one, line).name for one in (*args, *named.values())[:2]]
    ranks = [calls.net.rank(x) for x in xs]
    if len(xs) != 2 or min(ranks) < 2:
        raise at(line, f"{name} needs two tensors of two dims or more.")
    batch = "abcdefgh"[: max(ranks) - 2]
    labels = tuple(batch[len(batch) - (rank - 2) :] + own for rank, own in zip(ranks, ("ik", "kj"), strict=True))
    return Tensor(calls.net.add("einsum", xs, _origin(name, line), labels=labels, output=batch + "ij", weight_sizes={}))


def _stack(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    xs = _tensors(calls, args, named, line)
    dim = _dim(calls, args, named, 1, 0)
    rank = calls.net.rank(xs[0]) + 1
    if not isinstance(dim, int) or not -rank <= dim < rank:
        raise at(line, f"stack along dim {brief(dim)}.")
    return Tensor(calls.net.add("stack", xs, _origin(name, line), dims=(dim % rank,)))


def _reduce(calls: CodeCalls, function: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    x = calls.tensor(args[0] if args else None, line).name
    origin = _origin(function, line)
    value = _dim(calls, args, named, 1)
    listed = list(value) if isinstance(value, list | tuple) else [value]
    dims = range(calls.net.rank(x)) if value is None else [dim_of(calls.net, x, d, origin) for d in listed]
    keep = bool(named.get("keepdim", named.get("keepdims", False)))
    found = calls.net.add("reduce", [x], origin, dims=tuple(sorted(set(dims))), keepdim=keep, function=function)
    return Tensor(found)


def _pad(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    x = calls.tensor(args[0] if args else None, line).name
    ends = args[1] if len(args) > 1 else named.get("pad", named.get("paddings"))
    if not isinstance(ends, list | tuple):
        raise calls.unreadable(ends, line)
    if ends and isinstance(ends[0], list | tuple):  # tf.pad: a pair for every dim, first dim first
        ends = [value for pair in reversed(ends) for value in pair]
    mode = str(named.get("mode", args[2] if len(args) > 2 else "constant")).lower()
    return Tensor(pad_from_the_end(calls.net, x, list(ends), mode, _origin(name, line)))


def _view(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    x = calls.tensor(args[0] if args else None, line).name
    sizes = list(args[1]) if len(args) == 2 and isinstance(args[1], list | tuple) else args[1:]
    for size in sizes:
        if isinstance(size, Free | Missing) or (size is not None and not isinstance(size, int)):
            raise calls.unreadable(size, line)
    have = calls.net.shape(x)
    total, rest = product(have), product(s for s in sizes if s != -1)
    filled: Size = total // rest if total is not None and rest else None
    shape = tuple(filled if s == -1 else s for s in sizes)
    if None in have and shape.count(None) > have.count(None):
        raise at(line, "this reshape depends on a size that is not known. Give the whole input shape with --input.")
    return Tensor(calls.net.reshape(x, _origin(name, line), shape))


def permute(calls: CodeCalls, x: Tensor, order: Sequence[Any], line: int) -> Tensor:
    """`x` with its dims in another order."""
    dims = [dim_of(calls.net, x.name, d, _origin("permute", line)) for d in order]
    if sorted(dims) != list(range(calls.net.rank(x.name))):
        raise at(line, f"{tuple(order)} is not an order of {calls.net.rank(x.name)} dims.")
    return Tensor(calls.net.add("permute", [x.name], _origin("permute", line), order=tuple(dims)))


def _permute(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    x = calls.tensor(args[0] if args else None, line)
    rank = calls.net.rank(x.name)
    rest = list(args[1]) if len(args) == 2 and isinstance(args[1], list | tuple) else list(args[1:])
    rest = list(named.get("perm", named.get("axes", named.get("dims", rest))))
    if name == "transpose" and len(rest) == 2 and rank > 2:
        a, b = (dim_of(calls.net, x.name, d, _origin(name, line)) for d in rest)
        rest = list(range(rank))
        rest[a], rest[b] = b, a
    return permute(calls, x, rest or list(reversed(range(rank))), line)


def _flatten(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    x = calls.tensor(args[0] if args else None, line).name
    start = named.get("start_dim", args[1] if len(args) > 1 else 0)
    end = named.get("end_dim", args[2] if len(args) > 2 else -1)
    return Tensor(flatten(calls.net, x, start, end, _origin(name, line)))


def _squeeze(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    x = calls.tensor(args[0] if args else None, line).name
    shape, origin = calls.net.shape(x), _origin(name, line)
    dim = _dim(calls, args, named, 1)
    if name == "squeeze":
        gone = {d for d, s in enumerate(shape) if s == 1} if dim is None else {dim_of(calls.net, x, dim, origin)}
        return Tensor(calls.net.reshape(x, origin, tuple(s for d, s in enumerate(shape) if d not in gone or s != 1)))
    rank = len(shape) + 1
    if not isinstance(dim, int) or not -rank <= dim < rank:
        raise at(line, f"{name} at dim {brief(dim)}.")
    dim %= rank
    return Tensor(calls.net.reshape(x, origin, (*shape[:dim], 1, *shape[dim:])))


def _softmax(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    x = calls.tensor(args[0] if args else None, line).name
    dim = dim_of(calls.net, x, _dim(calls, args, named, 1, -1), _origin(name, line))
    return Tensor(calls.net.add("softmax", [x], _origin(name, line), dims=(dim,)))


def _glu(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    x = calls.tensor(args[0] if args else None, line).name
    return Tensor(glu(calls.net, x, _dim(calls, args, named, 1, -1), _origin(name, line)))


def _size(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Any:
    x = calls.tensor(args[0] if args else None, line).name
    dim = _dim(calls, args, named, 1)
    shape = calls.net.shape(x)
    return shape if dim is None else shape[dim_of(calls.net, x, dim, _origin(name, line))]


def _chunk(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> list[Tensor]:
    x = calls.tensor(args[0] if args else None, line).name
    parts = args[1] if len(args) > 1 else named.get("chunks", named.get("split_size"))
    dim = dim_of(calls.net, x, _dim(calls, args, named, 2, 0), _origin(name, line))
    size = calls.net.shape(x)[dim]
    if not isinstance(parts, int) or parts < 1 or size is None:
        raise at(line, f"{name} needs a whole number of parts of a known size.")
    each = -(-size // parts) if name == "chunk" else parts
    return [
        Tensor(
            calls.net.add(
                "slice", [x], _origin(name, line), dims=(dim,), start=(a,), stop=(min(size, a + each),), step=(1,)
            )
        )
        for a in range(0, size, each)
    ]


def _expand(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    """x.expand_as(y), and x.expand(-1, -1, 8, 8), where -1 keeps a size."""
    x = calls.tensor(args[0], line).name
    own = calls.net.shape(x)
    if name == "expand_as":
        wide = calls.net.shape(calls.tensor(args[1] if len(args) > 1 else None, line).name)
    else:
        sizes = list(args[1]) if len(args) == 2 and isinstance(args[1], list | tuple) else args[1:]
        if len(sizes) < len(own) or not all(size is None or isinstance(size, int) for size in sizes):
            raise at(line, "expand needs a size for each dim, -1 to keep one.")
        own = (*(1,) * (len(sizes) - len(own)), *own)
        wide = tuple(had if size == -1 else size for had, size in zip(own, sizes, strict=True))
    return Tensor(calls.net.add("expand", [x], _origin(name, line), shape=wide))


def _rearrange(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Tensor:
    """einops: `rearrange(x, "b c f t -> b t (c f)")`; sizes of what is taken apart by name."""
    x = calls.tensor(args[0] if args else None, line).name
    sides = [_groups(side) for side in str(args[1] if len(args) > 1 else "").split("->")]
    names = [[part for group in side for part in group] for side in sides]
    if len(sides) != 2 or len(sides[0]) != calls.net.rank(x) or sorted(names[0]) != sorted(names[1]):
        raise at(line, f"{name} needs a pattern such as 'b c f t -> b t (c f)' that names every dim of its tensor.")
    sizes: dict[str, Size] = {key: value for key, value in named.items() if isinstance(value, int)}
    for group, size in zip(sides[0], calls.net.shape(x), strict=True):
        open_ = [part for part in group if part not in sizes]
        known = product(sizes[part] for part in group if part in sizes)
        if len(open_) > 1:
            raise at(line, f"{name} takes {' '.join(group)} apart; give the size of all but one, such as {open_[0]}=8.")
        sizes.update({part: size // known if size is not None and known else None for part in open_})
    origin = _origin(name, line)
    apart, together = names
    if any(len(group) != 1 for group in sides[0]):
        x = calls.net.reshape(x, origin, tuple(sizes[part] for part in apart))
    x = permute(calls, Tensor(x), [apart.index(part) for part in together], line).name
    if any(len(group) != 1 for group in sides[1]):
        x = calls.net.reshape(x, origin, tuple(product(sizes[part] for part in group) for group in sides[1]))
    return Tensor(x)


def _groups(side: str) -> list[list[str]]:
    """The dims of one side of a pattern, each as the parts it is made of; `1` is made of none."""
    found = re.findall(r"\(([^)]*)\)|(\S+)", side)
    return [joined.split() if joined else [] if alone in {"", "1"} else [alone] for joined, alone in found]


def _pool(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Any:
    """F.max_pool1d, F.adaptive_avg_pool2d, F.interpolate: the layers of the same settings."""
    kind = "Upsample" if name == "interpolate" else "".join(w.capitalize() for w in name.split("_"))
    if kind not in TORCH_LAYERS:
        return None
    layer = calls.layer(kind, TORCH_POSITIONAL.get(kind, ""), "torch", args[1:], named, line)
    layer.name = name
    return calls.apply(layer, args[:1], line)


def _made(calls: CodeCalls, name: str, args: list[Any], named: dict[str, Any], line: int) -> Any:
    """torch.randn(1, 1, 16000), tf.zeros((1, 100, 161, 1)): an example input, or a constant inside the network."""
    sizes = list(args[0]) if args and isinstance(args[0], list | tuple) else args
    if not sizes or not all(isinstance(s, int) and not isinstance(s, bool) for s in sizes):
        return Missing(f"{name}(...)", line)
    if calls.net.inputs or len(calls.interpreter.scopes) > 1:  # inside a function it is a constant, not what goes in
        return Tensor(calls.net.add("constant", [], _origin(name, line), shape=tuple(sizes)))
    given = calls.given
    whole = tuple(sizes) if given is None else given if len(given) == len(sizes) else (1, *given)
    return calls.new_input(whole, line, keras=calls.framework == "keras")


def cut(calls: CodeCalls, tensor: Tensor, keys: Sequence[Any], line: int) -> Tensor:
    """Slicing and indexing, one key per dim; an Ellipsis stands for the dims not named."""
    rank = calls.net.rank(tensor.name)
    used = sum(1 for k in keys if k is not None and k is not Ellipsis)
    whole: list[Any] = []
    for key in keys:
        whole += [slice(None)] * (rank - used) if key is Ellipsis else [key]
    x, dim = tensor.name, 0
    for key in whole:
        origin, shape = _origin("slice", line), calls.net.shape(x)
        if key is None:
            x = calls.net.reshape(x, _origin("unsqueeze", line), (*shape[:dim], 1, *shape[dim:]))
            dim += 1
            continue
        if dim >= len(shape):
            raise at(line, f"more indices than the {rank} dims of the tensor.")
        size = shape[dim]
        if isinstance(key, slice):
            if key != slice(None):
                start, stop, step = key.start or 0, key.stop, 1 if key.step is None else key.step
                if size is None and step == 1 and start >= 0 and isinstance(stop, int) and stop < 0:
                    x = calls.net.pad(x, origin, dims=[dim], pairs=[(-start, stop)], mode="constant")
                    dim += 1
                    continue
                if step < 1 or (size is None and (start < 0 or (stop is not None and stop < 0))):
                    raise at(line, "this slice depends on a size that is not known, or runs backwards. Give --input.")
                if size is not None:
                    start, stop, step = key.indices(size)
                    if stop <= start:
                        raise at(line, f"this slice of {size} positions is empty.")
                x = calls.net.add("slice", [x], origin, dims=(dim,), start=(start,), stop=(stop,), step=(step,))
            dim += 1
        elif isinstance(key, int) and not isinstance(key, bool):
            if size is None and key < 0:
                raise at(line, "this index depends on a size that is not known. Give the shape with --input.")
            if size is not None and not -size <= key < size:
                raise at(line, f"index {key} of {size} positions.")
            x = calls.net.add("select", [x], origin, dims=(dim,), index=key if size is None else key % size)
        else:
            raise calls.unreadable(key, line)
    return Tensor(x)


OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(("cat", "concat", "concatenate"), _concat),
    "stack": _stack,
    **dict.fromkeys(("matmul", "bmm", "mm"), product_of),
    "pad": _pad,
    **dict.fromkeys(("view", "reshape"), _view),
    **dict.fromkeys(("permute", "transpose"), _permute),
    "flatten": _flatten,
    **dict.fromkeys(("squeeze", "unsqueeze", "expand_dims"), _squeeze),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    "size": _size,
    "glu": _glu,
    "rearrange": _rearrange,
    **dict.fromkeys(("expand", "expand_as"), _expand),
    **dict.fromkeys(("chunk", "split"), _chunk),
    "interpolate": _pool,
    **{f"{kind}_pool{n}d": _pool for kind in ("max", "avg", "adaptive_max", "adaptive_avg") for n in (1, 2, 3)},
    **dict.fromkeys(("randn", "rand", "zeros", "ones", "empty"), _made),
}
