"""The configuration of a foreign Conv-TasNet: from its tensors first, then what was stored beside them, then habit.

Each program's own names for settings are translated; a setting that only habit decides is reported as assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from torch import Tensor

from voxfield.errors import CheckpointError, InputError, RecipeError
from voxfield.export.foreign import names
from voxfield.models.conv_tasnet import ConvTasNetConfig
from voxfield.train.recipe import build, parse_override

NORMS = {"gln": "global", "cgln": "cumulative", "cln": "frame", "fgln": "channel", "bn": "batch"}
TRANSLATED = {  # theirs -> ours; what is not here either shows in the tensors or does not change the network
    "asteroid": {
        "n_blocks": "blocks", "n_repeats": "repeats", "stride": "stride_samples", "norm_type": "norm",
        "mask_act": "mask", "encoder_activation": "encoder_relu", "sample_rate": "sample_rate_hz", "causal": "causal",
    },
    "torchaudio": {
        "msk_num_layers": "blocks", "msk_num_stacks": "repeats", "msk_activate": "mask",
        "sample_rate": "sample_rate_hz",
    },
    "kaituoxu": {"norm_type": "norm", "mask_nonlinear": "mask", "sample_rate": "sample_rate_hz"},
    "naplab": {"layer": "blocks", "stack": "repeats", "sr": "sample_rate_hz", "win": "window_ms"},
}  # fmt: skip
HABITS = {  # what each program does when nobody says otherwise
    "asteroid": {"mask": "sigmoid", "encoder_relu": False},
    "torchaudio": {"mask": "relu"},
    "kaituoxu": {"mask": "relu"},
    "naplab": {},
}
PADDING = {"asteroid": "none", "torchaudio": "align", "kaituoxu": "none", "naplab": "paper"}


def configure(
    program: str, tensors: Mapping[str, Tensor], stored: Mapping[str, Any], overrides: Sequence[str] = ()
) -> tuple[ConvTasNetConfig, tuple[str, ...]]:
    """(Configuration, what had to be assumed as `key=value`).

    Raises:
        CheckpointError: a tensor that decides the configuration is missing.
        InputError: an override is not `key=value` of the configuration.
    """
    given = _parsed(overrides)
    known = _from_tensors(program, tensors)
    known |= {key: value for key, value in _translated(program, stored).items() if key not in known}
    known |= given
    assumed = []

    def assume(key: str, value: Any, said: bool = True) -> None:
        if key not in known:
            known[key] = value
            if said:
                assumed.append(f"{key}={str(value).lower() if isinstance(value, bool) else value}")

    assume("stride_samples", known["kernel_samples"] // 2, said=program == "asteroid")
    assume("norm", "frame" if known["causal"] else "global")
    assume("first_norm", "frame" if program == "kaituoxu" else known["norm"], said=False)
    for key, value in HABITS[program].items():
        assume(key, value)
    total = known.pop("total_blocks")
    if "repeats" in known and "blocks" not in known:
        known["blocks"] = max(total // known["repeats"], 1)
    assume("blocks", 8 if total % 8 == 0 else total)
    assume("repeats", max(total // known["blocks"], 1), said=False)
    if known["blocks"] * known["repeats"] != total:
        raise CheckpointError(
            f"the checkpoint has {total} blocks, which is not {known['blocks']} blocks x {known['repeats']} repeats; "
            f"give the right ones with --set blocks=... --set repeats=..."
        )
    if "window_ms" in known:
        known["sample_rate_hz"] = round(known["kernel_samples"] * 1000 / known.pop("window_ms"))
    assume("sample_rate_hz", 8000)
    assume("padding", PADDING[program], said=False)
    defaults = asdict(ConvTasNetConfig())
    return build(ConvTasNetConfig, {key: known.get(key, default) for key, default in defaults.items()}, "--set"), tuple(
        assumed
    )


def _from_tensors(program: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What shapes and names say."""
    causal = _is_causal(program, tensors)
    probe = names(program, causal, "")
    encoder = _needed(tensors, probe.encoder)
    block = probe.block.format(i=0, r=0, x=0)
    expand, depthwise = (
        _needed(tensors, f"{block}{probe.expand}.weight"),
        _needed(tensors, f"{block}{probe.depthwise}.weight"),
    )
    head = _needed(tensors, f"{probe.head}.weight")
    pattern = re.escape(probe.block).replace(r"\{i\}", r"(\d+)").replace(r"\{r\}", r"(\d+)").replace(r"\{x\}", r"(\d+)")
    places = {match.groups() for name in tensors if (match := re.match(pattern, name))}
    skip = tensors.get(f"{block}{probe.skip}.weight") if probe.skip else None
    found: dict[str, Any] = {
        "filters": encoder.shape[0],
        "kernel_samples": encoder.shape[-1],
        "bottleneck": expand.shape[1],
        "hidden": expand.shape[0],
        "skip": 0 if skip is None else skip.shape[0],
        "kernel_frames": depthwise.shape[-1],
        "total_blocks": len(places),
        "sources": max(head.shape[0] // encoder.shape[0], 1),
        "bias": f"{block}{probe.expand}.bias" in tensors,
        "mask_prelu": bool(probe.act) and f"{probe.act}.weight" in tensors,
        "causal": causal,
    }
    if f"{block}{probe.norm_in}.running_mean" in tensors:
        found["norm"] = "batch"
    if program == "kaituoxu":
        found |= {"repeats": 1 + max(int(r) for r, _ in places), "blocks": 1 + max(int(x) for _, x in places)}
        found |= {"encoder_relu": True, "first_norm": "frame", "stride_samples": encoder.shape[-1] // 2}
    if program == "naplab":
        kind = "cumulative" if causal else "global"
        found |= {"norm": kind, "first_norm": kind, "mask": "sigmoid", "stride_samples": encoder.shape[-1] // 2}
    if program == "torchaudio":
        found |= {"norm": "global", "stride_samples": encoder.shape[-1] // 2}
    last = probe.block.format(i=len(places) - 1, r=0, x=0)
    found["last_residual"] = bool(found["skip"]) and f"{last}{probe.residual}.weight" in tensors
    return found


def _is_causal(program: str, tensors: Mapping[str, Tensor]) -> bool:
    if program == "asteroid":
        return any(".shared_block.3.0." in name for name in tensors)
    if program == "naplab":
        return any(name.endswith("reg1.gain") for name in tensors)
    if program == "kaituoxu":
        return any(name.endswith("net.3.net.4.weight") for name in tensors)
    return False


def _needed(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise CheckpointError(f"the checkpoint lacks {name}, which decides the configuration; was it cut or renamed?")
    return tensors[name]


def _translated(program: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for theirs, ours in TRANSLATED[program].items():
        value = stored.get(theirs)
        if value is None:
            continue
        if ours == "norm":
            value = NORMS.get(str(value).lower(), str(value))
        elif ours == "encoder_relu":
            value = str(value).lower() == "relu"
        elif ours == "mask":
            value = str(value).lower()
        elif ours == "sample_rate_hz":
            value = int(value)
        found[ours] = value
    return found


def _parsed(overrides: Sequence[str]) -> dict[str, Any]:
    try:
        found = dict(parse_override(override) for override in overrides)
        build(ConvTasNetConfig, found, "--set")
    except RecipeError as error:
        raise InputError(str(error)) from error
    return found
