"""ECAPA-TDNN of SpeechBrain."""

from __future__ import annotations

from collections.abc import Sequence

from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.program import Made, Program
from voxfield.export.convert.speakers import made, numbered
from voxfield.models.ecapa_tdnn import EcapaConfig, EcapaTdnn

NAMES = [
    (r"blocks\.0\.conv\.conv", "enter.conv"),
    (r"blocks\.0\.norm\.norm", "enter.norm"),
    *(
        (rf"blocks\.{block + 1}\.{theirs}", f"blocks.{block}.{ours}")
        for block in range(3)
        for theirs, ours in (
            (r"tdnn1\.conv\.conv", "enter.conv"),
            (r"tdnn1\.norm\.norm", "enter.norm"),
            (r"res2net_block\.blocks\.(\d+)\.conv\.conv", "cascade.{0}.conv"),
            (r"res2net_block\.blocks\.(\d+)\.norm\.norm", "cascade.{0}.norm"),
            (r"tdnn2\.conv\.conv", "leave.conv"),
            (r"tdnn2\.norm\.norm", "leave.norm"),
            (r"se_block\.conv1\.conv", "gain.squeeze"),
            (r"se_block\.conv2\.conv", "gain.excite"),
        )
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
    first, joined = content.tensor("blocks.0.conv.conv.weight", 3), content.tensor("mfa.conv.conv.weight", 3).shape[0]
    attention, project = content.tensor("asp.tdnn.conv.conv.weight", 3), content.tensor("fc.conv.weight", 3)
    known = {
        "features": "speechbrain",
        "bands": first.shape[1],
        "channels": first.shape[0],
        "groups": numbered(content.tensors, r"^blocks\.1\.res2net_block\.blocks\.(\d+)\.") + 1,
        "squeeze": content.tensor("blocks.1.se_block.conv1.conv.weight", 3).shape[0],
        "joined": joined,
        "attention": attention.shape[0],
        "global_context": attention.shape[1] == 3 * joined,
        "embedding": project.shape[0],
        "program": "speechbrain",
    }
    summary = f"speaker embeddings, {project.shape[0]} numbers, ECAPA-TDNN converted from SpeechBrain"
    return made("ecapa-tdnn", EcapaTdnn, EcapaConfig, known, NAMES, content, overrides, summary=summary)


SPEECHBRAIN = Program(r"^blocks\.\d+\.res2net_block\.", make)
