"""CRN: convolutional recurrent network for speech enhancement (Tan & Wang, Interspeech 2018).

An encoder of convolutions halves the frequency axis five times while it doubles the filters, 16 to 256, so the amount
of information a frame stays almost constant (161 bins -> 1280, 1248, 1216, 1152, 1024 values); two LSTMs run along time
over all of it; a decoder of transposed convolutions mirrors the encoder, and each of its layers also sees the encoder's
output of its size. Noisy magnitudes in, clean magnitudes out.

What differs from the paper: nothing in `CrnConfig()` (17.58 M parameters; the released code's second-to-last layer pads
one bin, so bins 159 and 160 never see the bottleneck, and so it is here). `CrnConfig.keras()` has a first kernel of 1
in time. Time is the last axis here, so kernels are (frequency, time): the paper's (2, 3) is (3, 2).

Causal: each layer of time kernel 2 sees the frame before, never the one after, as padding with one empty frame on the
left. 16 kHz, window 320 samples, hop 160: 10 ms a step, 10 ms of look-ahead inside the window, 20 ms of latency.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.cards import Interface, spectrum
from voxfield.errors import CheckpointError
from voxfield.nn.conv import CausalConv2d, CausalConvTranspose2d
from voxfield.nn.streaming import State, Streaming


@dataclass(frozen=True)
class CrnConfig:
    """Shape of a CRN; the defaults are the paper's."""

    sample_rate_hz: int = 16000
    window_samples: int = 320
    hop_samples: int = 160
    filters: tuple[int, ...] = (16, 32, 64, 128, 256)
    time_kernels: tuple[int, ...] = (2, 2, 2, 2, 2)  # frames each encoder layer sees; the decoder mirrors them
    recurrent_layers: int = 2  # LSTMs as wide as a frame of the last encoder layer
    norm_epsilon: float = 1e-5  # of batch norm

    @classmethod
    def keras(cls) -> CrnConfig:
        """Kernel (1, 3) in the first layer and (2, 3) after it, with the epsilon of Keras's batch norm."""
        return cls(time_kernels=(1, 2, 2, 2, 2), norm_epsilon=1e-3)

    @property
    def bands(self) -> tuple[int, ...]:
        """Size of the frequency axis before the first and after each encoder layer: 161, 80, 39, 19, 9, 4."""
        sizes = [self.window_samples // 2 + 1]
        for _ in self.filters:
            sizes.append((sizes[-1] - 3) // 2 + 1)
        return tuple(sizes)


class Crn(Streaming):
    """Noisy magnitudes in, clean magnitudes out: (B, 1, F, T) -> (B, 1, F, T).

    State: for each encoder layer and each decoder layer the frame before (B, C, F, 1), or `()` where the time kernel is
    1; between them the LSTMs' hidden and cell state, each (layers, B, H).
    """

    def __init__(self, config: CrnConfig) -> None:
        super().__init__()
        self.config = config
        filters, bands, epsilon = config.filters, config.bands, config.norm_epsilon
        self.encoder, self.encoder_norms = nn.ModuleList(), nn.ModuleList()
        for i, (before, after) in enumerate(zip((1, *filters), filters, strict=False)):
            self.encoder.append(CausalConv2d(before, after, (3, config.time_kernels[i]), bands[i], stride=2))
            self.encoder_norms.append(nn.BatchNorm2d(after, epsilon))
        self.width = filters[-1] * bands[-1]
        self.lstm = nn.LSTM(self.width, self.width, config.recurrent_layers, batch_first=True)
        self.decoder, self.decoder_norms = nn.ModuleList(), nn.ModuleList()
        for i, after in reversed(list(enumerate((1, *filters[:-1])))):
            uneven = bands[i] - (2 * bands[i + 1] + 1)  # 1 where the encoder dropped a bin: 80 -> 39
            self.decoder.append(
                CausalConvTranspose2d(
                    2 * filters[i], after, (3, config.time_kernels[i]), bands[i + 1], stride=2, output_padding=uneven
                )
            )
            self.decoder_norms.append(nn.BatchNorm2d(after, epsilon))

    def initial_state(self, batch: int) -> State:
        hidden = torch.zeros(self.config.recurrent_layers, batch, self.width)
        return (
            tuple(layer.initial_state(batch) for layer in self.encoder),
            (hidden, hidden.clone()),
            tuple(layer.initial_state(batch) for layer in self.decoder),
        )

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        empty = (None,) * len(self.encoder)
        before_encoder, before_lstm, before_decoder = (empty, None, empty) if state is None else state
        skips, after_encoder, after_decoder = [], [], []
        for layer, norm, before in zip(self.encoder, self.encoder_norms, before_encoder, strict=True):
            x, after = layer(x, before)
            x = F.elu(norm(x))
            skips.append(x)
            after_encoder.append(after)

        B, C, bands, T = x.shape
        x, after_lstm = self.lstm(x.permute(0, 3, 1, 2).reshape(B, T, C * bands), before_lstm)
        x = x.reshape(B, T, C, bands).permute(0, 2, 3, 1)

        for layer, norm, before in zip(self.decoder, self.decoder_norms, before_decoder, strict=True):
            x, after = layer(torch.cat([x, skips.pop()], dim=1), before)
            x = norm(x)
            x = F.elu(x) if skips else F.softplus(x)
            after_decoder.append(after)
        return x, (tuple(after_encoder), tuple(after_lstm), tuple(after_decoder))


class CrnEnhancer(Streaming):
    """The CRN on complex spectra: (B, 2, F, T) -> the same; magnitudes are estimated, the noisy phase is kept.

    State: that of the CRN.
    """

    def __init__(self, config: CrnConfig) -> None:
        super().__init__()
        self.config = config
        self.crn = Crn(config)

    def interface(self) -> Interface:
        """What the card says of input, output and latency."""
        config = self.config
        return spectrum(config.sample_rate_hz, config.window_samples, config.hop_samples)

    def initial_state(self, batch: int) -> State:
        return self.crn.initial_state(batch)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        magnitude = (x.square().sum(1, keepdim=True) + 1e-12).sqrt()
        clean, state = self.crn(magnitude, state)
        return x * (clean / magnitude), state


def from_tan_wang(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a `Crn(CrnConfig())` from the state dict of the authors' released code.

    Args:
        tensors: `conv1.weight` (16, 1, 2, 3) ... `conv1_t.weight`, `bn1.*`, `bn1_t.*`, `lstm.*`; kernels are (time,
        frequency).

    Raises:
        CheckpointError: a key that this network does not have.
    """
    depth = len(CrnConfig().filters)
    weights = {}
    for key, tensor in tensors.items():
        layer, _, rest = key.partition(".")
        kind, number = layer.rstrip("_t").rstrip("0123456789"), layer.rstrip("_t").lstrip("abcdefghijklmnopqrstuvwxyz")
        side = "decoder" if layer.endswith("_t") else "encoder"
        if kind == "lstm":
            weights[key] = tensor
            continue
        if kind not in {"conv", "bn"} or not number.isdigit() or not 1 <= int(number) <= depth:
            raise CheckpointError(
                f"'{key}' is no tensor of the CRN of Tan & Wang, which has conv1 ... conv5_t, bn1 ... bn5_t, lstm"
            )
        place = int(number) - 1 if side == "encoder" else depth - int(number)
        if kind == "conv":
            weights[f"{side}.{place}.conv.{rest}"] = tensor.transpose(2, 3) if tensor.ndim == 4 else tensor
        else:
            weights[f"{side}_norms.{place}.{rest}"] = tensor
    return weights
