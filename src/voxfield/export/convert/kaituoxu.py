"""Conv-TasNet of kaituoxu: repeats and blocks are two numbers, no skip path, no biases, and the first norm is of
frames whatever the others are."""

from __future__ import annotations

from voxfield.export.convert.naming import Names
from voxfield.export.convert.settings import Setting, one_of, whole
from voxfield.export.convert.tasnet import TasNetProgram
from voxfield.models.conv_tasnet import MASKS


def names(causal: bool) -> Names:
    act_out, norm_out, residual = (f"net.3.net.{number + causal}" for number in (1, 2, 3))
    return Names(
        encoder="encoder.conv1d_U.weight",
        decoder="decoder.basis_signals.weight",
        first_norm="separator.network.0",
        bottleneck="separator.network.1",
        block="separator.network.2.{r}.{x}.",
        expand="net.0",
        act_in="net.1",
        norm_in="net.2",
        depthwise="net.3.net.0",
        act_out=act_out,
        norm_out=norm_out,
        residual=residual,
        skip="",
        act="",
        head="separator.network.3",
        scale="gamma",
        offset="beta",
        decoder_is_matrix=True,
    )


PROGRAM = TasNetProgram(
    name="kaituoxu",
    gives_away=r"^separator\.network\.2\.\d+\.\d+\.net\.",
    causal_name=r"\.net\.3\.net\.4\.weight$",
    names=names,
    padding="none",
    fixed=lambda causal: {"first_norm": "frame", "encoder_activation": "relu", "half_overlap": True},
    settings={
        "norm_type": Setting("norm", one_of({"gln": "global", "cln": "frame", "bn": "batch"})),
        "mask_nonlinear": Setting("mask", one_of(MASKS)),
        "sample_rate": Setting("sample_rate_hz", whole),
    },
    habits={"mask": "relu"},
).entry
