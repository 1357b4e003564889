"""ECAPA-TDNN of SpeechBrain."""

from __future__ import annotations

from collections.abc import Sequence

from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, Program
from voxfield.export.convert.speakers import ecapa_blocks, made_ecapa

NAMES = [
    (r"blocks\.0\.conv\.conv", "enter.conv"),
    (r"blocks\.0\.norm\.norm", "enter.norm"),
    *ecapa_blocks(
        r"blocks\.{}\.",
        1,
        (
            r"tdnn1\.conv\.conv",
            r"tdnn1\.norm\.norm",
            r"res2net_block\.blocks\.(\d+)\.conv\.conv",
            r"res2net_block\.blocks\.(\d+)\.norm\.norm",
            r"tdnn2\.conv\.conv",
            r"tdnn2\.norm\.norm",
            r"se_block\.conv1\.conv",
            r"se_block\.conv2\.conv",
        ),
    ),
    (r"mfa\.conv\.conv", "join"),
    (r"mfa\.norm\.norm", "join_norm"),
    (r"asp\.tdnn\.conv\.conv", "pool.hidden"),
    (r"asp\.tdnn\.norm\.norm", "pool.hidden_norm"),
    (r"asp\.conv\.conv", "pool.scores"),
    (r"asp_bn\.norm", "norm"),
    (r"fc\.conv", "project"),
]


def make(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """The network of a checkpoint; stored cases are features (B, T, bands) and embeddings."""
    return made_ecapa("SpeechBrain", NAMES, content, overrides, features="speechbrain", program="speechbrain")


PROGRAM = Program(r"^blocks\.\d+\.res2net_block\.", make)
