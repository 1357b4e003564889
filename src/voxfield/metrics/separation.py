"""Scores of separated voices against the speakers' own recordings, and how often two voices changed places.

SDR is the one of BSS Eval (Vincent et al. 2006), from the package `fast_bss_eval`, which comes with
`pip install 'voxfield[metrics]'`; SI-SDR and the counting of swaps need nothing.
"""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import Any

import numpy as np

from voxfield.errors import InputError, needed
from voxfield.metrics.enhancement import FLOOR_DB, SILENT, centred, si_sdr_db
from voxfield.protocols import Array

WINDOW_S = 1.0  # of the counting of swaps


def separation_scores(estimates: Array, targets: Array, mixture: Array, with_sdr: bool = True) -> dict[str, float]:
    """Mean scores over the voices under their best order: `si_sdr_db`, `si_sdr_gain_db`, `sdr_db`, `sdr_gain_db`.

    Each voice counts with -100 to 100 dB, so one dead or perfect output does not decide the mean alone.

    Args:
        estimates, targets: (S, N) voices; no target may be silent.
        mixture: (N,) what was separated; gains are over it.
        with_sdr: SDR and its gain as well.

    Raises:
        InputError: shapes differ, or a target is silent.
        MissingExtraError: `fast_bss_eval` is needed and not installed.
    """
    estimates, targets = _checked(estimates, targets)
    order = best_order(estimates, targets)
    after = [_bounded(si_sdr_db(estimates[i], targets[j])) for j, i in enumerate(order)]
    before = [_bounded(si_sdr_db(mixture, target)) for target in targets]
    found = {
        "si_sdr_db": float(np.mean(after)),
        "si_sdr_gain_db": float(np.mean(np.array(after) - np.array(before))),
    }
    if with_sdr:
        sdr = _sdr_db(estimates[list(order)], targets)
        mixed = _sdr_db(np.repeat(np.asarray(mixture)[None], len(targets), axis=0), targets)
        found |= {"sdr_db": float(np.mean(sdr)), "sdr_gain_db": float(np.mean(np.array(sdr) - np.array(mixed)))}
    return found


def best_order(estimates: Array, targets: Array) -> tuple[int, ...]:
    """For each target the estimate that belongs to it, by the best mean SI-SDR; up to six voices."""
    estimates, targets = _checked(estimates, targets)
    if len(targets) > 6:
        raise InputError(f"{len(targets)} voices have too many orders to try; up to 6 can be scored")
    table = [[_bounded(si_sdr_db(estimate, target)) for target in targets] for estimate in estimates]
    orders = permutations(range(len(targets)))
    return max(orders, key=lambda order: sum(table[i][j] for j, i in enumerate(order)))


def count_swaps(estimates: Array, targets: Array, rate_hz: int, window_s: float = WINDOW_S) -> int:
    """How often the order of the voices changes along a recording.

    In every window in which at least one target speaks, the order whose voices lie nearest to the targets is found. A
    change counts when it lasts for two windows, so that a moment in which a voice is lost is no swap.

    Args:
        estimates, targets: (S, N); the scale of the estimates must be about that of the targets.
        rate_hz: their sample rate.
        window_s: seconds of a window.

    >>> rng = np.random.default_rng(0)
    >>> voices = rng.standard_normal((2, 8000)).astype(np.float32)
    >>> swapped = np.concatenate([voices[:, :4000], voices[::-1, 4000:]], axis=1)
    >>> count_swaps(voices, voices, 1000), count_swaps(swapped, voices, 1000)
    (0, 1)
    """
    estimates, targets = _checked(estimates, targets, silent_allowed=True)
    width = max(1, round(window_s * rate_hz))
    orders = list(permutations(range(len(targets))))
    loud = float(np.square(targets).mean()) * 1e-3
    seen: list[int] = []
    for start in range(0, targets.shape[1] - width + 1, width):
        pieces, wanted = estimates[:, start : start + width], targets[:, start : start + width]
        if float(np.square(wanted).mean()) < loud:
            continue
        distance = np.square(pieces[:, None] - wanted[None]).sum(-1)
        totals = np.array([sum(distance[i, j] for j, i in enumerate(order)) for order in orders])
        ranked = np.sort(totals)
        if len(ranked) > 1 and ranked[1] - ranked[0] < 0.1 * float(np.square(wanted).sum()):
            continue  # as good one way as the other: nobody could tell
        seen.append(int(np.argmin(totals)))
    return _lasting_changes(seen)


def _lasting_changes(seen: list[int]) -> int:
    changes, current = 0, seen[0] if seen else 0
    for here, following in pairwise(seen):
        if here != current and following == here:
            changes += 1
            current = here
    return changes


def _bounded(value_db: float) -> float:
    return float(np.clip(value_db, FLOOR_DB, -FLOOR_DB))


def _sdr_db(estimates: Any, targets: Any) -> list[float]:
    module = needed("fast_bss_eval", "metrics", "SDR")
    return [
        float(module.sdr(target[None], estimate[None] * centred(estimate).any(), clamp_db=-FLOOR_DB)[0])
        for estimate, target in zip(estimates, targets, strict=True)
    ]


def _checked(estimates: Array, targets: Array, silent_allowed: bool = False) -> tuple[Any, Any]:
    estimates, targets = np.asarray(estimates, np.float64), np.asarray(targets, np.float64)
    if estimates.ndim != 2 or estimates.shape != targets.shape:
        raise InputError(f"voices must be (S, N) twice alike, not {estimates.shape} and {targets.shape}")
    if not silent_allowed and (not targets.shape[1] or np.square(targets).mean(1).min() < SILENT):
        raise InputError("a target is silent, so nothing can be scored against it")
    return estimates, targets
