"""VQ-VAE-2 (Razavi et al. 2019): an image or a log-mel spectrogram as codes on two or more levels, and back.

An encoder makes maps of a quarter of the size, another one halves these again. The top map is quantised first; the map
below is quantised together with what the top codes decode to, so it only needs to say what they do not. For an image
of 256 x 256 that is 32 x 32 and 64 x 64 codes; for 64 log-mel bands 8 codes every 8 frames and 16 every 4.

`Vqvae2` rebuilds its input; `Tokenizer` and `Detokenizer` are its two halves as they are exported. Tokens of all levels
stand in one array (B, C, T): a column holds the codes of one step of the top map, from the top level down, and within a
level step by step, the first row first. With the defaults the weights are those of rosinality's VQ-VAE-2.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxfield.cards import TIME, Interface, Port
from voxfield.errors import InputError
from voxfield.nn.quantise import UPDATES, Codebook, Quantised

BOTTOM_STRIDE = 4


@dataclass(frozen=True)
class Vqvae2Config:
    """Shape of the network; the defaults are rosinality's, for images."""

    channels: int = 128
    blocks: int = 2  # residual blocks of each encoder and decoder
    block_channels: int = 32
    levels: int = 2
    codes: int = 512  # entries of each codebook
    code_size: int = 64
    update: str = "ema"  # of the codebooks, or gradient
    decay: float = 0.99
    commitment: float = 0.25
    image_channels: int = 3
    image_px: int = 256
    bands: int = 0  # log-mel bands of a recording; 0 for images
    sample_rate_hz: int = 16000  # of the recording
    window_samples: int = 512
    hop_samples: int = 256
    features: str = "log-mel"  # see `voxfield.features.log_mel`

    def __post_init__(self) -> None:
        if min(self.channels, self.blocks + 1, self.block_channels, self.levels, self.codes, self.code_size) < 1:
            raise InputError(
                "channels, block_channels, levels, codes and code_size must be 1 or more, blocks 0 or more"
            )
        if self.channels % 2:
            raise InputError(f"channels is {self.channels}; an even number is needed")
        if self.update not in UPDATES:
            raise InputError(f"update must be {' or '.join(UPDATES)}, not '{self.update}'")
        if self.rows < self.stride or self.rows % self.stride:
            name = "bands" if self.bands else "image_px"
            raise InputError(f"{name} is {self.rows}; {self.levels} levels need a multiple of {self.stride}")

    @property
    def stride(self) -> int:
        """Pixels, or bands and frames, of one step of the top map."""
        return BOTTOM_STRIDE << (self.levels - 1)

    @property
    def rows(self) -> int:
        """Height of the input."""
        return self.bands or self.image_px

    @property
    def level_shapes(self) -> list[tuple[int, int]]:
        """(Rows, columns for each step of the top map) of each level, the top one first."""
        return [(self.rows // self.stride << level, 1 << level) for level in range(self.levels)]

    @property
    def codebooks(self) -> int:
        """Codes of one step of the top map, all levels together: C of the tokens."""
        return sum(rows * columns for rows, columns in self.level_shapes)


class Vqvae2(nn.Module):
    """Image (B, C, H, W) or log-mel features (B, bands, T) -> the same, rebuilt from its codes.

    Level 0 is the bottom one. H, W and T are multiples of `config.stride`.
    """

    def __init__(self, config: Vqvae2Config) -> None:
        super().__init__()
        self.config = config
        wide, size, top = config.channels, config.code_size, config.levels - 1
        into = 1 if config.bands else config.image_channels
        known = [size if level == top else 2 * size for level in range(config.levels)]  # channels of it and all above
        self.encoders = nn.ModuleList(
            _encoder(config, into if level == 0 else wide, level == 0) for level in range(top + 1)
        )
        self.joins = nn.ModuleList(
            nn.Conv2d(wide if level == top else wide + size, size, 1) for level in range(top + 1)
        )
        self.codebooks = nn.ModuleList(
            Codebook(config.codes, size, update=config.update, decay=config.decay, commitment=config.commitment)
            for _ in range(config.levels)
        )
        self.hints = nn.ModuleList(_decoder(config, known[level + 1], size, False) for level in range(top))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(known[level + 1], size, 4, 2, 1) for level in range(top))
        self.decoder = _decoder(config, known[0], into, True)

    def interface(self) -> Interface:
        """What the card says of input and output."""
        return _interface(self.config, _port(self.config), _port(self.config))

    def forward(self, x: Tensor) -> Tensor:
        return self.rebuild(x)[0]

    def rebuild(self, x: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """(Rebuilt input, loss of the codebooks, codes (B, H, W) of each level, the top one first)."""
        known, loss, codes = self._quantise(x)
        y = self.decoder(known)
        return (y[:, 0] if self.config.bands else y), loss, codes

    def encode(self, x: Tensor) -> list[Tensor]:
        """Codes (B, H, W) of each level, the top one first."""
        return self._quantise(x)[2]

    def decode(self, codes: Sequence[Tensor]) -> Tensor:
        """What codes of all levels, the top one first, stand for."""
        known: Tensor | None = None
        for level, of_level in zip(reversed(range(self.config.levels)), codes, strict=True):
            known = self._joined(level, known, self._codebook(level).lookup(of_level))
        y: Tensor = self.decoder(known)
        return y[:, 0] if self.config.bands else y

    def excess(self, x: Tensor, codes: Sequence[Tensor]) -> Tensor:
        """Scalar: how much further than the nearest entries these codes are at most, relative to the sizes of both.

        Each level is judged by what the codes above it stand for. 0 for the codes of `encode`.
        """
        maps, known, worst = self._maps(x), None, x.new_zeros(())
        for level, of_level in zip(reversed(range(self.config.levels)), codes, strict=True):
            y = maps[level] if known is None else torch.cat([self.hints[level](known), maps[level]], dim=1)
            y, codebook = self.joins[level](y), self._codebook(level)
            nearest, chosen = (codebook.lookup(c) for c in (codebook.nearest(y.permute(0, 2, 3, 1)), of_level))
            further = (y - chosen).square().sum(1) - (y - nearest).square().sum(1)
            worst = torch.maximum(worst, (further / (y.square().sum(1) + chosen.square().sum(1) + 1e-9)).max())
            known = self._joined(level, known, chosen)
        return worst

    def parts(self) -> dict[str, Tokenizer | Detokenizer]:
        """What is exported: ending of the file's name -> network with `task` and `interface()`."""
        return {"": Tokenizer(self), "-decoder": Detokenizer(self)}

    def _quantise(self, x: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """(Values of all levels at the bottom's size, loss of the codebooks, codes from the top down)."""
        maps = self._maps(x)
        losses, codes, known = [], [], None
        for level in reversed(range(self.config.levels)):
            y = maps[level] if known is None else torch.cat([self.hints[level](known), maps[level]], dim=1)
            found: Quantised = self.codebooks[level](self.joins[level](y))
            known = self._joined(level, known, found.values)
            losses.append(found.loss)
            codes.append(found.codes)
        assert known is not None
        return known, torch.stack(losses).sum(), codes

    def _maps(self, x: Tensor) -> list[Tensor]:
        """What the encoders make, the bottom level first."""
        maps = []
        y = x[:, None] if self.config.bands else x
        for encoder in self.encoders:
            y = encoder(y)
            maps.append(y)
        return maps

    def _joined(self, level: int, above: Tensor | None, values: Tensor) -> Tensor:
        """What is known from the top down to a level: (B, D or 2 D, H, W)."""
        return values if above is None else torch.cat([self.ups[level](above), values], dim=1)

    def _codebook(self, level: int) -> Codebook:
        codebook = self.codebooks[level]
        assert isinstance(codebook, Codebook)
        return codebook


class _Part(nn.Module):
    def __init__(self, net: Vqvae2) -> None:
        super().__init__()
        self.net = net

    def figures(self) -> dict[str, str | float]:
        """For the card: what the codes cost, and whose they are."""
        config = self.net.config
        bits = config.codebooks * math.log2(config.codes)
        digest = hashlib.sha256()
        for name, value in sorted(self.net.state_dict().items()):
            digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        if config.bands:
            rate = {"bits_per_second": round(bits * config.sample_rate_hz / (config.hop_samples * config.stride), 1)}
        else:
            rate = {"bits_per_pixel": round(bits / config.stride / config.image_px, 4)}
        return {**rate, "weights": digest.hexdigest()[:8]}


class Tokenizer(_Part):
    """Image (B, C, H, W) or features (B, bands, T) -> tokens (B, C, T / stride) int64."""

    task = "tokenize"

    def interface(self) -> Interface:
        """What the card says of input and output."""
        config = self.net.config
        return _interface(config, _port(config), _tokens(config))

    def forward(self, x: Tensor) -> Tensor:
        return packed(self.net.encode(x), self.net.config)

    def excess(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Scalar: see `Vqvae2.excess`."""
        return self.net.excess(x, unpacked(tokens, self.net.config))


class Detokenizer(_Part):
    """Tokens (B, C, T) -> image (B, C, H, W) or features (B, bands, T * stride)."""

    task = "detokenize"

    def interface(self) -> Interface:
        """What the card says of input and output."""
        config = self.net.config
        return _interface(config, _tokens(config), _port(config))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.net.decode(unpacked(tokens, self.net.config))


def packed(codes: Sequence[Tensor], config: Vqvae2Config) -> Tensor:
    """Codes (B, H, W) of each level, the top one first -> tokens (B, C, T)."""
    parts = [
        of_level[..., step::columns]
        for of_level, (_, columns) in zip(codes, config.level_shapes, strict=True)
        for step in range(columns)
    ]
    return torch.cat(parts, dim=1)


def unpacked(tokens: Tensor, config: Vqvae2Config) -> list[Tensor]:
    """The inverse of `packed`."""
    codes, first = [], 0
    for rows, columns in config.level_shapes:
        part = tokens[:, first : first + rows * columns]
        part = part.reshape(len(tokens), columns, rows, -1)
        codes.append(part.permute(0, 2, 3, 1).flatten(2))
        first += rows * columns
    return codes


def _port(config: Vqvae2Config) -> Port:
    if config.bands:
        return Port("features", (config.bands, TIME))
    return Port("image", (config.image_channels, config.image_px, config.image_px))


def _tokens(config: Vqvae2Config) -> Port:
    return Port("tokens", (config.codebooks, TIME if config.bands else config.image_px // config.stride))


def _interface(config: Vqvae2Config, into: Port, out: Port) -> Interface:
    if not config.bands:
        return Interface(into, out, not_streaming_because="it takes one image at a time", codes=config.codes)
    frames = config.stride if into.kind == "tokens" else 1  # of features in one step of the input
    return Interface(
        into,
        out,
        config.sample_rate_hz,
        config.hop_samples * frames,
        config.window_samples,
        not_streaming_because="its convolutions look both ways along time",
        features=config.features,
        multiple_of=config.stride // frames,
        codes=config.codes,
    )


class _Residual(nn.Module):
    """x + two convolutions, each behind a ReLU."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(channels, inner, 3, padding=1), nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(self.wide(x.relu()).relu())  # type: ignore[no-any-return]


def _residuals(config: Vqvae2Config) -> list[nn.Module]:
    return [*(_Residual(config.channels, config.block_channels) for _ in range(config.blocks)), nn.ReLU()]


def _encoder(config: Vqvae2Config, into: int, bottom: bool) -> nn.Sequential:
    """(B, C, H, W) -> (B, channels, H / 2, W / 2), or a quarter at the bottom."""
    wide = config.channels
    middle = [nn.Conv2d(wide // 2, wide, 4, 2, 1), nn.ReLU(), nn.Conv2d(wide, wide, 3, padding=1)]
    if not bottom:
        middle = [nn.Conv2d(wide // 2, wide, 3, padding=1)]
    return nn.Sequential(nn.Conv2d(into, wide // 2, 4, 2, 1), nn.ReLU(), *middle, *_residuals(config))


def _decoder(config: Vqvae2Config, into: int, out: int, bottom: bool) -> nn.Sequential:
    """(B, into, H, W) -> (B, out, 2 H, 2 W), or four times at the bottom."""
    wide = config.channels
    last = [nn.ConvTranspose2d(wide, wide // 2, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(wide // 2, out, 4, 2, 1)]
    if not bottom:
        last = [nn.ConvTranspose2d(wide, out, 4, 2, 1)]
    return nn.Sequential(nn.Conv2d(into, wide, 3, padding=1), *_residuals(config), *last)
