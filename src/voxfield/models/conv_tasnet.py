"""Conv-TasNet: separates the voices of one recording in the time domain (Luo & Mesgarani, 2019).

Three stages. The `encoder` turns samples into frames of non-negative or signed features, the `masker`, a temporal
convolutional network of depthwise-separable blocks, gives one mask for each voice, and the `decoder` adds the masked
frames up to samples again. Residual and skip path of a block are one convolution, cut in two afterwards.

Differences from the paper are choices of the configuration: the norm, the mask function, biases, the skip path, and how
the ends of a recording are padded, in which published implementations differ. A causal network streams by the samples
of a stride; its output comes `kernel_samples - stride_samples` late. Others take a whole recording through `separate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.cards import Interface, samples
from voxfield.errors import InputError
from voxfield.nn.conv import CausalConv1d, CausalConvTranspose1d
from voxfield.nn.depthwise import Depthwise
from voxfield.nn.norms import KINDS, WHOLE_INPUT, CumulativeNorm, norm_layer
from voxfield.nn.prelu import Prelu
from voxfield.nn.streaming import State, Streaming, initial, map_state, run, zeros

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "gelu": F.gelu,
    "swish": F.silu,
}
MASKS = (*ACTIVATIONS, "softmax")
BASES = ("random", "cosines")
PHASES = 4
PADDINGS = ("cover", "paper", "align", "none")


@dataclass(frozen=True)
class ConvTasNetConfig:
    """The paper's best network; letters in brackets are the paper's."""

    sources: int = 2  # voices (C)
    sample_rate_hz: int = 8000
    filters: int = 512  # channels of the encoder (N)
    kernel_samples: int = 16  # window of the encoder and the decoder (L)
    stride_samples: int = 8
    bottleneck: int = 128  # channels between blocks (B)
    hidden: int = 512  # channels inside a block (H)
    skip: int = 128  # channels of the skip path (Sc); 0: the last block's output makes the masks
    kernel_frames: int = 3  # of the depthwise convolutions (P)
    blocks: int = 8  # in a repeat, with dilations 1, 2, 4 ... (X)
    repeats: int = 3  # (R)
    norm: str = "global"  # inside the blocks: global, cumulative, frame, batch, channel
    first_norm: str = "global"  # of the encoder's output
    mask: str = "sigmoid"  # one of `ACTIVATIONS`, or softmax (over the sources)
    mask_prelu: bool = True  # a PReLU before the mask convolution
    encoder_activation: str = "linear"  # one of `ACTIVATIONS`
    bias: bool = True  # of the masker's convolutions
    causal: bool = False
    padding: str = "cover"  # of the ends; see `ends`
    basis: str = "random"  # encoder and decoder before training: random, or cosines (see `cosine_basis`)
    last_residual: bool = False  # keep the last block's residual weights, which feed nothing, for other programs

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, int) and not isinstance(value, bool) and value < (least := 0 if name == "skip" else 1):
                raise InputError(f"{name} is {value}; it must be at least {least}")
        if self.stride_samples > self.kernel_samples:
            raise InputError(
                f"stride_samples {self.stride_samples} is longer than kernel_samples {self.kernel_samples}; "
                "samples between two windows would be lost"
            )
        for name, choices in (
            ("norm", KINDS),
            ("first_norm", KINDS),
            ("mask", MASKS),
            ("encoder_activation", ACTIVATIONS),
            ("padding", PADDINGS),
            ("basis", BASES),
        ):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} is '{getattr(self, name)}'; choose one of {', '.join(choices)}")
        if not self.causal and self.kernel_frames % 2 == 0:
            raise InputError(f"kernel_frames {self.kernel_frames} has no middle frame; use an odd one or causal = true")

    @property
    def lookahead_samples(self) -> int:
        """How much later than its input an output sample comes in the streaming form."""
        return self.kernel_samples - self.stride_samples

    @property
    def not_streaming_because(self) -> str:
        """Why the network cannot stream, naming the part; empty when it can."""
        if not self.causal:
            return "its convolutions over time look ahead (causal = false)"
        whole = [kind for kind in (self.norm, self.first_norm) if kind in WHOLE_INPUT]
        if whole:
            return f"its {whole[0]} norm needs the whole recording"
        if self.kernel_samples % self.stride_samples:
            return f"its window of {self.kernel_samples} samples is no multiple of its stride of {self.stride_samples}"
        if self.ends(0)[0] > self.lookahead_samples:
            return f"a recording begins with a frame of zeros (padding = '{self.padding}'), which no stream has"
        return ""

    def ends(self, n_samples: int) -> tuple[int, int]:
        """Zeros before and after a recording: cover and align meet every sample fully, none drops what is left over.

        paper: one stride at both ends, and as many more as make whole windows. align: one stride at both ends, and as
        many more as make whole strides (for an odd window, strides and one). cover: the same for any window and stride.
        none: no zeros; samples behind the last whole window come out as silence.
        """
        window, stride = self.kernel_samples, self.stride_samples
        if self.padding == "paper":
            return stride, window - (stride + n_samples % window) % window + stride
        if self.padding == "align":
            return stride, -(n_samples - window % 2) % stride + stride
        if self.padding == "cover":
            left = window - stride
            return left, -n_samples % stride + left + -left % stride
        if torch.onnx.is_in_onnx_export():  # a file cannot ask how long its input is: callers fill up to one window
            return 0, 0
        return 0, max(window - n_samples, 0)

    def unfinished_samples(self, n_samples: int) -> int:
        """Samples at the end of a recording that lack frames offline, or are silent; a stream finishes them."""
        left, right = self.ends(n_samples)
        last_frame = (n_samples + left + right - self.kernel_samples) // self.stride_samples * self.stride_samples
        return max(n_samples - (last_frame + self.stride_samples - left), 0)


Paths = tuple[Tensor | None, Tensor | None]  # residual and skip


class TcnBlock(Streaming):
    """A depthwise-separable block: (B, C, T) -> residual (B, C, T) or None and skip (B, Sc, T) or None."""

    def __init__(self, config: ConvTasNetConfig, dilation: int, residual: bool, keep_residual: bool) -> None:
        super().__init__()
        hidden, taps = config.hidden, config.kernel_frames
        self.residual, self.skip = config.bottleneck if residual or keep_residual else 0, config.skip
        self.feeds = residual
        self.expand = nn.Conv1d(config.bottleneck, hidden, 1, bias=config.bias)
        self.act_in, self.norm_in = Prelu(), norm_layer(config.norm, hidden)
        self.depthwise: nn.Module
        if config.causal:
            self.depthwise = CausalConv1d(hidden, hidden, taps, dilation=dilation, groups=hidden, bias=config.bias)
        else:
            self.depthwise = Depthwise(hidden, taps, dilation, config.bias)
        self.act_out, self.norm_out = Prelu(), norm_layer(config.norm, hidden)
        self.reduce = nn.Conv1d(hidden, self.residual + self.skip, 1, bias=config.bias)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return tuple(initial(layer, batch, like) for layer in (self.norm_in, self.depthwise, self.norm_out))

    def step(self, x: Tensor, state: Any, counted: Tensor | None = None) -> tuple[Paths, State]:
        x, norm_in = _normalise(self.norm_in, self.act_in(self.expand(x)), state[0], counted)
        x, tail = run(self.depthwise, x if counted is None else x * counted, state[1])
        x, norm_out = _normalise(self.norm_out, self.act_out(x), state[2], counted)
        x = self.reduce(x)
        residual = x[:, : self.residual] if self.feeds else None
        skip = x[:, self.residual :] if self.skip else None
        return (residual, skip), (norm_in, tail, norm_out)


def _normalise(layer: nn.Module, x: Tensor, state: State | None, counted: Tensor | None) -> tuple[Tensor, State]:
    if isinstance(layer, CumulativeNorm):
        return layer(x, state, counted)  # type: ignore[no-any-return]
    return run(layer, x, state)


class Masker(Streaming):
    """Frames to masks: (B, N, T) -> (B, S, N, T)."""

    def __init__(self, config: ConvTasNetConfig) -> None:
        super().__init__()
        self.sources, self.filters, self.mask = config.sources, config.filters, config.mask
        self.first_norm = norm_layer(config.first_norm, config.filters)
        self.bottleneck = nn.Conv1d(config.filters, config.bottleneck, 1, bias=config.bias)
        last = config.blocks * config.repeats - 1
        self.blocks = nn.ModuleList(
            TcnBlock(config, 2 ** (i % config.blocks), i < last or not config.skip, config.last_residual)
            for i in range(last + 1)
        )
        self.act = Prelu() if config.mask_prelu else nn.Identity()
        width = config.skip or config.bottleneck
        self.head = nn.Conv1d(width, config.sources * config.filters, 1, bias=config.bias)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        blocks = tuple(initial(block, batch, like) for block in self.blocks)
        return initial(self.first_norm, batch, like), blocks

    def step(self, x: Tensor, state: Any, counted: Tensor | None = None) -> tuple[Tensor, State]:
        x, first = _normalise(self.first_norm, x, state[0], counted)
        x = self.bottleneck(x)
        total, after = None, []
        for block, before in zip(self.blocks, state[1], strict=True):
            (residual, skip), new = block(x, before, counted)
            x = x if residual is None else x + residual
            total = skip if total is None else total + skip if skip is not None else None
            after.append(new)
        scores = self.head(self.act(x if total is None else total))
        scores = scores.unflatten(1, (self.sources, self.filters))
        masks = torch.softmax(scores, dim=1) if self.mask == "softmax" else ACTIVATIONS[self.mask](scores)
        return masks, (first, tuple(after))


class ConvTasNet(Streaming):
    """Mixture to voices: (B, 1, N) -> (B, S, N).

    A network that streams takes multiples of its stride and answers `lookahead_samples` late; its state is (encoder
    tail, masker state, decoder tails) and, without zeros before the recording, the frames seen. One that does not takes
    the whole recording, has no state, and answers in place. `separate` does the latter for both.
    """

    def __init__(self, config: ConvTasNetConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = CausalConv1d(1, config.filters, config.kernel_samples, config.stride_samples, bias=False)
        self.activation = ACTIVATIONS[config.encoder_activation]
        self.masker = Masker(config)
        self.decoder = CausalConvTranspose1d(config.filters, 1, config.kernel_samples, config.stride_samples)
        if config.basis == "cosines":
            basis = cosine_basis(config.filters, config.kernel_samples, config.sample_rate_hz)
            scale = (1 if config.encoder_activation == "relu" else 0.5) * config.stride_samples / config.kernel_samples
            with torch.no_grad():
                self.encoder.conv.weight.copy_(basis)
                self.decoder.conv.weight.copy_(scale * basis)
        # A stream begins with a window of which all but one stride is zeros; offline the padding may be less, so the
        # frames before those of the recording are left out.
        self.warmup_frames = max(config.lookahead_samples - config.ends(0)[0], 0) // config.stride_samples

    def interface(self) -> Interface:
        """What the card says of input, output and latency."""
        config = self.config
        reason = config.not_streaming_because
        return samples(
            config.sample_rate_hz,
            config.stride_samples,
            None if reason else config.lookahead_samples,
            config.sources,
            config.kernel_samples if config.padding == "none" else 1,
            reason,
        )

    @property
    def stride(self) -> int:
        return 1 if self.config.not_streaming_because else self.config.stride_samples

    @property
    def lookahead(self) -> int:
        return 0 if self.config.not_streaming_because else self.config.lookahead_samples

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        if self.config.not_streaming_because:
            return ()
        sources, overlap = self.config.sources, self.decoder.overlap
        state = (
            self.encoder.initial_state(batch, like),
            self.masker.initial_state(batch, like),
            zeros(batch, sources, overlap, like=like) if overlap else (),
        )
        return (*state, zeros(batch, 1, like=like)) if self.warmup_frames else state

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        if self.config.not_streaming_because:
            return self.separate(x), ()
        frames, tail = self.encoder(x, state[0])
        frames = self.activation(frames)
        counted, seen = self._counted(frames, state)
        frames = frames if counted is None else frames * counted
        voices, masks = self._masked(frames, state[1], counted)
        shape = (x.shape[0], self.config.sources, -1)
        y, overlap = self.decoder(voices, map_state(lambda part: part.flatten(0, 1)[:, None], state[2]))
        return y.reshape(shape), (tail, masks, map_state(lambda part: part.reshape(shape), overlap), *seen)

    def separate(self, mixture: Tensor) -> Tensor:
        """Voices (B, S, N) of a whole recording (B, 1, N) of any length, aligned with it to the sample."""
        n = mixture.shape[-1]
        left, right = self.config.ends(n)
        batch = mixture.shape[0]
        x = torch.cat([mixture.new_zeros(batch, 1, left), mixture, mixture.new_zeros(batch, 1, right)], dim=-1)
        voices, _ = self._masked(self.activation(self.encoder.conv(x)), None, None)
        y: Tensor = self.decoder.conv(voices).reshape(batch, self.config.sources, -1)
        if self.config.padding == "none":
            y = torch.cat([y, y.new_zeros(batch, self.config.sources, self.config.stride_samples)], dim=-1)
        return y[..., left : left + n]

    def _masked(self, frames: Tensor, state: State | None, counted: Tensor | None) -> tuple[Tensor, State]:
        """Frames of each voice (B * S, N, T) and the masker's state."""
        masks, after = self.masker(frames, state, counted)
        return (frames[:, None] * masks).flatten(0, 1), after

    def _counted(self, frames: Tensor, state: Any) -> tuple[Tensor | None, tuple[Tensor, ...]]:
        """1 for frames behind the warm-up, 0 within it (B, 1, T), and the frames seen; nothing without a warm-up."""
        if not self.warmup_frames:
            return None, ()
        steps = torch.arange(frames.shape[-1], device=frames.device, dtype=frames.dtype)
        counted = (state[3] + steps >= self.warmup_frames).to(frames)[:, None]
        return counted, ((state[3] + frames.shape[-1]).clamp(max=self.warmup_frames),)


def cosine_basis(filters: int, kernel_samples: int, sample_rate_hz: int) -> Tensor:
    """(filters, 1, kernel) windowed cosines of unit norm, evenly apart on the mel scale, each frequency in four phases.

    Where learning begins here, rectified features are envelopes of bands from the first step on, which saves more than
    half of the steps to the same score.
    """
    bands = -(-filters // PHASES)
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (60.0, 0.975 * sample_rate_hz / 2))
    hz = 700 * (10 ** (torch.linspace(low, high, bands, dtype=torch.float64) / 2595) - 1)
    time_s = (torch.arange(kernel_samples, dtype=torch.float64) - (kernel_samples - 1) / 2) / sample_rate_hz
    phase = torch.arange(PHASES, dtype=torch.float64) * 2 * math.pi / PHASES
    waves = torch.cos(2 * math.pi * hz[:, None, None] * time_s + phase[:, None]).flatten(0, 1)[:filters]
    waves = waves * torch.hann_window(kernel_samples + 2, periodic=False, dtype=torch.float64)[1:-1].sqrt()
    basis: Tensor = (waves / waves.norm(dim=1, keepdim=True)).float()
    return basis[:, None]


PAPER = ConvTasNetConfig(last_residual=True)
FOUR_REPEATS = ConvTasNetConfig(
    filters=256, kernel_samples=20, stride_samples=10, bottleneck=256, skip=0, repeats=4, first_norm="frame",
    mask="relu", mask_prelu=False, encoder_activation="relu", bias=False, padding="none",
)  # fmt: skip
LONG_WINDOW = ConvTasNetConfig(kernel_samples=256, stride_samples=16, repeats=4, padding="none", last_residual=True)
PAPER_CAUSAL = ConvTasNetConfig(norm="cumulative", first_norm="cumulative", causal=True, last_residual=True)
SMALL = ConvTasNetConfig(
    sample_rate_hz=16000, filters=512, kernel_samples=256, stride_samples=128, bottleneck=128, hidden=256, skip=0,
    blocks=7, repeats=2, encoder_activation="relu", basis="cosines",
)  # fmt: skip
SMALL_CAUSAL = replace(SMALL, norm="batch", first_norm="frame", causal=True)
CONFIGS = {
    "paper": PAPER,
    "four-repeats": FOUR_REPEATS,
    "long-window": LONG_WINDOW,
    "paper-causal": PAPER_CAUSAL,
    "small": SMALL,
    "small-causal": SMALL_CAUSAL,
}
