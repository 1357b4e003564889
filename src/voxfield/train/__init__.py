"""Recipes made runnable: mixing, losses, the loop, checkpoints. Needs `pip install 'voxfield[train]'`."""

from importlib.util import find_spec

from voxfield.errors import MissingExtraError

for _package in ("torch", "safetensors", "scipy"):
    if find_spec(_package) is None:
        raise MissingExtraError(_package, "train", "training")

from voxfield.train.loop import train as start  # noqa: E402
from voxfield.train.recipe import Recipe  # noqa: E402
from voxfield.train.recipe import load as load_recipe  # noqa: E402

__all__ = ["Recipe", "load_recipe", "start"]
