"""ECAPA-TDNN of TaoRuijie, whose training keeps network, features and loss in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, Program
from voxfield.export.convert.speakers import made, numbered
from voxfield.models.ecapa_tdnn import EcapaConfig, EcapaTdnn

PREFIX = "speaker_encoder."
NAMES = [
    (r"conv1", "enter.conv"),
    (r"bn1", "enter.norm"),
    *(
        (rf"layer{block + 1}\.{theirs}", f"blocks.{block}.{ours}")
        for block in range(3)
        for theirs, ours in (
            (r"conv1", "enter.conv"),
            (r"bn1", "enter.norm"),
            (r"convs\.(\d+)", "cascade.{0}.conv"),
            (r"bns\.(\d+)", "cascade.{0}.norm"),
            (r"conv3", "leave.conv"),
            (r"bn3", "leave.norm"),
            (r"se\.se\.1", "gain.squeeze"),
            (r"se\.se\.3", "gain.excite"),
        )
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
    first, joined = content.tensor("conv1.weight", 3), content.tensor("layer4.weight", 3).shape[0]
    project = content.tensor("fc6.weight", 2)
    known = {
        "features": "taoruijie",
        "bands": first.shape[1],
        "channels": first.shape[0],
        "groups": numbered(content.tensors, r"^layer1\.convs\.(\d+)\.") + 1,
        "squeeze": content.tensor("layer1.se.se.1.weight", 3).shape[0],
        "joined": joined,
        "attention": content.tensor("attention.0.weight", 3).shape[0],
        "global_context": content.tensor("attention.0.weight", 3).shape[1] == 3 * joined,
        "embedding": project.shape[0],
        "embedding_norm": True,
        "program": "taoruijie",
    }
    summary = f"speaker embeddings, {project.shape[0]} numbers, ECAPA-TDNN converted from TaoRuijie's"
    return made("ecapa-tdnn", EcapaTdnn, EcapaConfig, known, NAMES, content, overrides,
                summary=summary, ignored=r"^(speaker_loss|torchfbank)\.")  # fmt: skip


TAORUIJIE = Program(rf"^({PREFIX})?layer1\.convs\.\d+\.", make)
