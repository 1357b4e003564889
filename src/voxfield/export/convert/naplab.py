"""Conv-TasNet of naplab, the paper's authors: a causal network has cumulative norms, whose scale is a `gain`."""

from __future__ import annotations

from voxfield.export.convert.naming import Names
from voxfield.export.convert.settings import Setting, positive, whole
from voxfield.export.convert.tasnet import TasNetProgram


def names(causal: bool) -> Names:
    return Names(
        encoder="encoder.weight",
        decoder="decoder.weight",
        first_norm="TCN.LN",
        bottleneck="TCN.BN",
        block="TCN.TCN.{i}.",
        expand="conv1d",
        act_in="nonlinearity1",
        norm_in="reg1",
        depthwise="dconv1d",
        act_out="nonlinearity2",
        norm_out="reg2",
        residual="res_out",
        skip="skip_out",
        act="TCN.output.0",
        head="TCN.output.1",
        scale="gain" if causal else "weight",
        offset="bias",
    )


def _fixed(causal: bool) -> dict[str, object]:
    kind = "cumulative" if causal else "global"
    return {"norm": kind, "first_norm": kind, "mask": "sigmoid", "half_overlap": True}


PROGRAM = TasNetProgram(
    name="naplab",
    gives_away=r"^TCN\.TCN\.\d+\.dconv1d\.",
    causal_name=r"reg1\.gain$",
    names=names,
    padding="paper",
    fixed=_fixed,
    settings={
        "layer": Setting("blocks", whole),
        "stack": Setting("repeats", whole),
        "sr": Setting("sample_rate_hz", whole),
        "win": Setting("window_ms", positive),
    },
).entry
