"""A training recipe: one TOML file mapped onto frozen dataclasses, where an unknown key is an error.

The only override is `--set table.key=value` (the value is read as TOML, or taken as a string). The resolved recipe is
stored in every checkpoint, so a checkpoint says by itself what it is and how to go on.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from voxfield.errors import RecipeError
from voxfield.models import architecture


@dataclass(frozen=True)
class DataConfig:
    """Recordings to learn from: folders, `.jsonl` or `.csv` manifests."""

    speech: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    simulated_rooms: int = 0  # made-up rooms beside the measured ones; needs the extra [rooms]
    train_split: str = "train"  # of manifests that have a `split` column
    valid_split: str = "valid"
    min_dynamic_db: float = 32.0  # speech with less between its loud and quiet frames is not a clean target
    cache: str = "runs/cache"  # decoded audio, made once


@dataclass(frozen=True)
class TrainConfig:
    """How long, how fast, and how often to look."""

    steps: int = 8000
    batch: int = 8
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    decay_steps: int = 2000  # the rate falls to zero over the last so many steps
    weight_decay: float = 1e-2
    clip_norm: float = 3.0
    ema: float = 0.998  # of the weights that are validated and exported
    seed: int = 0
    threads: int = 0  # of torch; 0 leaves its own choice
    workers: int = 0  # processes that mix; 0 mixes in the loop, enough on a CPU
    bfloat16: bool = False  # multiply in 16 bits where that is safe: 1.6 times as fast on CPUs that can
    device: str = "auto"  # 'auto' takes a GPU when there is one
    checkpoint_minutes: float = 5.0
    validate_steps: int = 1000
    validate_items: int = 48
    epoch_steps: int = 1000  # of the (epoch, index) that seeds each mixture


@dataclass(frozen=True)
class CardConfig:
    """What the card of an exported model will say."""

    summary: str = ""
    licence: str = ""
    data: tuple[str, ...] = ()  # what it learned from, each with its licence


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run."""

    name: str
    task: str
    architecture: str
    model: Any  # the config dataclass of the architecture
    mix: Any  # of the task
    loss: Any  # of the task
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    card: CardConfig = CardConfig()

    def to_dict(self) -> dict[str, Any]:
        """Plain tables, for a checkpoint or a card."""
        return dataclasses.asdict(self)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a TOML file with `table.key=value` overrides applied.

    Raises:
        RecipeError: no such file, broken TOML, an unknown key (the nearest valid one is named) or a value of a wrong
        type.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    for override in overrides:
        _override(table, override)
    return from_dict(table)


def from_dict(table: Mapping[str, Any]) -> Recipe:
    """The recipe of plain tables, as `Recipe.to_dict` gives them."""
    from voxfield.train.tasks import TASKS

    for key in ("name", "task", "architecture"):
        if not isinstance(table.get(key), str):
            raise RecipeError(f"a recipe needs '{key} = \"...\"' at its top")
    if table["task"] not in TASKS:
        raise RecipeError(f"no task '{table['task']}'; there are: {', '.join(TASKS)}")
    task = TASKS[table["task"]]
    parts = {
        "model": architecture(table["architecture"])[0],
        "mix": task.mix_config,
        "loss": task.loss_config,
        "data": DataConfig,
        "train": TrainConfig,
        "card": CardConfig,
    }
    _refuse_unknown(table, ["name", "task", "architecture", *parts], "the recipe")
    configs = {name: build(config, table.get(name, {}), f"[{name}]") for name, config in parts.items()}
    return Recipe(table["name"], table["task"], table["architecture"], **configs)


def build(config: type, table: Mapping[str, Any], where: str) -> Any:
    """A frozen dataclass from a table: every key must be a field, every value of the field's type."""
    if not isinstance(table, Mapping):
        raise RecipeError(f"{where} must be a table")
    _refuse_unknown(table, [field.name for field in dataclasses.fields(config)], where)
    hints = get_type_hints(config)
    return config(**{key: _value(hints[key], value, f"{where} {key}") for key, value in table.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if isinstance(value, list | tuple):
        return tuple(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and not isinstance(value, kind):
        raise RecipeError(f"{where} = {value!r}: a {kind.__name__} is needed")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.4)
            hint = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(known)}"
            raise RecipeError(f"{where} has no key '{key}'{hint}")


def parse_override(override: str) -> tuple[str, Any]:
    """Key and value of `key=value`; the value is read as TOML, or taken as a string.

    >>> parse_override("train.steps=7"), parse_override("train.device=cpu")
    (('train.steps', 7), ('train.device', 'cpu'))

    Raises:
        RecipeError: no `=` in it.
    """
    key, sign, text = override.partition("=")
    if not sign:
        raise RecipeError(f"--set {override}: write it as key=value, such as train.steps=100")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return key.strip(), value


def _override(table: dict[str, Any], override: str) -> None:
    key, value = parse_override(override)
    *path, last = key.split(".")
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {override}: '{part}' is a value, not a table")
    table[last] = value
