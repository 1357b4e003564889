"""Projections from embeddings to logits over the training speakers: what makes a speaker network learn directions.

Each is called as `projection(embedding, labels, margin)`: embeddings (B, D) and the numbers of their speakers (B,) give
logits (B, S) for cross entropy. The margin makes the true speaker's logit harder, so that a speaker's embeddings lie
closer together than they need to; it is handed over because it grows while training runs, see `margin_at`.

All gradients are finite, also where an embedding lies on the centre of its speaker, opposite to it, or is zero.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxfield.errors import InputError

SCALE = 32.0  # of cosines
_LEAST = 1e-6  # length of an embedding under which its direction is not amplified further
_LEAST_SQUARE = 1e-7  # of a sine; its root has no gradient at 0


class Softmax(nn.Module):
    """Batch norm, ReLU and a linear layer; no margin."""

    def __init__(self, embedding: int, speakers: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.BatchNorm1d(embedding), nn.Linear(embedding, speakers)

    def forward(self, x: Tensor, labels: Tensor, margin: float = 0.0) -> Tensor:
        logits: Tensor = self.linear(self.norm(x).relu())
        return logits


class _Centres(nn.Module):
    """One or more centres (S x centres, D) of each speaker, and the cosines to the nearest of them."""

    def __init__(self, embedding: int, speakers: int, centres: int = 1) -> None:
        super().__init__()
        self.centres = centres
        self.weight = nn.Parameter(torch.empty(speakers * centres, embedding))
        nn.init.xavier_uniform_(self.weight)

    def cosines(self, x: Tensor) -> Tensor:
        """(B, S)."""
        found = F.linear(F.normalize(x, eps=_LEAST), F.normalize(self.weight, eps=_LEAST))
        return found.reshape(len(found), -1, self.centres).amax(2) if self.centres > 1 else found


class AdditiveMargin(_Centres):
    """AM-softmax: the margin is taken off the cosine of the true speaker."""

    def __init__(self, embedding: int, speakers: int, scale: float = SCALE) -> None:
        super().__init__(embedding, speakers)
        self.scale = scale

    def forward(self, x: Tensor, labels: Tensor, margin: float = 0.2) -> Tensor:
        cosines = self.cosines(x)
        return self.scale * (cosines - margin * _one_hot(labels, cosines))


class ArcMargin(_Centres):
    """AAM-softmax: the margin is added to the angle of the true speaker.

    Args:
        embedding, speakers: D and S.
        scale: of the cosines.
        easy: no margin where the cosine is below 0.
        centres: of each speaker, of which the nearest counts (sub-centres).
        rivals: so many of the other speakers, the nearest, are made more likely (inter-top-k).
        rival_margin: taken off their angles at a margin of 0.2, and in proportion at others.
    """

    def __init__(
        self,
        embedding: int,
        speakers: int,
        scale: float = SCALE,
        *,
        easy: bool = False,
        centres: int = 1,
        rivals: int = 0,
        rival_margin: float = 0.06,
    ) -> None:
        super().__init__(embedding, speakers, centres)
        if not 0 <= rivals < speakers:
            raise InputError(f"{rivals} rivals cannot be had among {speakers} speakers; choose 0 to {speakers - 1}")
        self.scale, self.easy, self.rivals, self.rival_margin = scale, easy, rivals, rival_margin

    def forward(self, x: Tensor, labels: Tensor, margin: float = 0.2) -> Tensor:
        cosines = self.cosines(x)
        sines = (1 - cosines.square()).clamp(min=_LEAST_SQUARE).sqrt()
        true = cosines * math.cos(margin) - sines * math.sin(margin)
        if self.easy:
            true = torch.where(cosines > 0, true, cosines)
        else:  # beyond an angle of pi - margin the cosine of the sum would rise again
            true = torch.where(cosines > -math.cos(margin), true, cosines - (1 - math.cos(margin)))
        own = _one_hot(labels, cosines)
        logits = torch.where(own > 0, true, cosines)
        if self.rivals:
            less = self.rival_margin * margin / 0.2
            nearer = cosines * math.cos(less) + sines * math.sin(less)
            nearest = (cosines - 4 * own).topk(self.rivals, 1).indices
            logits = torch.where(torch.zeros_like(own).scatter(1, nearest, 1) > 0, nearer, logits)
        return self.scale * logits


class Sphere(_Centres):
    """SphereFace: the angle of the true speaker times 4, mixed with the plain cosine, scaled by the embedding's length.

    `margin` is the share of the first, 1 / (1 + lambda); see `sphere_margin`.
    """

    def __init__(self, embedding: int, speakers: int) -> None:
        super().__init__(embedding, speakers)

    def forward(self, x: Tensor, labels: Tensor, margin: float = 1 / 6) -> Tensor:
        cosines = self.cosines(x).clamp(-1, 1)
        quarter = (4 * cosines.detach().acos() / math.pi).floor().clamp(max=3)  # of the half circle; phi falls along it
        fourfold = 8 * cosines.pow(4) - 8 * cosines.square() + 1
        phi = (1 - 2 * (quarter % 2)) * fourfold - 2 * quarter
        logits = cosines + margin * _one_hot(labels, cosines) * (phi - cosines)
        lengths: Tensor = x.norm(dim=1, keepdim=True)
        return logits * lengths


PROJECTIONS = {"softmax": Softmax, "add_margin": AdditiveMargin, "arc_margin": ArcMargin, "sphere": Sphere}


def margin_at(epoch: float, start: float = 20.0, stop: float = 40.0, first: float = 0.0, last: float = 0.2) -> float:
    """Margin after so many epochs: `first` up to the end of the epoch before `start`, then quickly up to `last`.

    Epochs are counted from 1 in `start` and `stop`, as in WeSpeaker: growth begins when epoch `start` does.

    >>> [round(margin_at(epoch), 3) for epoch in (0, 19, 20, 25, 39, 150)]
    [0.0, 0.0, 0.058, 0.175, 0.2, 0.2]
    """
    if epoch < start - 1:
        return first
    if epoch >= stop - 1:
        return last
    share = (epoch - (start - 1)) / (stop - start)
    return first + (last - first) * (1 - math.exp(share * math.log(1e-3 / (1 + 1e-6))))


def sphere_margin(step: int) -> float:
    """Share of the fourfold angle in `Sphere` at a training step, counted from 1: it grows to a sixth.

    >>> round(sphere_margin(1), 5), round(sphere_margin(10**6), 5)
    (0.00112, 0.16667)
    """
    return 1 / (1 + max(5.0, 1000 / (1 + 0.12 * step)))


def _one_hot(labels: Tensor, like: Tensor) -> Tensor:
    return torch.zeros_like(like).scatter(1, labels[:, None], 1)
