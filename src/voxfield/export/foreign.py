"""How four programs that train Conv-TasNet call its tensors: one table each, read in both directions.

A row says which tensors of theirs make up one of ours. Ours are joined where one convolution does the work of two (the
residual and the skip path of a block) and turned where a layer was written as a matrix product; nothing is computed, so
every conversion can be undone to the last bit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from voxfield.errors import CheckpointError
from voxfield.models.conv_tasnet import ConvTasNetConfig

PROGRAMS = ("asteroid", "torchaudio", "kaituoxu", "naplab")


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
    skip: str
    act: str
    head: str
    scale: str  # of a norm
    offset: str

    def prefix(self, config: ConvTasNetConfig, i: int) -> str:
        """What the names of block `i` begin with."""
        return self.block.format(i=i, r=i // config.blocks, x=i % config.blocks)


@dataclass(frozen=True)
class Row:
    """One of our tensors and the tensors of theirs that it joins along its first axis."""

    ours: str
    theirs: tuple[str, ...]
    turned: bool = False  # theirs is the transposed matrix without the middle axis


def names(program: str, causal: bool, norm: str) -> Names:
    """The table of a program; where a causal network has one more layer in a list, the numbers behind it move."""
    if program == "asteroid":
        return Names(
            "encoder.filterbank._filters", "decoder.filterbank._filters",
            "masker.bottleneck.0", "masker.bottleneck.1", "masker.TCN.{i}.",
            "shared_block.0", "shared_block.1", "shared_block.2",
            "shared_block.3.0" if causal else "shared_block.3", "shared_block.4", "shared_block.5",
            "res_conv", "skip_conv", "masker.mask_net.0", "masker.mask_net.1",
            *(("weight", "bias") if norm == "batch" else ("gamma", "beta")),
        )  # fmt: skip
    if program == "torchaudio":
        inside = "conv_layers."
        return Names(
            "encoder.weight", "decoder.weight",
            "mask_generator.input_norm", "mask_generator.input_conv", "mask_generator.conv_layers.{i}.",
            inside + "0", inside + "1", inside + "2", inside + "3", inside + "4", inside + "5",
            "res_out", "skip_out", "mask_generator.output_prelu", "mask_generator.output_conv", "weight", "bias",
        )  # fmt: skip
    if program == "naplab":
        return Names(
            "encoder.weight", "decoder.weight", "TCN.LN", "TCN.BN", "TCN.TCN.{i}.",
            "conv1d", "nonlinearity1", "reg1", "dconv1d", "nonlinearity2", "reg2", "res_out", "skip_out",
            "TCN.output.0", "TCN.output.1", "gain" if causal else "weight", "bias",
        )  # fmt: skip
    if program == "kaituoxu":
        behind = [f"net.3.net.{number + causal}" for number in (1, 2, 3)]
        return Names(
            "encoder.conv1d_U.weight", "decoder.basis_signals.weight", "separator.network.0", "separator.network.1",
            "separator.network.2.{r}.{x}.", "net.0", "net.1", "net.2", "net.3.net.0", *behind, "", "",
            "separator.network.3", *(("weight", "bias") if norm == "batch" else ("gamma", "beta")),
        )  # fmt: skip
    raise CheckpointError(f"there are no names for '{program}'; choose one of {', '.join(PROGRAMS)}")


def rows(config: ConvTasNetConfig, program: str) -> Iterator[Row]:
    """Every tensor of `ConvTasNet(config)` with the tensors of the program that it is made of."""
    table = names(program, config.causal, config.norm)

    def norm(ours: str, theirs: str, kind: str) -> Iterator[Row]:
        scale, offset = table.scale, table.offset
        if program == "kaituoxu" and kind == "frame":  # its first norm is a norm of frames whatever the others are
            scale, offset = "gamma", "beta"
        yield Row(f"{ours}.weight", (f"{theirs}.{scale}",))
        yield Row(f"{ours}.bias", (f"{theirs}.{offset}",))
        if kind == "batch":
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                yield Row(f"{ours}.{name}", (f"{theirs}.{name}",))

    def conv(ours: str, *theirs: str) -> Iterator[Row]:
        for part in ("weight", "bias") if config.bias else ("weight",):
            yield Row(f"{ours}.{part}", tuple(f"{name}.{part}" for name in theirs))

    yield Row("encoder.conv.weight", (table.encoder,))
    yield Row("decoder.conv.weight", (table.decoder,), turned=program == "kaituoxu")
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
        pieces = tensor.split([shapes[name][0] for name in row.theirs]) if len(row.theirs) > 1 else [tensor]
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


LOOKS_LIKE: tuple[tuple[str, str], ...] = (  # a name that gives it away -> what it is
    (r"^masker\.TCN\.\d+\.shared_block\.", "asteroid"),
    (r"^mask_generator\.conv_layers\.", "torchaudio"),
    (r"^separator\.network\.2\.\d+\.\d+\.net\.", "kaituoxu"),
    (r"^TCN\.TCN\.\d+\.dconv1d\.", "naplab"),
    (
        r"^masker\.blocks\.\d+\.reduce\.",
        "a Conv-TasNet of voxfield itself, which needs no conversion (see `voxfield export`)",
    ),
    (r"dual_?(path|rnn)|intra_RNN|intra_rnn", "a dual-path network (DPRNN or SepFormer)"),
    (r"^layer4\..*se_res2block|Res2Conv|^blocks\.\d+\.res2net_block|se_res2block", "an ECAPA-TDNN speaker network"),
    (r"^feature_extractor\.conv_layers|^feature_aggregator\.", "a wav2vec network"),
    (r"^conv5_t\.weight$", "the CRN of Tan & Wang (--from tan-wang)"),
    (r"(^|\.)lstm.*weight_hh_l0$", "a recurrent (CRN-like) enhancer"),
    (r"^quantize_[tb]\.embed$", "a VQ-VAE-2"),
    (r"^layer[1-4]\.\d+\.conv\d\.weight$", "a ResNet"),
    (r"^encoder\.\d+\.\d+\.weight$", "a Demucs-like waveform U-Net"),
    (r"self_attn|attention\.", "a transformer"),
)


def looks_like(tensors: Mapping[str, Tensor]) -> str:
    """What the names of the tensors give away: one of `PROGRAMS`, a phrase for people, or nothing."""
    for pattern, what in LOOKS_LIKE:
        matches: Callable[[str], object] = re.compile(pattern).search
        if any(matches(name) for name in tensors):
            return what
    return ""
