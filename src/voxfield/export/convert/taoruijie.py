"""ECAPA-TDNN of TaoRuijie, whose training keeps network, features and loss in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, Program
from voxfield.export.convert.speakers import ecapa_blocks, made_ecapa

PREFIX = "speaker_encoder."
NAMES = [
    (r"conv1", "enter.conv"),
    (r"bn1", "enter.norm"),
    *ecapa_blocks(
        r"layer{}\.",
        1,
        (r"conv1", r"bn1", r"convs\.(\d+)", r"bns\.(\d+)", r"conv3", r"bn3", r"se\.se\.1", r"se\.se\.3"),
    ),
    (r"layer4", "join"),
    (r"attention\.0", "pool.hidden"),
    (r"attention\.2", "pool.hidden_norm"),
    (r"attention\.4", "pool.scores"),
    (r"bn5", "norm"),
    (r"fc6", "project"),
    (r"bn6", "embedding_norm"),
]


def make(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """The network of a checkpoint; stored cases are features (B, T, bands) and embeddings."""
    content = replace(content, tensors={name.removeprefix(PREFIX): t for name, t in content.tensors.items()})
    return made_ecapa("TaoRuijie's", NAMES, content, overrides, ignored=r"^(speaker_loss|torchfbank)\.",
                      features="taoruijie", embedding_norm=True, program="taoruijie")  # fmt: skip


PROGRAM = Program(rf"^({PREFIX})?layer1\.convs\.\d+\.", make)
