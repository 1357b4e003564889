"""Two measurements that the symbolic answer must survive.

The gradient probe runs the exported graph in float64 with every kernel made of ones, every activation an identity and
every norm left out, so that nothing cancels and nothing saturates; where the gradient of an output is not zero, the
output depends on that input. Channels are averaged before a dense kernel, which changes no connection and makes the
probe cheap. The NaN probe (`nan_probe`) runs the real module.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.fx.node import map_arg

from ..errors import ExplainError
from .analysis import out_dim, sources
from .expect import Stretch, extent, judged_gradient, probed_outputs
from .graph import Graph
from .nan_probe import LARGE, NAN, probe_nan
from .phrases import table
from .readers.aten_layers import dims_in
from .readers.build import by_name, spread
from .readers.torch import built, evaluating, export, first_tensor, kind_of, named_arguments, owned_by
from .readers.vocabulary import product_labels
from .report import AxisField, ProbeResult, Report


def gradient_probe(report: Report, module: Any, graph: Graph) -> list[ProbeResult]:
    """For every axis the input intervals of some outputs, measured by gradient."""
    shapes = [tuple(int(s or 1) for s in graph.shape(name)) for name in graph.inputs]
    try:
        program = export(module, shapes)
    except ExplainError:
        detail = "torch.export refuses the module, so there is no graph to take gradients of"
        return [ProbeResult("gradient", axis.name, None, "", "", detail) for _, axis in sources(graph)]
    builder = built(program)
    results = []
    for (name, axis), field in zip(sources(graph), report.fields, strict=True):
        dim = out_dim(graph, name, axis)
        idle = {
            c.operator for c in (*field.whole_input, *field.unbounded_past, *field.unbounded_future) if c.statistics
        }
        skipped = {node for node, ops in builder.made.items() if idle.intersection(ops)}
        inputs = {n: torch.ones(*s, dtype=torch.float64) for n, s in zip(graph.inputs, shapes, strict=True)}
        x = inputs[name].requires_grad_(True)
        try:
            measured = measured_gradients(field, linear_answer(program, skipped, inputs), x, axis.dim, dim)
        except (RuntimeError, TypeError, ValueError, LookupError, StopIteration) as error:
            reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
            results.append(ProbeResult("gradient", axis.name, None, "", "", f"it could not be run: {reason}"))
            continue
        results.append(judged_gradient(field, measured))
    return results


def measured_gradients(field: AxisField, output: Any, x: Any, in_dim: int, dim: int | None) -> dict[int, Stretch]:
    """The first and last input position with a gradient, for some outputs; all outputs at once when none moves."""
    targets = {0: output.sum()} if dim is None else {n: output.select(dim, n).sum() for n in probed_outputs(field)}
    found: dict[int, Stretch] = {}
    for number, target in targets.items():
        reached = target.requires_grad
        gradient = torch.autograd.grad(target, x, retain_graph=True, allow_unused=True)[0] if reached else None
        if gradient is None:
            found[number] = None
            continue
        per_position = gradient.abs().movedim(in_dim, 0).flatten(1).sum(1)
        found[number] = extent((per_position > 0).tolist())
    return found


def probe_module(report: Report, module: Any, graph: Graph) -> list[ProbeResult]:
    """The NaN probe on the real module."""
    device, dtype = kind_of(module)
    generator = torch.Generator().manual_seed(0)
    shapes = {name: [int(s or 1) for s in graph.shape(name)] for name in graph.inputs}
    base = {name: torch.randn(*shape, generator=generator).numpy() for name, shape in shapes.items()}

    def answer(inputs: Mapping[str, Any]) -> Any:
        made = first_tensor(module(*(torch.from_numpy(value).to(device, dtype) for value in inputs.values())))
        return made.to(torch.complex128 if made.is_complex() else torch.float64).cpu().numpy()

    with evaluating(module), torch.no_grad():
        return probe_nan(report, graph, answer, [base], (NAN, LARGE))


def linear_answer(program: Any, skipped: set[str], inputs: Mapping[str, Any]) -> Any:
    """The first output of an exported graph, run in float64 as a sum of its paths, for inputs by name."""
    given, owned = {**program.state_dict, **program.constants}, owned_by(program)
    values: dict[str, Any] = {}
    live: set[str] = set(inputs)
    for node in program.graph.nodes:
        if node.op == "placeholder":
            value = inputs.get(node.name, given.get(owned.get(node.name, "")))
            values[node.name] = as_double(value.detach()) if node.name not in live and value is not None else value
        elif node.op == "call_function" and node.meta.get("val") is not None:
            arguments, named = map_arg((node.args, node.kwargs), lambda one: values[one.name])
            feeds = any(one.name in live for one in node.all_input_nodes)
            drop = {"dtype", "device", "layout"} if feeds else {"layout"}
            named = {key: value for key, value in named.items() if key not in drop}
            if node.target is operator.getitem or not feeds:
                values[node.name] = as_double(node.target(*arguments, **named))
            else:
                values[node.name] = as_double(step(node, arguments, named, node.name in skipped))
            if feeds:
                live.add(node.name)
    return next(values[name] for name in program.graph_signature.user_outputs if name in live)


def step(node: Any, args: Sequence[Any], named: Mapping[str, Any], skipped: bool) -> Any:
    """One operator that depends on the input, as a sum of paths; `skipped` where it only adds statistics."""
    name = str(node.target).split(".")[1].rstrip("_")
    full, family = named_arguments(node, args, named), FAMILIES.get(name, "")
    x = next(v for v in flat(args) if torch.is_tensor(v) and v.is_floating_point())
    if skipped:
        return skipped_value(node, family, x)
    match family:
        case "conv":
            return plain_conv(node, full)
        case "rnn":
            return plain_rnn(node, full)
        case "linear" | "product_of" | "einsum":
            return plain_product(node, name, full)
        case "attention":
            q, k, v = full["query"], full["key"], full["value"]
            kv = k.mean(-1, keepdim=True) + v.mean(-1, keepdim=True)
            kv = kv.cumsum(-2) if full.get("is_causal") else kv.mean(-2, keepdim=True)
            return (q.mean(-1, keepdim=True) + kv).expand(shape_of(node))
        case "batch_norm" | "group_norm" | "layer_norm":
            return tuple_like(node, x)
        case "softmax":
            return x
        case "adaptive":
            made = getattr(torch.nn.functional, f"adaptive_avg_pool{dims_in(name)}d")(x, full["output_size"])
            return tuple_like(node, made)
        case "pool":
            return plain_pool(node, name, full)
        case "reduce":
            dims = full.get("dim")
            made = x.mean(dims, keepdim=bool(full.get("keepdim"))) if dims is not None and dims != [] else x.mean()
            return tuple_like(node, made)
        case "stft" | "istft" | "fft" | "view_as_real" | "view_as_complex":
            return plain_spectrum(node, name, full)
        case "glu":
            a, b = x.chunk(2, full["dim"])
            return a + b
    if torch.Tag.pointwise in node.target.tags or family == "pointwise_op":
        tensors = [v.double() for v in flat(args) if torch.is_tensor(v)]
        total = sum(v if v.requires_grad else torch.zeros_like(v) for v in tensors)
        return total.expand(shape_of(node)) if torch.is_tensor(total) else total
    return node.target(*args, **named)


FAMILIES = by_name(*((names, rule) for found in table("operators")["aten"].values() for rule, names in found.items()))


def plain_spectrum(node: Any, name: str, full: Mapping[str, Any]) -> Any:
    """Transforms as sums over what they read; complex values as one real number."""
    x, shape = full.get("self", full.get("input")), shape_of(node)
    if name == "view_as_real":
        return x.unsqueeze(-1).expand(shape)
    if name == "view_as_complex":
        return x.sum(-1)
    if name.startswith("fft"):
        return x.mean(full["dim"], keepdim=True).expand(shape)
    size, hop = int(full["n_fft"]), int(full["hop_length"] or full["n_fft"] // 4)
    if name == "stft":
        length = int(full["win_length"] or size)
        first = (size - length) // 2
        return x.unfold(-1, size, hop)[..., first : first + length].mean(-1).unsqueeze(-2).expand(shape)
    frames = x.mean(-2).reshape(-1, 1, x.shape[-1])
    whole = torch.nn.functional.conv_transpose1d(frames, torch.ones(1, 1, size, dtype=torch.float64), stride=hop)
    start = size // 2 if full["center"] else 0
    return torch.nn.functional.pad(whole[..., start:], (0, size))[..., : shape[-1]].reshape(shape)


def plain_conv(node: Any, full: Mapping[str, Any]) -> Any:
    """A convolution of ones: one channel per group, shared by all output channels of the group."""
    x, weight, groups = full["input"], full["weight"], int(full["groups"])
    count = weight.dim() - 2
    transposed = "transpose" in str(node.target) or bool(full.get("transposed"))
    mixed = x.reshape(x.shape[0], groups, -1, *x.shape[2:]).mean(2)
    kernel = torch.ones(groups, 1, *weight.shape[2:], dtype=torch.float64)
    kind = f"conv_transpose{count}d" if transposed else f"conv{count}d"
    options = {k: full[k] for k in ("stride", "padding", "dilation")}
    if transposed:
        options["output_padding"] = full.get("output_padding", 0)
    made = getattr(torch.nn.functional, kind)(mixed, kernel / kernel[0].numel(), groups=groups, **options)
    channels = shape_of(node)[1]
    return made.repeat_interleave(channels // groups, 1)


def plain_pool(node: Any, name: str, full: Mapping[str, Any]) -> Any:
    """A pooling as a convolution of ones over each channel, cut or padded to the size that the operator gives."""
    x, count = full.get("self", full.get("input")), dims_in(name)
    taps = spread(full["kernel_size"], count)
    stride = spread(full.get("stride") or taps, count)
    pads, dilation = spread(full.get("padding") or 0, count), spread(full.get("dilation") or 1, count)
    lead, sizes = x.shape[: x.dim() - count], x.shape[x.dim() - count :]
    wanted = shape_of(node)[-count:]
    extra = [
        max(0, (w - 1) * s + (k - 1) * d + 1 - size - p)
        for w, s, k, d, size, p in zip(wanted, stride, taps, dilation, sizes, pads, strict=True)
    ]
    amounts = [a for p, e in zip(reversed(pads), reversed(extra), strict=True) for a in (p, e)]
    padded = torch.nn.functional.pad(x.reshape(-1, 1, *sizes), amounts)
    kernel = torch.ones(1, 1, *taps, dtype=torch.float64)
    made = getattr(torch.nn.functional, f"conv{count}d")(padded, kernel, stride=stride, dilation=dilation)
    made = made[(..., *(slice(0, w) for w in wanted))]
    return tuple_like(node, made.reshape(*lead, *wanted))


def plain_rnn(node: Any, full: Mapping[str, Any]) -> Any:
    """A recurrence as a running sum: every step sees all steps before it, or all of them in both directions."""
    x = full["input"]
    steps = (1 if full["batch_first"] else 0) if x.dim() == 3 else 0
    features = x.mean(-1, keepdim=True)
    both = bool(full["bidirectional"])
    seen = features.sum(steps, keepdim=True).expand_as(features) if both else features.cumsum(steps)
    shapes = [tuple(int(s) for s in value.shape) for value in node.meta["val"]]
    last = features.sum()
    return (seen.expand(shapes[0]), *(last.expand(shape) for shape in shapes[1:]))


def plain_product(node: Any, name: str, full: Mapping[str, Any]) -> Any:
    """A product of two arrays as the sum of their paths: each is averaged over what is summed away."""
    if name == "linear":
        return full["input"].mean(-1, keepdim=True).expand(shape_of(node))
    if name == "einsum":
        operands = full["tensors"]
        left, _, output = str(full["equation"]).replace(" ", "").partition("->")
        labels = left.split(",")
    else:
        operands = [v for v in full.values() if torch.is_tensor(v)][-2:]
        labels, output = product_labels(*(v.dim() for v in operands))
    total = torch.zeros(shape_of(node), dtype=torch.float64)
    for value, text in zip(operands, labels, strict=True):
        if not value.requires_grad:
            continue
        for dim in reversed(range(len(text))):
            if text[dim] not in output:
                value = value.mean(dim)
        kept = [label for label in text if label in output]
        value = value.permute([kept.index(label) for label in output if label in kept])
        for place, label in enumerate(output):
            if label not in kept:
                value = value.unsqueeze(place)
        total = total + value
    return total


def skipped_value(node: Any, family: str, x: Any) -> Any:
    """An operator that only adds statistics: norms and running sums pass the value on, reductions give nothing."""
    passes = family not in {"reduce", "adaptive"}

    def kept(like: Any) -> Any:
        shape = tuple(int(size) for size in like.shape)
        return x if passes and shape == tuple(x.shape) else torch.zeros(shape, dtype=torch.float64)

    made = node.meta["val"]
    return tuple(map(kept, made)) if isinstance(made, list | tuple) else kept(made)


def shape_of(node: Any) -> tuple[int, ...]:
    """The shape of a node's first output."""
    value = node.meta["val"]
    value = value[0] if isinstance(value, list | tuple) else value
    return tuple(int(s) for s in value.shape)


def tuple_like(node: Any, value: Any) -> Any:
    """A value as the node gives it: alone, or first of several."""
    many = node.meta["val"]
    return tuple(value for _ in many) if isinstance(many, list | tuple) else value


def flat(values: Sequence[Any]) -> list[Any]:
    """All values of nested lists."""
    return [one for v in values for one in (flat(v) if isinstance(v, list | tuple) else [v])]


def as_double(value: Any) -> Any:
    """Floating tensors in float64, in tuples and lists too."""
    if isinstance(value, list | tuple):
        return type(value)(as_double(v) for v in value)
    return value.double() if hasattr(value, "is_floating_point") and value.is_floating_point() else value
