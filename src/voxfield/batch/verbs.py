"""The one table of what a batch can do to a recording: a new verb is one entry.

A verb makes files, named after the recording, or a row of values, which goes to Parquet. Its work is the function that
the command of the same name calls for one recording.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.audio import OutputFormat, Source, file_sink
from voxfield.errors import InputError
from voxfield.protocols import Array, Engine
from voxfield.tasks.diarization.recording import SpeakerCount, diarize_source, diarizing_engine
from voxfield.tasks.enhancement.recording import DEFAULT_MODEL, EnhanceOptions, enhance_into
from voxfield.tasks.noises.kinds import TOKENIZER
from voxfield.tasks.representation.recording import represent_into, representing_engine
from voxfield.tasks.representation.representer import layer_named
from voxfield.tasks.separation.recording import AUTO, SeparateOptions, separate_into, separating_engine, voice_sinks
from voxfield.tasks.speakers.embedding import embed_source, embedding_engine
from voxfield.tasks.tokens.recording import sound_tokenizer, tokenize_source
from voxfield.tasks.work import Work, engine_for


@dataclass(frozen=True)
class Made:
    """What came of one recording.

    Attributes:
        files: that were written.
        values: the row, of a verb that makes rows: numbers, text, and arrays of one axis.
    """

    work: Work
    files: Sequence[Path] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        ending: of the first file's name, `{recording}_{ending}`; empty where rows are made.
        suffix: of the files, where they are no recordings.
        options: frozen dataclass of what may be chosen under [options].
        engine: (model or None, options) to the engine; raises where they do not go together.
        work: (recording, engine, options, where the first file shall be, its format) to what was made of it.
    """

    ending: str
    options: type
    engine: Callable[[str | None, Any], Engine]
    work: Callable[[Source, Engine, Any, Path, OutputFormat], Made]
    suffix: str = ""


@dataclass(frozen=True)
class DiarizeOptions:
    """What a user may choose of `diarize`."""

    speakers: int | str = AUTO
    min_speakers: int | None = None
    max_speakers: int | None = None

    def __post_init__(self) -> None:
        self.count()  # raises where they contradict one another

    def count(self) -> SpeakerCount:
        """How many speakers there may be."""
        return SpeakerCount.of(self.speakers, self.min_speakers, self.max_speakers)


@dataclass(frozen=True)
class RepresentOptions:
    """What a user may choose of `represent`."""

    layer: str | None = None


@dataclass(frozen=True)
class NoOptions:
    """Nothing to choose."""


def _enhance(source: Source, engine: Engine, options: EnhanceOptions, path: Path, wanted: OutputFormat) -> Made:
    channels = 1 if options.mono else source.channels
    with file_sink(path, source, channels=channels, overwrite=True, wanted=wanted) as sink:
        return Made(enhance_into(source, sink, engine, options), [path])


def _separate(source: Source, engine: Engine, options: SeparateOptions, path: Path, wanted: OutputFormat) -> Made:
    opened = partial(file_sink, like=source, channels=source.channels, overwrite=True, wanted=wanted)
    with voice_sinks(path, engine, options.speakers, opened) as (paths, sinks, alone):
        for one in paths:
            one.unlink(missing_ok=True)  # of an earlier try with another number of voices
        work = separate_into(source, sinks, engine, alone=alone, speakers=options.speakers, noise=options.noise)
    return Made(work, [one for one in paths if one.exists()])


def _embed(source: Source, engine: Engine, options: NoOptions, path: Path, wanted: OutputFormat) -> Made:
    made, work = embed_source(source, engine)
    values = {"embedding": made.vector, "duration_s": made.duration_s, "speech_s": made.speech.seconds}
    return Made(work, values=values | {"model": made.model})


def _diarize(source: Source, engine: Engine, options: DiarizeOptions, path: Path, wanted: OutputFormat) -> Made:
    made, work = diarize_source(source, engine, options.count())
    made.save(path, overwrite=True)
    return Made(work, [path])


def _represent(source: Source, engine: Engine, options: RepresentOptions, path: Path, wanted: OutputFormat) -> Made:
    frames: list[Array] = []
    work = represent_into(source, engine, frames.append, options.layer)
    features = np.concatenate(frames, axis=1)
    shape = {"channels": features.shape[0], "count_frames": features.shape[1]}
    values = {**shape, "features": features.T.ravel(), "layer": work.details["layer"], "model": work.model}
    return Made(work, values=values)


def _tokenize(source: Source, engine: Engine, options: NoOptions, path: Path, wanted: OutputFormat) -> Made:
    made, work = tokenize_source(source, engine)
    _, columns, steps = made.codes.shape
    about = {name: getattr(made, name) for name in ("model", "weights", "codebook", "level_db", "rate_hz")}
    lengths = {"count_samples": made.count_samples, "count_frames": made.frames, "columns": columns, "steps": steps}
    return Made(work, values={"codes": made.codes.ravel(), **lengths, **about})


def _representer(model: str | None, options: RepresentOptions) -> Engine:
    engine = representing_engine(model)
    layer_named(engine.card.interface, engine.card.name, options.layer)  # raises where there is none
    return engine


VERBS = {
    "enhance": Verb(
        "enhance", EnhanceOptions, lambda model, _: engine_for(model or DEFAULT_MODEL, "enhance"), _enhance
    ),
    "separate": Verb(
        "speaker1", SeparateOptions, lambda model, options: separating_engine(model, options.speakers), _separate
    ),
    "embed": Verb("", NoOptions, lambda model, _: embedding_engine(model), _embed),
    "diarize": Verb("diarize", DiarizeOptions, lambda model, _: diarizing_engine(model)[0], _diarize, ".rttm"),
    "represent": Verb("", RepresentOptions, _representer, _represent),
    "tokenize": Verb("", NoOptions, lambda model, _: sound_tokenizer(model or TOKENIZER), _tokenize),
}


def verb_named(name: str) -> Verb:
    """The verb of this name.

    Raises:
        InputError: there is none.
    """
    if name not in VERBS:
        raise InputError(f"a batch cannot '{name}'; it can {', '.join(VERBS)}")
    return VERBS[name]
