"""The checkpoint of the CRN's authors (Tan & Wang 2018) as ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from voxfield.errors import CheckpointError
from voxfield.export.convert import Conversion, hash_of, read, relative_difference, write
from voxfield.models.crn import CrnConfig, CrnEnhancer, from_tan_wang
from voxfield.train.checkpoint import restore


def convert_crn(checkpoint: Path, out: Path, onnx: bool = False, name: str = "") -> Conversion:
    """Weights under the names `conv1.weight` ... `conv1_t.weight`, `bn1.*`, `lstm.*` as safetensors, card and ONNX.

    Where the file stores cases (magnitudes (B, T, F) in and out), the network must reproduce them to 1e-5.

    Raises:
        CheckpointError: unreadable, tensors missing or left over, or other numbers than the stored ones.
    """
    tensors, _, cases = read(checkpoint)
    config = CrnConfig()
    net = CrnEnhancer(config).eval()
    restore(net.crn, from_tan_wang(tensors), str(checkpoint))
    proofs: dict[str, float] = {}
    with torch.no_grad():
        for number, case in enumerate(cases):
            magnitude, wanted = case["input"]["magnitude"], case["output"]["estimate"]
            estimate = net.crn(magnitude.transpose(1, 2)[:, None])[0][:, 0].transpose(1, 2)
            proofs[f"stored case {number}"] = relative_difference(estimate, wanted)
    for what, difference in proofs.items():
        if not difference <= 1e-5:
            raise CheckpointError(f"{checkpoint}: {what} differs by {difference:.1e} (relative), over 1e-05")
    about: dict[str, Any] = {
        "name": name or f"crn-tanwang.{hash_of(tensors)}",
        "task": "enhance",
        "architecture": "crn",
        "summary": "speech enhancement, converted from a checkpoint of the authors of the CRN",
        "licence": "that of the checkpoint it was converted from",
        "data": ["unknown: see the checkpoint it was converted from"],
        "config": dataclasses.asdict(config),
        "interface": net.interface(),
    }
    files = write(net, net.state_dict(), about, out, onnx, stem=str(about["name"]).partition(".")[0])
    return Conversion(config, (), files, proofs)
