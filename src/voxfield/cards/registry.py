"""The single list of published models, and the way from a name or a path to a verified file."""

import difflib
import hashlib
import re
import tomllib
from functools import cache
from os import PathLike, fspath
from pathlib import Path

from voxfield.cards.card import Card, FileRecord
from voxfield.errors import CardError, IntegrityError, UnknownModelError

REGISTRY = Path(__file__).with_name("models.toml")
WEIGHTS = Path(__file__).with_name("weights")


def cards(registry: Path = REGISTRY) -> tuple[Card, ...]:
    """Every published card, in the order of the registry.

    Raises:
        CardError: the registry is unreadable, holds an invalid card, or the same name twice.
    """
    return _read(registry)


@cache
def _read(registry: Path) -> tuple[Card, ...]:
    try:
        tables = tomllib.loads(registry.read_text(encoding="utf-8")).get("model", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CardError(f"the registry {registry} cannot be read: {error}") from error
    found = tuple(Card.from_dict(table) for table in tables)
    names = [card.name for card in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise CardError(f"the registry {registry} holds {', '.join(sorted(twice))} more than once")
    if loose := [card.name for card in found if card.file is None]:
        raise CardError(f"the registry {registry} records no file for {', '.join(loose)}")
    return found


def find(name: str, registry: Path = REGISTRY) -> Card:
    """The card of a full name, or the newest tag of a short one: `crn-small` finds `crn-small.v2` before `.v1`.

    Raises:
        UnknownModelError: no card carries the name; the message offers the nearest ones.
    """
    published = cards(registry)
    matches = [card for card in published if name in (card.name, card.short_name)]
    if matches:
        return max(matches, key=lambda card: _natural(card.tag))
    names = sorted({card.name for card in published} | {card.short_name for card in published})
    near = difflib.get_close_matches(name, names, n=3)
    offer = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names) or 'none so far'}."
    raise UnknownModelError(f"no model is called '{name}'; {offer} A model of your own is a file that ends in .onnx")


def resolve(model: str | PathLike[str], registry: Path = REGISTRY, weights: Path = WEIGHTS) -> tuple[Card | None, Path]:
    """The card and verified file of a model name; for a path to an .onnx file, None and that path.

    A lone file carries its own card, which `voxfield.runtime` reads.

    Raises:
        UnknownModelError: neither a published name nor a path to an .onnx file, or to a folder with one, that exists.
        IntegrityError: the bundled file is missing or its sha256 is not the one on the card.
    """
    text = fspath(model)
    if isinstance(model, PathLike) or text.endswith(".onnx") or "/" in text or "\\" in text:
        path = _file_of(Path(text).expanduser())
        if not path.is_file():
            raise UnknownModelError(f"the model file {path} does not exist; `voxfield models` lists names that work")
        return None, path
    card = find(text, registry)
    assert card.file is not None  # `cards` saw to it
    path = weights / card.file.name
    verify(path, card.file)
    return card, path


def _file_of(path: Path) -> Path:
    """The one .onnx file of a folder, such as a conversion wrote; any other path as it is."""
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        what = (
            f"{len(found)} .onnx files; name one of them" if found else "no .onnx file; convert with --onnx to get one"
        )
        raise UnknownModelError(f"the folder {path} holds {what}")
    return found[0]


def verify(path: Path, record: FileRecord) -> None:
    """Return when the file has the recorded size and sha256.

    Raises:
        IntegrityError: it has not, or it is not there.
    """
    try:
        given = file_record(path)
    except OSError as error:
        raise IntegrityError(f"the weights {path} cannot be read ({error.strerror}); reinstall voxfield") from error
    if (given.sha256, given.bytes) != (record.sha256, record.bytes):
        raise IntegrityError(
            f"the weights {path} are not the published ones: sha256 {given.sha256[:12]}... in {given.bytes} bytes, "
            f"but the card says {record.sha256[:12]}... in {record.bytes}; reinstall voxfield"
        )


def file_record(path: Path) -> FileRecord:
    """Name, sha256 and size of a file, as its card records them."""
    content = path.read_bytes()
    return FileRecord(path.name, hashlib.sha256(content).hexdigest(), len(content))


def _natural(tag: str) -> list[tuple[bool, int | str]]:
    """Order in which v10 comes after v9."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", tag) if part]
