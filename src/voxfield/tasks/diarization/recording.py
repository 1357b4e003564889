"""Who speaks when in a recording: speech is detected, embedded window by window, and clustered by speaker.

One pass over the recording; what is kept is an embedding for each 0.5 s of speech.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from voxfield.audio import Given, Source, open_source
from voxfield.errors import InputError
from voxfield.files import path_of
from voxfield.metrics.diarization import Turn
from voxfield.protocols import Array, Engine
from voxfield.tasks.book.speaker_book import SpeakerBook
from voxfield.tasks.diarization.clustering import clustered
from voxfield.tasks.diarization.rttm import save_rttm, to_rttm
from voxfield.tasks.diarization.talk_at_once import TalkAtOnce
from voxfield.tasks.diarization.turns import speaker_turns
from voxfield.tasks.speakers.embedding import embedding_engine
from voxfield.tasks.speakers.speech_windows import SpeechWindows, Windows, of_speech
from voxfield.tasks.work import Clock, Model, Progress, Watcher, Work, blocks_of
from voxfield.values import is_whole

AUTO = "auto"
MOST_SPEAKERS = 10
_QUIET_DB = -50.0
_SILENT = 1e-4  # the loudest sample of what counts as silence, -80 dB relative to full scale


@dataclass(frozen=True)
class SpeakerCount:
    """How many speakers there may be; equal bounds say the number.

    Raises:
        InputError: no number of 1 or more, or bounds that contradict one another.
    """

    least: int = 1
    most: int = MOST_SPEAKERS

    def __post_init__(self) -> None:
        for bound in (self.least, self.most):
            if not is_whole(bound) or bound < 1:
                raise InputError(f"the number of speakers is a whole number of 1 or more, or 'auto', not {bound!r}")
        if self.least > self.most:
            raise InputError(f"there cannot be {self.least} speakers or more and {self.most} or fewer")

    @classmethod
    def of(cls, speakers: int | str | None, least: int | None = None, most: int | None = None) -> "SpeakerCount":
        """Of a number, or of `auto` (or None) with bounds."""
        if speakers in (None, AUTO):
            least = 1 if least is None else least
            return cls(least, max(MOST_SPEAKERS, least) if most is None else most)
        if least is not None or most is not None:
            raise InputError(f"with {speakers} speakers given there are no bounds for their number; leave one out")
        return cls(speakers, speakers)  # type: ignore[arg-type]  # which checks it


@dataclass(frozen=True, eq=False)
class Diarized:
    """Who speaks when.

    Attributes:
        turns: in order; where two speak at once, their turns overlap.
        vectors: of each speaker, by name, the mean direction (D,) of the embeddings of his or her speech.
        duration_s: of the recording.
        model: full name of the model; vectors of two models have nothing to do with one another.
        notes: what the user should know about the recording or the result.
        name: of the recording, for RTTM.
    """

    turns: tuple[Turn, ...]
    vectors: dict[str, Array]
    duration_s: float
    model: str
    notes: tuple[str, ...] = ()
    name: str = "recording"

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names, by their first turn."""
        return tuple(dict.fromkeys(turn.speaker for turn in self.turns))

    def speech_s(self, speaker: str) -> float:
        """Seconds in which a speaker speaks."""
        return sum(turn.end_s - turn.start_s for turn in self.turns if turn.speaker == speaker)

    def rttm(self) -> str:
        """The turns as lines of RTTM."""
        return to_rttm(self.turns, self.name)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the turns as RTTM; the path.

        Raises:
            OutputError: the file exists and may not be overwritten, or cannot be written.
        """
        path = path_of(path)
        save_rttm(path, self.turns, self.name, overwrite=overwrite)
        return path

    def to_dict(self) -> dict[str, object]:
        """Plain values for a line of JSON, without the vectors."""
        seconds = {name: self.speech_s(name) for name in self.speakers}
        whole_s = max(sum(seconds.values()), 1e-9)
        return {
            "duration_s": round(self.duration_s, 3),
            "speakers": [
                {"name": name, "speech_s": round(s, 2), "share": round(s / whole_s, 4)} for name, s in seconds.items()
            ],
            "turns": [
                {"start_s": round(turn.start_s, 3), "end_s": round(turn.end_s, 3), "speaker": turn.speaker}
                for turn in self.turns
            ],
        }


def diarize(
    recording: Given,
    rate: int | None = None,
    *,
    speakers: int | str = AUTO,
    min_speakers: int | None = None,
    max_speakers: int | None = None,
    book: SpeakerBook | str | PathLike[str] | None = None,
    threshold: float | None = None,
    model: Model | None = None,
    threads: int = 1,
) -> Diarized:
    """Who speaks when in a recording.

    Args:
        recording: a path, the bytes of a file, a binary file object, or an array (N,) or (C, N); channels are mixed.
        rate: sample rate in Hz; for an array, and only for an array.
        speakers: how many there are, or `auto`.
        min_speakers, max_speakers: bounds for `auto`; 1 and 10 if not given.
        book: enrolled speakers, or their file: who of them speaks is called by name.
        threshold: score from which on a name is given; the book's own if None.
        model: what turns speech into embeddings, as for `voxfield.embed`.
        threads: threads within the network.

    Raises:
        InputError: an argument that cannot be used, or no model; AudioError where it is the recording.
        UnknownModelError, CardError: the model cannot be had.
    """
    count = SpeakerCount.of(speakers, min_speakers, max_speakers)
    engine, book = diarizing_engine(model, book, threshold, threads=threads)
    with open_source(recording, rate) as source:
        return diarize_source(source, engine, count, book=book, threshold=threshold)[0]


def diarizing_engine(
    model: Model | None = None,
    book: SpeakerBook | str | PathLike[str] | None = None,
    threshold: float | None = None,
    *,
    threads: int = 1,
) -> tuple[Engine, SpeakerBook | None]:
    """The engine of a model, or of a book of speakers, and the book.

    Raises:
        InputError: no model, or a book that nobody can be found in, such as for want of a threshold.
        UnknownModelError, CardError: the model cannot be had.
    """
    if book is None:
        if threshold is not None:
            raise InputError("a threshold says when a name of the book is given; name the book as well")
        return embedding_engine(model, threads=threads), None
    opened = book if isinstance(book, SpeakerBook) else SpeakerBook(book, model=model, threads=threads)
    opened.check_threshold(threshold)
    return opened.engine, opened


def diarize_source(
    source: Source,
    engine: Engine,
    count: SpeakerCount = SpeakerCount(),
    *,
    book: SpeakerBook | None = None,
    threshold: float | None = None,
    progress: Progress | None = None,
    watcher: Watcher | None = None,
) -> tuple[Diarized, Work]:
    """Who speaks when in an open recording, and what was done.

    Args:
        book, threshold: as for `diarize`; the engine is the book's.
        watcher: is shown the recording (1, N), mixed to one channel, as it passes.
    """
    clock = Clock()
    at_once, loudest = TalkAtOnce() if count.most > 1 else None, 0.0
    gathering = SpeechWindows(engine, source.rate_hz, None if at_once is None else at_once.feed)
    for block in blocks_of(source, mono=True, progress=progress):
        loudest = max(loudest, float(np.abs(block).max(initial=0)))
        gathering.feed(block[0])
        if watcher is not None:
            watcher.before(block)
    windows = of_speech(gathering.finish(), engine)
    _, centres = clustered(windows.vectors, count.least, count.most)
    both = None if at_once is None else at_once.finish()
    turns = speaker_turns(windows, windows.vectors @ centres.T, both)
    duration_s = source.read_samples / source.rate_hz
    order = list(dict.fromkeys(one for *_, one in turns))
    vectors = {one: centres[one].astype(np.float32) for one in order}
    names = _names(vectors, book, threshold)
    notes = [*source.notes(), *_notes(windows, len(order), count, loudest)]
    done = Diarized(
        tuple(Turn(round(start, 3), round(min(end, duration_s), 3), names[one]) for start, end, one in turns),
        {names[one]: vectors[one] for one in order},
        duration_s,
        engine.card.name,
        tuple(notes),
        Path(source.name).stem or "recording",
    )
    return done, clock.work(engine, source, source.channels, notes, done.to_dict())


def _names(vectors: Mapping[int, Array], book: SpeakerBook | None, threshold: float | None) -> dict[int, str]:
    """What each speaker is called: by a name of the book, which the one of the highest score gets, or by number."""
    found: dict[str, tuple[float, int]] = {}
    for one, vector in vectors.items():
        if book is None:
            break
        known = book.identify_vector(vector, threshold=threshold)
        if known.name is not None and known.score is not None:
            found[known.name] = max(found.get(known.name, (-2.0, -1)), (known.score, one))
    names = {one: name for name, (_, one) in found.items()}
    free = (name for number in itertools.count(1) if (name := f"speaker{number}") not in found)
    return {one: names.get(one) or next(free) for one in vectors}


def _notes(windows: Windows, found: int, count: SpeakerCount, loudest: float) -> list[str]:
    if loudest < _SILENT:
        return ["the recording is silent"]
    if not len(windows.regions):
        level_db = 20 * np.log10(loudest)
        quiet = f": it is very quiet, {level_db:.0f} dB relative to full scale at its loudest"
        return [f"no speech was found{quiet if level_db < _QUIET_DB else ''}"]
    if found < count.least:
        seconds = 0.01 * float(np.diff(windows.regions).sum())
        return [f"{count.least} speakers were asked for, but in {seconds:.1f} s of speech {found} could be told apart"]
    return []
