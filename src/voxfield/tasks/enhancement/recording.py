"""Enhance a recording: noise out, speech in; reverberation stays.

Everything goes through `Enhancer` block by block, so a recording of ten hours takes the memory of one of ten seconds.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from voxfield.audio import NOT_STORED, Given, Sink, Source, Stored, file_sink, open_source, save
from voxfield.errors import InputError
from voxfield.files import path_of
from voxfield.protocols import Array, Engine
from voxfield.tasks.band_splitter import band_notes
from voxfield.tasks.enhancement.enhancer import Enhancer, check_link, check_warm_up, wet_share
from voxfield.tasks.enhancement.keeping import Keeper, check_keep
from voxfield.tasks.enhancement.loudness import KEEP, brought_to, check_loudness
from voxfield.tasks.enhancement.loudness_sink import LoudnessSink
from voxfield.tasks.noises.kinds import KINDS, TOKENIZER, NoiseKinds
from voxfield.tasks.work import Clock, Model, Progress, Watcher, Work, engine_for, pieces

DEFAULT_MODEL = "crn-small"
_BLOCK_HOPS = 64


@dataclass(frozen=True)
class EnhanceOptions:
    """What a user may choose besides the model."""

    limit_db: float | None = None  # take away at most this much
    mix: float = 1.0  # 0 the recording as it was, 1 enhanced
    mono: bool = False  # mix the channels down first
    channels: str = "together"  # one gain for all channels, or each `independent`
    loudness: float | str = KEEP  # integrated loudness of the result in LUFS
    keep: tuple[str, ...] = ()  # kinds of noise that stay
    warm_up_s: float = 0.0  # of the beginning that the network runs over before it starts
    kinds: tuple[Model, Model] = (TOKENIZER, KINDS)  # the networks that name them

    def __post_init__(self) -> None:
        wet_share(self.limit_db, self.mix)  # raises where one is out of its range
        check_link(self.channels)
        check_loudness(self.loudness)
        check_warm_up(self.warm_up_s)
        check_keep(self.keep)


@dataclass(frozen=True, eq=False)
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
    stored: Stored = field(default=NOT_STORED, repr=False)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it, stored as the recording was where the suffix is the same; the path.

        Raises:
            OutputError: the file exists and may not be overwritten, or cannot be written.
        """
        path = path_of(path)
        save(path, self.samples, self.sample_rate_hz, self.stored, overwrite=overwrite)
        return path


def enhance(
    recording: Given,
    rate: int | None = None,
    *,
    model: Model = DEFAULT_MODEL,
    limit_db: float | None = None,
    mix: float = 1.0,
    mono: bool = False,
    channels: str = "together",
    loudness: float | str = KEEP,
    keep: Sequence[str] = (),
    warm_up_s: float = 0.0,
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
        channels: `together` all channels take the same gain, so that sounds keep their place between them;
            `independent` each is enhanced by itself.
        loudness: integrated loudness of the result (ITU-R BS.1770) in LUFS, such as -23, as far as its peaks allow;
            `keep` leaves the level of the speech as it was.
        keep: kinds of noise that stay where they are heard, such as `rain`; see `voxfield noise`.
        warm_up_s: the network runs over so much of the beginning before it starts, and knows its noise from the first
            sample on: better than a live start, and no longer the same.
        threads: threads within one step of the network.

    Raises:
        InputError: an argument that cannot be used; AudioError where it is the recording.
        UnknownModelError, CardError: the model cannot be had.

    >>> quiet = enhance(np.zeros(4800, np.float32), 48000)
    >>> quiet.samples.shape, quiet.sample_rate_hz
    ((1, 4800), 48000)
    """
    engine = engine_for(model, "enhance", threads=threads)
    check_keep(keep)
    options = EnhanceOptions(limit_db, mix, mono, channels, loudness, tuple(keep), warm_up_s=warm_up_s)
    with open_source(recording, rate) as source:
        enhancer = _enhancer(source, engine, options)
        made = pieces(source, enhancer, mono=mono, block_samples=_block_samples(source, engine))
        samples = np.concatenate(list(made), axis=1)
        notes = _notes(source, engine, enhancer)
        if not isinstance(loudness, str):
            samples, done = brought_to(samples, source.rate_hz, loudness)
            notes.append(done)
        return Enhanced(samples, source.rate_hz, engine.card.name, tuple(notes), source.stored)


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
    target = path_of(output)
    if not isinstance(options, EnhanceOptions):
        raise InputError(f"options are EnhanceOptions(limit_db=12), for example, not {options!r}")
    engine = engine_for(model, "enhance", threads=threads)
    with open_source(recording) as source:
        channels = 1 if options.mono else source.channels
        with file_sink(target, source, channels=channels, overwrite=overwrite) as sink:
            return enhance_into(source, sink, engine, options, progress=progress)


def enhance_into(
    source: Source,
    sink: Sink,
    engine: Engine,
    options: EnhanceOptions = EnhanceOptions(),
    *,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
) -> Work:
    """What was done to enhance an open recording into an open sink, which is committed at the end.

    Args:
        watcher: is shown the recording and the result as they pass, the result before it is brought to a loudness.

    Raises:
        InputError: a loudness is asked for, and the sink is a pipe.
    """
    clock = Clock()
    channels = 1 if options.mono else source.channels
    enhancer = _enhancer(source, engine, options)
    with ExitStack() as stack:
        if not isinstance(options.loudness, str):
            sink = stack.enter_context(LoudnessSink(sink, options.loudness, source.rate_hz, channels))
        size = _block_samples(source, engine)
        for block in pieces(
            source, enhancer, mono=options.mono, block_samples=size, watcher=watcher, progress=progress
        ):
            sink.write(block)
        sink.commit()
    return clock.work(engine, source, channels, [*_notes(source, engine, enhancer), *sink.notes()])


def _enhancer(source: Source, engine: Engine, options: EnhanceOptions) -> Enhancer | Keeper:
    """What the recording goes through."""
    channels = 1 if options.mono else source.channels
    enhancer = Enhancer(
        engine,
        source.rate_hz,
        channels,
        limit_db=options.limit_db,
        mix=options.mix,
        link=options.channels,
        warm_up_s=options.warm_up_s,
    )
    if not options.keep:
        return enhancer
    return Keeper(enhancer, NoiseKinds(*options.kinds), options.keep, source.rate_hz, channels)


def _block_samples(source: Source, engine: Engine) -> int:
    """Samples of the recording that go through the network at once."""
    face = engine.card.interface
    return min(1 << 18, -(-_BLOCK_HOPS * face.hop_samples * source.rate_hz // face.sample_rate_hz))


def _notes(source: Source, engine: Engine, enhancer: Enhancer | Keeper) -> list[str]:
    bands = band_notes(engine.card.name, engine.card.interface.sample_rate_hz, source.rate_hz)
    return [*source.notes(), *bands, *(enhancer.notes() if isinstance(enhancer, Keeper) else [])]
