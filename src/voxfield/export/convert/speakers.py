"""What the programs that train speaker networks have in common: tensors renamed one by one, then proofs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from voxfield.errors import CheckpointError
from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, configured, proved
from voxfield.models.ecapa_tdnn import EcapaConfig, EcapaTdnn
from voxfield.train.checkpoint import restore

Table = Sequence[tuple[str, str]]  # (pattern of their name without what follows its last dot, our name)
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


def renamed(theirs: Mapping[str, Tensor], table: Table, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors under our names; linear layers and convolutions of kernel 1 take each other's shape.

    Raises:
        CheckpointError: a tensor without a place.
    """
    found = {}
    for name, tensor in theirs.items():
        layer, _, part = name.rpartition(".")
        match = next((m for pattern, ours_ in table if (m := _matched(pattern, ours_, layer))), None)
        if match is None:
            raise CheckpointError(f"'{name}' has no place in this network; is it of another configuration?")
        own = ours.get(f"{match}.{part}")
        like = own is not None and own.numel() == tensor.numel() and _plain(own.shape) == _plain(tensor.shape)
        found[f"{match}.{part}"] = tensor.reshape(own.shape) if like and own is not None else tensor
    for name, own in ours.items():  # counts that a file of weights alone leaves out, and which change nothing
        if name.endswith(".num_batches_tracked"):
            found.setdefault(name, own)
    return found


def numbered(names: Iterable[str], pattern: str) -> int:
    """One more than the highest number that the group of a pattern takes in names; 0 where none matches."""
    return max((int(match[1]) + 1 for name in names if (match := re.search(pattern, name))), default=0)


def _matched(pattern: str, ours: str, layer: str) -> str:
    match = re.fullmatch(pattern, layer)
    return ours.format(*(int(group) for group in match.groups())) if match else ""


def _plain(shape: torch.Size) -> list[int]:
    """A shape without the kernel axes of size 1."""
    return [size for at, size in enumerate(shape) if at < 2 or size != 1]
