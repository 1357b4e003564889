"""Random networks of positive kernels: the symbolic field of every interior output equals its gradient, exactly."""

import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from voxfield.explain.analysis import analyse
from voxfield.explain.expect import extent, local_span
from voxfield.explain.readers.torch import read_module

LENGTH = 480


def positive(*shape: int) -> nn.Parameter:
    """A kernel in which nothing cancels."""
    return nn.Parameter(torch.rand(*shape, dtype=torch.float64) + 0.5)


class Layer(nn.Module):
    """A module that shows its settings when an example fails."""

    def extra_repr(self) -> str:
        settings = {k: v for k, v in vars(self).items() if not k.startswith("_") and k != "training"}
        return f"{settings} {[tuple(p.shape) for p in self.parameters(recurse=False)]}"


class Conv(Layer):
    def __init__(self, channels: int, out: int, k: int, s: int, d: int, pad: int, groups: int) -> None:
        super().__init__()
        self.weight = positive(out, channels // groups, k)
        self.options = {"stride": s, "dilation": d, "padding": pad, "groups": groups}

    def forward(self, x):
        return F.conv1d(x, self.weight / self.weight.numel(), **self.options)


class Transposed(Layer):
    def __init__(self, channels: int, out: int, k: int, s: int, d: int, pad: int, extra: int, groups: int) -> None:
        super().__init__()
        self.weight = positive(channels, out // groups, k)
        self.options = {"stride": s, "dilation": d, "padding": pad, "output_padding": extra, "groups": groups}

    def forward(self, x):
        return F.conv_transpose1d(x, self.weight / self.weight.numel(), **self.options)


class Resample(Layer):
    """Average pooling, or upsampling by repetition or interpolation."""

    def __init__(self, kind: str, k: int, s: int, pad: int) -> None:
        super().__init__()
        self.kind, self.k, self.s, self.pad = kind, k, s, pad

    def forward(self, x):
        if self.kind == "pool":
            return F.avg_pool1d(x, self.k, self.s, self.pad)
        return F.interpolate(x, scale_factor=float(self.s), mode=self.kind)


class Cut(Layer):
    """Padding (or cropping, when negative) and a strided slice; reversed on request."""

    def __init__(self, left: int, right: int, start: int, step: int, flip: bool) -> None:
        super().__init__()
        self.left, self.right, self.start, self.step, self.flip = left, right, start, step, flip

    def forward(self, x):
        x = F.pad(x, (self.left, self.right))[..., self.start :: self.step]
        return x.flip(-1) if self.flip else x


class Flipped(Layer):
    """A layer that runs backwards in time."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.flip(-1)).flip(-1)


class Skip(Layer):
    """Two branches of one rate, shifted and cut to one length, added or concatenated."""

    def __init__(self, left: nn.Module, right: nn.Module, shift: int, join: str) -> None:
        super().__init__()
        self.left, self.right, self.shift, self.join = left, right, shift, join

    def forward(self, x):
        a, b = self.left(x), self.right(x)[..., self.shift :]
        n = min(a.shape[-1], b.shape[-1])
        a, b = a[..., :n], b[..., :n]
        return torch.cat([a, b], 1) if self.join == "concat" else a + b


class Groups(Layer):
    """Channel halves that go their own ways, are concatenated and shuffled."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        a, b = x.chunk(2, 1)
        y = torch.cat([self.first(a), self.second(b)], 1)
        B, C, T = y.shape
        return y.reshape(B, 2, C // 2, T).transpose(1, 2).reshape(B, C, T)


class Fold(Layer):
    """Channels into time (sub-pixel upsampling) or time into channels (polyphase), by reshapes only."""

    def __init__(self, factor: int, up: bool) -> None:
        super().__init__()
        self.factor, self.up = factor, up

    def forward(self, x):
        r = self.factor
        B, C, T = x.shape
        if self.up:
            return x.reshape(B, C // r, r, T).permute(0, 1, 3, 2).reshape(B, C // r, T * r)
        x = x[..., : T // r * r]
        return x.reshape(B, C, T // r, r).permute(0, 1, 3, 2).reshape(B, C * r, T // r)


class Frames(Layer):
    """Overlapping frames, mixed as a whole on request, then overlapped and added."""

    def __init__(self, size: int, hop: int, mix: bool) -> None:
        super().__init__()
        self.size, self.hop, self.mix = size, hop, mix

    def forward(self, x):
        B, C, T = x.shape
        frames = F.unfold(x[:, :, None], (1, self.size), stride=(1, self.hop))
        if self.mix:
            parts = frames.reshape(B, C, self.size, -1)
            frames = parts.mean(2, keepdim=True).expand_as(parts).reshape(frames.shape)
        return F.fold(frames, (1, T), (1, self.size), stride=(1, self.hop))[:, :, 0]


class Detour(Layer):
    """A second dim of shifted copies, flattened into time and taken apart again, over windows of it."""

    def __init__(self, copies: int, window: int) -> None:
        super().__init__()
        self.copies, self.window = copies, window

    def forward(self, x):
        y = torch.stack([F.pad(x, (i, -i)) for i in range(self.copies)], -1)
        B, C, T, n = y.shape
        y = y.flatten(2).reshape(B, C, T, n).permute(0, 1, 3, 2).reshape(B, C * n, T)
        return y.unfold(-1, self.window, 1).sum(-1).reshape(B, C, n, -1).sum(2)


small = st.integers(1, 4)


@st.composite
def layers(draw, channels: int, depth: int = 0) -> tuple[nn.Module, int]:
    """One layer, and the channels it gives."""
    kinds = [
        "conv",
        "transposed",
        "pool",
        "nearest",
        "linear",
        "cut",
        "fold_up",
        "fold_down",
        "flipped",
        "frames",
        "detour",
    ]
    kind = draw(st.sampled_from([*kinds, "skip", "concat", "down_up", "groups"] if depth < 2 else kinds[:6]))
    k, s, d, pad = draw(small), draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 3))
    grouped = draw(st.booleans())
    if kind == "conv":
        return Conv(channels, channels, k, s, d, pad, channels if grouped else 1), channels
    if kind == "transposed":
        pad = min(pad, (k - 1) * d)
        extra = draw(st.integers(0, max(s, d) - 1))
        return Transposed(channels, channels, k, s, d, pad, extra, channels if grouped else 1), channels
    if kind == "pool":
        return Resample("pool", k, s, min(pad, k // 2)), channels
    if kind in {"nearest", "linear"}:
        return Resample(kind, 1, draw(st.integers(2, 3)), 0), channels
    if kind == "cut":
        return Cut(draw(st.integers(-3, 3)), draw(st.integers(-3, 3)), pad, s, draw(st.booleans())), channels
    if kind == "fold_up":
        return nn.Sequential(Conv(channels, channels * 2, k, 1, d, pad, 1), Fold(2, True)), channels
    if kind == "fold_down":
        return nn.Sequential(
            Fold(s, False), Conv(channels * s, channels, k, 1, 1, pad, channels if grouped else 1)
        ), channels
    if kind == "frames":
        return Frames(2 * k + s, s, grouped), channels
    if kind == "detour":
        return Detour(s, k), channels
    if kind == "flipped":
        inner, out = draw(layers(channels, 2))
        return Flipped(inner), out
    if kind == "groups":
        if channels % 2:
            return Conv(channels, channels, k, 1, d, pad, 1), channels
        half = channels // 2
        sides = [Conv(half, half, 2 * w + 1, 1, 1, w, half if grouped else 1) for w in (k, draw(st.integers(0, 4)))]
        return Groups(*sides), channels
    if kind == "down_up":
        s = max(2, s)
        branch = nn.Sequential(
            Conv(channels, channels, k, s, d, pad, 1), Transposed(channels, channels, draw(small), s, 1, 0, 0, 1)
        )
        return Skip(branch, Conv(channels, channels, 1, 1, 1, 0, 1), draw(st.integers(0, 5)), "add"), channels
    left = Conv(channels, channels, k, s, d, pad, 1)
    right = Conv(channels, channels, draw(small), s, draw(small), draw(st.integers(0, 9)), 1)
    joined = Skip(left, right, draw(st.integers(0, 7)), kind)
    return joined, 2 * channels if kind == "concat" else channels


@st.composite
def networks(draw) -> tuple[int, nn.Module]:
    """A network and the channels it takes."""
    channels = draw(st.sampled_from([1, 2, 4]))
    found: list[nn.Module] = []
    first = channels
    for _ in range(draw(st.integers(2, 5))):
        layer, channels = draw(layers(channels))
        assume(channels <= 16)
        found.append(layer)
    return first, nn.Sequential(*found)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.integers(0, 3))
def test_field_equals_gradient(drawn, nudge):
    channels, net = drawn
    x = torch.ones(1, channels, LENGTH, dtype=torch.float64, requires_grad=True)
    try:
        y = net(x)
    except RuntimeError:  # a kernel larger than what is left of the sound
        assume(False)
    assume(24 <= y.shape[-1] <= 6 * LENGTH)
    report = analyse(read_module(net, tuple(x.shape)))
    field = report.field("time")
    assert field.out_size == y.shape[-1]
    assert not report.unknown
    count, size = min(len(field.phases) + 1, 13), y.shape[-1]
    start = max(0, size // 2 - count // 2 + nudge)
    inside = 0
    for n in range(start, min(size, start + count)):
        expected = local_span(field, n)
        if expected is not None and not (expected[0] >= 0 and expected[1] < LENGTH):
            continue
        inside += 1
        (gradient,) = torch.autograd.grad(y[..., n].sum(), x, retain_graph=True)
        assert extent((gradient.abs().sum((0, 1)) > 0).tolist()) == expected, (net, n)
    assume(inside)
