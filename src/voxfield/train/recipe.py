"""A training recipe: one TOML file mapped onto frozen dataclasses, where an unknown key is an error.

The only override is `--set table.key=value` (the value is read as TOML, or taken as a string). The resolved recipe is
stored in every checkpoint, so a checkpoint says by itself what it is and how to go on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_type_hints

from voxfield.errors import RecipeError
from voxfield.models import architecture
from voxfield.train.tasks.named import task_class
from voxfield.values import build, override, parse_override, read_tables, refuse_unknown


@dataclass(frozen=True)
class DataConfig:
    """Training data: folders, those of Kaldi too, `.jsonl` or `.csv` manifests."""

    speech: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    speaker_level: int = 0  # of the folder that names the speaker, 1 right below a source; 0 for that of the recording
    simulated_rooms: int = 0  # made-up rooms beside the measured ones; needs the extra [rooms]
    train_split: str = "train"  # of manifests that have a `split` column; of other sources, all but every tenth
    valid_split: str = "valid"
    min_dynamic_db: float = 32.0  # speech of manifests with `dynamic_db` below is not a clean target
    cache: str = "runs/cache"  # decoded audio, made once


SOURCES = ("speech", "noise", "rooms", "images")  # the keys of [data] that name recordings or images
LEAST = {  # of numbers in [train]
    **dict.fromkeys(("batch", "epoch_steps", "validate_steps", "validate_items"), 1),
    **dict.fromkeys(("steps", "learning_rate", "warmup_steps", "decay_steps", "weight_decay", "clip_norm"), 0),
    **dict.fromkeys(("ema", "ema_late", "seed", "threads", "workers", "final_items", "checkpoint_minutes"), 0),
}


@dataclass(frozen=True)
class TrainConfig:
    """How long, how fast, and how often to look."""

    steps: int = 8000
    batch: int = 8  # mixtures a step, shared among the processes
    optimiser: Literal["adamw", "muon"] = "adamw"  # 'muon' for the matrices of layers, AdamW for the rest
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    decay_steps: int = 2000  # the rate falls to zero over the last so many steps
    weight_decay: float = 1e-2
    clip_norm: float = 3.0
    ema: float = 0.998  # of the weights that are validated and exported
    ema_late: float = 0.0  # the same over the last `decay_steps`, for a longer average; 0 keeps `ema`
    seed: int = 0
    threads: int = 0  # of torch; 0 leaves its own choice
    workers: int = 0  # processes that mix; 0 mixes in the loop, enough on a CPU
    bfloat16: bool | Literal["auto"] = "auto"  # multiply in 16 bits; 'auto' where the processor does so natively
    device: str = "auto"  # 'auto' takes a GPU when there is one
    checkpoint_minutes: float = 5.0
    validate_steps: int = 1000
    validate_items: int = 16  # mixtures of a validation on the way; the best weights are chosen by these
    validate_share: float = 0.01  # of the time at most; a validation that would cost more waits for a later multiple
    final_items: int = 96  # mixtures of the validation after the last step
    epoch_steps: int = 1000  # of the (epoch, index) that seeds each mixture

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise RecipeError(f"[train] {name} = {getattr(self, name)}: at least {least} is needed")
        if self.seed >= 2**64:
            raise RecipeError(f"[train] seed = {self.seed}: less than 2**64 is needed")
        if max(self.ema, self.ema_late) > 1:
            raise RecipeError(f"[train] ema = {self.ema}, ema_late = {self.ema_late}: at most 1 can be kept")


@dataclass(frozen=True)
class CardConfig:
    """What the card of an exported model will say."""

    summary: str = ""
    licence: str = ""
    data: tuple[str, ...] = ()  # training data, each with its licence


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run."""

    name: str
    task: str
    architecture: str
    model: Any  # the config dataclass of the architecture
    mix: Any  # of the task; its `duration_s` is the length of a mixture
    loss: Any  # of the task
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    card: CardConfig = CardConfig()

    def to_dict(self) -> dict[str, Any]:
        """Plain tables, for a checkpoint or a card."""
        return dataclasses.asdict(self)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a TOML file with `table.key=value` overrides applied.

    Where they name other training data and say nothing of the card, its data and licence are no longer the recipe's.

    Raises:
        RecipeError: no such file, broken TOML, an unknown key (the nearest valid one is named) or a value of a wrong
        type.
    """
    table = read_tables(Path(path), "the recipe")
    for text in overrides:
        override(table, text)
    keys = {parse_override(text)[0] for text in overrides}
    if keys & {f"data.{kind}" for kind in SOURCES} and not any(key.split(".")[0] == "card" for key in keys):
        _forget_data(table)
    return from_dict(table)


def _forget_data(table: dict[str, Any]) -> None:
    """Other recordings than the recipe's make its card untrue: what is known of them are their names."""
    sources = [source for kind in SOURCES if isinstance(said := table["data"].get(kind), list) for source in said]
    names = [f"{Path(str(source)).name}, licence not stated" for source in sources]
    table["card"] = {**table.get("card", {}), "data": names, "licence": "not stated"}


def from_dict(table: Mapping[str, Any]) -> Recipe:
    """The recipe of plain tables, as `Recipe.to_dict` gives them."""
    for key in ("name", "task", "architecture"):
        if not isinstance(table.get(key), str):
            raise RecipeError(f"a recipe needs '{key} = \"...\"' at its top")
    task = task_class(table["task"])
    parts: dict[str, type] = {
        "model": architecture(table["architecture"])[0],
        "mix": task.mix_config,
        "loss": task.loss_config,
        "data": DataConfig,
        "train": TrainConfig,
        "card": CardConfig,
    }
    refuse_unknown(table, ["name", "task", "architecture", *parts], "the recipe")
    configs: dict[str, Any] = {name: build(config, table.get(name, {}), f"[{name}]") for name, config in parts.items()}
    _check_mix(configs["mix"])
    return Recipe(table["name"], table["task"], table["architecture"], **configs)


def _check_mix(mix: Any) -> None:
    """Of any task: mixtures take time, and what is drawn between two numbers has the lower one first."""
    if "duration_s" in vars(mix) and mix.duration_s <= 0:  # of images it is no key of the recipe
        raise RecipeError(f"[mix] duration_s = {mix.duration_s:g}: more than 0 seconds are needed")
    for name, kind in get_type_hints(type(mix)).items():
        if kind == tuple[float, float] and list(pair := getattr(mix, name)) != sorted(pair):
            raise RecipeError(f"[mix] {name} = {list(pair)}: the lower number comes first")
