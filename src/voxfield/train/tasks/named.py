"""What can be trained. This is the only table from task names to classes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from voxfield.errors import RecipeError

if TYPE_CHECKING:
    from voxfield.train.tasks.contract import TrainingTask

TASKS = {  # name in recipes -> (module, class)
    "enhance": ("voxfield.train.tasks.enhance", "EnhanceTask"),
    "images": ("voxfield.train.tasks.images", "ImagesTask"),
    "tokens": ("voxfield.train.tasks.tokens", "TokensTask"),
    "prior": ("voxfield.train.tasks.prior", "PriorTask"),
    "separate": ("voxfield.train.tasks.separate", "SeparateTask"),
    "spot": ("voxfield.train.tasks.spotting", "SpotTask"),
    "embed": ("voxfield.train.tasks.speakers", "SpeakersTask"),
    "represent": ("voxfield.train.tasks.represent", "RepresentTask"),
}


def task_class(name: str) -> type[TrainingTask]:
    """The class of a task; it is imported when a recipe first names it.

    Raises:
        RecipeError: no such task; the message lists those there are.
    """
    if name not in TASKS:
        raise RecipeError(f"no task '{name}'; there are: {', '.join(TASKS)}")
    module, task = TASKS[name]
    return cast("type[TrainingTask]", getattr(import_module(module), task))
