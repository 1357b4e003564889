"""Which voice of one piece of sound is which voice of the next."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from voxfield.features import stft
from voxfield.protocols import Array

_EXHAUSTIVE_UP_TO = 6  # voices: 720 orders; beyond, the best pairs are taken one after the other
_SURE = 0.1  # of the correlation: lead of the best order over the next that settles the matter
_BANDS = 48


@dataclass
class _Profile:
    """Mean log spectrum of a voice where it speaks."""

    total: npt.NDArray[np.float64]
    frames: int = 0


class SourceOrder:
    """Keeps voices in their places from one piece to the next, by what both pieces say about the time they share.

    Where that time holds too little of the voices to tell, their long-term spectra decide.

    Attributes:
        doubtful: how often that happened.
    """

    def __init__(self, sources: int) -> None:
        self._profiles = [_Profile(np.zeros(_BANDS)) for _ in range(sources)]
        self.doubtful = 0

    def continued(self, known: Array, shared: Array, piece: Array) -> tuple[int, ...]:
        """For each place the voice of the new piece that belongs there.

        Args:
            known: (S, M) voices in their places, over the time that both pieces cover.
            shared: (S, M) voices of the new piece over that time.
            piece: (S, N) voices of the whole new piece.
        """
        likeness = known.astype(np.float64) @ shared.T.astype(np.float64)
        scale = np.sqrt(float(np.square(known).sum()) * float(np.square(shared).sum()))
        order, lead = best_order(likeness)
        if lead > _SURE * scale:
            return order
        self.doubtful += 1
        spectra = [_spectrum(voice) for voice in piece]
        if all(profile.frames for profile in self._profiles) and all(frames for _, frames in spectra):
            means = np.stack([profile.total / profile.frames for profile in self._profiles])
            others = np.stack([total / frames for total, frames in spectra])
            return best_order(-np.abs(means[:, None] - others[None]).mean(-1))[0]
        return order

    def learn(self, voices: Array) -> None:
        """Remember how the voices (S, N), in their places, sound."""
        for profile, voice in zip(self._profiles, voices, strict=True):
            total, frames = _spectrum(voice)
            profile.total += total
            profile.frames += frames


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


def _spectrum(voice: Array) -> tuple[npt.NDArray[np.float64], int]:
    """Sum of the level-free log spectra of the loud frames, and their number."""
    parts = stft(voice[None], 512, 256)[0]
    power = np.square(parts, dtype=np.float64).sum(0)  # (F, T)
    energy = power.sum(0)
    power = power[:, energy > 1e-2 * max(float(energy.max(initial=0)), 1e-9)]
    edges = np.linspace(2, len(power), _BANDS + 1).astype(int)
    logs = np.log(np.add.reduceat(power, edges[:-1], axis=0) + 1e-12)
    return (logs - logs.mean(0)).sum(1), power.shape[1]
