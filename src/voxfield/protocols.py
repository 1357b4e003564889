"""Types that the rooms share: arrays, and the one protocol that runs a network."""

from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from voxfield.cards import Card

Array: TypeAlias = npt.NDArray[np.float32]
State: TypeAlias = tuple[Array, ...]  # in the order of `card.states`


class Engine(Protocol):
    """A network that can be stepped. It never changes: the caller holds the state, so one serves many streams."""

    @property
    def card(self) -> "Card":
        """What the network is and expects."""

    @property
    def free_batch(self) -> bool:
        """Whether `step` takes any batch; otherwise exactly 1."""

    def initial_state(self, batch: int = 1) -> State:
        """Zeros, one array a state of the card."""

    def step(self, block: Array, state: State) -> tuple[Array, State]:
        """Output and next state of one block.

        Args:
            block: what the card's interface says of the input, such as a spectrum (B, 2, F, T), or samples (B, 1, N)
                with N a multiple of the hop.
            state: what the previous step returned; it is left as it is.

        Returns:
            What it says of the output, such as a spectrum (B, 2, F, T), samples (B, S, N), an embedding (B, D) or
            tokens (B, K, T); and the next state.
        """
