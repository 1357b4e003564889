"""What the programs that train speaker networks have in common: tensors renamed one by one, then proofs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, configured, proved
from voxfield.export.convert.renaming import Table, numbered, renamed
from voxfield.models.ecapa_tdnn import EcapaConfig, EcapaTdnn
from voxfield.train.checkpoint import restore

_ECAPA_BLOCK = ("enter.conv", "enter.norm", "cascade.{0}.conv", "cascade.{0}.norm", "leave.conv", "leave.norm",
                "gain.squeeze", "gain.excite")  # fmt: skip


def made(
    architecture: str,
    network: type[nn.Module],
    config: Any,
    known: Mapping[str, Any],
    table: Table,
    content: Checkpoint,
    overrides: Sequence[str],
    *,
    summary: str,
    ignored: str = r"$^",
) -> Made:
    """A speaker network with another program's weights, proved on the pairs `feats` (B, T, bands) and `embedding` that
    the file holds, if any.

    Args:
        architecture: name of it.
        network, config: its classes.
        known: the configuration as far as tensors show it.
        table: from their names to ours.
        content: the file.
        overrides: `key=value` of the configuration.
        summary: for the card.
        ignored: pattern of names that are no part of the network, such as the projection of the training.

    Raises:
        CheckpointError: tensors are missing, left over or of another shape.
        InputError: an override that is no `key=value` of the configuration.
    """
    made_config, assumed = configured(config, known, {"features": config().features}, overrides)
    net = network(made_config).eval()
    kept = {name: tensor for name, tensor in content.tensors.items() if not re.search(ignored, name)}
    restore(net, renamed(kept, table, net.state_dict()), str(content.path))
    pairs = ((what, x, wanted.reshape(len(x), -1)) for what, x, wanted in content.pairs("feats", "embedding"))
    proofs = proved(pairs, lambda features: net(features.transpose(1, 2)))
    dropped = len(content.tensors) - len(kept)
    notes = (f"left out, as it belongs to training alone: {dropped} tensor{'s' * (dropped > 1)}",) if dropped else ()
    card = {"task": "embed", "architecture": architecture, "summary": summary}
    return Made(net, card, proofs, assumed, notes)


def ecapa_blocks(prefix: str, first: int, theirs: Sequence[str]) -> Table:
    """Names in the three blocks of an ECAPA-TDNN.

    Args:
        prefix: pattern that the names in a block begin with, {} for its number.
        first: number of the first block.
        theirs: patterns of the rest of each name, in the order of `_ECAPA_BLOCK`.
    """
    return [
        (prefix.format(first + block) + pattern, f"blocks.{block}.{ours}")
        for block in range(3)
        for pattern, ours in zip(theirs, _ECAPA_BLOCK, strict=True)
    ]


def made_ecapa(
    by: str, table: Table, content: Checkpoint, overrides: Sequence[str], *, ignored: str = r"$^", **known: Any
) -> Made:
    """As `made`, for an ECAPA-TDNN of a program: tensors show its sizes, and `known` is what they cannot say."""
    patterns = {ours: pattern for pattern, ours in table}

    def shape(ours: str) -> torch.Size:
        return content.tensor(patterns[ours].replace("\\", "") + ".weight", 2, 3).shape

    enter, hidden, joined, size = shape("enter.conv"), shape("pool.hidden"), shape("join")[0], shape("project")[0]
    known = {
        "bands": enter[1],
        "channels": enter[0],
        "groups": numbered(content.tensors, f"^{patterns['blocks.0.cascade.{0}.conv']}") + 1,
        "squeeze": shape("blocks.0.gain.squeeze")[0],
        "joined": joined,
        "attention": hidden[0],
        "global_context": hidden[1] == 3 * joined,
        "embedding": size,
    } | known
    summary = f"speaker embeddings, {size} numbers, ECAPA-TDNN converted from {by}"
    return made("ecapa-tdnn", EcapaTdnn, EcapaConfig, known, table, content, overrides,
                summary=summary, ignored=ignored)  # fmt: skip
