"""`voxfield train`: a recipe into a checkpoint."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as recipes/enhance/crn-small.toml.")],
    run: Annotated[Path | None, typer.Option("--run", help="Folder of the run; runs/NAME if not given.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override a key: table.key=value.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder, exactly.")] = False,
    init: Annotated[Path | None, typer.Option(help="Start a new run from a checkpoint's averaged weights.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop with a checkpoint after so many minutes.")
    ] = None,
) -> None:
    """Train a network. Stops and resumes exactly: a resumed run gives the weights of one that never stopped.

    The run's folder holds checkpoint.safetensors, to resume from or to export; best.safetensors, the weights that
    scored best in validation, to export or to start from; and log.jsonl. For several cores or GPUs use torchrun.

    Examples:

      voxfield train recipes/enhance/crn-small.toml --set 'data.speech=["clean/"]' --set 'data.noise=["noise/"]'

      voxfield train recipes/enhance/crn-small.toml --resume --max-minutes 60

      torchrun --nproc-per-node 2 -m -- voxfield train recipes/enhance/crn-small.toml
    """
    from voxfield.train import load_recipe, start

    loaded = load_recipe(recipe, set_ or [])
    print(start(loaded, run or Path("runs") / loaded.name, resume=resume, max_minutes=max_minutes, init=init))
