"""CRN: convolutional recurrent network for speech enhancement (Tan & Wang, Interspeech 2018).

An encoder of convolutions halves the frequency axis five times while it doubles the filters, 16 to 256, so the amount
of information a frame stays almost constant (161 bins -> 1280, 1248, 1216, 1152, 1024 values); two LSTMs run along time
over all of it; a decoder of transposed convolutions mirrors the encoder, and each of its layers also sees the encoder's
output of its size. Noisy magnitudes in, clean magnitudes out.

What differs from the paper: nothing in `CrnConfig()` (17.58 M parameters; the released code's second-to-last layer pads
one bin, so bins 159 and 160 never see the bottleneck, and so it is here). What that code does besides (`elu_skips`,
`zero_first_frame`, a Hamming window) is off unless asked for. `CrnConfig.keras()` has a first kernel of 1 in time. Time
is the last axis here, so kernels are (frequency, time): the paper's (2, 3) is (3, 2).

Causal: each layer of time kernel 2 sees the frame before, never the one after, as padding with one empty frame on the
left. 16 kHz, window 320 samples, hop 160: 10 ms a step, 10 ms of look-ahead inside the window, 20 ms of latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.cards import Interface, spectrum
from voxfield.nn.conv import CausalConv2d, CausalConvTranspose2d
from voxfield.nn.recurrent import Lstm
from voxfield.nn.streaming import State, Streaming, initial, zeros


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
    window: str = "sqrt-hann"  # of the analysis; see `voxfield.features.analysis_window`
    elu_skips: bool = False  # ELU once more on the skips, as the authors' released code has it
    zero_first_frame: bool = False  # frame 0 of each transposed convolution is zero, as there

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
    1; between them the LSTMs' hidden and cell state, each (layers, B, H); with `zero_first_frame` also (B, 1), which is
    1 after the first frame.
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
        self.lstm = Lstm(self.width, self.width, config.recurrent_layers, batch_first=True)
        self.decoder, self.decoder_norms = nn.ModuleList(), nn.ModuleList()
        for i, after in reversed(list(enumerate((1, *filters[:-1])))):
            uneven = bands[i] - (2 * bands[i + 1] + 1)  # 1 where the encoder dropped a bin: 80 -> 39
            self.decoder.append(
                CausalConvTranspose2d(
                    2 * filters[i], after, (3, config.time_kernels[i]), bands[i + 1], stride=2, output_padding=uneven
                )
            )
            self.decoder_norms.append(nn.BatchNorm2d(after, epsilon))

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        state = (
            tuple(initial(layer, batch, like) for layer in self.encoder),
            self.lstm.initial_state(batch, like),
            tuple(initial(layer, batch, like) for layer in self.decoder),
        )
        return (*state, zeros(batch, 1, like=like)) if self.config.zero_first_frame else state

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        before_encoder, before_lstm, before_decoder, *begun = state
        skips: list[Tensor] = []
        after_encoder: list[State] = []
        after_decoder: list[State] = []
        for layer, norm, before in zip(self.encoder, self.encoder_norms, before_encoder, strict=True):
            x, after = layer(x, before)
            x = F.elu(norm(x))
            skips.append(x)
            after_encoder.append(after)

        B, C, bands, T = x.shape
        x, after_lstm = self.lstm(x.permute(0, 3, 1, 2).reshape(B, T, C * bands), before_lstm)
        x = x.reshape(B, T, C, bands).permute(0, 2, 3, 1)

        frames = [seen + torch.arange(T, device=x.device) for seen in begun]  # (B, T), 0 for the first frame of all
        for layer, norm, before in zip(self.decoder, self.decoder_norms, before_decoder, strict=True):
            skip = skips.pop()
            again = self.config.elu_skips and len(after_decoder) > 0
            x, after = layer(torch.cat([x, F.elu(skip) if again else skip], dim=1), before)
            for number in frames:
                x = x * (number > 0).to(x)[:, None, None]
            x = norm(x)
            x = F.elu(x) if skips else F.softplus(x)
            after_decoder.append(after)
        begun = [(seen + T).clamp(max=1) for seen in begun]
        return x, (tuple(after_encoder), after_lstm, tuple(after_decoder), *begun)


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
        return spectrum(config.sample_rate_hz, config.window_samples, config.hop_samples, window=config.window)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return self.crn.initial_state(batch, like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        magnitude = (x.square().sum(1, keepdim=True) + 1e-12).sqrt()
        clean, state = self.crn(magnitude, state)
        return x * (clean / magnitude), state
