"""ECAPA-TDNN and ResNet of WeSpeaker."""

from __future__ import annotations

from collections.abc import Sequence

from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, Program
from voxfield.export.convert.renaming import numbered
from voxfield.export.convert.speakers import ecapa_blocks, made, made_ecapa
from voxfield.models.speaker_resnet import SpeakerResNet, SpeakerResNetConfig

ECAPA_NAMES = [
    (r"layer1\.conv", "enter.conv"),
    (r"layer1\.bn", "enter.norm"),
    *ecapa_blocks(
        r"layer{}\.se_res2block\.",
        2,
        (
            r"0\.conv",
            r"0\.bn",
            r"1\.convs\.(\d+)",
            r"1\.bns\.(\d+)",
            r"2\.conv",
            r"2\.bn",
            r"3\.linear1",
            r"3\.linear2",
        ),
    ),
    (r"conv", "join"),
    (r"pool\.linear1", "pool.hidden"),
    (r"pool\.linear2", "pool.scores"),
    (r"bn", "norm"),
    (r"linear", "project"),
    (r"bn2", "embedding_norm"),
]


def make(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """The network of a checkpoint; stored cases are features (B, T, bands) and embeddings."""
    if any(name.startswith("seg_1.") for name in content.tensors):
        return _resnet(content, overrides)
    return made_ecapa("WeSpeaker", ECAPA_NAMES, content, overrides, ignored=r"^projection\.",
                      embedding_norm="bn2.weight" in content.tensors)  # fmt: skip


def _resnet(content: Checkpoint, overrides: Sequence[str]) -> Made:
    counts = [numbered(content.tensors, rf"^layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4)]
    channels, bottleneck = content.tensor("conv1.weight", 4).shape[0], "layer1.0.conv3.weight" in content.tensors
    project = content.tensor("seg_1.weight", 2)
    pooled = project.shape[1] // 2
    known = {
        "bands": max(8 * pooled // (8 * channels * (4 if bottleneck else 1)), 1),
        "channels": channels,
        "blocks": tuple(counts),
        "bottleneck": bottleneck,
        "pooling": "attentive" if "pool.linear1.weight" in content.tensors else "statistics",
        "embedding": project.shape[0],
        "second_layer": "seg_2.weight" in content.tensors,
    }
    first = [sum(counts[:stage]) for stage in range(4)]
    table = [("conv1", "enter"), ("bn1", "enter_norm"), ("seg_1", "project")]
    for stage in range(4):
        for at in range(counts[stage]):
            theirs, ours = rf"layer{stage + 1}\.{at}\.", f"blocks.{first[stage] + at}."
            table += [(theirs + rf"conv{n}", f"{ours}convs.{n - 1}") for n in (1, 2, 3)]
            table += [(theirs + rf"bn{n}", f"{ours}norms.{n - 1}") for n in (1, 2, 3)]
            table += [(theirs + r"shortcut\.(\d)", ours + "shortcut.{0}")]
    table += [(r"pool\.linear1", "pool.hidden"), (r"pool\.linear2", "pool.scores")]
    table += [("seg_bn_1", "second.1"), ("seg_2", "second.2")]
    summary = f"speaker embeddings, {project.shape[0]} numbers, ResNet converted from WeSpeaker"
    return made("speaker-resnet", SpeakerResNet, SpeakerResNetConfig, known, table, content, overrides,
                summary=summary, ignored=r"^projection\.")  # fmt: skip


PROGRAM = Program(r"^layer2\.se_res2block\.|^seg_1\.weight$", make)
