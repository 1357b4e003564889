"""Enhance a recording: noise and reverberation out, speech in.

Everything goes through `Enhancer` block by block, so a recording of ten hours takes the memory of one of ten seconds.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.audio import Given, Sink, Source, file_sink, open_source
from voxfield.errors import InputError
from voxfield.protocols import Array, Engine
from voxfield.runtime import load_engine
from voxfield.tasks.comparison import Comparison
from voxfield.tasks.enhancer import Enhancer, wet_share

DEFAULT_MODEL = "crn-small"
Model = str | PathLike[str] | Engine
Progress = Callable[[int], None]  # called with the samples done so far


@dataclass(frozen=True)
class EnhanceOptions:
    """What a user may choose besides the model."""

    limit_db: float | None = None  # take away at most this much
    mix: float = 1.0  # 0 the recording as it was, 1 enhanced
    mono: bool = False  # mix the channels down first

    def __post_init__(self) -> None:
        wet_share(self.limit_db, self.mix)  # raises where one is out of its range


@dataclass(frozen=True)
class Enhanced:
    """An enhanced recording.

    Attributes:
        samples: (C, N) float32, as many as went in.
        sample_rate_hz: the recording's own.
        model: full name of the model.
        notes: what the user should know about the recording or the result.
    """

    samples: Array
    sample_rate_hz: int
    model: str
    notes: tuple[str, ...] = ()
    stored_like: tuple[str, str, str] = field(default=("array", "", ""), repr=False)  # name, format, subtype

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it, stored as the recording was where the suffix is the same; the path.

        Raises:
            OutputError: the file exists and may not be overwritten, or cannot be written.
        """
        with open_source(self.samples, self.sample_rate_hz) as source:
            source.name, source.format, source.subtype = self.stored_like
            with file_sink(Path(path).expanduser(), source, overwrite=overwrite) as sink:
                sink.write(self.samples)
                sink.commit()
        return Path(path)


@dataclass(frozen=True)
class Work:
    """What was done to one recording, and how long it took."""

    model: str
    sample_rate_hz: int
    channels: int
    count_samples: int
    seconds: float  # from opening to closing
    notes: tuple[str, ...]

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
        return asdict(self) | {"audio_s": self.audio_s, "real_time_factor": self.real_time_factor}


def enhance(
    recording: Given,
    rate: int | None = None,
    *,
    model: Model = DEFAULT_MODEL,
    limit_db: float | None = None,
    mix: float = 1.0,
    mono: bool = False,
    threads: int = 1,
) -> Enhanced:
    """The recording enhanced: same rate, same channels, same length to the sample.

    Args:
        recording: a path, the bytes of a file, a binary file object, or an array (N,) or (C, N).
        rate: sample rate in Hz; for an array, and only for an array.
        model: a published name, an .onnx file, or an engine.
        limit_db: take away at most this much, in dB; None for no limit.
        mix: 0 gives the recording as it was, 1 the enhanced one.
        mono: mix the channels down to one first.
        threads: threads within one step of the network.

    Raises:
        InputError: an argument that cannot be used; AudioError where it is the recording.
        UnknownModelError, CardError: the model cannot be had.

    >>> quiet = enhance(np.zeros(4800, np.float32), 48000)
    >>> quiet.samples.shape, quiet.sample_rate_hz
    ((1, 4800), 48000)
    """
    engine = enhancing_engine(model, threads=threads)
    options = EnhanceOptions(limit_db, mix, mono)
    with open_source(recording, rate) as source:
        samples = np.concatenate(list(enhanced_blocks(source, engine, options)), axis=1)
        stored_like = (source.name, source.format, source.subtype)
        notes = (*source.notes(), *band_notes(source, engine))
        return Enhanced(samples, source.rate_hz, engine.card.name, notes, stored_like)


def enhance_file(
    recording: Given,
    output: str | PathLike[str],
    *,
    model: Model = DEFAULT_MODEL,
    options: EnhanceOptions = EnhanceOptions(),
    overwrite: bool = False,
    threads: int = 1,
    progress: Progress | None = None,
) -> Work:
    """What was done to write the enhanced recording to a file, in memory that does not grow with its duration.

    The output appears only when it is whole. Rate, channels, length and subtype are those of the recording.

    Raises:
        OutputError: the output exists and may not be overwritten, or cannot be written.
        As for `enhance` otherwise.
    """
    engine = enhancing_engine(model, threads=threads)
    with open_source(recording) as source:
        channels = 1 if options.mono else source.channels
        with file_sink(Path(output).expanduser(), source, channels=channels, overwrite=overwrite) as sink:
            return enhance_into(source, sink, engine, options, progress=progress)


def enhancing_engine(model: Model = DEFAULT_MODEL, *, threads: int = 1) -> Engine:
    """The engine of a model, which must be one that enhances.

    Raises:
        InputError: it is for another task.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = load_engine(model, threads=threads)
    if engine.card.task != "enhance":
        raise InputError(f"{engine.card.name} is a model to {engine.card.task}, not to enhance; see `voxfield models`")
    return engine


def enhance_into(
    source: Source,
    sink: Sink,
    engine: Engine,
    options: EnhanceOptions = EnhanceOptions(),
    *,
    progress: Progress | None = None,
    comparison: Comparison | None = None,
) -> Work:
    """What was done to enhance an open recording into an open sink, which is committed at the end.

    Args:
        comparison: is shown the recording and the result as they pass.
    """
    began_s = time.perf_counter()
    for block in enhanced_blocks(source, engine, options, comparison):
        sink.write(block)
        if progress is not None:
            progress(source.read_samples)
    sink.commit()
    notes = [*source.notes(), *band_notes(source, engine)]
    if sink.clipped_samples:
        notes.append(f"{sink.clipped_samples} samples were beyond full scale and were clipped")
    return Work(
        model=engine.card.name,
        sample_rate_hz=source.rate_hz,
        channels=1 if options.mono else source.channels,
        count_samples=source.read_samples,
        seconds=time.perf_counter() - began_s,
        notes=tuple(notes),
    )


def enhanced_blocks(
    source: Source, engine: Engine, options: EnhanceOptions, comparison: Comparison | None = None
) -> Iterator[Array]:
    """Enhanced blocks (C, M) of a recording; together as long as the recording."""
    card = engine.card
    channels = 1 if options.mono else source.channels
    enhancer = Enhancer(engine, source.rate_hz, channels, limit_db=options.limit_db, mix=options.mix)
    block_samples = min(1 << 18, -(-64 * card.interface.hop_samples * source.rate_hz // card.interface.sample_rate_hz))
    for block in source.blocks(block_samples):
        block = block.mean(axis=0, keepdims=True) if options.mono else block
        if comparison is not None:
            comparison.before(block)
        enhanced = enhancer.feed(block)
        if comparison is not None:
            comparison.after(enhanced)
        yield enhanced
    rest = enhancer.flush()
    if comparison is not None:
        comparison.after(rest)
    yield rest


def band_notes(source: Source, engine: Engine) -> list[str]:
    """What to say where the recording's rate is not the network's."""
    model_hz, rate_hz = engine.card.interface.sample_rate_hz, source.rate_hz
    if rate_hz > model_hz:
        edge_khz = model_hz / 2000
        return [
            f"{engine.card.name} hears up to {edge_khz:g} kHz; the band above was kept and scaled by its gain "
            f"between {0.75 * edge_khz:g} and {edge_khz:g} kHz"
        ]
    return []
