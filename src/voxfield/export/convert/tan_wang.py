"""The CRN of its authors (Tan & Wang 2018), with what their released code does beyond the paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from voxfield.errors import CheckpointError, InputError
from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, Program, proved
from voxfield.models.crn import CrnConfig, CrnEnhancer
from voxfield.train.checkpoint import restore

CONFIG = CrnConfig(window="hamming", elu_skips=True, zero_first_frame=True)
DEPTH = len(CONFIG.filters)


def make(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """The enhancer of a checkpoint; stored cases are magnitudes (B, T, F), in and out.

    Raises:
        CheckpointError: tensors are missing, left over, or of other shapes.
        InputError: overrides, of which this network has none.
    """
    if overrides:
        raise InputError(f"--set {overrides[0]}: the CRN of Tan & Wang has one configuration; leave --set out")
    net = CrnEnhancer(CONFIG).eval()
    restore(net.crn, ours_from(content.tensors), str(content.path))
    cases = content.pairs("magnitude", "estimate")
    proofs = proved(cases, lambda x: net.crn(x.transpose(1, 2)[:, None])[0][:, 0].transpose(1, 2))
    summary = "speech enhancement, converted from a checkpoint of the authors of the CRN"
    return Made(net, {"task": "enhance", "architecture": "crn", "summary": summary}, proofs)


def ours_from(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of `Crn(CONFIG)` from `conv1.weight` (16, 1, 2, 3) ... `conv1_t.weight`, `bn1.*`, `bn1_t.*`, `lstm.*`;
    their kernels are (time, frequency).

    Raises:
        CheckpointError: a key that this network does not have.
    """
    weights = {}
    for key, tensor in theirs.items():
        if key.startswith("lstm."):
            weights[key] = tensor
            continue
        match = re.fullmatch(rf"(conv|bn)([1-{DEPTH}])(_t)?\.(\w+)", key)
        if match is None:
            raise CheckpointError(
                f"'{key}' is no tensor of the CRN of Tan & Wang, which has conv1 ... conv5_t, bn1 ... bn5_t, lstm"
            )
        kind, number, turned, rest = match.groups()
        side, place = ("decoder", DEPTH - int(number)) if turned else ("encoder", int(number) - 1)
        if kind == "conv":
            weights[f"{side}.{place}.conv.{rest}"] = tensor.transpose(2, 3) if tensor.ndim == 4 else tensor
        else:
            weights[f"{side}_norms.{place}.{rest}"] = tensor
    return weights


PROGRAM = Program(r"^conv5_t\.weight$", make)
