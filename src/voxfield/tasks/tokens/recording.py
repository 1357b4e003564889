"""A recording as tokens and back: log-mel bands in, codes out; then bands, magnitudes and phases again.

What is lost: everything above half the rate of the network, all but one channel, phases, and what the codes do not say.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxfield.audio import Given, Resampler, Source, open_source, read, resample, save
from voxfield.cards import find
from voxfield.errors import CardError, InputError
from voxfield.features.framing import FeatureStream
from voxfield.features.log_mel import LogMel
from voxfield.features.phases import griffin_lim
from voxfield.files import path_of
from voxfield.protocols import Array, Engine
from voxfield.tasks.noises.kinds import TOKENIZER
from voxfield.tasks.tokens.bands import WaitingBands
from voxfield.tasks.tokens.code_maps import Codes
from voxfield.tasks.tokens.token_file import CodeUse, Tokens, check_tokens_file, load_tokens, refuse_kind, write_tokens
from voxfield.tasks.work import Clock, Model, Progress, Work, blocks_of, engine_for, finite
from voxfield.values import is_whole

DECODER = "-decoder"  # what the name of a tokenizer's other half ends in
_PIECE_STEPS = 128  # of tokens that a network makes or reads at a time, without what it needs around them


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """A recording made of tokens.

    Attributes:
        samples: (1, N) float32, as many as the recording had.
        sample_rate_hz: the recording's.
        notes: what was lost.
    """

    samples: Array
    sample_rate_hz: int
    notes: tuple[str, ...]

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write it as a sound file; the path.

        Raises:
            OutputError: the file exists and may not be overwritten, or cannot be written.
        """
        path = path_of(path)
        save(path, self.samples, self.sample_rate_hz, overwrite=overwrite)
        return path


def tokenize(recording: Given, rate: int | None = None, *, model: Model = TOKENIZER, threads: int = 1) -> Tokens:
    """The tokens of a recording.

    Args:
        recording: a path, the bytes of a file, a binary file object, or an array (N,) or (C, N); channels are mixed.
        rate: sample rate in Hz; for an array, and only for an array.
        model: a network from features to tokens.
        threads: threads within one step of the network.

    Raises:
        InputError: an argument that cannot be used; AudioError where it is the recording.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = sound_tokenizer(model, threads=threads)
    with open_source(recording, rate) as source:
        return tokenize_source(source, engine)[0]


def sound_tokenizer(model: Model = TOKENIZER, *, threads: int = 1) -> Engine:
    """The engine of a model that turns log-mel features into tokens.

    Raises:
        InputError: it is for another task, or takes something else.
    """
    engine = engine_for(model, "tokenize", threads=threads)
    if engine.card.interface.input.kind != "features":
        raise InputError(
            f"{engine.card.name} makes tokens of an {engine.card.interface.input.kind}, not of a recording"
        )
    return engine


def tokenize_source(source: Source, engine: Engine, progress: Progress | None = None) -> tuple[Tokens, Work]:
    """The tokens of an open recording, and what was done."""
    made: list[Tokens] = []

    def take(about: Tokens, steps: int, pieces: Iterator[Codes]) -> CodeUse:
        codes = np.concatenate(list(pieces), axis=1)[None]
        made.append(replace(about, codes=codes.astype(np.int64)))
        return CodeUse.of(codes, about.codebook)

    work = _tokenized(source, engine, take, progress)
    return made[0], work


def tokenize_to(
    path: Path, source: Source, engine: Engine, progress: Progress | None = None, *, overwrite: bool = False
) -> Work:
    """Write the tokens of an open recording to a file, in constant memory; what was done.

    Raises:
        InputError, OutputError: as `save_tokens`, or the folder takes no more.
    """

    def take(about: Tokens, steps: int, pieces: Iterator[Codes]) -> CodeUse:
        return write_tokens(path, about, steps, pieces, overwrite=overwrite)

    check_tokens_file(path, overwrite=overwrite)
    return _tokenized(source, engine, take, progress, path)


def _tokenized(
    source: Source,
    engine: Engine,
    take: Callable[[Tokens, int, Iterator[Codes]], CodeUse],
    progress: Progress | None,
    beside: Path | None = None,
) -> Work:
    """Give `take` all but the codes of a recording, their steps, and the codes (C, T) piece by piece."""
    clock, face = Clock(), engine.card.interface
    kind = LogMel.of(face.sample_rate_hz, int(face.input.shape[0]), face.window_samples, face.hop_samples)
    resampler, stream = Resampler(source.rate_hz, face.sample_rate_hz), FeatureStream(kind)
    with WaitingBands(kind, beside) as waiting:
        for block in blocks_of(source, mono=True, progress=progress):
            waiting.add(stream.feed(resampler.feed(block)[0]))
        waiting.add(stream.feed(resampler.flush()[0]))
        waiting.add(stream.flush())
        if not waiting.count_frames:  # a recording that is gone at the network's rate
            nothing = np.zeros((kind.bands, 0), np.float32)
            waiting.add(np.full((kind.bands, 1), kind.level_db(nothing), np.float32))
        frames, level_db = waiting.count_frames, waiting.level_db()
        steps = -(-frames // face.multiple_of)
        pieces = _in_pieces(
            engine, lambda a, b: waiting.finished(a, b, level_db), steps * face.multiple_of, face.multiple_of
        )
        about = Tokens(
            np.zeros((1, int(face.output.shape[0]), 0), np.int64), "sound", engine.card.name, weights_of(engine),
            face.codes, level_db, source.rate_hz, source.read_samples, frames,
        )  # fmt: skip
        use = take(about, steps, pieces)
    bits_per_second = use.bits * source.rate_hz / max(source.read_samples, 1)
    details = {**about.facts(), **use.to_dict(), "bits_per_second": round(bits_per_second, 1)}
    return clock.work(engine, source, source.channels, list(source.notes()), details)


def detokenize(
    tokens: Tokens | str | PathLike[str],
    *,
    model: Model | None = None,
    phase: Given | None = None,
    phase_rate: int | None = None,
    iterations: int = 32,
    threads: int = 1,
) -> Rebuilt:
    """The recording that tokens stand for.

    Args:
        tokens: of a recording, or their file.
        model: the other half of the network that made them; the one of its name if None.
        phase: a recording whose phases are taken, such as the one that was tokenised; otherwise phases are found by
            Griffin and Lim's method.
        phase_rate: sample rate of it in Hz; for an array, and only for an array.
        iterations: rounds of that method; with `phase` none are made.
        threads: threads within one step of the network.

    Raises:
        InputError: tokens of another model, damaged, or of an image; an argument that cannot be used.
        UnknownModelError, CardError: the model cannot be had.
    """
    tokens = tokens if isinstance(tokens, Tokens) else load_tokens(path_of(tokens))
    refuse_kind(tokens.kind, "sound")
    check_iterations(iterations)
    engine = decoder_of(tokens, model, threads=threads)
    face, steps = engine.card.interface, tokens.codes.shape[2]
    bands = np.concatenate(list(_in_pieces(engine, lambda a, b: tokens.codes[0][:, a:b], steps, 1)), axis=1)
    a_step = bands.shape[1] // steps
    if steps != -(-tokens.frames // a_step) or min(tokens.rate_hz, tokens.count_samples) < 1:
        raise InputError(
            f"{tokens.frames} frames make {-(-tokens.frames // a_step)} steps of tokens, and there are {steps}: "
            "some were cut off or added"
        )
    kind = LogMel.of(face.sample_rate_hz, bands.shape[0], face.window_samples, face.hop_samples // a_step)
    bands = kind.restored(bands[:, : tokens.frames], tokens.level_db)
    count = round(tokens.count_samples * face.sample_rate_hz / tokens.rate_hz)
    given = None if phase is None else read(phase, phase_rate, rate_hz=face.sample_rate_hz, mono=True)[0]
    samples = griffin_lim(
        kind.magnitudes(bands),
        max(count, 1),
        window_samples=kind.window_samples,
        hop_samples=kind.hop_samples,
        iterations=0 if phase is not None else iterations,
        phases_of=given,
    )
    samples = resample(samples[None], face.sample_rate_hz, tokens.rate_hz)
    made = np.zeros((1, tokens.count_samples), np.float32)
    made[:, : samples.shape[1]] = samples[:, : tokens.count_samples]
    how = "are those of the given recording" if phase is not None else f"were found in {iterations} rounds"
    notes = [
        f"lost: channels but one, all above {face.sample_rate_hz / 2000:g} kHz, detail between bands; phases {how}"
    ]
    if given is not None and given.shape[-1] < count - face.hop_samples:
        ends_s, all_s = given.shape[-1] / face.sample_rate_hz, count / face.sample_rate_hz
        notes.append(f"the recording that gives the phases ends after {ends_s:.1f} of {all_s:.1f} s")
    if (peak := float(np.abs(made).max())) > 1:
        made /= np.float32(peak)
        notes.append(f"turned down by {20 * np.log10(peak):.1f} dB, as it would have clipped")
    return Rebuilt(made, tokens.rate_hz, tuple(notes))


def check_iterations(iterations: int) -> None:
    """Return when phases can be found in so many rounds.

    Raises:
        InputError: they cannot.
    """
    if not is_whole(iterations) or not 0 <= iterations <= 1000:
        raise InputError(f"iterations must be a whole number between 0 and 1000, not {iterations!r}")


def decoder_of(tokens: Tokens, model: Model | None = None, *, threads: int = 1) -> Engine:
    """The engine that reads these tokens.

    Raises:
        InputError: a model for another task, or other weights than those that made the tokens, or tokens of another
            shape.
    """
    if model is None:
        model = relative(tokens.model, DECODER)
    engine = engine_for(model, "detokenize", threads=threads)
    if weights_of(engine) != tokens.weights or engine.card.interface.codes != tokens.codebook:
        raise InputError(
            f"the tokens were made by {tokens.model} ({tokens.weights}), and {engine.card.name} ({weights_of(engine)}) "
            "is no half of it; name the right one with --model"
        )
    if tokens.codes.shape[1] != engine.card.interface.input.shape[0]:
        raise InputError(
            f"tokens of {tokens.codes.shape[1]} rows; {engine.card.name} reads {engine.card.interface.input.shape[0]}"
        )
    return engine


def relative(model: str, ending: str) -> str:
    """The published model whose name is that of another with something at its end, before the tag.

    Raises:
        UnknownModelError: there is none.
    """
    short, _, tag = model.rpartition(".")
    return find(f"{short}{ending}.{tag}").name


def weights_of(engine: Engine) -> str:
    """The hash that both halves of a network have on their cards.

    Raises:
        CardError: it is missing.
    """
    weights = engine.card.measured.get("weights")
    if not isinstance(weights, str) or not engine.card.interface.codes:
        raise CardError(f"the card of {engine.card.name} does not say whose codes they are; export the model again")
    return weights


def _in_pieces(
    engine: Engine, part: Callable[[int, int], npt.NDArray[Any]], count: int, multiple_of: int
) -> Iterator[npt.NDArray[Any]]:
    """(rows, count) through a network, piece by piece with all that it looks at on both sides: the same as at once.

    Args:
        part: gives the columns from one number to another.
    """
    face, field = engine.card.interface, engine.card.field_samples
    margin = count
    if isinstance(field, int):
        seen = (field - (face.window_samples or face.step_samples)) // face.step_samples + 1
        margin = -(-seen // multiple_of) * multiple_of
    for start in range(0, count, _PIECE_STEPS * multiple_of):
        stop = min(count, start + _PIECE_STEPS * multiple_of)
        first, last = max(0, start - margin), min(count, stop + margin)
        out = finite(engine, engine.step(np.ascontiguousarray(part(first, last)[None]), ())[0][0])
        per_step = Fraction(out.shape[1], last - first)
        yield out[:, int((start - first) * per_step) : int((stop - first) * per_step)]
