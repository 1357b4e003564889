"""The one table of programs whose checkpoints can be converted, and the names of what cannot."""

from __future__ import annotations

import re
from collections.abc import Iterable

from voxfield.export.convert import (
    asteroid,
    fairseq,
    kaituoxu,
    keras,
    naplab,
    rosinality,
    speechbrain,
    tan_wang,
    taoruijie,
    torchaudio,
    wespeaker,
)  # fmt: skip
from voxfield.export.convert.program import Program

PROGRAMS: dict[str, Program] = {
    "asteroid": asteroid.PROGRAM,
    "torchaudio": torchaudio.PROGRAM,
    "kaituoxu": kaituoxu.PROGRAM,
    "naplab": naplab.PROGRAM,
    "tan-wang": tan_wang.PROGRAM,
    "keras": keras.PROGRAM,
    "wespeaker": wespeaker.PROGRAM,
    "speechbrain": speechbrain.PROGRAM,
    "taoruijie": taoruijie.PROGRAM,
    "fairseq": fairseq.PROGRAM,
    "rosinality": rosinality.PROGRAM,
}
OTHERS = (  # a name that gives it away -> what it is
    (
        r"^masker\.blocks\.\d+\.reduce\.",
        "a Conv-TasNet of voxfield itself, which needs no conversion (see `voxfield export`)",
    ),
    (r"dual_?(path|rnn)|intra_RNN|intra_rnn", "a dual-path network (DPRNN or SepFormer)"),
    (r"^layer4\..*se_res2block|Res2Conv|^blocks\.\d+\.res2net_block|se_res2block", "an ECAPA-TDNN speaker network"),
    (r"^(\w+\.)*feature_extractor\.conv_layers", "a wav2vec 2.0 network, a transformer"),
    (r"^feature_aggregator\.0\.weight", "a wav2vec with a recurrent context network"),
    (r"(^|\.)lstm.*weight_hh_l0$", "a recurrent (CRN-like) enhancer"),
    (r"^layer[1-4]\.\d+\.conv\d\.weight$", "a ResNet"),
    (r"^encoder\.\d+\.\d+\.weight$", "a Demucs-like waveform U-Net"),
    (r"self_attn|attention\.", "a transformer"),
)


def looks_like(names: Iterable[str]) -> str:
    """What the names of tensors give away: a key of `PROGRAMS`, a phrase for people, or nothing."""
    names = list(names)
    for pattern, what in (*((program.gives_away, name) for name, program in PROGRAMS.items()), *OTHERS):
        if any(re.search(pattern, name) for name in names):
            return what
    return ""
