"""wav2vec: features of sound learned by telling what comes next from what does not (Schneider et al., 2019).

Two stages. The `encoder`, strided convolutions, turns 465 samples into a frame z every 160 samples; the `context`
network, convolutions over past frames, turns 19 frames z, 3345 samples, into a frame c. A third part, `predict`, is for
training alone: it guesses the z of each of the next steps from c. The output holds z and then c, (B, 2 C, T).

As published, every layer is normalised over all channels and all time, so the network takes a recording whole: T =
(N - 465) // 160 + 1 frames, of which frame t begins with sample 160 t. Left of the first frame the context network sees
that frame again and again. The causal form (`causal = true`) has a cumulative norm and zeros instead; it streams 160
samples a step without look-ahead: T = N // 160 frames, of which frame t ends before sample 160 (t + 1). In training its
norms take the moments of the whole cut, as otherwise it learns to read the time off them instead of listening.

`padding`, `skip`, `encoder_skip`, `log_compression` and `bias` are choices of fairseq's implementation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from voxfield.cards import Interface, Layer, samples_to_features
from voxfield.errors import InputError
from voxfield.nn.conv import CausalConv1d
from voxfield.nn.norms import KINDS, WHOLE_INPUT, CumulativeNorm, norm_layer
from voxfield.nn.streaming import Chain, State, Streaming, initial, run

PADDINGS = ("replicate", "zeros")
EPS = 1e-5  # of the norms
RESIDUAL_SCALE = math.sqrt(0.5)  # keeps the variance of a sum of two


@dataclass(frozen=True)
class Wav2VecConfig:
    """The paper's network."""

    sample_rate_hz: int = 16000
    channels: int = 512
    encoder_kernels: tuple[int, ...] = (10, 8, 4, 4, 4)
    encoder_strides: tuple[int, ...] = (5, 4, 2, 2, 2)
    context_kernels: tuple[int, ...] = (3,) * 9
    prediction_steps: int = 12  # frames ahead that are told apart in training
    norm: str = "global"  # global, cumulative, frame, batch, channel
    causal: bool = False
    padding: str = "replicate"  # left of the first frame, for the context network: that frame, or zeros
    skip: bool = True  # around the layers of the context network
    encoder_skip: bool = False  # around those of the encoder that keep the number of channels
    log_compression: bool = True  # of z: log(1 + |z|)
    bias: bool = True  # of the context network's convolutions

    def __post_init__(self) -> None:
        for name in ("sample_rate_hz", "channels", "prediction_steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        kernels, strides = self.encoder_kernels, self.encoder_strides
        if len(kernels) != len(strides) or not kernels:
            raise InputError(f"the encoder has {len(kernels)} kernels and {len(strides)} strides; give a pair a layer")
        if min(strides) < 1 or min(self.context_kernels, default=1) < 1:
            raise InputError("kernels and strides must be at least 1")
        if late := [f"{k}/{s}" for k, s in zip(kernels, strides, strict=True) if k < s]:
            raise InputError(f"an encoder layer of kernel/stride {late[0]} skips samples; its kernel must be longer")
        for name, choices in (("norm", KINDS), ("padding", PADDINGS)):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} is '{getattr(self, name)}'; choose one of {', '.join(choices)}")
        if self.causal and self.not_streaming_because:
            raise InputError(
                f"a causal network cannot be: {self.not_streaming_because}; give norm = 'cumulative' and "
                "padding = 'zeros', or causal = false"
            )

    @property
    def not_streaming_because(self) -> str:
        """Why the network cannot stream; empty when it can."""
        if self.norm in WHOLE_INPUT:
            return f"its {self.norm} norm needs the whole recording"
        if self.padding == "replicate":
            return "its context network repeats the first frame (padding = 'replicate')"
        return "" if self.causal else "it gives no frame before its whole field is there (causal = false)"

    @property
    def hop_samples(self) -> int:
        """From one frame to the next."""
        return math.prod(self.encoder_strides)

    @property
    def encoder_field_samples(self) -> int:
        """What a frame z is made of, apart from the norms' statistics."""
        field, step = 1, 1
        for kernel, stride in zip(self.encoder_kernels, self.encoder_strides, strict=True):
            field, step = field + (kernel - 1) * step, step * stride
        return field

    @property
    def context_field_samples(self) -> int:
        """What a frame c is made of, apart from the norms' statistics."""
        return self.encoder_field_samples + self.hop_samples * sum(kernel - 1 for kernel in self.context_kernels)

    @property
    def offset_frames(self) -> int:
        """The first frame after the present one whose samples are all new: the first step that is predicted."""
        return -(-self.encoder_field_samples // self.hop_samples)


class Block(Streaming):
    """Convolution, norm and ReLU: (B, C, T) -> (B, C', T'), plus the input where `skip` is set and both have one shape.

    State: those of the convolution and the norm, where they have one.
    """

    def __init__(self, conv: nn.Module, channels: int, norm: str, skip: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.skip = conv, norm_layer(norm, channels, EPS), skip

    @property
    def stride(self) -> int:
        return self.conv.stride if isinstance(self.conv, Streaming) else 1

    @property
    def rate(self) -> Fraction:
        return self.conv.rate if isinstance(self.conv, Streaming) else Fraction(1)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return initial(self.conv, batch, like), initial(self.norm, batch, like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        y, tail = run(self.conv, x, state[0])
        y, statistics = run(self.norm, y, state[1])
        y = torch.relu(y)
        if self.skip and y.shape[1] == x.shape[1]:
            if y.shape[-1] != x.shape[-1]:  # every so many frames, as far as they go
                x = x[..., :: x.shape[-1] // y.shape[-1]][..., : y.shape[-1]]
            y = (y + x) * RESIDUAL_SCALE
        return y, (tail, statistics)


class Steps(nn.Module):
    """Guesses of the next frames, each step with weights of its own: (B, C, T) -> (B, steps, C, T)."""

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, steps))  # from, to, step
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.uniform_(self.weight, -(channels**-0.5), channels**-0.5)

    def forward(self, c: Tensor) -> Tensor:
        channels, _, steps = self.weight.shape
        weight = self.weight.permute(2, 1, 0).reshape(steps * channels, channels, 1)
        guesses = nn.functional.conv1d(c, weight, self.bias.repeat(steps))
        return guesses.reshape(len(c), steps, channels, c.shape[-1])


class Wav2Vec(Streaming):
    """Samples (B, 1, N) to frames (B, 2 C, T), z above c; a network that streams takes multiples of its hop.

    Its state is (that of the encoder, that of the context network). One that does not takes the whole recording.
    """

    def __init__(self, config: Wav2VecConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        layers = zip(config.encoder_kernels, config.encoder_strides, strict=True)
        convs = [
            CausalConv1d(channels if at else 1, channels, kernel, stride, bias=False)
            if config.causal
            else nn.Conv1d(channels if at else 1, channels, kernel, stride, bias=False)
            for at, (kernel, stride) in enumerate(layers)
        ]
        self.encoder = Chain(*(Block(conv, channels, config.norm, config.encoder_skip) for conv in convs))
        self.context = Chain(
            *(
                Block(_context_conv(config, kernel), channels, config.norm, config.skip)
                for kernel in config.context_kernels
            )
        )
        self.predict = Steps(channels, config.prediction_steps)
        for module in self.modules():
            if isinstance(module, CumulativeNorm):
                module.whole_in_training = True

    def interface(self) -> Interface:
        """What the card says of input, output and latency."""
        config = self.config
        return samples_to_features(
            config.sample_rate_hz,
            config.hop_samples,
            (
                Layer("z", config.channels, config.encoder_field_samples),
                Layer("c", config.channels, config.context_field_samples),
            ),
            config.hop_samples if config.causal else config.encoder_field_samples,
            config.not_streaming_because,
        )

    @property
    def stride(self) -> int:
        return self.config.hop_samples if self.config.causal else 1

    @property
    def rate(self) -> Fraction:
        return Fraction(1, self.stride)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        if not self.config.causal:
            return ()
        return self.encoder.initial_state(batch, like), self.context.initial_state(batch, like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        z, c, after = self.layers(x, state or None)
        return torch.cat([z, c], dim=1), after

    def layers(self, x: Tensor, state: Any = None) -> tuple[Tensor, Tensor, State]:
        """z (B, C, T), c (B, C, T) and the new state."""
        before = state or (None, None)
        z, encoder = self.encoder(x, before[0])
        if self.config.log_compression:
            z = (z.abs() + 1).log()
        c, context = self.context(z, before[1])
        return z, c, (encoder, context) if self.config.causal else ()


def _context_conv(config: Wav2VecConfig, kernel: int) -> nn.Module:
    if config.padding == "zeros":
        return CausalConv1d(config.channels, config.channels, kernel, bias=config.bias)
    conv = nn.Conv1d(config.channels, config.channels, kernel, bias=config.bias)
    return nn.Sequential(nn.ReplicationPad1d((kernel - 1, 0)), conv)


PAPER = Wav2VecConfig()
LARGE = Wav2VecConfig(
    encoder_kernels=(10, 8, 4, 4, 4, 1, 1),
    encoder_strides=(5, 4, 2, 2, 2, 1, 1),
    context_kernels=tuple(range(2, 14)),
)
SMALL = Wav2VecConfig(channels=128, norm="cumulative", causal=True, padding="zeros")
CONFIGS = {"paper": PAPER, "large": LARGE, "small": SMALL}
