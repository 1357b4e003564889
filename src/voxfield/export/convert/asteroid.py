"""Conv-TasNet of asteroid: each layer of a block is a number in a list, and a causal network has one more in it."""

from __future__ import annotations

from voxfield.export.convert.naming import Names
from voxfield.export.convert.settings import Setting, one_of, whole
from voxfield.export.convert.tasnet import TasNetProgram
from voxfield.models.conv_tasnet import ACTIVATIONS, MASKS

NORMS = {  # its short names and the classes that they stand for
    "gln": "global", "globln": "global",
    "fgln": "channel", "featsglobln": "channel",
    "cln": "frame", "chanln": "frame",
    "cgln": "cumulative", "cumln": "cumulative",
    "bn": "batch", "batchnorm": "batch",
}  # fmt: skip


def names(causal: bool) -> Names:
    return Names(
        encoder="encoder.filterbank._filters",
        decoder="decoder.filterbank._filters",
        first_norm="masker.bottleneck.0",
        bottleneck="masker.bottleneck.1",
        block="masker.TCN.{i}.",
        expand="shared_block.0",
        act_in="shared_block.1",
        norm_in="shared_block.2",
        depthwise="shared_block.3.0" if causal else "shared_block.3",
        act_out="shared_block.4",
        norm_out="shared_block.5",
        residual="res_conv",
        skip="skip_conv",
        act="masker.mask_net.0",
        head="masker.mask_net.1",
        scale="gamma",
        offset="beta",
    )


PROGRAM = TasNetProgram(
    name="asteroid",
    gives_away=r"^masker\.TCN\.\d+\.shared_block\.",
    causal_name=r"\.shared_block\.3\.0\.",
    names=names,
    padding="none",
    fixed=lambda causal: {},
    settings={
        "n_blocks": Setting("blocks", whole),
        "n_repeats": Setting("repeats", whole),
        "stride": Setting("stride_samples", whole),
        "norm_type": Setting("norm", one_of(NORMS)),
        "mask_act": Setting("mask", one_of(MASKS)),
        "encoder_activation": Setting("encoder_activation", one_of([*ACTIVATIONS])),
        "sample_rate": Setting("sample_rate_hz", whole),
    },
    habits={"mask": "sigmoid", "encoder_activation": "linear"},
).entry
