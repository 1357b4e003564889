"""New codes drawn from priors: the top map first, then the bottom map given it, each code given those before it.

A prior is stepped row by row. Its state is what it remembers of the rows before, so a new code costs the row that it
stands in, and not the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxfield.errors import InputError
from voxfield.protocols import Array, Engine
from voxfield.tasks.noises.kinds import TOKENIZER
from voxfield.tasks.tokens.code_maps import Codes, joined
from voxfield.tasks.tokens.recording import Rebuilt, check_iterations, detokenize, relative, weights_of
from voxfield.tasks.tokens.token_file import Tokens
from voxfield.tasks.work import Model, engine_for
from voxfield.values import is_number, is_whole

PRIOR, BOTTOM = "noise-prior", "-bottom"  # what the name of the lower level's prior ends in
LEVEL_DB = -15.0  # mean level of the bands, which codes do not hold
MOST_SECONDS, MOST_COUNT = 3600.0, 1000


@dataclass(frozen=True)
class Draw:
    """How a code is chosen.

    Attributes:
        temperature: divides the logits; below 1 prefers what is likely, 0 takes the likeliest.
        top_k: only so many of the likeliest codes; 0 for all.

    Raises:
        InputError: one is out of range.
    """

    temperature: float = 1.0
    top_k: int = 0

    def __post_init__(self) -> None:
        if not is_number(self.temperature) or not 0 <= self.temperature <= 100:
            raise InputError(f"temperature must lie between 0 and 100, not {self.temperature!r}")
        if not is_whole(self.top_k) or self.top_k < 0:
            raise InputError(f"top_k must be 0, for all codes, or more, not {self.top_k!r}")

    def __call__(self, logits: Array, chances: npt.NDArray[np.float64]) -> Codes:
        """(B,) codes by logits (B, K) and numbers (B,) between 0 and 1.

        >>> Draw(top_k=2)(np.log([[0.5, 0.2, 0.3]]), np.array([0.7]))
        array([2])
        """
        if self.temperature == 0:
            return np.asarray(logits.argmax(1), np.int64)
        scaled = logits.astype(np.float64) / self.temperature
        if 0 < self.top_k < logits.shape[1]:
            least = np.partition(scaled, -self.top_k, axis=1)[:, -self.top_k, None]
            scaled = np.where(scaled >= least, scaled, -np.inf)
        shares = np.exp(scaled - scaled.max(1, keepdims=True))
        sums = shares.cumsum(1)
        below = (sums <= chances[:, None] * sums[:, -1:]).sum(1)
        return np.asarray(np.minimum(below, logits.shape[1] - 1), np.int64)


def sample(
    *,
    seconds: float = 4.0,
    count: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int = 0,
    prior: Model = PRIOR,
    bottom: Model | None = None,
    tokenizer: Model = TOKENIZER,
    decoder: Model | None = None,
    iterations: int = 32,
    threads: int = 1,
) -> list[Rebuilt]:
    """New sounds: codes drawn from priors, and what they stand for.

    Args:
        seconds: duration of each.
        count: how many; number n is the same however many there are.
        seed: decides them.
        temperature, top_k: see `Draw`.
        prior, bottom: networks from codes to logits, of the top map and of the bottom map given the top one; `bottom`
            is that of the prior's name if None.
        tokenizer, decoder: the network of the codes and its other half, that of its name if None.
        iterations: rounds of Griffin and Lim's method.
        threads: threads within one step of a network.

    Raises:
        InputError: an argument that cannot be used, or networks that do not belong together.
        UnknownModelError, CardError: a model cannot be had.
    """
    check_iterations(iterations)
    drawn = sample_tokens(
        seconds=seconds, count=count, seed=seed, temperature=temperature, top_k=top_k, prior=prior, bottom=bottom,
        tokenizer=tokenizer, threads=threads,
    )  # fmt: skip
    return [detokenize(tokens, model=decoder, iterations=iterations, threads=threads) for tokens in drawn]


def sample_tokens(
    *,
    seconds: float = 4.0,
    count: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int = 0,
    prior: Model = PRIOR,
    bottom: Model | None = None,
    tokenizer: Model = TOKENIZER,
    threads: int = 1,
) -> list[Tokens]:
    """The codes of new sounds, or images; see `sample`."""
    if not is_number(seconds) or not 0 < seconds <= MOST_SECONDS:
        raise InputError(f"seconds must be above 0 and at most {MOST_SECONDS:g}, not {seconds!r}")
    if not is_whole(count) or not 1 <= count <= MOST_COUNT:
        raise InputError(f"count must be a whole number from 1 to {MOST_COUNT}, not {count!r}")
    if not is_whole(seed) or seed < 0:
        raise InputError(f"seed must be a whole number of 0 or more, not {seed!r}")
    count, seed = int(count), int(seed)  # which may be NumPy's
    draw, coder = Draw(temperature, top_k), engine_for(tokenizer, "tokenize", threads=threads)
    face, weights = coder.card.interface, weights_of(coder)
    upper = _prior_of(prior, coder, threads)
    lower = _prior_of(relative(upper.card.name, BOTTOM) if bottom is None else bottom, coder, threads)
    columns = int(upper.card.interface.output.shape[1])
    fits = face.output.shape[0] == 5 * columns and lower.card.interface.input.shape[0] == 3 * columns
    if not fits or upper.card.interface.input.shape[0] != columns:
        raise InputError(
            f"{upper.card.name} and {lower.card.name} are no priors of the two levels of {coder.card.name}"
        )
    image = face.input.kind == "image"
    samples = round(seconds * face.sample_rate_hz)
    frames = 1 + samples // max(face.hop_samples, 1)
    steps = int(face.output.shape[1]) if image else -(-frames // face.multiple_of)
    randoms = [np.random.default_rng((seed, number)) for number in range(count)]
    top = sample_map(upper, steps, randoms, draw)
    low = sample_map(lower, 2 * steps, randoms, draw, top.repeat(2, axis=2))
    if image:  # whose maps are read from the top row down
        side = int(face.input.shape[1])
        codes = [joined(a.T, b.T)[None] for a, b in zip(top, low, strict=True)]
        of_image = {"width_px": side, "height_px": side, "grey": face.input.shape[0] == 1}
        return [Tokens(part, "image", coder.card.name, weights, face.codes, **of_image) for part in codes]  # type: ignore[arg-type]
    return [
        Tokens(
            joined(a, b)[None], "sound", coder.card.name, weights, face.codes, LEVEL_DB, face.sample_rate_hz,
            max(samples, 1), frames,
        )
        for a, b in zip(top, low, strict=True)
    ]  # fmt: skip


def sample_map(
    prior: Engine, rows: int, randoms: Sequence[np.random.Generator], draw: Draw, hint: Codes | None = None
) -> Codes:
    """(B, F, rows) codes, a map for each generator; a prior without states is given the whole map for every code.

    Args:
        prior: from tokens to logits.
        rows: of the map.
        randoms: one generator of numbers a map.
        draw: chooses a code.
        hint: (B, F / 2, rows) codes of the level above, each row twice.
    """
    face = prior.card.interface
    columns, batch = int(face.output.shape[1]), len(randoms)
    hints = 0 if hint is None else hint.shape[1]
    tokens = np.zeros((batch, hints + columns, rows), np.int64)
    if hint is not None:
        tokens[:, :hints] = hint
    state, stepped = prior.initial_state(batch), bool(prior.card.states)
    for row in range(rows):
        part = np.ascontiguousarray(tokens[:, :, row : row + 1]) if stepped else tokens
        at = 0 if stepped else row
        for column in range(columns):
            logits, _ = prior.step(part, state)
            chances = np.array([random.random() for random in randoms])
            part[:, hints + column, at] = draw(logits[:, :, column, at], chances)
        if stepped:
            tokens[:, :, row] = part[:, :, 0]
            _, state = prior.step(part, state)
    return tokens[:, hints:]


def _prior_of(model: Model, coder: Engine, threads: int) -> Engine:
    """A prior that was trained on the codes of a tokenizer, where its card says of which."""
    engine = engine_for(model, "prior", threads=threads)
    made_for = engine.card.measured.get("weights")
    if engine.card.interface.codes != coder.card.interface.codes or made_for not in (None, weights_of(coder)):
        raise InputError(f"{engine.card.name} is no prior of the codes of {coder.card.name}; name the right tokenizer")
    return engine
