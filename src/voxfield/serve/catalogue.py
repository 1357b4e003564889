"""Which models a client may name: the published ones, and files that whoever runs the service has chosen."""

from collections.abc import Sequence
from difflib import get_close_matches

from voxfield.cards import Card, cards, find
from voxfield.errors import InputError, UnknownModelError
from voxfield.protocols import Engine
from voxfield.runtime import load_engine
from voxfield.tasks.book.speaker_book import SpeakerBook
from voxfield.tasks.work import engine_for


class Catalogue:
    """Names to engines. A name from a client is never taken for a path.

    Args:
        default: what enhances where no model is named: a published name or a file.
        files: .onnx files to offer besides, under the names on their cards.
        book: a file of enrolled speakers; empty for none.
    """

    def __init__(self, default: str, files: Sequence[str] = (), book: str = "") -> None:
        self._book = book
        self._default = engine_for(default, "enhance")
        self._own: dict[str, Engine] = {}
        for engine in (self._default, *(load_engine(file) for file in files)):
            for name in (engine.card.name, engine.card.short_name):
                self._own.setdefault(name, engine)

    def cards(self) -> list[Card]:
        """All that can be named."""
        own = {engine.card.name: engine.card for engine in self._own.values()}
        return [*own.values(), *(card for card in cards() if card.name not in own)]

    def engine(self, name: str) -> Engine:
        """The engine of a name.

        Raises:
            UnknownModelError: nothing is called that; DownloadError where its file cannot be fetched.
        """
        if name in self._own:
            return self._own[name]
        try:
            card = find(name)
        except UnknownModelError:
            near = get_close_matches(name, [card.short_name for card in self.cards()], n=1)
            offer = f"did you mean {near[0]}?" if near else "/v1/models lists those that are there"
            raise UnknownModelError(f"no model is called '{name}' here; {offer}") from None
        return load_engine(card.name)

    def engine_for(self, task: str, name: str | None) -> Engine | None:
        """The engine of a name, or one of the service's own for the task; None leaves the choice to the task."""
        if name is not None:
            return self.engine(name)
        return next((engine for engine in self._own.values() if engine.card.task == task), None)

    def engine_or_default(self, task: str, name: str | None) -> Engine:
        """The engine of a name, or what does the task where none is named."""
        return self.engine_for(task, name) or self._default

    def book(self, model: str | None) -> SpeakerBook:
        """The enrolled speakers.

        Raises:
            InputError: the service was started without them.
        """
        if not self._book:
            raise InputError(
                "this service knows no speakers: start it with --book FILE, a file that `voxfield enroll` made"
            )
        return SpeakerBook(self._book, model=self.engine_for("embed", model))
