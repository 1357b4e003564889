"""Which voice of one piece of sound is which voice of the next, by what both say about the time they share."""

from itertools import permutations

import numpy as np
import numpy.typing as npt

from voxfield.protocols import Array

_EXHAUSTIVE_UP_TO = 6  # voices: 720 orders; beyond, the best pairs are taken one after the other
_SURE = 0.1  # of the correlation: lead of the best order over the next that settles the matter


def continued(known: Array, shared: Array) -> tuple[tuple[int, ...], bool]:
    """(For each place the voice of the new piece that belongs there, whether that is sure.)

    Args:
        known: (S, M) voices in their places, over the time that both pieces cover.
        shared: (S, M) voices of the new piece over that time.
    """
    likeness = known.astype(np.float64) @ shared.T.astype(np.float64)
    scale = np.sqrt(float(np.square(known).sum()) * float(np.square(shared).sum()))
    order, lead = best_order(likeness)
    return order, lead > _SURE * scale


def best_order(likeness: npt.NDArray[np.float64]) -> tuple[tuple[int, ...], float]:
    """(For each row the column of the best total, lead over the next best total) of an (S, S) table.

    >>> best_order(np.array([[0.1, 0.9], [0.8, 0.3]]))[0]
    (1, 0)
    """
    sources = len(likeness)
    if sources == 1:
        return (0,), np.inf
    if sources <= _EXHAUSTIVE_UP_TO:
        orders = list(permutations(range(sources)))
        totals = likeness[np.arange(sources), np.array(orders)].sum(1)
        ranked = np.argsort(-totals, kind="stable")
        return orders[int(ranked[0])], float(totals[ranked[0]] - totals[ranked[1]])
    left, chosen = likeness.astype(np.float64).copy(), [0] * sources
    for _ in range(sources):
        row, column = np.unravel_index(int(np.argmax(left)), left.shape)
        chosen[int(row)] = int(column)
        left[row], left[:, column] = -np.inf, -np.inf
    return tuple(chosen), 0.0
