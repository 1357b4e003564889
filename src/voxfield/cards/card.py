"""The card: everything about a model that its weights alone do not say.

One card describes one ONNX file. It is written into that file's metadata (key `voxfield.card`), so that a lone file
runs by itself, and into the registry `models.toml`, where it also records the file's sha256.
"""

import difflib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, NamedTuple

from voxfield.cards.interface import Interface, spectrum, whole
from voxfield.errors import CardError

METADATA_KEY = "voxfield.card"
UNBOUNDED_PAST = "unbounded past"
WHOLE_INPUT = "whole input"

_NAME = re.compile(r"(?P<short>[a-z0-9]+(?:-[a-z0-9]+)*)\.(?P<tag>[a-z0-9]+)")
_STATE_NAME = re.compile(r"[A-Za-z0-9_.]+")
MOST_LEVELS = 32
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # a terminal obeys these


class StateShape(NamedTuple):
    """One streaming state: ONNX input `state.NAME`, output `next.NAME`; float32, and zeros at the start."""

    name: str
    shape: tuple[int, ...]


class FileRecord(NamedTuple):
    """The file a registered card belongs to: name, sha256 in hex, size in bytes; and its URL if it is downloaded."""

    name: str
    sha256: str
    bytes: int
    url: str = ""  # empty where the file lies in `cards/weights`


@dataclass(frozen=True)
class Card:
    """What a model is, what it takes and gives, what it costs and where it comes from.

    Raises:
        CardError: a field has the wrong type or contradicts another; the message names the field.
    """

    name: str  # architecture-variant.tag, such as crn-small.v1
    task: str  # enhance, separate, ...
    architecture: str  # file in models/, such as crn
    summary: str  # one line for people
    config: Mapping[str, Any]  # the network's own configuration; values that are None are left out
    interface: Interface  # input and output, hop, latency
    parameters: int
    macs: int  # multiply-accumulates per second of audio, or per input where that is no recording
    licence: str
    data: tuple[str, ...]  # training data, each with its licence
    states: tuple[StateShape, ...] = ()
    field_samples: int | str = UNBOUNDED_PAST  # receptive field: samples, "unbounded past" or "whole input"
    measured: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)  # of scores; see `voxfield.tasks.speakers.calibration`
    file: FileRecord | None = None  # only in the registry

    def __post_init__(self) -> None:
        set_ = object.__setattr__  # the only way to tidy a frozen dataclass
        set_(self, "config", _plain(self.config, "config"))
        set_(self, "measured", _plain(self.measured, "measured"))
        set_(self, "calibration", _plain(self.calibration, "calibration"))
        set_(self, "data", tuple(self.data))
        set_(self, "states", tuple(StateShape(name, tuple(shape)) for name, shape in self.states))
        _check(self)

    @property
    def short_name(self) -> str:
        """Name without the tag: `crn-small` of `crn-small.v1`."""
        return self.name.rpartition(".")[0]

    @property
    def tag(self) -> str:
        """What follows the dot of the name: `v1` of `crn-small.v1`."""
        return self.name.rpartition(".")[2]

    @property
    def state_floats(self) -> int:
        """Numbers in the streaming state."""
        return sum(math.prod(state.shape) for state in self.states)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and TOML; `calibration` and `file` are left out where there is none."""
        values: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        values["interface"] = self.interface.to_dict()
        values["data"] = list(self.data)
        values["states"] = [{"name": state.name, "shape": list(state.shape)} for state in self.states]
        if not self.calibration:
            del values["calibration"]
        file = values.pop("file")
        return values if file is None else values | {"file": {k: v for k, v in file._asdict().items() if v != ""}}

    def to_json(self) -> str:
        """The card as one line of JSON: what the ONNX metadata holds."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_toml(self) -> str:
        """The card as one `[[model]]` table of the registry.

        >>> print(example_card().to_toml().splitlines()[1])
        name = "crn-doc.v1"
        """
        return "[[model]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in self.to_dict().items())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Card":
        """The card with these plain values.

        Raises:
            CardError: a key is unknown or missing, or a value does not hold.
        """
        known = {item.name for item in fields(cls)}
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                raise CardError(
                    f"unknown key '{key}' on a card" + (f"; the nearest known is '{near[0]}'" if near else "")
                )
        needed = [item.name for item in fields(cls) if item.default is MISSING and item.default_factory is MISSING]
        if absent := [key for key in needed if key not in values]:
            raise CardError(f"a card lacks {', '.join(repr(key) for key in absent)}")
        for key in ("config", "measured", "calibration"):
            if not isinstance(values.get(key, {}), Mapping):
                raise CardError(f"'{key}' on a card must be a table, not {values[key]!r}")
        arguments = dict(values) | {"interface": Interface.from_dict(values["interface"])}
        if "states" in values:
            arguments["states"] = _records(values["states"], "states", StateShape)
        for value in [values["data"], *(state.shape for state in arguments.get("states", ()))]:
            if not isinstance(value, list | tuple):
                raise CardError(f"'data' and the shapes of 'states' on a card must be lists, not {value!r}")
        if values.get("file") is not None:
            (arguments["file"],) = _records([values["file"]], "file", FileRecord)
        return cls(**arguments)

    @classmethod
    def from_json(cls, text: str) -> "Card":
        """The card written by `to_json`.

        Raises:
            CardError: the text is not JSON, or not a card.
        """
        try:
            values = json.loads(text, parse_int=_int64)
        except json.JSONDecodeError as error:
            raise CardError(f"a card must be JSON: {error}") from error
        except RecursionError as error:
            raise CardError("a card must be JSON, and not be nested as deeply as this text") from error
        if not isinstance(values, dict):
            raise CardError(f"a card must be a JSON object, not {type(values).__name__}")
        _check_foreign(values, MOST_LEVELS)
        return cls.from_dict(values)


def example_card(**changes: Any) -> Card:
    """A small valid card to start from in documentation and tests."""
    values: dict[str, Any] = {
        "name": "crn-doc.v1",
        "task": "enhance",
        "architecture": "crn",
        "summary": "shows what a card holds",
        "config": {},
        "interface": spectrum(16000, window_samples=512, hop_samples=256),
        "parameters": 0,
        "macs": 0,
        "licence": "Apache-2.0",
        "data": (),
    }
    return Card(**(values | changes))


def _check(card: Card) -> None:
    """Raise a CardError for the first field that does not hold."""

    def need(holds: bool, key: str, what: str) -> None:
        if not holds:
            raise CardError(f"card '{card.name}': {key} must be {what}, not {getattr(card, key)!r}")

    need(isinstance(card.name, str) and _NAME.fullmatch(card.name) is not None, "name", "architecture-variant.tag")
    need(isinstance(card.interface, Interface), "interface", "an Interface")
    for key in ("task", "architecture", "summary", "licence"):
        need(isinstance(getattr(card, key), str), key, "text")
    for key in ("parameters", "macs"):
        need(whole(getattr(card, key)) and getattr(card, key) >= 0, key, "a whole number, 0 or more")
    need(all(isinstance(line, str) for line in card.data), "data", "a list of texts")
    field_known = card.field_samples in (UNBOUNDED_PAST, WHOLE_INPUT)
    field_counted = whole(card.field_samples) and int(card.field_samples) > 0
    need(
        field_known or field_counted, "field_samples", f"a whole number above 0, '{UNBOUNDED_PAST}' or '{WHOLE_INPUT}'"
    )
    steps = card.interface.streaming or card.interface.output.kind == "logits"  # also a map of an image, row by row
    need(steps or not card.states, "states", "empty: the network does not stream")
    for state in card.states:
        named = isinstance(state.name, str) and _STATE_NAME.fullmatch(state.name) is not None
        shaped = all(whole(size) and size > 0 for size in state.shape)
        need(named and shaped, "states", "names of letters, digits, _ and . with shapes of whole numbers above 0")
    names = [state.name for state in card.states]
    need(len(set(names)) == len(names), "states", "named differently from one another")
    if card.file is not None:
        hexadecimal = isinstance(card.file.sha256, str) and re.fullmatch(r"[0-9a-f]{64}", card.file.sha256) is not None
        plain = isinstance(card.file.name, str) and re.fullmatch(r"[\w.-]+\.onnx", card.file.name) is not None
        need(hexadecimal and plain and whole(card.file.bytes), "file", "a plain .onnx file name, its sha256 and bytes")
        web = isinstance(card.file.url, str) and re.fullmatch(r"(https?://[!-~]+)?", card.file.url) is not None
        need(web, "file", "with a url that begins with https:// or http://, or without one")


def _int64(digits: str) -> int:
    if len(digits) > 18:
        raise CardError(f"a card holds a number of {len(digits)} digits; at most 18 are read")
    return int(digits)


def _check_foreign(value: Any, levels: int) -> None:
    """Raise a CardError where a card of unknown origin is nested too deeply or holds what could steer a terminal."""
    if levels == 0:
        raise CardError(f"a card must not be nested more than {MOST_LEVELS} levels deep")
    if isinstance(value, str) and (found := STEERING.search(value)):
        raise CardError(f"a card must not hold the control character {found[0]!r}")
    for item in [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_foreign(item, levels - 1)


def _records(items: Any, key: str, kind: type[Any]) -> list[Any]:
    """Tables of a JSON or TOML list as named tuples."""
    if not isinstance(items, list | tuple):
        raise CardError(f"'{key}' on a card must be a list, not {items!r}")
    made = []
    for item in items:
        if not isinstance(item, Mapping) or set(item) | set(kind._field_defaults) != set(kind._fields):
            raise CardError(f"'{key}' on a card must hold {', '.join(kind._fields)}, not {item!r}")
        made.append(kind(**item))
    return made


def _plain(value: Any, where: str) -> Any:
    """The value as JSON and TOML would give it back: lists for tuples, no None in tables."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise CardError(f"{where} on a card must be a finite number, not {value}")
    if isinstance(value, str | int | float):
        return value
    raise CardError(f"{where} on a card must be text, a number, true or false, a list or a table, not {value!r}")


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)  # numbers and booleans read the same in both
