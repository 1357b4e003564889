"""A speaker book as JSON, to keep, to look at and to carry to another machine. What is read is data and is checked."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from voxfield.errors import InputError
from voxfield.tasks.book.book_file import Made, Sample
from voxfield.tasks.book.speaker_name import clean_name
from voxfield.tasks.speakers.verification import as_threshold

FORMAT, VERSION = "voxfield speaker book", 1
MOST_BYTES = 1 << 28  # a hundred thousand samples
_NUMBERS = ("speech_s", "level_db", "range_db")
LONGEST_TEXT = 1000


def to_json(made: Made, samples: Sequence[Sample]) -> str:
    """The text of a book, a line a sample."""
    head = {
        "format": FORMAT, "version": VERSION, "model": made.model, "fingerprint": made.fingerprint,
        "dimension": made.dimension, "threshold": made.threshold, "measured": dict(made.measured),
    }  # fmt: skip
    lines = [
        json.dumps(
            {key: getattr(sample, key) for key in ("name", "source", "added", *_NUMBERS)}
            | {"vector": [float(f"{value:.9g}") for value in sample.vector.tolist()]},  # 9 digits give a float32 back
            ensure_ascii=False,
        )
        for sample in samples
    ]
    return json.dumps(head, ensure_ascii=False)[:-1] + ', "samples": [\n' + ",\n".join(lines) + "\n]}\n"


def read_export(path: Path) -> str:
    """The text of a file that should be an exported book.

    Raises:
        InputError: it cannot be read, or is no text.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is larger than {MOST_BYTES >> 20} MiB, which no exported book is")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not the JSON of `voxfield speakers export`: {error}") from error


def from_json(text: str, path: str) -> tuple[Made, list[Sample]]:
    """What `to_json` wrote.

    Args:
        text: the JSON.
        path: how messages call it.

    Raises:
        InputError: it is not of this kind; the message says where.
    """
    try:
        values = json.loads(text, parse_constant=_refuse, parse_int=_whole)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not the JSON of `voxfield speakers export`: {error}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise InputError(f'{path} is not of `voxfield speakers export`: it lacks "format": "{FORMAT}"')
    if values.get("version") != VERSION:
        raise InputError(
            f"{path} is of version {values.get('version')!r}, and this voxfield reads version {VERSION}: "
            "pip install --upgrade voxfield"
        )
    try:
        made = _made(values)
        listed: Any = values.get("samples")
        _need(isinstance(listed, list), "samples", "a list")
        return made, [_sample(entry, made.dimension, f"sample {at}") for at, entry in enumerate(listed, 1)]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _made(values: Mapping[str, Any]) -> Made:
    for key in ("model", "fingerprint"):
        _need(_is_text(values.get(key)), key, "text")
    dimension, threshold, measured = (values.get(key) for key in ("dimension", "threshold", "measured"))
    _need(isinstance(dimension, int) and 0 < dimension <= 1 << 16, "dimension", "a whole number above 0")
    as_threshold(threshold)
    _need(isinstance(measured, dict), "measured", "a table")
    return Made(values["model"], values["fingerprint"], dimension, threshold, measured)  # type: ignore[arg-type]


def _sample(entry: Any, dimension: int, where: str) -> Sample:
    _need(isinstance(entry, dict), where, "a table")
    for key in ("source", "added"):
        _need(_is_text(entry.get(key)), f"{key} of {where}", "text")
    for key in _NUMBERS:
        _need(_is_number(entry.get(key)), f"{key} of {where}", "a number")
    vector = entry.get("vector")
    good = isinstance(vector, list) and len(vector) == dimension and all(_is_number(value) for value in vector)
    _need(good and any(vector), f"vector of {where}", f"{dimension} numbers, not all 0")
    return Sample(
        number=0,
        name=clean_name(entry.get("name")),
        vector=np.array(vector, np.float32),
        speech_s=float(entry["speech_s"]),
        level_db=float(entry["level_db"]),
        range_db=float(entry["range_db"]),
        source=entry["source"],
        added=entry["added"],
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30 and math.isfinite(value)


def _need(holds: bool, what: str, wanted: str) -> None:
    if not holds:
        raise InputError(f"{what} must be {wanted}")


def _refuse(word: str) -> NoReturn:
    raise InputError(f"it holds {word}, which is no number")


def _whole(digits: str) -> int:
    if len(digits) > 18:
        raise InputError(f"it holds a number of {len(digits)} digits")
    return int(digits)
