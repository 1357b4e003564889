"""ECAPA-TDNN: speaker embeddings (Desplanques, Thienpondt, Demuynck, Interspeech 2020).

Log-mel features of a recording pass one layer of kernel 5 and three SE-Res2 blocks of kernel 3 with dilation 2, 3, 4.
Within a block eight groups of channels form a cascade: each is convolved together with the output of the group before,
so the field grows from group to group. The outputs of all blocks are joined, pooled over time by attention, and
projected to one vector, whose direction says who speaks.

What differs from the paper: the defaults are WeSpeaker's GLOB networks (6.19 M parameters with 512 channels, 14.65 M
with 1024; without `global_context` 5.80 M and 14.26 M), which join to 1536 channels at either width. What SpeechBrain's
and TaoRuijie's do otherwise is in `PROGRAMS`.

16 kHz, hop 10 ms, 80 bands; the whole recording is needed, as squeeze and pooling look at all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from voxfield.cards import Interface, features_to_embedding
from voxfield.errors import InputError
from voxfield.nn.blocked import BlockedConv1d
from voxfield.nn.pooling import AttentiveStatistics, length_mask, masked
from voxfield.nn.squeeze_excite import SqueezeExcite

DILATIONS = (2, 3, 4)


class Program(NamedTuple):
    """What one program's ECAPA-TDNN does that others do not."""

    reflects: bool = False  # convolutions mirror the ends instead of padding with zeros
    passes_first: bool = False  # the first group of a block passes as it is, not the last
    accumulates: bool = False  # a block gets the sum of all before it
    norm_after_join: bool = False
    norm_in_attention: bool = False
    bessel: bool = True  # of the deviation that the attention sees
    floor: float = 1e-7  # least variance
    floor_added: bool = True


PROGRAMS = {
    "wespeaker": Program(),
    "speechbrain": Program(
        reflects=True, passes_first=True, norm_after_join=True, norm_in_attention=True,
        bessel=False, floor=1e-12, floor_added=False,
    ),
    "taoruijie": Program(accumulates=True, norm_in_attention=True, floor=1e-4, floor_added=False),
}  # fmt: skip


@dataclass(frozen=True)
class EcapaConfig:
    """Shape of an ECAPA-TDNN; the defaults are WeSpeaker's GLOB network with 512 channels."""

    sample_rate_hz: int = 16000
    features: str = "kaldi-hamming"  # see `voxfield.features.named`
    bands: int = 80
    channels: int = 512
    groups: int = 8  # of a block's cascade
    squeeze: int = 128
    joined: int = 1536
    attention: int = 128
    global_context: bool = True
    embedding: int = 192
    embedding_norm: bool = False  # batch norm of the embedding
    program: str = "wespeaker"  # one of `PROGRAMS`

    def __post_init__(self) -> None:
        if self.program not in PROGRAMS:
            raise InputError(f"there is no ECAPA-TDNN of '{self.program}'; choose one of {', '.join(PROGRAMS)}")
        if self.channels % self.groups:
            raise InputError(f"{self.channels} channels cannot be divided into {self.groups} groups")


class _Layer(nn.Module):
    """Convolution, ReLU, batch norm: (B, C, T) -> (B, C', T)."""

    def __init__(self, into: int, out: int, kernel: int = 1, dilation: int = 1, reflects: bool = False) -> None:
        super().__init__()
        around = dilation * (kernel - 1) // 2
        mode: Literal["reflect", "zeros"] = "reflect" if reflects and around else "zeros"
        self.conv = BlockedConv1d(into, out, kernel, padding=around, dilation=dilation, padding_mode=mode)
        self.norm = nn.BatchNorm1d(out)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return masked(self.norm(self.conv(x)), mask)


class _Block(nn.Module):
    """SE-Res2 block: (B, C, T) -> the same."""

    def __init__(self, config: EcapaConfig, dilation: int) -> None:
        super().__init__()
        program, width = PROGRAMS[config.program], config.channels // config.groups
        self.passes_first = program.passes_first
        self.enter = _Layer(config.channels, config.channels)
        self.cascade = nn.ModuleList(
            _Layer(width, width, 3, dilation, program.reflects) for _ in range(config.groups - 1)
        )
        self.leave = _Layer(config.channels, config.channels)
        self.gain = SqueezeExcite(config.channels, config.squeeze)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        groups = list(self.enter(x, mask).chunk(len(self.cascade) + 1, 1))
        passed = groups.pop(0 if self.passes_first else -1)
        outputs: list[Tensor] = []
        for layer, group in zip(self.cascade, groups, strict=True):
            outputs.append(layer(group + outputs[-1] if outputs else group, mask))
        outputs.insert(0 if self.passes_first else len(outputs), passed)
        y: Tensor = x + self.gain(self.leave(torch.cat(outputs, 1), mask), mask)
        return y


class EcapaTdnn(nn.Module):
    """Features without their mean (B, bands, T) -> embeddings (B, D)."""

    def __init__(self, config: EcapaConfig) -> None:
        super().__init__()
        self.config = config
        program = PROGRAMS[config.program]
        self.enter = _Layer(config.bands, config.channels, 5, reflects=program.reflects)
        self.blocks = nn.ModuleList(_Block(config, dilation) for dilation in DILATIONS)
        self.join = BlockedConv1d(len(DILATIONS) * config.channels, config.joined, 1)
        self.join_norm = nn.BatchNorm1d(config.joined) if program.norm_after_join else None
        self.pool = AttentiveStatistics(
            config.joined,
            config.attention,
            global_context=config.global_context,
            hidden_norm=program.norm_in_attention,
            bessel=program.bessel,
            floor=program.floor,
            floor_added=program.floor_added,
        )
        self.norm = nn.BatchNorm1d(2 * config.joined)
        self.project = nn.Linear(2 * config.joined, config.embedding)
        self.embedding_norm = nn.BatchNorm1d(config.embedding) if config.embedding_norm else None

    def interface(self) -> Interface:
        """What the card says of input and output."""
        config = self.config
        least = max(DILATIONS) + 1 if PROGRAMS[config.program].reflects else 1
        return features_to_embedding(config.features, config.bands, config.embedding, config.sample_rate_hz, least)

    def forward(self, x: Tensor, frames: Tensor | None = None) -> Tensor:
        """Embeddings; `frames` (B,) says how many of each row are a recording, and the rest has no influence."""
        program = PROGRAMS[self.config.program]
        if frames is not None and program.reflects:  # each recording is mirrored at its own end
            return torch.cat([self(row[None, :, : int(n)]) for row, n in zip(x, frames, strict=True)])
        mask = None if frames is None else length_mask(frames, x.shape[-1])
        x = self.enter(masked(x, mask), mask)
        outputs: list[Tensor] = []
        for block in self.blocks:
            outputs.append(block(x, mask))
            x = x + outputs[-1] if program.accumulates else outputs[-1]
        x = self.join(torch.cat(outputs, 1))
        if self.join_norm is not None:
            x = self.join_norm(x)
        x = self.project(self.norm(self.pool(x, mask)))
        return x if self.embedding_norm is None else self.embedding_norm(x)
