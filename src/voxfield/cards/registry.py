"""The single list of published models, and the way from a name or a path to a verified file."""

import difflib
import re
import tomllib
from functools import lru_cache
from os import PathLike, fspath
from os.path import isdir
from pathlib import Path

from voxfield.cards.card import Card
from voxfield.cards.integrity import verify
from voxfield.errors import CardError, UnknownModelError
from voxfield.files import home_spelt

REGISTRY = Path(__file__).with_name("models.toml")
WEIGHTS = Path(__file__).with_name("weights")


def cards(registry: Path = REGISTRY) -> tuple[Card, ...]:
    """Every published card, in the order of the registry.

    Raises:
        CardError: the registry is unreadable, holds an invalid card, or the same name twice.
    """
    try:
        return _parsed(registry.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CardError(f"the registry {registry} cannot be read: {error}") from error
    except CardError as error:
        raise CardError(f"the registry {registry} does not hold: {error}") from error


@lru_cache(maxsize=4)
def _parsed(text: str) -> tuple[Card, ...]:
    found = tuple(Card.from_dict(table) for table in tomllib.loads(text).get("model", []))
    names = [card.name for card in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise CardError(f"it lists {', '.join(sorted(twice))} more than once")
    if loose := [card.name for card in found if card.file is None]:
        raise CardError(f"it records no file for {', '.join(loose)}")
    return found


def find(name: str, registry: Path = REGISTRY) -> Card:
    """The card of a full name, or the newest tag of a short one: `crn-small` finds `crn-small.v5` before `.v4`.

    Raises:
        UnknownModelError: no card carries the name; the message offers the nearest ones.
    """
    published = cards(registry)
    matches = [card for card in published if name in (card.name, card.short_name)]
    if matches:
        return max(matches, key=lambda card: _natural(card.tag))
    names = sorted({card.name for card in published} | {card.short_name for card in published})
    near = difflib.get_close_matches(name.lower(), names, n=3)
    offer = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names) or 'none so far'}."
    folder = f", or a folder with one: {name}/" if isdir(name) else ""  # noqa: PTH112  # a name of any length
    raise UnknownModelError(
        f"no model is called '{name}'; {offer} A model of your own is a file that ends in .onnx{folder}"
    )


def resolve(model: str | PathLike[str], registry: Path = REGISTRY, weights: Path = WEIGHTS) -> tuple[Card | None, Path]:
    """The card and verified file of a model name; for a path to an .onnx file, None and that path.

    A lone file carries its own card, which `voxfield.runtime` reads.

    Raises:
        UnknownModelError: neither a published name nor a path to an .onnx file that exists.
        IntegrityError, DownloadError, OutputError: see `read`.
    """
    if (path := lone_file(model)) is not None:
        return None, path
    card = find(fspath(model), registry)
    return card, read(card, weights)[0]


def lone_file(model: str | PathLike[str]) -> Path | None:
    """The path that this is, of a file that exists; None where it is a name.

    Raises:
        UnknownModelError: a path to a file that does not exist.
    """
    text = fspath(model)
    if not isinstance(model, PathLike) and not text.endswith(".onnx") and not {"/", "\\"} & set(text):
        return None
    try:
        path = _file_of(home_spelt(text))
        if path.is_file():
            return path
    except (OSError, ValueError):  # too long, or a zero byte
        path = Path(text)
    raise UnknownModelError(f"the model file {path} does not exist; `voxfield models` lists names that work")


def _file_of(path: Path) -> Path:
    """The one .onnx file of a folder, such as a conversion wrote; any other path as it is."""
    if path.suffix == ".safetensors" and path.is_file():
        raise UnknownModelError(
            f"{path} holds weights, not a network that runs; `voxfield export` makes an .onnx file of a run's "
            "checkpoint, `voxfield convert --onnx` of another program's"
        )
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        what = (
            f"{len(found)} .onnx files; name one of them"
            if found
            else "no .onnx file; `voxfield export` and `voxfield convert --onnx` write one"
        )
        raise UnknownModelError(f"the folder {path} holds {what}")
    return found[0]


def read(card: Card, weights: Path = WEIGHTS) -> tuple[Path, bytes]:
    """The file of a published card and its bytes, whose sha256 holds: of the package, of the cache, or downloaded.

    Raises:
        IntegrityError: its sha256 is not the one on the card, or a file of the package is missing.
        DownloadError, OutputError: see `voxfield.cards.download`.
    """
    assert card.file is not None  # `cards` saw to it
    path = weights / card.file.name
    if card.file.url and not path.exists():
        from voxfield.cards.download import fetch

        return fetch(card.file)
    return path, verify(path, card.file)


def place(card: Card, weights: Path = WEIGHTS) -> Path | None:
    """Where the file of a published card lies; None where it would have to be downloaded."""
    assert card.file is not None  # `cards` saw to it
    path = weights / card.file.name
    if card.file.url and not path.exists():
        from voxfield.cards.download import cache_folder

        path = cache_folder() / card.file.name
    return path if path.exists() else None


def _natural(tag: str) -> list[tuple[bool, int | str]]:
    """Order in which v10 comes after v9."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in re.split(r"(\d+)", tag) if part]
