"""What a word on the command line means: layers, pasted code, a file that some reader takes, a card's name.

Nothing is guessed silently: what fits no reader is an error that lists what does, and a Python file is only run when
that was asked for.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..cards import METADATA_KEY, Card, cards, resolve
from ..errors import CardError, ExplainError, IntegrityError, UnknownModelError
from ..files import home_spelt
from ..values import is_number
from .axes import lasting
from .clock import Frames
from .graph import Graph, Shape, Size
from .question import topics
from .readers.paste import FORMS
from .readers.scan import calls_a_layer
from .readers.torch_file import load_module

CODE_SUFFIXES = {".py", ".txt", ".md"}
LARGEST_TEXT_BYTES = 2_000_000
ONE_FILE = re.compile(r"[^\n()]*\.(onnx|keras|json|h5|hdf5|py|txt|md|wav|pt|pth)(:\w*)?")  # whether it is there or not
ONE_SHAPE = "One input shape of whole numbers is needed here, such as (1, 1, 16000)."
SPOKEN = re.compile(r"\w\s?\(|[\u3000-\u9fff\uff00-\uffef]|\S\s+\S|^[\[({]")  # calls, other scripts, several words


@dataclass(frozen=True)
class Settled:
    """What is to be explained (a Graph, an ONNX file or its bytes, a torch module), and how to look at it."""

    what: Any
    input_shape: Any = None
    layout: str | None = None
    rate_hz: float | None = None
    frames: Frames | None = None
    title: str | None = None
    question: str = ""  # the words of a question in the text
    asked: tuple[str, ...] = ()  # what it asks for, as keys of the words' paragraphs


def settled(
    what: Any,
    *,
    input_shape: Any = None,
    layout: str | None = None,
    rate_hz: float | None = None,
    run_file: bool = False,
    files: bool = True,
) -> Settled:
    """What `what` stands for, with what its card says where nothing else was given.

    Args: those of `explain`; where the input has no length, one second is taken, aloud; and
        files: False for text of strangers, which then never names a file of this machine.

    Raises:
        ExplainError: nothing here can read it, the reader that can found a fault in it, or an option does not fit.
    """
    from .readers.text import looks_like_layers

    if rate_hz is not None and not (is_number(rate_hz) and 0 < rate_hz < 1e9):
        raise ExplainError(f"A rate of {rate_hz} Hz; it is a number above zero.")
    rate_hz = rate_hz if rate_hz is None else float(rate_hz)
    if input_shape is not None and (isinstance(input_shape, str) or not isinstance(input_shape, Iterable)):
        raise ExplainError(ONE_SHAPE)
    given = Settled(what, input_shape, layout, rate_hz)
    if not isinstance(what, str | Path):
        return given
    if isinstance(what, str):
        text = what.strip()
        if not text:
            raise ExplainError(f"Nothing was given to explain. {FORMS}")
        if looks_like_layers(text):
            return replace(given, what=_text(text, input_shape, rate_hz))
        spoken = ("\n" in text or SPOKEN.search(text)) and not _is_file(text) and not ONE_FILE.fullmatch(text)
        if spoken or not files:
            name = _model_in(text)
            return _pasted(what, given) if name is None else replace(with_card(given, *_card(name)), asked=topics(text))
    path = Path(what)
    if isinstance(what, str) and ".py:" in what:
        return replace(given, what=_module(what, run_file))
    if _is_file(str(path)):
        found = _file(path, input_shape, layout)
        if isinstance(found, str):
            layers = looks_like_layers(found)
            read = replace(given, what=_text(found, input_shape, rate_hz)) if layers else _pasted(found, given)
            return replace(read, title=path.name)
        return replace(given, what=found) if isinstance(found, Graph) else with_card(given, found, _card_inside(found))
    known = {".keras", ".onnx", ".json", ".py"}
    if isinstance(what, str) and len(path.parts) == 1 and path.suffix.lower() not in known:
        return with_card(given, *_card(what))
    if isinstance(what, Path) or len(str(path)) < 200:
        folder = home_spelt(path).is_dir()
        raise ExplainError(f"{path} is a folder. {FORMS}" if folder else f"There is no file {path}. {FORMS}")
    raise ExplainError(f"There is no file {str(path)[:200]} ... {FORMS}")


def _model_in(text: str) -> str | None:
    """The published model that a question is about; None in code and where none is named."""
    if calls_a_layer(text) or "=" in text:
        return None
    known = {name for card in cards() for name in (card.name, card.short_name)}
    words = re.findall(r"[a-z\d]+(?:[-_.][a-z\d]+)*", text.lower())
    return next((name for word in words if (name := word.replace("_", "-")) in known), None)


def _is_file(text: str) -> bool:
    try:
        return home_spelt(text).is_file()
    except (OSError, ValueError):  # too long or with a NUL: no path
        return False


def _text(text: str, given: Any, rate_hz: float | None) -> Graph:
    from .readers.text import read_text

    sizes = plain_sizes(given)
    graph = read_text(text, sizes)
    return graph if sizes or "@" not in text else timed(graph, rate_hz, lambda shape: read_text(text, shape))


def _pasted(text: str, given: Settled) -> Settled:
    """Code, a question, or both."""
    from .readers.paste import read_paste

    sizes = plain_sizes(given.input_shape)
    found = read_paste(text, sizes, given.layout)
    graph, rate = found.graph, given.rate_hz
    if sizes is None:
        graph = timed(graph, rate, lambda shape: read_paste(text, shape, given.layout).graph)
    rate = rate or found.rate_hz
    return replace(given, what=graph, rate_hz=rate, question=found.question, asked=found.asked)


def timed(graph: Graph, rate_hz: float | None, read: Callable[[Shape], Graph]) -> Graph:
    """The graph, read again for one second where the rate is given and the length along time is not, which is said."""
    shape = lasting(graph, 1, max(1, rate_hz)) if rate_hz else None
    if shape is None or rate_hz is None:
        return graph
    note = f"The length of the input was not given: one second, {max(1, round(rate_hz))} positions, was assumed."
    return replace(made := read(shape), notes=(*made.notes, note))


def _file(path: Path, given: Any, layout: str | None) -> Graph | Path | str:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return path
    if suffix in {".keras", ".json", ".h5", ".hdf5"}:
        from .graph import axes_of
        from .readers.keras import read_keras

        return read_keras(path, plain_sizes(given), axes_of(len(layout), layout) if layout else None)
    if suffix in CODE_SUFFIXES:
        if path.stat().st_size > LARGEST_TEXT_BYTES:
            raise ExplainError(f"{path}: {path.stat().st_size} bytes of text; at most {LARGEST_TEXT_BYTES}.")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ExplainError(f"{path}: it cannot be read as text ({error}).") from error
    raise ExplainError(f"{path}: files ending in '{suffix or 'nothing'}' cannot be read. {FORMS}")


def _module(what: str, run_file: bool) -> Any:
    """The torch module that FILE.py:NAME makes; runs the file.

    Raises:
        ExplainError: running was not allowed, or there is no such file or name.
    """
    file, _, name = what.rpartition(":")
    path = home_spelt(file)
    if not path.is_file():
        raise ExplainError(f"There is no file {path}.")
    if not run_file:
        raise ExplainError(
            f"Reading {what} means running {path}, with everything that is written in it. If you trust it, allow that "
            "with --run-file. Without running it, give the file alone: it is then read as text."
        )
    return load_module(path, name)


def with_card(given: Settled, path: Path, card: Card | None) -> Settled:
    """An ONNX file of ours, fed one second of audio, or one input of another kind, unless an input was given."""
    if card is None or given.input_shape is not None:
        return replace(given, what=path, title=None if card is None else card.name)
    face = card.interface
    layout, rate = given.layout or face.input.layout, face.sample_rate_hz
    shape = face.block_shape(face.hops_per_second)
    if face.window_samples:
        frames = Frames(rate, face.hop_samples, face.window_samples)
        return Settled(path, shape, layout, frames.rate_hz, frames, card.name)
    positions_hz = rate / face.step_samples if rate else None
    return Settled(path, shape, layout, given.rate_hz or positions_hz, None, card.name)


def _card_inside(path: Path) -> Card | None:
    """The card that an exported file carries; None for files of others."""
    from .readers.onnx import load

    text = next((entry.value for entry in load(path)[0].metadata_props if entry.key == METADATA_KEY), None)
    try:
        return None if text is None else Card.from_json(text)
    except CardError:
        return None


def _card(name: str) -> tuple[Path, Card | None]:
    """The file of a published model, and its card."""
    try:
        card, file = resolve(name)
        return file, card
    except UnknownModelError as error:
        known = sorted({card.short_name for card in cards()} | {card.name for card in cards()})
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise ExplainError(
            f"'{name[:120]}' is no model, file, layer or code that can be read. {hint}{FORMS}"
        ) from error
    except (CardError, IntegrityError) as error:
        raise ExplainError(f"{name}: {error}") from error


def plain_sizes(given: Any) -> tuple[Size, ...] | None:
    """One input shape as a tuple; the readers of text, code and Keras files take one.

    Raises:
        ExplainError: several shapes, or sizes that are not whole numbers.
    """
    if given is None:
        return None
    sizes = tuple(given) if not isinstance(given, dict) else (None, "names")
    if any(size is not None and (isinstance(size, bool) or not isinstance(size, int)) for size in sizes):
        raise ExplainError(ONE_SHAPE)
    return sizes
