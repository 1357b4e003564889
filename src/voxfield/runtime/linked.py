"""Several channels through one run of an enhancing network."""

import numpy as np

from voxfield.cards import Card
from voxfield.protocols import Array, Engine, State

_LARGEST_GAIN = 4.0  # of a network that does not mask: where the mixture all but vanishes, a ratio says nothing
_MEMORY = 0.98  # share of the past in the likeness of two channels, frame by frame: about a second
_TINY = 1e-20


class Linked:
    """An engine over (C, 2, F, T) spectra whose channels share the gains that the network gives to their mixture.

    The mixture is the mean of the channels, each turned over where it runs against the first one, as far as the past
    second tells: channels of opposite sign would cancel. The state is the network's own and, behind it, the likeness of
    each channel to the first (C,).
    """

    free_batch = True

    def __init__(self, engine: Engine, channels: int) -> None:
        self._engine, self._channels = engine, channels

    @property
    def card(self) -> Card:
        """What the network is and expects."""
        return self._engine.card

    def initial_state(self, batch: int = 1) -> State:
        """Zeros."""
        return (*self._engine.initial_state(1), np.zeros(self._channels, np.float32))

    def step(self, block: Array, state: State) -> tuple[Array, State]:
        """Output and next state of one block; see `voxfield.protocols.Engine`."""
        *inner, likeness = state
        products = np.einsum("cpft,pft->ct", block, block[0])
        signs = np.empty_like(products)
        likeness = likeness.copy()
        for at in range(products.shape[1]):
            likeness *= _MEMORY
            likeness += products[:, at]
            signs[:, at] = np.where(likeness < 0, -1, 1)
        mixture = np.einsum("cpft,ct->pft", block, signs)[None] / np.float32(self._channels)
        output, after = self._engine.step(np.ascontiguousarray(mixture, np.float32), tuple(inner))
        seen, given = (np.asarray(part[0, 0] + 1j * part[0, 1], np.complex64) for part in (mixture, output))
        gain = given * seen.conj() / (np.square(seen.real) + np.square(seen.imag) + _TINY)
        gain *= _LARGEST_GAIN / np.maximum(np.abs(gain), _LARGEST_GAIN)
        parts = np.empty_like(block)
        parts[:, 0] = gain.real * block[:, 0] - gain.imag * block[:, 1]
        parts[:, 1] = gain.real * block[:, 1] + gain.imag * block[:, 0]
        return parts, (*after, likeness)
