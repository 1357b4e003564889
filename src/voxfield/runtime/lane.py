"""One step of a network for one recording, or for many at once."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple, TypeAlias

import numpy as np

from voxfield.errors import CardError
from voxfield.features import Stft
from voxfield.protocols import Array, Engine, State


@dataclass
class Lane:
    """Where a recording stands between two steps: B of its channels."""

    state: State
    analysis: Array  # (B, window - hop)
    synthesis: Array  # (B, S * (window - hop))


class Stepper:
    """An engine with the transforms around it: samples in, samples out.

    Args:
        engine: of a network on samples or on spectra.
    """

    def __init__(self, engine: Engine) -> None:
        face = engine.card.interface
        self.engine, self.sources = engine, face.sources
        self.stft = Stft(face.window_samples, face.hop_samples, face.window) if face.input.kind == "spectrum" else None

    def lane(self, width: int) -> Lane:
        """The start of a recording, of `width` channels."""
        return Lane(self.engine.initial_state(width), *self.tails(width))

    def tails(self, width: int) -> tuple[Array, Array]:
        """What the two transforms hold before a recording of `width` channels: silence."""
        none = np.zeros((width, 0), np.float32)
        tail = none if self.stft is None else self.stft.initial_state(width)
        return tail, np.tile(tail, self.sources)

    def step(self, lane: Lane, block: Array) -> Array:
        """(B, N) of whole hops to (B, S, N); the lane moves on."""
        if self.stft is None:
            output, lane.state = self.engine.step(block[:, None], lane.state)
            return output
        spectrum, lane.analysis = self.stft.analyse(block, lane.analysis)
        masked, lane.state = self.engine.step(spectrum, lane.state)
        width, channels, *rest = spectrum.shape
        if masked.shape != (width, channels * self.sources, *rest):
            raise CardError(f"{self.engine.card.name} turned a spectrum of {spectrum.shape} into {masked.shape}")
        signals = masked.reshape(width * self.sources, channels, *rest)
        output, tail = self.stft.synthesise(signals, lane.synthesis.reshape(len(signals), lane.analysis.shape[1]))
        lane.synthesis = tail.reshape(lane.synthesis.shape)
        return output.reshape(width, self.sources, -1)


class Turn(NamedTuple):
    """One step that is to be taken: (B, N) of whole hops, from where the lane stands."""

    stepper: Stepper
    lane: Lane
    block: Array


Turns: TypeAlias = Generator[Turn, Array, Array]  # yields a turn, is sent what it gives, (B, S, N); returns samples


def run(turns: Turns) -> Array:
    """What turns return when each is taken at once."""
    try:
        turn = next(turns)
        while True:
            turn = turns.send(turn.stepper.step(turn.lane, turn.block))
    except StopIteration as over:
        return over.value  # type: ignore[no-any-return]


def take(turns: Sequence[Turn]) -> list[Array]:
    """What turns of different recordings give, (B, S, N) each, in one step of the network.

    They have the same engine, with a free batch axis, and blocks of the same number of samples. Of the published
    enhancing networks the result is that of separate steps, to the last bit.
    """
    if len(turns) == 1:
        return [turns[0].stepper.step(turns[0].lane, turns[0].block)]
    stepper = turns[0].stepper
    ends = list(accumulate(len(turn.block) for turn in turns))
    spans = [slice(end - len(turn.block), end) for turn, end in zip(turns, ends, strict=True)]
    axes = _batch_axes(stepper.engine)  # type: ignore[arg-type]  # engines are hashed by identity
    together = Lane(
        tuple(np.concatenate([turn.lane.state[at] for turn in turns], axis) for at, axis in enumerate(axes)),
        np.concatenate([turn.lane.analysis for turn in turns]),
        np.concatenate([turn.lane.synthesis for turn in turns]),
    )
    output = stepper.step(together, np.concatenate([turn.block for turn in turns]))
    states = [(part, (slice(None),) * axis) for part, axis in zip(together.state, axes, strict=True)]
    for turn, span in zip(turns, spans, strict=True):  # copies: a view would keep the arrays of all of them
        turn.lane.state = tuple(part[(*before, span)].copy() for part, before in states)
        turn.lane.analysis = together.analysis[span].copy()
        turn.lane.synthesis = together.synthesis[span].copy()
    return [output[span] for span in spans]


@lru_cache(maxsize=16)
def _batch_axes(engine: Engine) -> list[int]:
    """The axis of each state along which recordings lie one after the other."""
    one, two = engine.initial_state(1), engine.initial_state(2)
    return [next(at for at, size in enumerate(a.shape) if size != b.shape[at]) for a, b in zip(one, two, strict=True)]
