"""Separate a recording: one signal for each voice.

Everything goes through `Separator` block by block, so a recording of ten hours takes the memory of one of ten seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from voxfield.audio import Given, Sink, Source, file_sink, open_source
from voxfield.cards import cards
from voxfield.errors import InputError
from voxfield.protocols import Array, Engine
from voxfield.runtime import load_engine
from voxfield.tasks.enhance import Model, Progress
from voxfield.tasks.presence import Presence, PresenceMeter
from voxfield.tasks.separator import Separator
from voxfield.tasks.voices_report import VoicesReport

AUTO = "auto"
NOISE = ("drop", "keep")


@dataclass(frozen=True)
class Separated:
    """The voices of a recording.

    Attributes:
        voices: (S, C, N) float32, as many channels and samples as went in.
        sample_rate_hz: the recording's own.
        model: full name of the model.
        presence: how loud each output is, and which are believed to be voices.
        notes: what the user should know about the recording or the result.
    """

    voices: Array
    sample_rate_hz: int
    model: str
    presence: Presence
    notes: tuple[str, ...] = ()
    stored_like: tuple[str, str, str] = field(default=("array", "", ""), repr=False)  # name, format, subtype

    def save(
        self, folder: str | PathLike[str], stem: str = "", suffix: str = "", *, overwrite: bool = False
    ) -> list[Path]:
        """Write `{stem}_speaker1.wav` ... into a folder, stored as the recording was; the paths.

        Raises:
            OutputError: a file exists and may not be overwritten, or cannot be written.
        """
        name, format, subtype = self.stored_like
        stem, suffix = stem or Path(name).stem, suffix or Path(name).suffix or ".wav"
        paths = []
        for number, voice in enumerate(self.voices, start=1):
            path = Path(folder).expanduser() / f"{stem}_speaker{number}{suffix}"
            with open_source(voice, self.sample_rate_hz) as source:
                source.name, source.format, source.subtype = name, format, subtype
                with file_sink(path, source, overwrite=overwrite) as sink:
                    sink.write(voice)
                    sink.commit()
            paths.append(path)
        return paths


@dataclass(frozen=True)
class SeparateWork:
    """What was done to one recording, and how long it took."""

    model: str
    sample_rate_hz: int
    channels: int
    count_samples: int
    seconds: float  # from opening to closing
    presence: Presence
    joins: int  # of chunks
    doubtful: int  # joins at which the order of the voices could not be told
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a line of JSON."""
        audio_s = self.count_samples / self.sample_rate_hz
        return {
            "model": self.model,
            "sample_rate_hz": self.sample_rate_hz,
            "channels": self.channels,
            "count_samples": self.count_samples,
            "audio_s": audio_s,
            "seconds": self.seconds,
            "real_time_factor": self.seconds / audio_s if audio_s else 0.0,
            "speakers": len(self.presence.believed),
            "confidence": self.presence.confidence,
            "levels_db": list(self.presence.levels_db),
            "joins": self.joins,
            "doubtful_joins": self.doubtful,
            "notes": list(self.notes),
        }


def separate(
    recording: Given,
    rate: int | None = None,
    *,
    speakers: int | str | None = None,
    model: Model | None = None,
    noise: str = "drop",
    threads: int = 1,
) -> Separated:
    """The voices of a recording: same rate, same channels, same length to the sample.

    Args:
        recording: a path, the bytes of a file, a binary file object, or an array (N,) or (C, N).
        rate: sample rate in Hz; for an array, and only for an array.
        speakers: how many voices; `"auto"` drops outputs that are believed to be empty; None takes what the model
            gives, which is two voices where no model is named.
        model: a published name, an .onnx file, or an engine; by the number of speakers if None.
        noise: `drop` leaves out what belongs to no voice; `keep` shares it out, so that the voices add up to the
            recording.
        threads: threads within one step of the network.

    Raises:
        InputError: an argument that cannot be used; AudioError where it is the recording.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = separating_engine(model, speakers, threads=threads)
    check_noise(noise)
    with open_source(recording, rate) as source:
        separator = Separator(engine, source.rate_hz, source.channels, keep_noise=noise == "keep")
        meter = PresenceMeter(engine.card.interface.sources, source.rate_hz)
        parts = []
        for voices in voice_blocks(source, separator):
            meter.feed(voices.mean(axis=1))
            parts.append(voices)
        presence = meter.judge()
        voices = np.concatenate(parts, axis=2)
        notes = tuple(notes_of(source, separator, presence, speakers))
        if speakers == AUTO:
            voices = voices[list(presence.believed)]
        stored_like = (source.name, source.format, source.subtype)
        return Separated(voices, source.rate_hz, engine.card.name, presence, notes, stored_like)


def separate_into(
    source: Source,
    sinks: Sequence[Sink],
    engine: Engine,
    *,
    speakers: int | str | None = None,
    noise: str = "drop",
    progress: Progress | None = None,
    report: VoicesReport | None = None,
) -> SeparateWork:
    """What was done to separate an open recording into open sinks, one a voice.

    The sinks are committed at the end; with `auto` only those whose voice is believed in. One sink alone takes all
    voices as channels, one after the other. A report is fed with what comes and goes.
    """
    began_s = perf_counter()
    separator = Separator(engine, source.rate_hz, source.channels, keep_noise=noise == "keep")
    meter = PresenceMeter(engine.card.interface.sources, source.rate_hz)
    for voices in voice_blocks(source, separator, report):
        meter.feed(voices.mean(axis=1))
        if report is not None:
            report.after(voices)
        if len(sinks) == len(voices):
            for sink, voice in zip(sinks, voices, strict=True):
                sink.write(voice)
        else:
            sinks[0].write(voices.reshape(-1, voices.shape[-1]))
        if progress is not None:
            progress(source.read_samples)
    presence = meter.judge()
    notes = notes_of(source, separator, presence, speakers)
    for number, sink in enumerate(sinks):
        if speakers != AUTO or len(sinks) == 1 or number in presence.believed:
            sink.commit()
        if sink.clipped_samples:
            notes.append(
                f"speaker {number + 1}: {sink.clipped_samples} samples were beyond full scale and were clipped"
            )
    return SeparateWork(
        model=engine.card.name,
        sample_rate_hz=source.rate_hz,
        channels=source.channels,
        count_samples=source.read_samples,
        seconds=perf_counter() - began_s,
        presence=presence,
        joins=separator.joins,
        doubtful=separator.doubtful,
        notes=tuple(notes),
    )


def separating_engine(model: Model | None = None, speakers: int | str | None = None, *, threads: int = 1) -> Engine:
    """The engine of a model, which must separate as many voices as are asked for.

    Raises:
        InputError: no number of speakers, none published for it, or a model for another number or another task.
        UnknownModelError, CardError: the model cannot be had.
    """
    if speakers not in (None, AUTO) and (isinstance(speakers, str) or speakers < 1):
        raise InputError(f"speakers must be a whole number of 1 or more, or 'auto', not {speakers!r}")
    if model is None:
        published = [card for card in cards() if card.task == "separate"]
        wanted = 2 if speakers in (None, AUTO) else speakers
        fitting = [card for card in published if card.interface.sources == wanted]
        if not fitting:
            numbers = ", ".join(map(str, sorted({card.interface.sources for card in published}))) or "none"
            raise InputError(f"no published model separates {wanted} voices, but {numbers}; give another with --model")
        model = fitting[0].name
    engine = load_engine(model, threads=threads)
    if engine.card.task != "separate":
        raise InputError(f"{engine.card.name} is a model to {engine.card.task}, not to separate; see `voxfield models`")
    if speakers not in (None, AUTO, engine.card.interface.sources):
        raise InputError(
            f"{engine.card.name} separates {engine.card.interface.sources} voices, not {speakers}; "
            f"leave out --speakers, or choose another --model"
        )
    return engine


def check_noise(noise: str) -> None:
    """Return when `noise` is a choice there is.

    Raises:
        InputError: it is not.
    """
    if noise not in NOISE:
        raise InputError(f"noise must be {' or '.join(NOISE)}, not '{noise}'")


def voice_blocks(source: Source, separator: Separator, report: VoicesReport | None = None) -> Iterator[Array]:
    """Voices (S, C, M) of a recording, block by block; together as long as the recording."""
    for block in source.blocks():
        if report is not None:
            report.before(block)
        yield separator.feed(block)
    yield separator.flush()


def notes_of(source: Source, separator: Separator, presence: Presence, speakers: int | str | None) -> list[str]:
    """What the user should know about a recording that was separated."""
    notes = source.notes()
    found, sure = len(presence.believed), f"{100 * presence.confidence:.0f} % sure"
    outputs = len(presence.levels_db)
    if speakers == AUTO:
        notes.append(f"{found} of {outputs} outputs are believed to be voices ({sure})")
    elif found == 0:
        notes.append("the recording is silent, and so are the voices")
    elif found < outputs:
        notes.append(
            f"only {found} of {outputs} outputs seems to be a voice ({sure}); --speakers auto drops the others"
        )
    if separator.doubtful:
        notes.append(
            f"at {separator.doubtful} of {separator.joins} joins between chunks a long pause left the order of the "
            f"voices to their sound alone; a voice may have changed its file there"
        )
    return notes
