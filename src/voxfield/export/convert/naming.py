"""How the tensors of a Conv-TasNet are made of another program's: one table, read in both directions.

A row says which tensors of theirs make up one of ours. Ours are joined where one convolution does the work of two (the
residual and the skip path of a block) and turned where a layer was written as a matrix product; nothing is computed, so
every conversion can be undone to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from voxfield.errors import CheckpointError
from voxfield.models.conv_tasnet import ConvTasNetConfig


@dataclass(frozen=True)
class Names:
    """The names of one program; `{i}` is a block's number, `{r}` its repeat and `{x}` its place in the repeat."""

    encoder: str
    decoder: str
    first_norm: str
    bottleneck: str
    block: str
    expand: str
    act_in: str
    norm_in: str
    depthwise: str
    act_out: str
    norm_out: str
    residual: str
    skip: str  # empty where the program has no skip path
    act: str  # of the mask; empty where there is none
    head: str
    scale: str  # of a norm; a batch norm has weight and bias everywhere
    offset: str
    decoder_is_matrix: bool = False  # (L, N) instead of (N, 1, L)

    def prefix(self, config: ConvTasNetConfig, i: int) -> str:
        """What the names of block `i` begin with."""
        return self.block.format(i=i, r=i // config.blocks, x=i % config.blocks)


@dataclass(frozen=True)
class Row:
    """One of our tensors and the tensors of theirs that it joins along its first axis."""

    ours: str
    theirs: tuple[str, ...]
    turned: bool = False  # theirs is the transposed matrix without the middle axis


def rows(config: ConvTasNetConfig, table: Names) -> Iterator[Row]:
    """Every tensor of `ConvTasNet(config)` with the tensors of the program that it is made of."""

    def norm(ours: str, theirs: str, kind: str) -> Iterator[Row]:
        scale, offset = ("weight", "bias") if kind == "batch" else (table.scale, table.offset)
        yield Row(f"{ours}.weight", (f"{theirs}.{scale}",))
        yield Row(f"{ours}.bias", (f"{theirs}.{offset}",))
        if kind == "batch":
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                yield Row(f"{ours}.{name}", (f"{theirs}.{name}",))

    def conv(ours: str, *theirs: str) -> Iterator[Row]:
        for part in ("weight", "bias") if config.bias else ("weight",):
            yield Row(f"{ours}.{part}", tuple(f"{name}.{part}" for name in theirs))

    yield Row("encoder.conv.weight", (table.encoder,))
    yield Row("decoder.conv.weight", (table.decoder,), turned=table.decoder_is_matrix)
    yield from norm("masker.first_norm", table.first_norm, config.first_norm)
    yield from conv("masker.bottleneck", table.bottleneck)
    last = config.blocks * config.repeats - 1
    for i in range(last + 1):
        ours, theirs = f"masker.blocks.{i}", table.prefix(config, i)
        yield from conv(f"{ours}.expand", theirs + table.expand)
        yield Row(f"{ours}.act_in.weight", (f"{theirs}{table.act_in}.weight",))
        yield from norm(f"{ours}.norm_in", theirs + table.norm_in, config.norm)
        yield from conv(f"{ours}.depthwise.conv" if config.causal else f"{ours}.depthwise", theirs + table.depthwise)
        yield Row(f"{ours}.act_out.weight", (f"{theirs}{table.act_out}.weight",))
        yield from norm(f"{ours}.norm_out", theirs + table.norm_out, config.norm)
        paths = [theirs + table.residual] if i < last or not config.skip or config.last_residual else []
        yield from conv(f"{ours}.reduce", *paths, *([theirs + table.skip] if config.skip else []))
    if config.mask_prelu:
        yield Row("masker.act.weight", (f"{table.act}.weight",))
    yield from conv("masker.head", table.head)


def ours_from(theirs: Mapping[str, Tensor], like: Mapping[str, Tensor], table: list[Row]) -> dict[str, Tensor]:
    """Our tensors made of theirs; `like` gives the shapes of ours.

    Raises:
        CheckpointError: tensors are missing, left over, or of other shapes; the message names the first ones.
    """
    used = [name for row in table for name in row.theirs]
    _refuse(sorted(set(used) - theirs.keys()), "lacks {}", len(used))
    _refuse(sorted(theirs.keys() - set(used)), "holds {}, which the network has no place for", len(used))
    made = {}
    for row in table:
        parts = [
            theirs[name].T[:, None] if row.turned and theirs[name].ndim == 2 else theirs[name] for name in row.theirs
        ]
        wanted = like[row.ours].shape
        if not _fit([part.shape for part in parts], wanted):
            shapes = " + ".join(str(tuple(theirs[name].shape)) for name in row.theirs)
            raise CheckpointError(f"{' + '.join(row.theirs)} has shape {shapes}, but {tuple(wanted)} is needed")
        joined = torch.cat(parts) if len(parts) > 1 else parts[0]
        made[row.ours] = joined.reshape(wanted).contiguous()
    return made


def _fit(parts: list[torch.Size], wanted: torch.Size) -> bool:
    """Whether tensors of these shapes, joined along the first axis, are of the wanted one but for axes of length 1."""

    def rest(shape: torch.Size) -> list[int]:
        return [size for size in shape[1:] if size != 1]

    if len(parts) == 1:
        return [size for size in parts[0] if size != 1] == [size for size in wanted if size != 1]
    rows = sum(shape[0] if shape else 0 for shape in parts)
    return rows == wanted[0] and all(rest(shape) == rest(wanted) for shape in parts)


def theirs_from(ours: Mapping[str, Tensor], shapes: Mapping[str, torch.Size], table: list[Row]) -> dict[str, Tensor]:
    """The program's tensors out of ours, in their shapes: the way back."""
    made = {}
    for row in table:
        tensor = ours[row.ours]
        if row.turned:
            made[row.theirs[0]] = tensor[:, 0].T.contiguous()
            continue
        pieces = torch.split(tensor, [shapes[name][0] for name in row.theirs]) if len(row.theirs) > 1 else (tensor,)
        for name, piece in zip(row.theirs, pieces, strict=True):
            made[name] = piece.reshape(shapes[name])
    return made


def _refuse(names: list[str], problem: str, expected: int) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise CheckpointError(
            f"the checkpoint {problem.format(', '.join(names[:3]) + more)} ({expected} tensors are expected); "
            "check --from, or say with --set what the tensors cannot (such as blocks=4 or causal=true)"
        )
