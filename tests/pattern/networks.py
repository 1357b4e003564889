"""Three small networks of kinds that no published model has: a vector, whole numbers, an image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxfield.cards import TIME, Interface, Port
from voxfield.nn.conv import CausalConv1d
from voxfield.nn.streaming import State, Streaming

HOP = 160


class Embedder(nn.Module):
    """Samples (B, 1, N) -> embedding (B, 12): frames, pooled over the whole recording."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Conv1d(1, 24, 400, HOP)
        self.project = nn.Linear(24, 12)

    def interface(self) -> Interface:
        return Interface(
            Port("samples", (1, TIME)),
            Port("embedding", (12,)),
            16000,
            HOP,
            least_steps=400,
            not_streaming_because="it pools over the whole recording",
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.relu(self.frames(x)).mean(-1))


class Tokenizer(Streaming):
    """Samples (B, 1, N) -> tokens (B, 1, N / hop): the code that lies nearest to each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = CausalConv1d(1, 8, 400, HOP)
        self.codes = nn.Conv1d(8, 32, 1)

    def interface(self) -> Interface:
        return Interface(Port("samples", (1, TIME)), Port("tokens", (1, TIME)), 16000, HOP, 0, 0)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return self.encoder.initial_state(batch, like)

    @property
    def stride(self) -> int:
        return HOP

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        frames, state = self.encoder(x, state)
        return self.codes(frames).argmax(1, keepdim=True), state


class Spotter(nn.Module):
    """Image (B, 3, 42, 42) -> score (B, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 3), nn.Flatten(), nn.Linear(8 * 14 * 14, 1)
        )

    def interface(self) -> Interface:
        return Interface(
            Port("image", (3, 42, 42)), Port("scores", (1,)), not_streaming_because="it takes one image at a time"
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


NETWORKS = {"embed": Embedder, "tokens": Tokenizer, "spot": Spotter}
