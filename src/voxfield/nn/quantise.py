"""Vector quantisation: each vector becomes the nearest entry of a codebook, and a gradient passes straight through.

The codebook follows the vectors by moving averages ("ema", as in the reference of VQ-VAE-2) or by its own gradient.
What differs from the reference: an entry's moving count starts at 1 like its sum, so an unused entry stays where it is
instead of being divided by almost nothing; the codebook starts from a k-means of the first batch; entries that are
hardly used are moved to vectors of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxfield.errors import InputError

SIMILARITIES = ("euclidean", "cosine")
UPDATES = ("ema", "gradient")
KMEANS_STEPS = 10


@dataclass(frozen=True)
class Quantised:
    """What a codebook makes of vectors (B, D, ...).

    Attributes:
        values: (B, D, ...) entries; the gradient of the vectors is theirs.
        codes: (B, ...) int64 numbers of the entries.
        loss: scalar; commitment, and what moves the codebook where that is done by gradient.
    """

    values: Tensor
    codes: Tensor
    loss: Tensor


class Codebook(nn.Module):
    """K entries of D numbers: (B, D, ...) -> `Quantised`.

    Args:
        codes: K.
        size: D.
        update: `ema` or `gradient`.
        decay: of the moving averages.
        commitment: weight of ||x - sg(e)||^2, the mean over all numbers.
        similarity: `euclidean`, or `cosine` between directions: entries have unit length.
        epsilon: added to each moving count.
        revive_below: share of an even use below which an entry is moved to a vector of the batch; 0 for never.
        kmeans: whether the first batch of training sets the entries.

    Raises:
        InputError: no such update or similarity, or fewer than one code.
    """

    entries: Tensor  # (K, D)
    counts: Tensor  # (K,) moving count of the vectors of each entry
    sums: Tensor  # (K, D) moving sum of them
    started: Tensor  # whether the first batch was seen

    def __init__(
        self,
        codes: int,
        size: int,
        *,
        update: str = "ema",
        decay: float = 0.99,
        commitment: float = 0.25,
        similarity: str = "euclidean",
        epsilon: float = 1e-5,
        revive_below: float = 0.1,
        kmeans: bool = True,
    ) -> None:
        super().__init__()
        for name, value, choices in (("update", update, UPDATES), ("similarity", similarity, SIMILARITIES)):
            if value not in choices:
                raise InputError(f"a codebook's {name} is {' or '.join(choices)}, not '{value}'")
        if codes < 1 or size < 1:
            raise InputError(f"a codebook of {codes} entries of {size} numbers cannot be; at least 1 of each is needed")
        self.update, self.decay, self.commitment, self.similarity = update, decay, commitment, similarity
        self.epsilon, self.revive_below, self.kmeans = epsilon, revive_below, kmeans
        entries = torch.randn(codes, size)
        entries = F.normalize(entries, dim=1) if similarity == "cosine" else entries
        if update == "gradient":
            self.entries = nn.Parameter(entries)
        else:
            self.register_buffer("entries", entries)
            self.register_buffer("sums", entries.clone())
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("started", torch.tensor(not kmeans))

    def forward(self, x: Tensor) -> Quantised:
        """Nearest entries, found in single precision; in training the codebook then follows the vectors."""
        with torch.autocast(x.device.type, enabled=False):
            return self._quantise(x.float())

    def _quantise(self, x: Tensor) -> Quantised:
        x = x.permute(0, *range(2, x.ndim), 1)  # (B, ..., D)
        if self.similarity == "cosine":
            x = F.normalize(x, dim=-1)
        seen = x.detach().reshape(-1, x.shape[-1]) if self.training else x[:0]
        if self.training and not self.started:
            self._start(seen)
        codes = self.nearest(x)
        values = self._values(codes)
        loss = self.commitment * F.mse_loss(x, values.detach())
        if self.update == "gradient":
            loss = loss + F.mse_loss(values, x.detach())
        if self.training:
            self._follow(seen, codes.flatten())
        if x.requires_grad:
            values = x + (values - x).detach()
        return Quantised(_channels_second(values), codes, loss)

    def nearest(self, x: Tensor) -> Tensor:
        """(..., D) -> (...) numbers of the nearest entries, by a^2 - 2ab + b^2 without the a^2 that all have in
        common; the b^2 from lengths, which an exported file works out where it would hold all squares otherwise."""
        entries = self._entries()
        if self.similarity == "cosine":
            return (x @ entries.T).argmax(-1)
        lengths: Tensor = torch.linalg.vector_norm(entries, dim=1)
        return (lengths.square() - 2 * (x @ entries.T)).argmin(-1)

    def lookup(self, codes: Tensor) -> Tensor:
        """(B, ...) codes -> (B, D, ...) entries."""
        return _channels_second(self._values(codes))

    def _values(self, codes: Tensor) -> Tensor:
        """(...) codes -> (..., D) entries."""
        return looked_up(codes, self._entries())

    def _entries(self) -> Tensor:
        """Moving averages are kept at unit length where directions count; what a gradient moves is brought to it."""
        directions = self.similarity == "cosine" and self.update == "gradient"
        return F.normalize(self.entries, dim=1) if directions else self.entries

    @torch.no_grad()
    def _start(self, flat: Tensor) -> None:
        """Entries from a k-means of the first batch."""
        self.entries.copy_(kmeans(flat, len(self.entries)))
        if self.similarity == "cosine":
            self.entries.copy_(F.normalize(self.entries, dim=1))
        if self.update == "ema":
            self.sums.copy_(self.entries)
        self.counts.fill_(1)
        self.started.fill_(True)

    @torch.no_grad()
    def _follow(self, flat: Tensor, codes: Tensor) -> None:
        """Move counts, and the entries where moving averages do that; then revive what is hardly used."""
        count = torch.bincount(codes, minlength=len(self.entries)).to(self.counts)
        self.counts.lerp_(count, 1 - self.decay)
        if self.update == "ema":
            total = torch.zeros_like(self.sums).index_add_(0, codes, flat.to(self.sums))
            self.sums.lerp_(total, 1 - self.decay)
            whole = self.counts.sum()
            smooth = (self.counts + self.epsilon) / (whole + len(self.counts) * self.epsilon) * whole
            entries = self.sums / smooth[:, None]
            self.entries.copy_(F.normalize(entries, dim=1) if self.similarity == "cosine" else entries)
        if self.revive_below:
            self._revive(flat)

    def _revive(self, flat: Tensor) -> None:
        """Entries of a count below a share of the mean become vectors of the batch, with the mean count."""
        mean = self.counts.mean()
        dead = self.counts < self.revive_below * mean
        chosen = flat[torch.randint(len(flat), (len(self.entries),), device=flat.device)].to(self.entries)
        self.entries.copy_(torch.where(dead[:, None], chosen, self.entries))
        if self.update == "ema":
            self.sums.copy_(torch.where(dead[:, None], chosen * mean, self.sums))
        self.counts.copy_(torch.where(dead, mean, self.counts))


def looked_up(codes: Tensor, entries: Tensor) -> Tensor:
    """(...) codes -> (..., D) of entries (K, D); as a product in an exported file, which every runtime and explain
    know."""
    if not torch.onnx.is_in_onnx_export():
        return F.embedding(codes, entries)
    return (codes[..., None] == torch.arange(len(entries))).to(entries) @ entries


def _channels_second(x: Tensor) -> Tensor:
    """(B, ..., D) -> (B, D, ...)."""
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def kmeans(vectors: Tensor, count: int, steps: int = KMEANS_STEPS) -> Tensor:
    """(count, D) means of clusters of vectors (M, D); the first means are vectors drawn at random.

    An empty cluster takes a vector drawn at random; where there are fewer vectors than clusters, some are drawn again.
    """
    draw = torch.randperm(len(vectors)) if len(vectors) >= count else torch.randint(len(vectors), (count,))
    means = vectors[draw[:count].to(vectors.device)].clone()
    for _ in range(steps):
        nearest = (means.square().sum(1) - 2 * (vectors @ means.T)).argmin(1)
        sizes = torch.bincount(nearest, minlength=count).to(vectors)[:, None]
        sums = torch.zeros_like(means).index_add_(0, nearest, vectors)
        others = vectors[torch.randint(len(vectors), (count,)).to(vectors.device)]
        means = torch.where(sizes > 0, sums / sizes.clamp(min=1), others)
    return means


def use(codes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(Share of a codebook's entries that are used, perplexity: how many equally frequent ones would say as much).

    >>> [round(float(value), 3) for value in use(torch.tensor([0, 0, 1, 1]), 4)]
    [0.5, 2.0]
    """
    shares = torch.bincount(codes.flatten(), minlength=count).double() / max(codes.numel(), 1)
    return (shares > 0).double().mean(), torch.exp(-torch.special.xlogy(shares, shares).sum())
