"""Conv-TasNet of torchaudio: never causal, one kind of norm, and no residual path in the last block."""

from __future__ import annotations

from voxfield.export.convert.naming import Names
from voxfield.export.convert.settings import Setting, one_of, whole
from voxfield.export.convert.tasnet import TasNetProgram
from voxfield.models.conv_tasnet import MASKS

NAMES = Names(
    encoder="encoder.weight",
    decoder="decoder.weight",
    first_norm="mask_generator.input_norm",
    bottleneck="mask_generator.input_conv",
    block="mask_generator.conv_layers.{i}.",
    expand="conv_layers.0",
    act_in="conv_layers.1",
    norm_in="conv_layers.2",
    depthwise="conv_layers.3",
    act_out="conv_layers.4",
    norm_out="conv_layers.5",
    residual="res_out",
    skip="skip_out",
    act="mask_generator.output_prelu",
    head="mask_generator.output_conv",
    scale="weight",
    offset="bias",
)

PROGRAM = TasNetProgram(
    name="torchaudio",
    gives_away=r"^mask_generator\.conv_layers\.",
    causal_name="",
    names=lambda causal: NAMES,
    padding="align",
    fixed=lambda causal: {"norm": "global", "first_norm": "global", "half_overlap": True},
    settings={
        "msk_num_layers": Setting("blocks", whole),
        "msk_num_stacks": Setting("repeats", whole),
        "msk_activate": Setting("mask", one_of(MASKS)),
        "sample_rate": Setting("sample_rate_hz", whole),
    },
    habits={"mask": "relu"},
).entry
