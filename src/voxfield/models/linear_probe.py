"""Says what kind of sound an embedding is of: a linear probe on its direction."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from voxfield.cards import Interface, Port
from voxfield.errors import InputError


@dataclass(frozen=True)
class LinearProbeConfig:
    """Shape of the probe, what its labels are, and whose embeddings it takes."""

    labels: tuple[str, ...] = ()
    embedding: int = 192
    embedder: str = ""  # full name of the model that makes them

    def __post_init__(self) -> None:
        if len(set(self.labels)) < 2 or len(set(self.labels)) < len(self.labels):
            raise InputError(f"labels must be two or more different ones, not {list(self.labels)}")


class LinearProbe(nn.Module):
    """Embeddings (B, D) of any length -> natural logarithms of the share of each label (B, labels)."""

    free_batch = True

    def __init__(self, config: LinearProbeConfig) -> None:
        super().__init__()
        self.config = config
        self.scores = nn.Linear(config.embedding, len(config.labels))

    def interface(self) -> Interface:
        """What the card says of input and output."""
        return Interface(
            Port("embedding", (self.config.embedding,)),
            Port("scores", (len(self.config.labels),)),
            not_streaming_because="it takes one embedding at a time",
        )

    def forward(self, embedding: Tensor) -> Tensor:
        return self.scores(F.normalize(embedding, dim=1)).log_softmax(1)  # type: ignore[no-any-return]
