"""Permutation-invariant scores of separated voices: which estimate is which speaker is decided by the best total.

All pairs of estimate and target are scored at once. Up to four voices every order is tried (24 at most, one gather);
above, the Hungarian algorithm finds the best one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import permutations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from voxfield.errors import InputError

EPS = 1e-8
EXHAUSTIVE_UP_TO = 4  # voices


@dataclass(frozen=True)
class InnerProducts:
    """What all pairwise scores are made of: (B, S estimates, S targets), (B, S, 1) and (B, 1, S), means taken away.

    Errors follow from them, |e - t|^2 = |e|^2 - 2 <e, t> + |t|^2, so no difference of signals is ever formed: S x S
    scores cost one matrix product, and all kinds of score share it.
    """

    between: Tensor
    estimates: Tensor
    targets: Tensor

    def db(self, kind: str, ceiling_db: float | None = None) -> Tensor:
        """Scores in dB (B, S estimates, S targets).

        Args:
            kind: `si_sdr` leaves the scale free, `snr` does not.
            ceiling_db: bounds the score softly, so that voices that are already good stop pulling; None leaves it
                alone. In single precision scores of more than 50 dB are not exact.
        """
        if kind == "si_sdr":
            scale = self.between / (self.targets + EPS)
            wanted = scale.square() * self.targets
            error = self.estimates - 2 * scale * self.between + wanted
        elif kind == "snr":
            wanted = self.targets.expand_as(self.between)
            error = self.estimates - 2 * self.between + self.targets
        else:
            raise InputError(f"there is no score '{kind}'; choose si_sdr or snr")
        error = error.clamp(min=0)
        if ceiling_db is not None:
            error = error + 10 ** (-ceiling_db / 10) * wanted
        return 10 * torch.log10(wanted / (error + EPS) + EPS)


def inner_products(estimates: Tensor, targets: Tensor) -> InnerProducts:
    """Of every estimate with every target: (B, S, N), (B, S, N)."""
    if estimates.ndim != 3 or estimates.shape != targets.shape:
        raise InputError(
            f"estimates {tuple(estimates.shape)} and targets {tuple(targets.shape)} must be (batch, voices, samples)"
        )
    estimates = estimates - estimates.mean(-1, keepdim=True)
    targets = targets - targets.mean(-1, keepdim=True)
    return InnerProducts(
        estimates @ targets.transpose(1, 2),
        estimates.square().sum(-1)[:, :, None],
        targets.square().sum(-1)[:, None],
    )


def quiet_db(estimates: Tensor, mixture: Tensor, ceiling_db: float = 30.0) -> Tensor:
    """How far each estimate lies under its mixture: (B, S, N), (B, 1, N) -> (B, S) in dB, softly bounded."""
    power = estimates.square().sum(-1) / (mixture.square().sum(-1) + EPS)
    return -10 * torch.log10(power + 10 ** (-ceiling_db / 10))


def best_order(scores: Tensor) -> Tensor:
    """For each target the estimate that belongs to it, by the best total: (B, S estimates, S targets) -> (B, S)."""
    sources = scores.shape[-1]
    if sources > EXHAUSTIVE_UP_TO:
        best = []
        for table in scores.detach().double().cpu().numpy():
            targets, chosen = linear_sum_assignment(table.T, maximize=True)
            best.append(torch.as_tensor(chosen[targets.argsort()]))
        return torch.stack(best).to(scores.device)
    orders, places = _all_orders(sources, scores.device)
    return orders[scores.detach()[:, orders, places].sum(-1).argmax(-1)]


@cache  # a copy to a GPU at every step would wait for it
def _all_orders(sources: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(S!, S) and (S,): every order of the estimates, and the targets they go to."""
    return torch.tensor(list(permutations(range(sources))), device=device), torch.arange(sources, device=device)
