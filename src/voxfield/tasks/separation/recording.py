"""Separate a recording: one signal for each voice.

Everything goes through `Separator` block by block, so a recording of ten hours takes the memory of one of ten seconds.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path

import numpy as np

from voxfield.audio import NOT_STORED, Given, Sink, Source, Stored, open_source, save
from voxfield.cards import cards
from voxfield.errors import InputError
from voxfield.files import path_of
from voxfield.formats import result_suffix
from voxfield.protocols import Array, Engine
from voxfield.tasks.separation.activity import Activity
from voxfield.tasks.separation.raw_output import RawOutput
from voxfield.tasks.separation.separator import Separator
from voxfield.tasks.separation.source_counter import SourceCounter
from voxfield.tasks.work import Clock, Model, Progress, Watcher, Work, engine_for, pieces
from voxfield.values import is_whole, plural

AUTO = "auto"
NOISE = ("drop", "keep")
_ALONE = "with one voice there is nothing to separate, so the recording itself was given out"


@dataclass(frozen=True)
class SeparateOptions:
    """What a user may choose besides the model."""

    speakers: int | str | None = None  # how many voices; `auto` finds out, None takes what the model gives
    noise: str = "drop"  # what belongs to no voice, or `keep`: shared out among the voices

    def __post_init__(self) -> None:
        if self.noise not in NOISE:
            raise InputError(f"noise must be {' or '.join(NOISE)}, not '{self.noise}'")


@dataclass(frozen=True, eq=False)
class Separated:
    """The voices of a recording.

    Attributes:
        voices: (S, C, N) float32, as many channels and samples as went in.
        sample_rate_hz: the recording's own.
        model: full name of the model.
        activity: how loud each output is, and which are believed to be voices.
        notes: what the user should know about the recording or the result.
    """

    voices: Array
    sample_rate_hz: int
    model: str
    activity: Activity
    notes: tuple[str, ...] = ()
    stored: Stored = field(default=NOT_STORED, repr=False)

    def save(
        self, folder: str | PathLike[str], stem: str = "", suffix: str = "", *, overwrite: bool = False
    ) -> list[Path]:
        """Write `{stem}_speaker1.wav` ... into a folder, stored as the recording was, raw output as floats; the paths.

        Raises:
            OutputError: a file exists and may not be overwritten, or cannot be written.
        """
        folder, own = path_of(folder), Path(self.stored.name)
        stem, suffix = stem or own.stem, suffix or result_suffix(own.suffix) or ".wav"
        paths = [folder / f"{stem}_speaker{number}{suffix}" for number in range(1, len(self.voices) + 1)]
        for voice, path in zip(self.voices, paths, strict=True):
            save(path, voice, self.sample_rate_hz, self.stored, overwrite=overwrite)
        return paths


def separate(
    recording: Given,
    rate: int | None = None,
    *,
    speakers: int | str | None = None,
    model: Model | None = None,
    noise: str = "drop",
    raw_output: bool = False,
    threads: int = 1,
) -> Separated:
    """The voices of a recording: same rate, same channels, same length to the sample.

    Args:
        recording: a path, the bytes of a file, a binary file object, or an array (N,) or (C, N).
        rate: sample rate in Hz; for an array, and only for an array.
        speakers: how many voices; `"auto"` drops outputs that are believed to hold none, and where one voice is all
            there is, gives the recording itself; None takes what the model gives, which is two voices where no model
            is named.
        model: a published name, an .onnx file, or an engine; by the number of speakers if None.
        noise: `drop` leaves out what belongs to no voice; `keep` shares it out, so that the voices add up to the
            recording.
        raw_output: give what the network itself gives, at its own scale; see `RawOutput`.
        threads: threads within one step of the network.

    Raises:
        InputError: an argument that cannot be used; AudioError where it is the recording.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = separating_engine(model, speakers, threads=threads)
    SeparateOptions(speakers, noise)  # raises where there is no such choice
    check_raw_output(raw_output, speakers)
    with open_source(recording, rate) as source:
        separator = _separator(engine, source, noise, raw_output)
        counter = SourceCounter(separator, engine, source.rate_hz, enhance=speakers == AUTO)
        blocks: list[Array] = []
        watcher = _Copying(lambda samples: blocks.append(samples.copy())) if speakers == AUTO else None
        voices = np.concatenate(list(pieces(source, counter, watcher=watcher)), axis=2)
        activity = counter.judge()
        notes = notes_of(source, separator, activity, speakers)
        if speakers == AUTO and len(activity.believed) == 1:
            voices = np.concatenate(blocks, axis=1)[None]
            notes.append(_ALONE)
        elif speakers == AUTO:
            voices = voices[list(activity.believed)]
        stored = source.stored
        if raw_output:  # at any scale, so samples of 32 bits with any value
            stored = replace(stored, name=f"{Path(stored.name).stem}.wav", format="", subtype="FLOAT")
        return Separated(voices, source.rate_hz, engine.card.name, activity, tuple(notes), stored)


def separate_into(
    source: Source,
    sinks: Sequence[Sink],
    engine: Engine,
    *,
    alone: Sink | None = None,
    speakers: int | str | None = None,
    noise: str = "drop",
    raw_output: bool = False,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
) -> Work:
    """What was done to separate an open recording into open sinks, one a voice.

    The sinks are committed at the end; with `auto` only those whose voice is believed in, or `alone`, which takes the
    recording itself, where there is one voice only. One sink takes all voices as channels, one after the other. A
    watcher is shown the recording and the voices as they pass.
    """
    clock = Clock()
    separator = _separator(engine, source, noise, raw_output)
    counter = SourceCounter(separator, engine, source.rate_hz, enhance=speakers == AUTO)
    if alone is not None:
        watcher = _Copying(alone.write, watcher)
    for voices in pieces(source, counter, watcher=watcher):
        if len(sinks) == len(voices):
            for sink, voice in zip(sinks, voices, strict=True):
                sink.write(voice)
        else:
            sinks[0].write(np.concatenate(list(voices)))
        if progress is not None:
            progress(source.read_samples)
    activity = counter.judge()
    notes = notes_of(source, separator, activity, speakers)
    if alone is not None and len(activity.believed) == 1:
        sinks = [alone]
        notes.append(_ALONE)
    given = [
        (number, sink)
        for number, sink in enumerate(sinks)
        if speakers != AUTO or len(sinks) == 1 or number in activity.believed
    ]
    for _, sink in reversed(given):  # the first voice last: where it is there, all are, for --skip-existing
        sink.commit()
    for number, sink in given:
        notes += [f"speaker {number + 1}: {note}" for note in sink.notes()]
    details = {
        "speakers": len(activity.believed),
        "confidence": activity.confidence,
        "levels_db": list(activity.levels_db),
        "joins": separator.joins,
        "doubtful_joins": separator.doubtful,
    }
    return clock.work(engine, source, source.channels, notes, details)


@contextmanager
def voice_sinks(
    first: Path, engine: Engine, speakers: int | str | None, opened: Callable[[Path], Sink]
) -> Iterator[tuple[list[Path], list[Sink], Sink | None]]:
    """(Paths, sinks, the sink of the recording itself, where that may get the first voice's name) for `separate_into`.

    Args:
        first: `..._speaker1.wav` or the like, whose last digit the others have instead.
        opened: makes a sink; each is entered before the next is made, so none is left half-written.
    """
    stem = first.stem.removesuffix("1")
    numbers = range(1, engine.card.interface.sources + 1)
    paths = [first.with_name(f"{stem}{number}{first.suffix}") for number in numbers]
    with ExitStack() as stack:
        sinks = [stack.enter_context(opened(path)) for path in paths]
        yield paths, sinks, stack.enter_context(opened(first)) if speakers == AUTO else None


class _Copying:
    """A watcher that hands the recording on, and may show all to another one."""

    def __init__(self, take: Callable[[Array], object], watcher: Watcher | None = None) -> None:
        self._take, self._watcher = take, watcher

    def before(self, samples: Array) -> None:
        self._take(samples)
        if self._watcher is not None:
            self._watcher.before(samples)

    def after(self, made: Array) -> None:
        if self._watcher is not None:
            self._watcher.after(made)


def separating_engine(
    model: Model | None = None, speakers: int | str | None = None, *, threads: int = 1, streaming: bool = False
) -> Engine:
    """The engine of a model, which must separate as many voices as are asked for.

    Without a model it is the published one with the greatest gain.

    Args:
        model: its name or file, or an engine.
        speakers: how many, "auto", or None for as many as there are.
        threads: of the engine.
        streaming: the voices are to come as the mixture does.

    Raises:
        InputError: no number of speakers, none published for it, or a model for another number or another task.
        UnknownModelError, CardError: the model cannot be had.
    """
    if speakers not in (None, AUTO) and not (is_whole(speakers) and speakers >= 1):
        raise InputError(f"speakers must be a whole number of 1 or more, or 'auto', not {speakers!r}")
    if model is None:
        published = [card for card in cards() if card.task == "separate" and card.interface.streaming >= streaming]
        wanted = 2 if speakers in (None, AUTO) else speakers
        fitting = [card for card in published if card.interface.sources == wanted]
        if not fitting:
            numbers = ", ".join(map(str, sorted({card.interface.sources for card in published}))) or "none"
            how = " as they speak" if streaming else ""
            voices = f"{plural(int(wanted), 'voice')}{how}"
            raise InputError(f"no published model separates {voices}, but {numbers}; give another with --model")
        model = max(fitting, key=lambda card: card.measured.get("si_sdr_gain_db", 0.0)).name
    engine = engine_for(model, "separate", threads=threads)
    if streaming and not engine.card.interface.streaming:
        raise InputError(f"{engine.card.name} cannot stream: {engine.card.interface.not_streaming_because}")
    if speakers not in (None, AUTO, engine.card.interface.sources):
        raise InputError(
            f"{engine.card.name} separates {engine.card.interface.sources} voices, not {speakers}; "
            f"leave out --speakers, or choose another --model"
        )
    return engine


def check_raw_output(raw_output: bool, speakers: int | str | None) -> None:
    """Return when what the network itself gives can be had.

    Raises:
        InputError: with `auto`, which gives out only a part of it, or the recording.
    """
    if raw_output and speakers == AUTO:
        raise InputError("the raw output is all that the network gives; leave out --speakers auto")


def _separator(engine: Engine, source: Source, noise: str, raw_output: bool) -> Separator | RawOutput:
    if raw_output:
        return RawOutput(engine, source)
    return Separator(engine, source.rate_hz, source.channels, keep_noise=noise == "keep")


def notes_of(
    source: Source, separator: Separator | RawOutput, activity: Activity, speakers: int | str | None
) -> list[str]:
    """What the user should know about a recording that was separated."""
    notes = source.notes()
    found, sure = len(activity.believed), f"{100 * activity.confidence:.0f} % sure"
    outputs = len(activity.levels_db)
    if speakers == AUTO:
        notes.append(f"{found} of {outputs} outputs are believed to be voices ({sure})")
    elif found == 0 and not separator.cancelled:
        notes.append("the recording is silent, and so are the voices")
    elif found < outputs:
        notes.append(f"only {found} of {outputs} outputs seems to be a voice ({sure}); --speakers auto looks closer")
    if separator.cancelled:
        notes.append(
            "the channels cancel one another, so their mean, which is separated, holds next to nothing: turn the one "
            "of opposite polarity over first"
        )
    if separator.doubtful:
        notes.append(
            f"at {separator.doubtful} of {separator.joins} joins between chunks a long pause left the order of the "
            "voices in doubt; a voice may have changed its file there"
        )
    return notes
