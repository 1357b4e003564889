"""One function that checks everything a streaming layer promises: `verify(layer, shape)`."""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn

from voxfield.errors import InputError
from voxfield.explain import explain
from voxfield.nn.streaming import State, Streaming, flatten, map_state


def verify(
    layer: Streaming, shape: tuple[int, ...], layout: str = "BCT", tolerance: float = 1e-5, codes: int = 0
) -> None:
    """Raise an AssertionError for the first promise that a layer breaks.

    Args:
        layer: with its parameters set to something that is not all the same.
        shape: of an input of some thirty strides or more, two of a batch.
        layout: letters of its axes, as for `voxfield.explain`.
        tolerance: largest difference, relative to the largest value.
        codes: the input is whole numbers from 0 to below this, which have no gradient; 0 for others.
    """
    layer = layer.eval()
    random = torch.Generator().manual_seed(1)
    x = torch.randint(codes, shape, generator=random) if codes else torch.randn(shape, generator=random)
    assert x.shape[layer.batch_axis] == 2 and x.shape[layer.time_axis] % layer.stride == 0
    _zeros_are_the_initial_state(layer, x, tolerance)
    _blocks_give_what_the_whole_gives(layer, x, tolerance)
    _gradients_are_those_of_the_whole(layer, x, tolerance)
    _streams_do_not_mix(layer, x, tolerance)
    _the_future_does_not_reach_back(layer, x)
    _part_of_a_stride_is_refused(layer, x)
    _any_dtype_and_device(layer, x)
    if not codes:
        _the_field_is_what_explain_says(layer, x, layout)


def leaves(output: object) -> list[Tensor]:
    """The tensors of an output: one, or a tuple of some and None."""
    parts = output if isinstance(output, tuple) else (output,)
    return [part for part in parts if part is not None]


def in_blocks(layer: Streaming, x: Tensor, strides: list[int]) -> tuple[list[Tensor], State | None]:
    """Outputs and last state of a layer fed so many strides at a time."""
    state, parts = None, []
    for block in x.split([count * layer.stride for count in strides], dim=layer.time_axis):
        output, state = layer(block, state)
        parts.append(leaves(output))
    return [torch.cat(pieces, layer.time_axis) for pieces in zip(*parts, strict=True)], state


def ways_to_cut(count: int) -> list[list[int]]:
    """Blocks of one, of two, of mixed sizes, and one small block at each end."""
    mixed = [size for size in itertools.islice(itertools.cycle([1, 5, 2, 3]), count)]
    ends = list(itertools.takewhile(lambda total: total < count, itertools.accumulate(mixed)))
    mixed = [b - a for a, b in itertools.pairwise([0, *ends, count])]
    return [[1] * count, [2] * (count // 2) + [1] * (count % 2), mixed, [1, count - 2, 1]]


def close(got: list[Tensor], wanted: list[Tensor], tolerance: float, what: str) -> None:
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        assert one.shape == other.shape, f"{what}: {tuple(one.shape)} instead of {tuple(other.shape)}"
        if other.numel():
            worst = float((one - other).abs().max() / other.abs().max().clamp(min=1e-6))
            assert worst <= tolerance, f"{what}: {worst:.1e} off"


@torch.no_grad()
def _zeros_are_the_initial_state(layer: Streaming, x: Tensor, tolerance: float) -> None:
    zeros = layer.initial_state(2)
    assert not any(leaf.any() for _, leaf in flatten(zeros)), "the initial state is not zero"
    output, after = layer(x)
    close(leaves(layer(x, zeros)[0]), leaves(output), 0.0, "a state of zeros")
    shapes = [(name, leaf.shape, leaf.dtype) for name, leaf in flatten(zeros)]
    assert shapes == [(name, leaf.shape, leaf.dtype) for name, leaf in flatten(after)], "the state changes its shape"
    for part in leaves(output):
        assert part.shape[layer.time_axis] == x.shape[layer.time_axis] * layer.rate, "the rate is another"


@torch.no_grad()
def _blocks_give_what_the_whole_gives(layer: Streaming, x: Tensor, tolerance: float) -> None:
    output, after = layer(x)
    for strides in ways_to_cut(x.shape[layer.time_axis] // layer.stride):
        parts, state = in_blocks(layer, x, strides)
        close(parts, leaves(output), tolerance, f"blocks of {strides} strides")
        close([leaf for _, leaf in flatten(state)], [leaf for _, leaf in flatten(after)], tolerance, "the last state")


def _gradients_are_those_of_the_whole(layer: Streaming, x: Tensor, tolerance: float) -> None:
    layer = copy.deepcopy(layer).double()
    count = x.shape[layer.time_axis] // layer.stride
    found = []
    for strides in ([count], [count // 3, 1, count - 1 - count // 3]):
        free = x.double().requires_grad_() if x.is_floating_point() else x
        outputs, _ = in_blocks(layer, free, strides)
        weights = [torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=y.dtype) for y in outputs]
        total = sum((y * weight).sum() for y, weight in zip(outputs, weights, strict=True))
        trained = [parameter for parameter in layer.parameters() if parameter.requires_grad]
        trained = [free, *trained] if free.requires_grad else trained
        gradients = torch.autograd.grad(total, trained, allow_unused=True, materialize_grads=True)
        assert gradients[0].any(), "no gradient comes through"
        found.append(list(gradients))
    close(found[1], found[0], tolerance, "gradients over three blocks")


@torch.no_grad()
def _streams_do_not_mix(layer: Streaming, x: Tensor, tolerance: float) -> None:
    whole = leaves(layer(x)[0])
    streams = x.split(1, dim=layer.batch_axis)
    states: list[State | None] = [None, None]
    parts: list[list[list[Tensor]]] = [[], []]
    for blocks in zip(*(stream.split(3 * layer.stride, dim=layer.time_axis) for stream in streams), strict=True):
        for which, block in enumerate(blocks):
            output, states[which] = layer(block, states[which])
            parts[which].append(leaves(output))
    alone = [[torch.cat(pieces, layer.time_axis) for pieces in zip(*stream, strict=True)] for stream in parts]
    together = [torch.cat(pair, layer.batch_axis) for pair in zip(*alone, strict=True)]
    close(together, whole, tolerance, "two streams in turns")


@torch.no_grad()
def _the_future_does_not_reach_back(layer: Streaming, x: Tensor) -> None:
    """Poison spreads to whatever depends on it; as outputs come `lookahead` late, none sees further ahead."""
    count = x.shape[layer.time_axis] // layer.stride
    whole = leaves(layer(x)[0])
    for strides in (1, count // 2, count - 1):
        known = strides * layer.stride
        changed = x.clone()
        future = changed.narrow(layer.time_axis, known, x.shape[layer.time_axis] - known)
        future.fill_(float("nan")) if x.is_floating_point() else future.copy_(future.flip(layer.batch_axis))
        for got, wanted in zip(leaves(layer(changed)[0]), whole, strict=True):
            before = int(known * layer.rate)
            got, wanted = (y.narrow(layer.time_axis, 0, before) for y in (got, wanted))
            assert not got.isnan().any(), f"step {known} of the input reaches back"
            close([got], [wanted], 1e-6, "the past when the future is another")


@torch.no_grad()
def _part_of_a_stride_is_refused(layer: Streaming, x: Tensor) -> None:
    if layer.stride == 1:
        return
    short = x.narrow(layer.time_axis, 0, layer.stride + 1)
    try:
        layer(short)
    except InputError as error:
        assert "multiple of its stride" in str(error)
    else:
        raise AssertionError("a block that is no whole number of strides loses samples silently")


@torch.no_grad()
def _any_dtype_and_device(layer: Streaming, x: Tensor) -> None:
    short = x.narrow(layer.time_axis, 0, 4 * layer.stride)
    half = copy.deepcopy(layer).bfloat16()
    half_short = short.bfloat16() if short.is_floating_point() else short
    output, state = half(half_short)
    output, state = half(half_short, state)
    assert all(part.dtype == torch.bfloat16 and part.isfinite().all() for part in leaves(output))
    elsewhere = copy.deepcopy(layer).to("meta")  # a device without numbers, on every machine
    output, state = elsewhere(short.to("meta"))
    output, state = elsewhere(short.to("meta"), state)
    assert all(part.device.type == "meta" for part in (*leaves(output), *(leaf for _, leaf in flatten(state))))
    if leaf := next(flatten(state), None):
        try:
            elsewhere(short.to("meta"), map_state(lambda part: torch.zeros(part.shape), state))
        except InputError as error:
            assert leaf[0] in str(error) and "meta" in str(error)
        else:
            raise AssertionError("a state on another device is taken")


def _the_field_is_what_explain_says(layer: Streaming, x: Tensor, layout: str) -> None:
    report = explain(_First(layer), input_shape=tuple(x.shape), layout=layout, verify=True)
    assert not report.unknown, report.unknown
    measured = [probe for probe in report.probes if probe.axis == "time"]
    assert [probe for probe in report.probes if probe.agrees is False] == []
    assert any(probe.agrees for probe in measured), "nothing was measured along time"


class _First(nn.Module):
    """The layer with its first output alone, which is what a field is of."""

    def __init__(self, layer: Streaming) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return leaves(self.layer(x)[0])[0]
