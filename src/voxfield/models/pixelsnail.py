"""PixelSNAIL (Chen et al. 2018) as in VQ-VAE-2: how likely each code of a map is, given the codes before it.

A map (B, F, T) is read row by row, a row being all F codes of one time; for an image, time is the height. Within, maps
are (B, C, T, F): see `voxfield.nn.masked`. Each block
has gated residual blocks of masked convolutions, and attention over the rows before. The prior of a lower level is told
the codes of the level above, the hint, whose map has half the rows and columns. Tokens (B, C, T) hold, for each row of
the map, the F / 2 codes of the hint's row (each twice, one row after the other) and then the F codes themselves.

It takes the weights of rosinality's networks. What differs: attention and the number of a row reach `rows` rows back,
which is all of a map of that height, so that a map of sound may be of any length; codes may be embedded instead of
one-hot; weights are stored without weight norm. A hint network of one row streams; one that looks at several, as
rosinality's, needs its whole map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from voxfield.cards import TIME, Interface, Port
from voxfield.errors import InputError
from voxfield.nn.masked import CausalAttention, MaskedConv
from voxfield.nn.quantise import looked_up
from voxfield.nn.streaming import State, Streaming, zeros


@dataclass(frozen=True)
class PixelSnailConfig:
    """Shape of the network; the defaults are rosinality's for a top map of 32 x 32."""

    codes: int = 512
    columns: int = 32
    rows: int = 32  # how far attention and the number of a row reach
    embedding: int = 0  # numbers that stand for a code; 0 for one-hot
    channels: int = 256
    kernel: int = 5
    blocks: int = 4
    res_blocks: int = 4  # gated blocks of each block
    res_channels: int = 256
    attention: bool = True
    heads: int = 8
    out_blocks: int = 0  # gated blocks of kernel 1 after the last block
    hint_blocks: int = 0  # of the network that reads the level above; without any and no channels there is none
    hint_channels: int = 0
    hint_kernel: int = 3  # columns
    hint_rows: int = 3  # rows; 1 to stream
    dropout: float = 0.1
    sample_rate_hz: int = 0  # of the recording; 0 for images
    hop_samples: int = 0  # of one row

    def __post_init__(self) -> None:
        sizes = (self.codes, self.columns, self.channels, self.blocks, self.res_channels, self.heads)
        if min(sizes) < 1 or min(self.embedding, self.res_blocks, self.out_blocks, self.hint_blocks) < 0:
            raise InputError(
                "codes, columns, channels, blocks, res_channels and heads must be 1 or more, and embedding, "
                "res_blocks, out_blocks and hint_blocks 0 or more"
            )
        if self.rows < 2:
            raise InputError(f"rows is {self.rows}; at least 2 are needed")
        if self.attention and self.channels // 2 % self.heads:
            raise InputError(f"{self.channels // 2} channels of attention do not divide into {self.heads} heads")
        if self.hint_channels and (self.columns % 2 or min(self.hint_kernel, self.hint_rows) % 2 == 0):
            raise InputError("a hint needs an even number of columns, and odd hint_kernel and hint_rows")
        if bool(self.sample_rate_hz) != bool(self.hop_samples):
            raise InputError("sample_rate_hz and hop_samples are both given for sound, or both 0 for images")

    @property
    def hint_columns(self) -> int:
        """Columns of the level above; 0 where there is no hint."""
        return self.columns // 2 if self.hint_channels else 0

    @property
    def whole(self) -> bool:
        """Whether the network needs its whole map."""
        return self.hint_channels > 0 and self.hint_rows > 1


class PixelSnail(Streaming):
    """Tokens (B, hint_columns + columns, T) -> logits (B, codes, columns, T): of each code, given those before it.

    The batch is free. The state is that of `rows`, in single precision; `()` where the hint needs the whole map.
    """

    free_batch = True  # in its file too

    def __init__(self, config: PixelSnailConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Parameter(torch.randn(config.codes, config.embedding)) if config.embedding else None
        self.hint = _HintNet(config) if config.hint_channels else None
        self.rows = PixelRows(config)

    def interface(self) -> Interface:
        """What the card says of input and output."""
        config = self.config
        into = Port("tokens", (config.hint_columns + config.columns, TIME))
        out = Port("logits", (config.codes, config.columns, TIME))
        why = "" if config.sample_rate_hz else "it makes the codes of an image"
        why = "its hint looks both ways along time" if config.whole and not why else why
        ahead = None if why else 0
        even = 2 if config.whole else 1
        return Interface(
            into, out, config.sample_rate_hz, config.hop_samples, lookahead_samples=ahead, not_streaming_because=why,
            multiple_of=even, codes=config.codes,
        )  # fmt: skip

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return () if self.config.whole else self.rows.initial_state(batch, self._like(like))

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        hints = self.config.hint_columns
        hint = self.look(x[:, :hints]) if hints else None
        given = state or self.rows.initial_state(x.shape[0], self._like(x))
        y, after = self.rows(self.values(x[:, hints:]), given, hint)
        return y.transpose(2, 3), (() if self.config.whole else after)

    def values(self, codes: Tensor) -> Tensor:
        """(B, F, T) codes as (B, C, T, F) numbers."""
        codes = codes.transpose(1, 2)
        if self.embedding is not None:
            return looked_up(codes, self.embedding).permute(0, 3, 1, 2)
        numbers = torch.arange(self.config.codes, device=codes.device)
        return (codes[:, None] == numbers[:, None, None]).to(self._weight)

    def look(self, codes: Tensor) -> Tensor:
        """(B, F / 2, T) codes of the level above, each row twice, as a hint (B, hint_channels, T, F)."""
        assert self.hint is not None
        if not self.config.whole:
            return functional.interpolate(self.hint(self.values(codes)), scale_factor=(1.0, 2.0))
        return functional.interpolate(self.hint(self.values(codes[..., ::2])), scale_factor=2.0)[
            :, :, : codes.shape[-1]
        ]

    def _like(self, like: Tensor | None) -> Tensor | None:
        """What the state is like: the weights' precision where the block is of whole numbers."""
        return like if like is None or like.is_floating_point() else self._weight.new_zeros((), device=like.device)

    @property
    def _weight(self) -> Tensor:
        return self.rows.first.above.weight


class PixelRows(Streaming):
    """What stands for codes (B, C, T, F), and a hint (B, hint_channels, T, F) if any -> logits (B, K, T, F)."""

    time_axis = 2
    place: Tensor  # (1, 1, 1, F) of each column, from -0.5 to below 0.5
    inner: Tensor  # (F,): 0 for the first column, 1 for others

    def __init__(self, config: PixelSnailConfig) -> None:
        super().__init__()
        side = config.kernel // 2
        self.config = config
        self.first = MaskedConv(
            config.embedding or config.codes, config.channels, config.columns, config.kernel, side, side + 1, bias=False
        )
        self.row_bias = nn.Parameter(torch.zeros(config.channels, 1, 1))  # where there are rows before
        self.column_bias = nn.Parameter(torch.zeros(config.channels, 1, 1))  # where there are columns on the left
        self.count = _RowCount(config.rows - 1)
        self.blocks = nn.ModuleList(_PixelBlock(config) for _ in range(config.blocks))
        shape = (config.channels, config.res_channels, config.dropout)
        self.out = nn.Sequential(
            *(_Plain(_GatedBlock(*shape, _one, _one)) for _ in range(config.out_blocks)),
            nn.ELU(),
            nn.Conv2d(config.channels, config.codes, 1),
        )
        place = (torch.arange(config.columns) - config.columns / 2) / config.columns
        self.register_buffer("place", place[None, None, None], False)
        self.register_buffer("inner", (torch.arange(config.columns) > 0).float(), False)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        layers = (self.first, self.count, *self.blocks)
        return tuple(layer.initial_state(batch, like) for layer in layers if isinstance(layer, Streaming))

    def step(self, x: Tensor, state: Any, hint: Tensor | None = None) -> tuple[Tensor, State]:
        first, count, *before = state
        y, first = self.first(x, first)
        row, count = self.count(y, count)
        y = y + self.row_bias * row.clamp(max=1) + self.column_bias * self.inner
        row = ((row - self.config.rows / 2) / self.config.rows).expand(-1, 1, -1, self.config.columns)
        places = torch.cat([row, self.place.expand(x.shape[0], 1, x.shape[2], -1)], dim=1)
        after = []
        for block, past in zip(self.blocks, before, strict=True):
            y, new = block(y, past, places, hint)
            after.append(new)
        return self.out(y), (first, count, *after)


class _PixelBlock(Streaming):
    """Gated blocks, then attention, or a convolution, over what they made and where it stands."""

    time_axis = 2

    def __init__(self, config: PixelSnailConfig) -> None:
        super().__init__()
        wide, hints = config.channels, config.hint_channels

        def conv(into: int, out: int) -> nn.Module:
            return MaskedConv(into, out, config.columns, config.kernel)

        self.gated = nn.ModuleList(
            _GatedBlock(wide, config.res_channels, config.dropout, conv, conv, hint=hints)
            for _ in range(config.res_blocks)
        )
        self.attention = None
        if not config.attention:
            self.out: nn.Module = nn.Conv2d(wide + 2, wide, 1)
            return
        self.keys = _GatedBlock(2 * wide + 2, wide, config.dropout, _one, _one)
        self.queries = _GatedBlock(wide + 2, wide, config.dropout, _one, _one)
        self.attention = CausalAttention(2 * wide + 2, wide + 2, wide // 2, config.columns, config.rows, config.heads)
        self.out = _GatedBlock(wide, wide, config.dropout, _one, _one, aside=wide // 2)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        layers = (*self.gated, *([self.attention] if self.attention else []))
        return tuple(layer.initial_state(batch, like) for layer in layers if isinstance(layer, Streaming))

    def step(
        self, x: Tensor, state: Any, places: Tensor | None = None, hint: Tensor | None = None
    ) -> tuple[Tensor, State]:
        assert places is not None
        after, y = [], x
        for layer, before in zip(self.gated, state, strict=False):
            y, new = layer(y, before, None, hint)
            after.append(new)
        if self.attention is None:
            return self.out(torch.cat([y, places], dim=1)), tuple(after)
        keys, _ = self.keys(torch.cat([x, y, places], dim=1))
        queries, _ = self.queries(torch.cat([y, places], dim=1))
        found, new = self.attention(keys, state[-1], queries)
        return self.out(y, (), found)[0], (*after, new)


class _GatedBlock(Streaming):
    """Two convolutions behind ELUs, the second one gated: x + gate(...), (B, C, T, F) -> the same.

    Args:
        channels, inner: C, and the channels between the convolutions.
        dropout: share of these that are left out in training.
        first, second: make the convolutions of (channels in, channels out).
        aside: channels of a map that is added after the first convolution; 0 for none.
        hint: channels of a map that is added before the gate; 0 for none.
    """

    time_axis = 2

    def __init__(
        self, channels: int, inner: int, dropout: float, first: Any, second: Any, aside: int = 0, hint: int = 0
    ) -> None:
        super().__init__()
        self.first, self.second = first(channels, inner), second(inner, 2 * channels)
        self.aside = nn.Conv2d(aside, inner, 1) if aside else None
        self.hint = nn.Conv2d(hint, 2 * channels, 1, bias=False) if hint else None
        self.dropout = nn.Dropout(dropout)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        layers = (self.first, self.second)
        return tuple(layer.initial_state(batch, like) for layer in layers if isinstance(layer, Streaming))

    def step(self, x: Tensor, state: Any, aside: Tensor | None = None, hint: Tensor | None = None) -> Any:
        y, after = functional.elu(x), []
        for number, layer in enumerate((self.first, self.second)):
            if isinstance(layer, Streaming):
                y, new = layer(y, state[number])
                after.append(new)
            else:
                y = layer(y)
            if number == 0:
                y = y if self.aside is None or aside is None else y + self.aside(functional.elu(aside))
                y = self.dropout(functional.elu(y))
        y = y if self.hint is None or hint is None else y + self.hint(hint)
        value, gate = y.chunk(2, dim=1)
        return x + value * torch.sigmoid(gate), tuple(after)


class _RowCount(Streaming):
    """Rows before this one, up to so many: (B, C, T, F) -> (B, 1, T, 1).

    State (B, 1, most, 1): a 1 for each row of the past `most` that was there.
    """

    time_axis = 2

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, 1, self.most, 1, like=like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        seen = torch.cat([state, torch.ones_like(x[:, :1, :, :1])], dim=2)
        count = functional.avg_pool2d(seen[:, :, :-1], (self.most, 1), stride=1) * self.most
        return count, seen[:, :, -self.most :]


class _HintNet(nn.Module):
    """What stands for the codes of the level above (B, C, T, F / 2) -> (B, hint_channels, T, F / 2)."""

    def __init__(self, config: PixelSnailConfig) -> None:
        super().__init__()
        wide, kernel = config.hint_channels, (config.hint_rows, config.hint_kernel)

        def conv(into: int, out: int) -> nn.Module:
            return nn.Conv2d(into, out, kernel, padding=(kernel[0] // 2, kernel[1] // 2))

        self.first = conv(config.embedding or config.codes, wide)
        self.gated = nn.Sequential(
            *(_Plain(_GatedBlock(wide, wide, config.dropout, conv, conv)) for _ in range(config.hint_blocks))
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.gated(self.first(x))
        return y


class _Plain(nn.Module):
    """A gated block without a state as a layer like any other."""

    def __init__(self, block: _GatedBlock) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)[0]
        return y


def _one(into: int, out: int) -> nn.Module:
    return nn.Conv2d(into, out, 1)
