"""A book of enrolled speakers that lasts, and who of them speaks in a recording."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.audio import Given, open_source
from voxfield.cards import cards
from voxfield.errors import InputError
from voxfield.files import home_spelt, path_of, written_whole
from voxfield.protocols import Array, Engine
from voxfield.tasks.book.book_file import Made, Rows, Sample, reading, writing
from voxfield.tasks.book.book_json import LONGEST_TEXT, from_json, read_export, to_json
from voxfield.tasks.book.enrolment import comparison_notes, examined
from voxfield.tasks.book.identification import Gallery, Identified
from voxfield.tasks.book.speaker_name import clean_name
from voxfield.tasks.book.threshold import Chosen, check_wanted, choose_threshold, scores_of_samples, scores_of_trials
from voxfield.tasks.speakers.calibration import Calibration
from voxfield.tasks.speakers.embedding import TASK, Embedded, cosine, embed_source, embedding_engine
from voxfield.tasks.speakers.speech_meter import Speech
from voxfield.tasks.speakers.trials import Trial
from voxfield.tasks.speakers.verification import as_threshold
from voxfield.tasks.work import Model
from voxfield.values import is_whole

SAME_SAMPLE = 0.99999  # cosine from which on two vectors are of one recording
MANY_STRANGERS = 0.05  # of whom so large a share may get a name, it is said how to do better
BOOK = "VOXFIELD_BOOK"  # environment variable


@dataclass(frozen=True)
class Enrolled:
    """What became of one recording.

    Attributes:
        new: false where the book held this recording of this speaker already.
        notes: what the user should know about it.
    """

    name: str
    new: bool
    recording: Embedded
    notes: tuple[str, ...]


class SpeakerBook:
    """Speakers by name, each with samples of the voice, in a file that several programs may use at once.

    Args:
        path: the file, begun when the first speaker is enrolled; None for `default_book()`.
        model: as for `voxfield.embed`; None for the published model that the book was made with, or the first one.
        threads: threads within the network.

    Every method raises InputError where the file is damaged, something else or of a newer version, and OutputError
    where it should be changed and cannot be.
    """

    def __init__(
        self, path: str | PathLike[str] | None = None, *, model: Model | None = None, threads: int = 1
    ) -> None:
        self.path = default_book() if path is None else path_of(path)
        self._model, self._threads = model, threads

    def __repr__(self) -> str:
        return f"<SpeakerBook {self.path}>"

    @cached_property
    def engine(self) -> Engine:
        """The network that makes the vectors.

        Raises:
            InputError, UnknownModelError, CardError: it cannot be had.
        """
        return embedding_engine(self._published() if self._model is None else self._model, threads=self._threads)

    def enroll(self, name: str, recording: Given, rate: int | None = None, *, source: str | None = None) -> Enrolled:
        """Add a recording to the samples of a speaker, who need not be in the book yet.

        Args:
            name: any text of one line, such as "Anna" or "王芳".
            recording, rate: as for `voxfield.embed`.
            source: what to call the recording in the book; None for the name of its file.

        Raises:
            InputError: no name, too little speech, or a book made with another model.
        """
        name = clean_name(name)  # before a file is opened
        if source is not None and not isinstance(source, str):
            raise InputError(f"what a recording is called is text, not {source!r}")
        with open_source(recording, rate) as opened:
            self.check_model()  # before the work is done
            found, notes = examined(opened, self.engine)
        speech = found.speech
        source = _printable(_file_name(recording) if source is None else source)[:LONGEST_TEXT]
        sample = Sample(0, name, found.vector, speech.seconds, speech.level_db, speech.range_db, source, _now())
        with writing(self.path) as rows:
            made, samples = self._made(rows), rows.samples()
            own = [cosine(found.vector, other.vector) for other in samples if other.name == name]
            if new := max(own, default=-1.0) < SAME_SAMPLE:
                rows.set_made(made)
                rows.add(sample)
                notes += comparison_notes(sample, samples, made.threshold, Calibration.of(self.engine.card))
            else:
                notes.append(f"{name} was enrolled with this recording before; it was not added again")
        return Enrolled(name, new, found, tuple(notes))

    def identify(self, recording: Given, rate: int | None = None, *, threshold: float | None = None) -> Identified:
        """Who of the book speaks in a recording.

        Args:
            recording, rate: as for `voxfield.embed`.
            threshold: score from which on a name is given; None for the book's own.

        Raises:
            InputError: nobody is enrolled, there is no threshold, or the book was made with another model.
        """
        with open_source(recording, rate) as source:
            gallery, least = self._gallery(threshold)
            made, _ = embed_source(source, self.engine)
        return replace(self._identified(gallery, made.vector, least, made.speech), recording=made)

    def identify_vector(
        self, vector: Array, *, threshold: float | None = None, speech: Speech | None = None
    ) -> Identified:
        """Who of the book a vector (D,) of `engine` belongs to; see `identify`.

        Args:
            speech: how much speech it was made of, where that is known.
        """
        size = int(self.engine.card.interface.output.shape[0])
        try:
            vector = np.asarray(vector, np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"a vector of {size} numbers is needed: {error}") from error
        if vector.shape != (size,):
            raise InputError(f"a vector of {size} numbers is needed, not an array of shape {vector.shape}")
        if not np.isfinite(vector).all():
            raise InputError(f"a vector of {size} numbers is needed, but one of these is NaN or infinite")
        gallery, least = self._gallery(threshold)
        return self._identified(gallery, vector, least, speech)

    def check_model(self) -> None:
        """Return when the book, if there is one, was made with `engine`.

        Raises:
            InputError: it was not; the message says what to do.
        """
        if self.path.exists():
            with reading(self.path) as rows:
                self._made(rows)

    def check_threshold(self, threshold: float | None = None) -> str:
        """What to know about the threshold that `identify` takes; empty where there is nothing to say.

        Raises:
            InputError: it cannot answer with this threshold, or with the book's own.
        """
        gallery, least = self._gallery(threshold)
        calibration, count = Calibration.of(self.engine.card), len(gallery.names)
        if least is not None or calibration is None or count * calibration.false_accepts < MANY_STRANGERS:
            return ""
        return (
            f"the threshold is that of the model, which {100 * calibration.false_accepts:g} % of strangers pass at "
            f"each comparison, and {count} speakers are compared: `voxfield threshold` chooses one for this book"
        )

    def samples(self, name: str | None = None) -> list[Sample]:
        """All samples, or those of a speaker, by name and in order of enrolment.

        Raises:
            InputError: there is no such speaker, or no book.
        """
        with reading(self.path) as rows:
            found = rows.samples()
        if name is not None:
            found = [sample for sample in found if sample.name == clean_name(name)]
            if not found:
                raise self._nobody(name)
        return found

    def names(self) -> list[str]:
        """Names of the enrolled speakers, sorted."""
        return sorted({sample.name for sample in self.samples()})

    def made(self) -> Made | None:
        """Model, threshold and how that was chosen; None where nobody was enrolled yet."""
        with reading(self.path) as rows:
            return rows.made()

    def rename(self, name: str, new_name: str) -> None:
        """Give a speaker another name.

        Raises:
            InputError: there is no such speaker, or the other name is taken.
        """
        name, new_name = clean_name(name), clean_name(new_name)
        with self._changing() as rows:
            if name != new_name and any(sample.name == new_name for sample in rows.samples()):
                raise InputError(f"{new_name} is in the book already; choose another name, or remove one of the two")
            if not rows.rename(name, new_name):
                raise self._nobody(name)

    def remove(self, name: str, number: int | None = None) -> int:
        """Remove a speaker, or one sample of theirs; how many samples went.

        Raises:
            InputError: there is no such speaker or sample.
        """
        name = clean_name(name)
        if number is not None and not is_whole(number):
            raise InputError(f"a sample is named by its number, which `voxfield speakers show` says, not by {number!r}")
        with self._changing() as rows:
            gone = rows.remove(name, None if number is None else int(number))
            if not gone:
                raise self._nobody(name) if number is None else InputError(f"{name} has no sample {number}")
        return gone

    def set_threshold(self, threshold: float | None, measured: Mapping[str, Any] | None = None) -> None:
        """Keep a threshold in the book, and how it was chosen; None forgets it.

        Raises:
            InputError: it is no cosine, or the book was made with another model.
        """
        kept = as_threshold(threshold)
        try:
            facts = json.loads(json.dumps(dict(measured or {}), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise InputError(
                f"how a threshold was chosen is said in plain values, as JSON knows them: {error}"
            ) from error
        with writing(self.path) as rows:
            rows.set_made(replace(self._made(rows), threshold=kept, measured=facts))

    def choose_threshold(self, trials: Sequence[Trial] | None = None, *, wanted: float = 0.01) -> Chosen:
        """Choose a threshold for a wished rate of false accepts, and keep it in the book.

        Args:
            trials: pairs of recordings like those to be identified; None for the samples of the book, see
                `scores_of_samples`.
            wanted: share of different speakers that may be taken for the same one.

        Raises:
            InputError: trials of one speaker or of two are missing, or no rate was given; AudioError where it is a
                recording.
        """
        check_wanted(wanted)  # both before the work is done
        self.check_model()
        scored = scores_of_samples(self.samples()) if trials is None else scores_of_trials(trials, self.engine)
        chosen = choose_threshold(*scored, wanted)
        self.set_threshold(chosen.threshold, chosen.to_dict() | {"from": "samples" if trials is None else "trials"})
        return chosen

    def export_json(self, path: str | PathLike[str], *, overwrite: bool = False) -> int:
        """Write the whole book as JSON; how many samples it holds.

        Raises:
            OutputError: the file exists and may not be replaced, or cannot be written.
        """
        text, count = self.exported()
        with written_whole(path_of(path), overwrite=overwrite) as partial:
            partial.write_text(text, encoding="utf-8")
        return count

    def exported(self) -> tuple[str, int]:
        """The whole book as JSON, and how many samples it holds.

        Raises:
            InputError: nobody is enrolled.
        """
        with reading(self.path) as rows:
            made, samples = rows.made(), rows.samples()
        if made is None:
            raise InputError(f"nobody is enrolled in {self.path}, so there is nothing to export")
        return to_json(made, samples), len(samples)

    def import_json(self, path: str | PathLike[str], *, merge: bool = False) -> int:
        """Add the speakers of an exported book, all or none; how many samples were new.

        Args:
            path: what `export_json` wrote.
            merge: a name that is in both books is one speaker, and gets the samples of both.

        Raises:
            InputError: the file is not of that kind, its model is another one, or a name is in both books.
        """
        path = path_of(path)
        return self.import_text(read_export(path), str(path), merge=merge)

    def import_text(self, text: str, title: str, *, merge: bool = False) -> int:
        """As `import_json`, for what `exported` gave; messages call it by the title."""
        made, samples = from_json(text, title)
        with writing(self.path) as rows:
            own, here = rows.made(), rows.samples()
            if own is None or not here:
                rows.set_made(made)
            elif own.fingerprint != made.fingerprint:
                raise InputError(
                    f"{title} was made with {made.model}, and {self.path} with {own.model}, so their vectors cannot be "
                    "compared; import it into a new book (--book FILE)"
                )
            both = sorted({sample.name for sample in here} & {sample.name for sample in samples})
            if both and not merge:
                raise InputError(
                    f"{self.path} has {', '.join(both[:5])}{' and others' if both[5:] else ''} already; --merge "
                    "(merge=True) adds their samples, or rename them first"
                )
            known = {(sample.name, sample.vector.tobytes()) for sample in here}
            new = [sample for sample in samples if (sample.name, sample.vector.tobytes()) not in known]
            for sample in new:
                rows.add(sample)
        return len(new)

    @contextmanager
    def _changing(self) -> Iterator[Rows]:
        """The book to change, where there is one."""
        with reading(self.path):
            pass
        with writing(self.path) as rows:
            yield rows

    def _made(self, rows: Rows) -> Made:
        """What the book says of its model, when that is `engine`; what it shall say where it holds no sample."""
        made, card = rows.made(), self.engine.card
        mark = fingerprint(self.engine)
        if made is not None and made.fingerprint == mark:
            return made
        if made is None or not rows.samples():
            return Made(card.name, mark, int(card.interface.output.shape[0]))
        other = f"other weights of {card.name}" if made.model == card.name else f"{made.model} and not with {card.name}"
        raise InputError(
            f"the speaker book {self.path} was made with {other}, so their vectors cannot be compared: name the "
            "model that it was made with (--model, model=...), or enrol the speakers again in a new book (--book FILE)"
        )

    def _published(self) -> str | None:
        """Name of the published model that the book was made with; None where it is not published."""
        made = self.made() if self.path.exists() else None
        return next((card.name for card in cards() if card.task == TASK and made and card.name == made.model), None)

    def _gallery(self, threshold: float | None) -> tuple[Gallery, float | None]:
        """(Who is enrolled, the threshold that was given or the book's own; None where the model's card has one)."""
        threshold = as_threshold(threshold)
        with reading(self.path) as rows:
            made, found = self._made(rows), rows.samples()
        if not found:
            raise InputError(f"nobody is enrolled in {self.path}; `voxfield enroll NAME FILES...` does it")
        least = made.threshold if threshold is None else threshold
        if least is None and Calibration.of(self.engine.card) is None:
            raise InputError(
                "which score is enough depends on the model and the recordings, and neither this book nor the model "
                "says: `voxfield threshold` chooses a threshold, or give --threshold X (threshold=X)"
            )
        return Gallery(found), least

    def _identified(self, gallery: Gallery, vector: Array, least: float | None, speech: Speech | None) -> Identified:
        calibration = Calibration.of(self.engine.card)
        return gallery.identify(vector, threshold=least, calibration=calibration, speech=speech)

    def _nobody(self, name: str) -> InputError:
        return InputError(f"nobody called {name} is in {self.path}; `voxfield speakers list` says who is")


def default_book() -> Path:
    """The file that `VOXFIELD_BOOK` names, or speakers.book where the system keeps data of its users."""
    if chosen := os.environ.get(BOOK):
        return home_spelt(chosen)
    from platformdirs import user_data_path

    return user_data_path("voxfield", appauthor=False) / "speakers.book"


def fingerprint(engine: Engine) -> str:
    """Hash of a network's graph and weights and of the features that it takes; of its name where it has no file."""
    face = engine.card.interface
    weights = getattr(engine, "graph_sha256", engine.card.name)
    return hashlib.sha256(f"{weights} {face.features} {face.input.shape} {face.sample_rate_hz}".encode()).hexdigest()


def _file_name(recording: Given) -> str:
    return Path(os.fspath(recording)).name if isinstance(recording, str | PathLike) else ""


def _printable(text: str) -> str:
    """The text with escapes for what cannot be printed, such as a name that is no UTF-8."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
