"""PixelSNAIL of rosinality: weight norm is multiplied out, and masked convolutions are cut in two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from voxfield.errors import CheckpointError
from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, configured, relative_difference
from voxfield.export.convert.renaming import numbered, renamed
from voxfield.models.pixelsnail import PixelSnail, PixelSnailConfig
from voxfield.train.checkpoint import restore

MASKED = r"blocks\.\d+\.resblocks\.\d+\.conv[12]\.conv\.conv"  # each becomes two: rows before, and columns on the left
BIASES = {"horizontal.conv.conv.bias": "rows.row_bias", "vertical.conv.conv.bias": "rows.column_bias"}
NAMES = [
    (r"horizontal\.conv\.conv", "rows.first.above"),
    (r"vertical\.conv\.conv", "rows.first.left"),
    (r"rows", "rows"),  # the biases of both
    *(
        (rf"{theirs}\.{part}", f"{ours}.{own}")
        for theirs, ours in (
            (r"blocks\.(\d+)\.resblocks\.(\d+)", "rows.blocks.{0}.gated.{1}"),
            (r"blocks\.(\d+)\.key_resblock", "rows.blocks.{0}.keys"),
            (r"blocks\.(\d+)\.query_resblock", "rows.blocks.{0}.queries"),
            (r"blocks\.(\d+)\.out_resblock", "rows.blocks.{0}.out"),
            (r"cond_resnet\.blocks\.(\d+)", "hint.gated.{0}.block"),
            (r"out\.(\d+)", "rows.out.{0}.block"),
        )
        for part, own in (
            (r"conv1(?:\.conv)+\.above", "first.above"),
            (r"conv1(?:\.conv)+\.left", "first.left"),
            (r"conv2(?:\.conv)+\.above", "second.above"),
            (r"conv2(?:\.conv)+\.left", "second.left"),
            (r"conv1(?:\.conv)+", "first"),
            (r"conv2(?:\.conv)+", "second"),
            (r"aux_conv\.conv", "aside"),
            (r"condition\.conv", "hint"),
        )
    ),
    *((rf"blocks\.(\d+)\.causal_attention\.{part}", f"rows.blocks.{{0}}.attention.{part}")
      for part in ("query", "key", "value")),
    (r"blocks\.(\d+)\.out\.conv", "rows.blocks.{0}.out"),
    (r"cond_resnet\.first\.conv", "hint.first"),
    (r"out\.(\d+)\.conv", "rows.out.{0}"),
]  # fmt: skip


def make_prior(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """The prior of a checkpoint; stored cases are codes, the condition where there is one, and logits."""
    tensors, background = content.tensors, content.tensor("background", 4)
    first = content.tensor("horizontal.conv.conv.weight_v", 4)
    hint = tensors.get("cond_resnet.blocks.0.conv.weight_v")
    inner = tensors.get("blocks.0.resblocks.0.conv1.conv.conv.bias")
    known: dict[str, Any] = {
        "codes": first.shape[1],
        "columns": background.shape[3],
        "rows": background.shape[2],
        "channels": first.shape[0],
        "kernel": first.shape[3],
        "blocks": numbered(tensors, r"^blocks\.(\d+)\."),
        "res_blocks": numbered(tensors, r"^blocks\.0\.resblocks\.(\d+)\."),
        "res_channels": len(inner) if inner is not None else first.shape[0],
        "attention": "blocks.0.causal_attention.query.bias" in tensors,
        "out_blocks": numbered(tensors, r"^out\.(\d+)\.conv1\."),
        "hint_blocks": numbered(tensors, r"^cond_resnet\.blocks\.(\d+)\.") - 1 if hint is not None else 0,
        "hint_channels": len(hint) if hint is not None else 0,
        "hint_kernel": hint.shape[3] if hint is not None else 3,
        "hint_rows": hint.shape[2] if hint is not None else 3,
    }
    config, assumed = configured(PixelSnailConfig, known, {"heads": PixelSnailConfig().heads}, overrides)
    net = PixelSnail(config).eval()
    restore(net, renamed(_plain(tensors, config), NAMES, net.state_dict()), str(content.path))
    card = {
        "task": "prior",
        "architecture": "pixelsnail",
        "summary": f"how likely each code of a map of {config.rows} x {config.columns} is, "
        "PixelSNAIL converted from rosinality",
    }
    return Made(net, card, _proofs(content, net), assumed)


def _plain(theirs: dict[str, Tensor], config: PixelSnailConfig) -> dict[str, Tensor]:
    """Their tensors without weight norm; what a mask hides is set to 0 first, as their forward does."""
    made = {}
    for name, tensor in theirs.items():
        layer, _, part = name.rpartition(".")
        if name in BIASES:
            made[BIASES[name]] = tensor[:, None, None]
            continue
        if name == "background" or part == "weight_g":
            continue
        if layer == "cond_resnet.blocks.0.conv":
            layer = "cond_resnet.first.conv"
        elif found := re.match(r"cond_resnet\.blocks\.(\d+)\.(.*)", layer):
            layer = f"cond_resnet.blocks.{int(found[1]) - 1}.{found[2]}"
        if part == "bias":
            made[f"{layer}.above.bias" if re.fullmatch(MASKED, layer) else f"{layer}.bias"] = tensor
            continue
        if part != "weight_v" or f"{name[:-1]}g" not in theirs:
            raise CheckpointError(f"{name} is no part of a PixelSNAIL with weight norm")
        masked, side = re.fullmatch(MASKED, layer), config.kernel // 2
        tensor = tensor.clone()
        if masked:
            tensor[:, :, -1, side:] = 0
        size = torch.linalg.vector_norm(tensor.flatten(1), dim=1).reshape(-1, *[1] * (tensor.ndim - 1))
        tensor = tensor * (theirs[f"{name[:-1]}g"] / size)
        if masked:
            made[f"{layer}.above.weight"] = tensor[:, :, :-1].contiguous()
            made[f"{layer}.left.weight"] = tensor[:, :, -1:, :side].contiguous()
        else:
            made[f"{layer}.weight"] = tensor.contiguous()
    return made


def _proofs(content: Checkpoint, net: PixelSnail) -> dict[str, float]:
    proofs = {}
    for number, case in enumerate(content.cases):
        try:
            codes, logits, condition = case["input"]["codes"], case["output"]["logits"], case["input"].get("condition")
        except (TypeError, KeyError, AttributeError):
            continue  # of another kind
        tokens = tokens_of(codes, condition)
        with torch.no_grad():
            proofs[f"stored case {number}"] = relative_difference(net(tokens)[0].transpose(2, 3), logits)
    return proofs


def tokens_of(codes: Tensor, condition: Tensor | None = None) -> Tensor:
    """Maps of codes (B, H, W), and of the level above (B, H / 2, W / 2), as the tokens that `PixelSnail` takes."""
    if condition is None:
        return codes.transpose(1, 2)
    above = condition.repeat_interleave(2, dim=1)[:, : codes.shape[1]]
    return torch.cat([above.transpose(1, 2), codes.transpose(1, 2)], dim=1)
