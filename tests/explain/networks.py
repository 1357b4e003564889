"""Small writings of well-known networks, for the tests of explain."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn


def wav2vec(context: bool, channels: int = 512) -> nn.Module:
    """Five strided convolutions, and nine causal ones of kernel 3 behind them; a norm over channels and time each."""
    layers: list[nn.Module] = []
    width = 1
    for kernel, stride in ((10, 5), (8, 4), (4, 2), (4, 2), (4, 2)):
        layers += [nn.Conv1d(width, channels, kernel, stride, bias=False), nn.GroupNorm(1, channels), nn.ReLU()]
        width = channels
    for _ in range(9 if context else 0):
        layers += [
            nn.ConstantPad1d((2, 0), 0.0),
            nn.Conv1d(channels, channels, 3),
            nn.GroupNorm(1, channels),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class SpectralEncoder(nn.Sequential):
    """(B, 1, T, F): frequency halves in every layer; with two taps in time one frame of the past is padded."""

    def __init__(self, taps: int, filters=(16, 32, 64, 128, 256)) -> None:
        layers: list[nn.Module] = []
        for before, after in zip((1, *filters[:-1]), filters, strict=True):
            layers += [nn.ZeroPad2d((0, 0, taps - 1, 0))] if taps > 1 else []
            layers += [nn.Conv2d(before, after, (taps, 3), (1, 2)), nn.BatchNorm2d(after), nn.ELU()]
        super().__init__(*layers)


class Enhancer(nn.Module):
    """(B, 1, T, F): encoder, recurrence over time, mirrored decoder with skips; two taps in time, causal."""

    def __init__(self, filters=(16, 32, 64, 128, 256), bins=161, hidden=1024, layers=2, both=False) -> None:
        super().__init__()
        widths, sizes = (1, *filters), [bins]
        self.down = nn.ModuleList(nn.Conv2d(a, b, (2, 3), (1, 2)) for a, b in zip(widths, filters, strict=False))
        self.down_norms = nn.ModuleList(nn.BatchNorm2d(b) for b in filters)
        for _ in filters:
            sizes.append((sizes[-1] - 3) // 2 + 1)
        features = filters[-1] * sizes[-1]
        self.memory = nn.LSTM(features, hidden, layers, batch_first=True, bidirectional=both)
        out = hidden * (2 if both else 1)
        self.back = nn.Identity() if out == features else nn.Linear(out, features)
        ups, norms = [], []
        for i in reversed(range(len(filters))):
            extra = sizes[i] - ((sizes[i + 1] - 1) * 2 + 3)
            ups.append(nn.ConvTranspose2d(2 * filters[i], widths[i], (2, 3), (1, 2), output_padding=(0, extra)))
            norms.append(nn.BatchNorm2d(widths[i]) if i else nn.Identity())
        self.up, self.up_norms = nn.ModuleList(ups), nn.ModuleList(norms)

    def forward(self, x):
        skips = []
        for layer, norm in zip(self.down, self.down_norms, strict=True):
            x = F.elu(norm(layer(F.pad(x, (0, 0, 1, 0)))))
            skips.append(x)
        C, bins = x.shape[1], x.shape[3]
        h = self.back(self.memory(x.transpose(1, 2).flatten(2))[0])
        x = h.unflatten(2, (C, bins)).transpose(1, 2)
        for layer, norm, skip in zip(self.up, self.up_norms, reversed(skips), strict=True):
            x = norm(layer(torch.cat([x, skip], 1))[:, :, :-1])
        return x


class Separator(nn.Module):
    """Repeats of dilated depthwise blocks with residual and skip paths: (B, filters, T) -> (B, 2 filters, T)."""

    def __init__(self, filters=512, narrow=128, wide=512, causal=True, norm="batch", blocks=8, repeats=3) -> None:
        super().__init__()
        self.causal = causal
        made = {"batch": nn.BatchNorm1d, "global": lambda c: nn.GroupNorm(1, c)}[norm]
        self.first = made(filters) if norm == "global" else nn.Identity()
        self.squeeze = nn.Conv1d(filters, narrow, 1)
        self.blocks = nn.ModuleList()
        for dilation in [2**i for i in range(blocks)] * repeats:
            pad = 2 * dilation if causal else dilation
            block = nn.ModuleDict(
                {
                    "widen": nn.Conv1d(narrow, wide, 1),
                    "depthwise": nn.Conv1d(wide, wide, 3, dilation=dilation, padding=pad, groups=wide),
                    "residual": nn.Conv1d(wide, narrow, 1),
                    "skip": nn.Conv1d(wide, narrow, 1),
                }
            )
            for i in (1, 2):
                block[f"act{i}"] = nn.PReLU()
                block[f"norm{i}"] = made(wide)
            self.blocks.append(block)
        self.head = nn.Sequential(nn.PReLU(), nn.Conv1d(narrow, 2 * filters, 1), nn.Sigmoid())

    def forward(self, x):
        x, total = self.squeeze(self.first(x)), 0
        for b in self.blocks:
            y = b["depthwise"](b["norm1"](b["act1"](b["widen"](x))))
            y = y[..., : x.shape[-1]] if self.causal else y
            y = b["norm2"](b["act2"](y))
            x, total = x + b["residual"](y), total + b["skip"](y)
        return self.head(total)


class TimeDomainSeparator(nn.Module):
    """(B, 1, N) -> (B, 2, N): learned filterbank, masks, overlap-add."""

    def __init__(self, filters=512, kernel=16, **options) -> None:
        super().__init__()
        self.analysis = nn.Conv1d(1, filters, kernel, kernel // 2, bias=False)
        self.masks = Separator(filters, **options)
        self.synthesis = nn.ConvTranspose1d(filters, 1, kernel, kernel // 2, bias=False)

    def forward(self, x):
        w = F.relu(self.analysis(x))
        B, C, T = w.shape
        y = w.unsqueeze(1) * self.masks(w).reshape(B, 2, C, T)
        return self.synthesis(y.flatten(0, 1)).reshape(B, 2, -1)


class Cascade(nn.Module):
    """Channel splits, each convolved after the previous one's output was added."""

    def __init__(self, channels: int, dilation: int, scale: int = 8, first_passes: bool = True) -> None:
        super().__init__()
        self.scale, self.first_passes, width = scale, first_passes, channels // scale
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 3, 1, dilation, dilation) for _ in range(scale - 1))

    def forward(self, x):
        parts = list(x.chunk(self.scale, 1))
        still = parts.pop(0 if self.first_passes else -1)
        made: list[torch.Tensor] = []
        for part, conv in zip(parts, self.convs, strict=True):
            made.append(conv(part + made[-1] if made else part))
        return torch.cat([still, *made] if self.first_passes else [*made, still], 1)


class Excite(nn.Module):
    """Squeeze and excitation: a gate per channel from the mean over time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Conv1d(channels, 4, 1), nn.ReLU(), nn.Conv1d(4, channels, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.gate(x.mean(-1, keepdim=True))


class SpeakerFrames(nn.Module):
    """ECAPA up to its frames: cascades of dilation 2, 3, 4 with excitation, and all three concatenated."""

    def __init__(self, bands=8, channels=16, pooled=False) -> None:
        super().__init__()
        self.first = nn.Conv1d(bands, channels, 5, padding=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(channels, channels, 1),
                nn.ReLU(),
                nn.BatchNorm1d(channels),
                Cascade(channels, d, first_passes=False),
                nn.Conv1d(channels, channels, 1),
                Excite(channels),
            )
            for d in (2, 3, 4)
        )
        self.joined = nn.Conv1d(3 * channels, 3 * channels, 1)
        self.attention = nn.Sequential(nn.Conv1d(9 * channels, 8, 1), nn.Tanh(), nn.Conv1d(8, 3 * channels, 1))
        self.pooled = pooled

    def forward(self, x):
        x, made = self.first(x), []
        for block in self.blocks:
            x = x + block(x)
            made.append(x)
        x = self.joined(torch.cat(made, 1))
        if not self.pooled:
            return x
        mean, spread = x.mean(-1, keepdim=True), x.var(-1, keepdim=True).add(1e-7).sqrt()
        weights = self.attention(torch.cat([x, mean.expand_as(x), spread.expand_as(x)], 1)).softmax(-1)
        centre = (x * weights).sum(-1)
        return torch.cat([centre, ((x**2 * weights).sum(-1) - centre**2).clamp(min=1e-7).sqrt()], 1)


class Bottleneck(nn.Module):
    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(inside, width, 1, bias=False), nn.Conv2d(width, width, 3, stride, 1, bias=False)]
        convs.append(nn.Conv2d(width, 4 * width, 1, bias=False))
        norms = [nn.BatchNorm2d(c.out_channels) for c in convs]
        acts = [nn.ReLU(inplace=True), nn.ReLU(inplace=True), nn.Identity()]
        self.main = nn.Sequential(*(m for three in zip(convs, norms, acts, strict=True) for m in three))
        change = stride != 1 or inside != 4 * width
        short = [nn.Conv2d(inside, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)] if change else []
        self.short = nn.Sequential(*short)

    def forward(self, x):
        return F.relu(self.main(x) + self.short(x))


def resnet50(width: int = 64, head: bool = True) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    inside = width
    for stage, count in enumerate((3, 4, 6, 3)):
        for i in range(count):
            layers.append(Bottleneck(inside, width << stage, 2 if stage and not i else 1))
            inside = 4 * (width << stage)
    return nn.Sequential(*layers, *([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inside, 1000)] if head else []))


class UNet(nn.Module):
    """Three levels down and up; `up` is "transposed" or a mode of interpolation; skips may have their own kernel."""

    def __init__(self, up: str = "transposed", pool: bool = False, skip_kernel: int = 1) -> None:
        super().__init__()
        widths = (1, 4, 6, 8)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv1d(a, b, 5, padding=2), nn.MaxPool1d(2)) if pool else nn.Conv1d(a, b, 4, 2, 1)
            for a, b in pairs
        )
        self.skips = nn.ModuleList(nn.Conv1d(b, b, skip_kernel, padding=skip_kernel // 2) for _, b in pairs[:-1])
        self.up = nn.ModuleList()
        for level, (a, b) in enumerate(reversed(pairs)):
            inside = b if level == 0 else 2 * b
            smooth = nn.Sequential(nn.Upsample(scale_factor=2, mode=up), nn.Conv1d(inside, a, 3, padding=1))
            self.up.append(nn.ConvTranspose1d(inside, a, 4, 2, 1) if up == "transposed" else smooth)

    def forward(self, x):
        kept = []
        for layer in self.down:
            x = F.relu(layer(x))
            kept.append(x)
        for i, layer in enumerate(self.up):
            x = layer(x if i == 0 else torch.cat([x, self.skips[-i](kept[-1 - i])], 1))
        return x


class WrittenNorm(nn.Module):
    """Global layer norm, or a cumulative one, written out in operators."""

    def __init__(self, cumulative: bool) -> None:
        super().__init__()
        self.conv, self.cumulative = nn.Conv1d(4, 4, 5), cumulative

    def forward(self, x):
        y = self.conv(F.pad(x, (4, 0)))
        if self.cumulative:
            count = torch.arange(1, y.shape[-1] + 1)
            mean = y.mean(1, keepdim=True).cumsum(-1) / count
            power = (y**2).mean(1, keepdim=True).cumsum(-1) / count
        else:
            mean, power = y.mean((1, 2), keepdim=True), (y**2).mean((1, 2), keepdim=True)
        return (y - mean) / (power - mean**2).clamp(min=0).add(1e-8).sqrt()


class Backwards(nn.Module):
    """A recurrence run backwards in time, beside one that runs forwards when `both`."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.back = nn.GRU(4, 4, batch_first=True)
        self.ahead = nn.GRU(4, 4, batch_first=True) if both else None

    def forward(self, x):
        x = x.transpose(1, 2)
        y = self.back(x.flip(1))[0].flip(1)
        return (y if self.ahead is None else torch.cat([self.ahead(x)[0], y], -1)).transpose(1, 2)


class Segments(nn.Module):
    """A bidirectional recurrence inside stretches of ten frames, as the inner path of a dual-path network."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.back = nn.LSTM(4, 4, batch_first=True, bidirectional=True), nn.Linear(8, 4)

    def forward(self, x):
        B, C, T = x.shape
        y = x.reshape(B, C, T // 10, 10).permute(0, 2, 3, 1).reshape(B * T // 10, 10, C)
        y = self.back(self.inner(y)[0]).reshape(B, T // 10, 10, C)
        return x + y.permute(0, 3, 1, 2).reshape(B, C, T)


class Attend(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.attention = nn.Conv1d(8, 8, 3, padding=1), nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        y = self.conv(x).transpose(1, 2)
        return (y + self.attention(y, y, y)[0]).transpose(1, 2)


class Shuffled(nn.Module):
    """Half of the channels pass, half are convolved, then all are shuffled, four times."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(4, 4, 3, padding=1) for _ in range(4))

    def forward(self, x):
        for conv in self.convs:
            a, b = x.chunk(2, 1)
            y = torch.cat([a, conv(b)], 1)
            x = y.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2)
        return x


class ChannelAndSpace(nn.Module):
    """CBAM: a gate per channel from all positions, then a gate per position from a 7 x 7 window."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.space = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(2, 1, 7, padding=3)
        self.shared = nn.Sequential(nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 8))

    def forward(self, x):
        x = self.conv(x)
        x = x * (self.shared(x.mean((2, 3))) + self.shared(x.amax((2, 3)))).sigmoid()[:, :, None, None]
        return x * self.space(torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)).sigmoid()


class SpectralGain(nn.Module):
    """(B, 1, N): centred STFT 32 / 8, a gain from three frames of magnitudes, overlap-add."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(32) + 0.1)
        self.gain = nn.Conv1d(17, 17, 3, padding=1)

    def forward(self, x):
        spectrum = torch.stft(x[:, 0], 32, 8, window=self.window, return_complex=True)
        real = torch.view_as_real(spectrum) * self.gain(spectrum.abs()).sigmoid()[..., None]
        return torch.istft(torch.view_as_complex(real), 32, 8, window=self.window, length=x.shape[-1])


class Frames(nn.Module):
    """Frames of 16 every 4 samples, each weighted as a whole, overlapped and added."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(16, 16)

    def forward(self, x):
        frames = F.unfold(x[:, :, None], (1, 16), stride=(1, 4))
        frames = self.mix(frames.transpose(1, 2)).transpose(1, 2)
        return F.fold(frames, (1, x.shape[-1]), (1, 16), stride=(1, 4))[:, :, 0]


class DualPath(nn.Module):
    """Overlapping stretches of 20 frames: a recurrence both ways inside each, one from stretch to stretch."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.back = nn.GRU(4, 4, batch_first=True, bidirectional=True), nn.Linear(8, 4)
        self.outer = nn.GRU(4, 4, batch_first=True)

    def forward(self, x):
        y = x.unfold(-1, 20, 10)
        B, C, S, K = y.shape
        z = self.back(self.inner(y.permute(0, 2, 3, 1).reshape(B * S, K, C))[0])
        y = y + z.reshape(B, S, K, C).permute(0, 3, 1, 2)
        z = self.outer(y.permute(0, 3, 2, 1).reshape(B * K, S, C))[0]
        y = y + z.reshape(B, K, S, C).permute(0, 3, 2, 1)
        frames = y.permute(0, 1, 3, 2).reshape(B, C * K, S)
        return F.fold(frames, (1, x.shape[-1]), (1, K), stride=(1, 10))[:, :, 0]


class SubBands(nn.Module):
    """Three neighbouring bins as channels, a strided convolution over bins, a dilated one over frames, a shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.bins = nn.Conv2d(6, 8, (1, 5), (1, 2), padding=(0, 2))
        self.frames = nn.Conv2d(8, 8, (3, 3), groups=8, dilation=(2, 1), padding=(0, 1))

    def forward(self, x):
        B, C, T, bins = x.shape
        y = F.unfold(x, (1, 3), padding=(0, 1)).reshape(B, 3 * C, T, bins)
        y = self.frames(F.pad(self.bins(y), (0, 0, 4, 0)))
        return y.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2)


class Halves(nn.Module):
    """The first half of the input plus the second: a field with a hole."""

    def forward(self, x):
        return x[..., :25] + x[..., 25:]
