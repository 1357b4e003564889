"""What every task on a recording shares: the engine, the way through, and the account of what was done."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Protocol

import numpy as np

from voxfield.audio import BLOCK_SAMPLES, Source
from voxfield.errors import CardError, InputError
from voxfield.protocols import Array, Engine
from voxfield.runtime import load_engine

Model = str | PathLike[str] | Engine
Progress = Callable[[int], None]  # called with the samples done so far


class Processor(Protocol):
    """One recording on its way: blocks (C, N) in, (..., M) out, aligned, and all of them after `flush`."""

    def feed(self, samples: Array) -> Array:
        """What has become final."""

    def flush(self) -> Array:
        """The rest."""


class Watcher(Protocol):
    """Sees a recording and what was made of it as they pass, for a report."""

    def before(self, samples: Array) -> None:
        """Take (C, N) of the recording."""

    def after(self, made: Array) -> None:
        """Take what was made of it."""


@dataclass(frozen=True)
class Work:
    """What was done to one recording, and how long it took.

    Attributes:
        seconds: from opening to closing.
        notes: what the user should know about the recording or the result.
        details: what only this task has to say, plain values.
    """

    model: str
    sample_rate_hz: int
    channels: int
    count_samples: int
    seconds: float
    notes: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def audio_s(self) -> float:
        """Duration of the recording."""
        return self.count_samples / self.sample_rate_hz

    @property
    def real_time_factor(self) -> float:
        """Seconds of work a second of sound."""
        return self.seconds / self.audio_s if self.count_samples else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a line of JSON."""
        return {
            "model": self.model,
            "sample_rate_hz": self.sample_rate_hz,
            "channels": self.channels,
            "count_samples": self.count_samples,
            "audio_s": self.audio_s,
            "seconds": self.seconds,
            "real_time_factor": self.real_time_factor,
            **self.details,
            "notes": list(self.notes),
        }


class Clock:
    """Times one recording and accounts for it."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    def work(
        self, engine: Engine, source: Source, channels: int, notes: list[str], details: Mapping[str, Any] | None = None
    ) -> Work:
        """The account, as of now."""
        return Work(
            model=engine.card.name,
            sample_rate_hz=source.rate_hz,
            channels=channels,
            count_samples=source.read_samples,
            seconds=time.perf_counter() - self._began_s,
            notes=tuple(notes),
            details=details or {},
        )


def engine_for(model: Model, task: str, *, threads: int = 1) -> Engine:
    """The engine of a model, which must be one for the task.

    Raises:
        InputError: it is for another task.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = load_engine(model, threads=threads)
    if engine.card.task != task:
        raise InputError(f"{engine.card.name} is a model to {engine.card.task}, not to {task}; see `voxfield models`")
    return engine


def finite(engine: Engine, values: Any) -> Any:
    """What an engine gave.

    Raises:
        CardError: it holds values that are not numbers.
    """
    if not np.isfinite(values).all():
        raise CardError(f"{engine.card.name} gives values that are not numbers; its weights are damaged")
    return values


def blocks_of(
    source: Source, *, mono: bool = False, block_samples: int = BLOCK_SAMPLES, progress: Progress | None = None
) -> Iterator[Array]:
    """Blocks (C, N) of a recording, (1, N) where `mono` is set; `progress` is called when each has been taken."""
    for block in source.blocks(block_samples, mono=mono):
        yield block
        if progress is not None:
            progress(source.read_samples)


def pieces(
    source: Source,
    processor: Processor,
    *,
    mono: bool = False,
    block_samples: int = BLOCK_SAMPLES,
    watcher: Watcher | None = None,
    progress: Progress | None = None,
) -> Iterator[Array]:
    """What a processor makes of a recording, piece by piece; together as long as the recording.

    Args:
        mono: the channels are mixed first.
        watcher: is shown both.
        progress: is called when the piece of each block has been taken.
    """
    for block in blocks_of(source, mono=mono, block_samples=block_samples, progress=progress):
        if watcher is not None:
            watcher.before(block)
        made = processor.feed(block)
        if watcher is not None:
            watcher.after(made)
        yield made
    rest = processor.flush()
    if watcher is not None:
        watcher.after(rest)
    yield rest
